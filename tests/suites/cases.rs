//! CSV files of our own in addition to those of csv-spectrum, and files that readers of CSV disagree about.

use crate::judge::MARK;

/// What csv-spectrum leaves out: fields and rows that are missing, empty, blank or broken, and rare line ends.
pub const CASES: [(&str, &[u8]); 32] = [
    ("nothing", b""),
    ("mark-only", MARK),
    ("names-only", b"east,west,total\n"),
    ("names-only-no-end", b"east,west"),
    ("two-columns", b"a,b\n12,18\n35,21\n0,-4\n"),
    ("no-names", b"12,18\r\n35,21"),
    ("mark", b"\xef\xbb\xbfa,b\n12,18\n"),
    ("mark-before-quote", b"\xef\xbb\xbf\"a\",\"b\"\r\n\"12\",18\r\n"),
    ("one-column", b"n\n12\n18\n"),
    ("one-column-empty", b"n\n\"\"\n12\n"),
    ("all-empty", b"a,b,c\n,,\n\"\",\"\",\"\"\n"),
    ("empty-fields", b"a,b,c\n,12,18\n12,,18\n12,18,\n"),
    ("blanks-around", b"a, b ,\tc\n 12,18 ,\t30\t\n\" 12 \",\"\t18\",7\n"),
    ("blanks-around-quotes", b"a,b\n \"12\",18\n12,\"18\" \n"),
    ("quoted-numbers", b"\"a\",\"b\"\n\"-12\",\"+18\"\n\"007\",\"21\"\n"),
    ("quoted-delimiter", b"a,b,c\n12,\"x,y\",18\n\"1,2\",\",\",5\n"),
    ("quoted-quote", b"a,b,c\n12,\"say \"\"18\"\"\",30\n\"\"\"\",4,\"\"\"6\"\"\"\n"),
    ("quoted-line-ends", b"a,b,c\n12,\"x\ny\r\nz\n\n\",18\n\"\n\",\"\r\n\",\"\n4\"\n"),
    ("quoted-line-end-in-name", b"a,\"b\nb\",\"c\"\"c\"\n12,18,30\n"),
    ("more-after-quote", b"a,b\n\"1\"2,18\n\"1\"\"2\"3,\"4\"5\"6\"\n"),
    ("quote-inside", b"a,b\n1\"2,18\n3\"\"4\",5\"\n"),
    ("fields-missing", b"a,b,c\n12,18\n12\n12,18,30\n"),
    ("fields-to-spare", b"a,b,c\n12,18,30,42\n1,2,3,4,5\n"),
    ("names-repeated", b"a,b,a\n12,18,30\n"),
    ("names-of-digits", b"2,1,\"3\"\n12,18,35\n"),
    ("blank-lines", b"\n\r\na,b\n\n12,18\r\n\r\n\n4,6\n\n"),
    ("mixed-line-ends", b"a,b\r\n12,18\n4,6\r\n8,\"12\"\r\n9,6"),
    ("utf8", "größe,幅,🦀\n12,١٢,18\n12,−3,４\n".as_bytes()),
    ("not-utf8", b"a,b\n12,\xff8\n\xe9,18\nNUL,\x00\n"),
    ("quote-never-closed", b"a,b,c\n12,18,30\n4,\"6\n8,\"\"9\n7"),
    ("lone-carriage-returns", b"a,b\n12,18\r4,6\n\r5,10\n15,5\r"),
    ("lines-of-blanks", b" \t\na,b\n  \r\n12,18\n \n\t\n4,6\n  "),
];

/// Where the reading differs from that of the `csv` crate with its defaults.
pub const DIFFERENCES: [(&str, &str); 3] = [
    ("quote-never-closed", "to the crate the end of the input closes the quote; that would hide what was cut off"),
    ("lone-carriage-returns", "to the crate each ends a row, though no line ends there to any tool that counts lines"),
    ("lines-of-blanks", "to the crate a row with one field; what cannot be seen is no row"),
];

/// All files by their names.
pub fn files() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    csv_spectrum::spectrum().iter().map(|sample| (sample.name, sample.csv)).chain(CASES)
}
