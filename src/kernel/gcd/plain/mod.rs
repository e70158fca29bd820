//! The fast decoder of plain rows: digits, a delimiter, digits, a line end. All other rows are left to the general
//! decoder.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(target_arch = "x86_64")]
mod walk;

use crate::vectors::Vectors;

/// The most digits of a number in a plain row: as many as 2^64 - 1 has.
pub const MAX_DIGITS: usize = 20;

/// Appends to `rows` the rows at the front of `text` that consist of two unsigned integers below 2^64, at most `limit`
/// rows. Returns the number of bytes that these rows take. Stops at the first row that is not plain. May also stop
/// before the last rows of `text`, because a row near the end cannot be loaded in words or vectors of full size.
pub fn read_plain(text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    with(Vectors::here(), text, delimiter, limit, rows)
}

/// Does what [`read_plain`] does, using the instructions in `vectors`.
fn with(vectors: Vectors, text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    match vectors {
        // SAFETY: the processor has these instructions, because a `Vectors` never names others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { avx512::read_plain(text, delimiter, limit, rows) },
        // SAFETY: the processor has these instructions, because a `Vectors` never names others.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { avx2::read_plain(text, delimiter, limit, rows) },
        _ => portable::read_plain(text, delimiter, limit, rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `check` what each implementation reads of `row` and the plain rows behind it.
    fn read(row: &str, mut check: impl FnMut(&[[u64; 2]], usize)) {
        for vectors in Vectors::all() {
            // The number of rows before `row` varies, so that it stands at every position in a word, and also without
            // enough text before it to load a number whole.
            for before in (0..20).chain([100, 1000]) {
                let text = "3,4\n".repeat(before) + row + &"7,8\n".repeat(100);
                let mut rows = vec![];
                let bytes = with(vectors, text.as_bytes(), b',', usize::MAX / 2, &mut rows);
                assert_eq!(rows[..before], vec![[3, 4]; before], "{vectors:?} {row}");
                check(&rows[before..], bytes - 4 * before);
            }
        }
    }

    #[test]
    fn every_length_of_number_is_read() {
        for (a_digits, b_digits) in (1..=20).flat_map(|a| (1..=20).map(move |b| (a, b))) {
            let number = |digits: usize| "18446744073709551615"[..digits].parse::<u64>().unwrap();
            let (a, b) = (number(a_digits), number(b_digits));
            for end in ["\n", "\r\n"] {
                read(&format!("{a},{b}{end}"), |rows, bytes| {
                    assert!(rows.len() > 50 && rows[0] == [a, b] && rows[1..].iter().all(|row| *row == [7, 8]));
                    assert_eq!(bytes, a_digits + 1 + b_digits + end.len() + 4 * (rows.len() - 1));
                });
            }
        }
    }

    #[test]
    fn other_rows_are_left() {
        for row in [
            "",
            ",",
            "1",
            "1,",
            ",1",
            "-1,2",
            "1, 2",
            "1;2",
            "1,2,3",
            "\"1\",2",
            "1,2 ",
            "1,2\r\r",
            "1,2x",
            "0x1,2",
            "1,18446744073709551616",
            "99999999999999999999,1",
            "1,30000000000000000000",
            "000000000000000000001,1",
            "1,2\r3,4",
            "/,1",
            ":,1",
            "1\n2,",
        ] {
            read(&format!("{row}\n"), |rows, bytes| assert_eq!((rows, bytes), (&[][..], 0), "{row}"));
        }
    }

    #[test]
    fn no_more_rows_than_the_limit_are_read() {
        for vectors in Vectors::all() {
            let mut rows = vec![];
            for (text, limit, bytes) in
                [("1,2\n", 2, 8), ("1,2\n", 0, 0), ("1,2\r\n", 300, 1500), ("12,3\n", 700, 3500)]
            {
                let read = with(vectors, text.repeat(1000).as_bytes(), b',', limit, &mut rows);
                assert_eq!(read, bytes, "{vectors:?}");
            }
            assert_eq!(with(vectors, "1;2\n".repeat(50).as_bytes(), b';', 3, &mut rows), 12);
            assert_eq!(rows.len(), 1005);
        }
    }

    proptest::proptest! {
        #[test]
        fn all_implementations_read_the_same(
            pieces in proptest::collection::vec(
                proptest::prop_oneof![
                    9 => proptest::prelude::any::<(u64, u64, u32, u32)>()
                        .prop_map(|(a, b, c, d)| format!("{},{}\n", a >> (c % 64), b >> (d % 64))),
                    1 => proptest::sample::select(["\n", "-1,2\n", "1,2\r\n", "001,99999999999999999999\n", "1\r,2\n", "5"]
                        .as_slice()).prop_map(String::from),
                ], 0..300),
            limit in 0..400usize,
        ) {
            let (odd, text) = (pieces.concat().len(), pieces.concat() + &"7,8\n".repeat(100));
            let read = |vectors| {
                let mut rows = vec![];
                (with(vectors, text.as_bytes(), b',', limit, &mut rows), rows)
            };
            let (bytes, rows) = read(Vectors::Portable);
            for vectors in Vectors::all() {
                let (found_bytes, found) = read(vectors);
                // Implementations stop at different distances from the end of the text, so only the rows that both have
                // read are compared.
                let least = found.len().min(rows.len());
                proptest::prop_assert_eq!(&found[..least], &rows[..least], "{:?}", vectors);
                proptest::prop_assert!(found_bytes == bytes || found_bytes.min(bytes) > odd, "{:?}", vectors);
            }
        }
    }

    use proptest::strategy::Strategy;
}
