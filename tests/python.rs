//! Python as a second judge: `math.gcd` of results, with integers of up to 4096 bits, and the `csv` module of where rows and fields are.

mod common;

use common::{pmapgcd, run};
use std::fs;
use std::process::Command;

const ROWS: usize = 100_000;

/// A Python script that writes rows to the first file, and the output that they must give to the second.
const JUDGE: &str = r"
import math, random, sys
rng = random.Random(4)

def prime(bits):
    while True:
        candidate = rng.getrandbits(bits) | 1 << bits - 1 | 1
        if math.gcd(candidate, 3 * 5 * 7 * 11 * 13 * 17) == 1 and pow(2, candidate - 1, candidate) == 1:
            return candidate

borders = [0, 1] + [(1 << bits) + near for bits in (63, 64, 127, 128) for near in (-1, 0, 1)]
moduli = [prime(bits) for bits in (64, 128, 256, 512) for _ in range(6)] + [2**n - 1 for n in (1279, 2203)]

def size(most=4096):
    return int(most ** rng.random())

def integer(bits):
    return rng.getrandbits(bits)

def wide():
    return integer(4096) | 1 << 4095, integer(rng.choice((64, 2048, 4095, 4096)))

def common_factor():
    factor = integer(size(3072))
    return factor * integer(size(1024)), factor * integer(size(1024))

def shared_prime():
    shared, *others = rng.sample(moduli, 3)
    return shared * others[0], shared * others[1]

pairs = [
    (27, lambda: (integer(size()), integer(size()))),
    (15, wide),
    (15, lambda: (rng.choice(borders), rng.choice(borders))),
    (10, lambda: (rng.choice(borders), integer(size()))),
    (8, lambda: (1 << rng.randrange(4096), 1 << rng.randrange(4096))),
    (5, lambda: (0, integer(size()))),
    (10, common_factor),
    (10, shared_prime),
]
weights, makers = zip(*pairs)
with open(sys.argv[1], 'w') as rows, open(sys.argv[2], 'w') as gcds:
    for maker in rng.choices(makers, weights, k=int(sys.argv[3])):
        pair = list(maker())
        rng.shuffle(pair)
        signed = [rng.choice(('', '', '+', '-')) + str(number) for number in pair]
        assert max(number.bit_length() for number in pair) <= 4096
        rows.write(','.join(signed) + '\n')
        gcds.write(f'{math.gcd(*map(int, signed))}\n')
";

#[test]
fn python_finds_the_same_divisors() {
    let folder = tempfile::tempdir().unwrap();
    let [rows, gcds] = ["rows", "gcds"].map(|name| folder.path().join(name));
    run(Command::new("python3").args(["-c", JUDGE]).args([&rows, &gcds]).arg(ROWS.to_string()), "").is(0, "", "");
    let expected = fs::read(gcds).unwrap();
    assert_eq!(expected.iter().filter(|byte| **byte == b'\n').count(), ROWS);
    for way in [&["--executor=shared", "-j", "2"][..], &["--executor=serial"]] {
        run(pmapgcd(way).arg(&rows), "").is(0, &expected, "");
    }
}

/// A Python script that writes text to the first file, and to the second its rows by the `csv` module, a list in JSON on each line. The
/// other arguments are the delimiter, the quote (or nothing) and a seed.
///
/// Three things differ by intention, and so are not in the text (`LONE_RETURNS`, `BLANK_LINES`) or are mended there (`OPEN_QUOTES`).
const SPLITTER: &str = r#"
import csv, io, json, random, sys
_, text_path, rows_path, delimiter, quote, seed = sys.argv
rng = random.Random(int(seed))

def rows(text):
    how = {'quotechar': quote} if quote else {'quoting': csv.QUOTE_NONE, 'quotechar': None}
    return [row for row in csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, **how) if row]

# LONE_RETURNS: one outside quotes ends a row there, and makes the row a bad one here. So returns stand before line feeds only.
# BLANK_LINES: a line of blanks is a row there, and none here. So a blank stands beside a letter. An empty line is none for both.
common = [delimiter, delimiter, '\n', 'a', '1', 'b ', ' b']
rare = ['"', '"', '""', "'", ',', ';', '|', '\r\n', '\n\n', 'é', '€ x', '#', '\\', 'a' * 70, '"a","b"\n', 'a\tb']
text = ''.join(rng.choice(common if rng.random() < 0.8 else rare) for _ in range(60_000)) + '\n'

# OPEN_QUOTES: a quote that is never closed is an error here, and closed by the end there. It is closed first.
if rows(text + 'x')[-1] != ['x']:
    text += quote + '\n'
assert rows(text + 'x')[-1] == ['x']
with open(text_path, 'w', newline='') as file:
    file.write(text)
with open(rows_path, 'w') as file:
    file.writelines(json.dumps(row) + '\n' for row in rows(text))
"#;

/// The rows that a command is given, which answers each with itself, are those that Python's `csv` finds.
#[test]
fn python_finds_the_same_rows_and_fields() {
    let folder = tempfile::tempdir().unwrap();
    let [text, rows] = ["text", "rows"].map(|name| folder.path().join(name));
    let dialects = [(",", "\""), (";", "'"), ("\t", "\""), ("|", ""), (",", "")];
    for (seed, (delimiter, quote)) in (1..=2).flat_map(|seed| dialects.map(|dialect| (seed, dialect))) {
        let mut script = Command::new("python3");
        script.args(["-c", SPLITTER]).args([&text, &rows]).args([delimiter, quote, &seed.to_string()]);
        run(&mut script, "").is(0, "", "");
        let expected = fs::read_to_string(&rows).unwrap();
        let values = |lines: &str| -> Vec<Vec<String>> {
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        for vectors in ["portable", "avx2", "avx512"] {
            let way = ["--command=cat", "--command-input=json", "--executor=serial", "--block-size=16k"];
            let quote = if quote.is_empty() { "none" } else { quote };
            let mut command = pmapgcd(way);
            command.arg(&text).args(["-d", delimiter, "--quote", quote]).env("PMAPGCD_VECTORS", vectors);
            let finished = run(&mut command, "");
            finished.is(0, &finished.stdout, "");
            let (found, expected) = (values(std::str::from_utf8(&finished.stdout).unwrap()), values(&expected));
            assert!(expected.len() > 1000);
            assert_eq!(found.len(), expected.len(), "{delimiter:?} {quote:?} {seed} {vectors}");
            let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            assert_eq!(differs, None, "{delimiter:?} {quote:?} {seed} {vectors}");
        }
    }
}
