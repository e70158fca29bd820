//! A kernel over a block: decode, map, encode, a batch of rows at a time.

use crate::kernel::Kernel;
use crate::ring::Outcome;

/// Rows that are decoded, mapped and encoded together: rows and outputs stay in the first-level cache.
const BATCH: usize = 512;

const TOO_LONG: &str = "the output is longer than a block; use a larger --block-size";

/// Something that can be mapped over blocks of bytes.
pub trait MapBlocks: Sync {
    /// What one worker keeps from block to block: scratch space only.
    fn mapper(&self) -> Box<dyn MapBlock + '_>;
}

/// One worker's hold of a kernel.
pub trait MapBlock {
    /// Maps the rows of a block, or as many as have room for their results.
    fn map_block(&mut self, input: &[u8], room: &mut [u8]) -> Outcome;
}

/// A kernel over blocks of CSV text.
pub struct Text<'k, K>(pub &'k K);

impl<K: Kernel> MapBlocks for Text<'_, K> {
    fn mapper(&self) -> Box<dyn MapBlock + '_> {
        Box::new(TextMapper { kernel: self.0, rows: Vec::with_capacity(BATCH), outputs: Vec::with_capacity(BATCH) })
    }
}

struct TextMapper<'k, K: Kernel> {
    kernel: &'k K,
    rows: Vec<K::Row>,
    outputs: Vec<K::Output>,
}

impl<K: Kernel> MapBlock for TextMapper<'_, K> {
    fn map_block(&mut self, input: &[u8], room: &mut [u8]) -> Outcome {
        let mut outcome = Outcome::default();
        while outcome.consumed < input.len() {
            let text = &input[outcome.consumed..];
            self.rows.clear();
            self.outputs.clear();
            let decoded = self.kernel.decode(text, BATCH, &mut self.rows);
            assert!(decoded.bytes > 0 || decoded.bad.is_some(), "the kernel decodes nothing of what is there");
            self.kernel.map_rows(&self.rows, &mut self.outputs);
            assert_eq!(self.outputs.len(), self.rows.len(), "the kernel has not one output for each row");
            let encoded = self.kernel.encode(&self.outputs, &mut room[outcome.results..]);
            outcome.results += encoded.bytes;
            if encoded.outputs == self.rows.len() {
                outcome.consumed += decoded.bytes;
                outcome.lines += decoded.lines;
                if let Some(bad) = decoded.bad {
                    report(&mut outcome, &bad, room);
                    return outcome;
                }
                continue;
            }
            // Out of room, or an output that cannot be written: how far the rows before it reach is found by reading
            // them once more, which is rare, rather than by noting where each ends, which would be paid by all.
            self.rows.clear();
            let before = self.kernel.decode(text, encoded.outputs, &mut self.rows);
            outcome.consumed += before.bytes;
            let too_long = (outcome.results == 0).then(|| TOO_LONG.to_string());
            match encoded.bad.or(too_long) {
                None => outcome.lines += before.lines,
                Some(bad) => {
                    // Blank lines before the row at fault are passed over with it.
                    let with_it = self.kernel.decode(text, encoded.outputs + 1, &mut self.rows);
                    outcome.lines += with_it.lines.saturating_sub(1);
                    report(&mut outcome, &bad, room);
                }
            }
            return outcome;
        }
        outcome
    }
}

/// Puts a report behind the results. Where there is no room for it, the block's first part is handed over without it:
/// its row then comes first in the rest of the block, with all of the region for the report.
fn report(outcome: &mut Outcome, what: &str, room: &mut [u8]) {
    let what = if what.is_empty() { "the row is bad" } else { what };
    let room = &mut room[outcome.results..];
    let fits = what.len() <= room.len();
    if fits || outcome.results == 0 {
        let length = what.floor_char_boundary(room.len());
        room[..length].copy_from_slice(&what.as_bytes()[..length]);
        outcome.report = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats the row's number as often as it says.
    struct Repeat;

    impl Kernel for Repeat {
        type Row = (usize, char);
        type Output = String;
        fn map(&self, &(times, c): &(usize, char)) -> String {
            c.to_string().repeat(times)
        }
    }

    /// All that comes of `input` with so much room at a time: results, lines, and the report.
    fn in_parts(input: &str, room: usize) -> (String, usize, String) {
        let (mut results, mut lines, mut rest) = (vec![], 0, input.as_bytes());
        let (text, mut room) = (Text(&Repeat), vec![0; room]);
        let mut mapper = text.mapper();
        while !rest.is_empty() {
            let outcome = mapper.map_block(rest, &mut room);
            results.extend_from_slice(&room[..outcome.results]);
            lines += outcome.lines;
            if outcome.report > 0 {
                let report = &room[outcome.results..outcome.results + outcome.report];
                return (String::from_utf8(results).unwrap(), lines, String::from_utf8(report.to_vec()).unwrap());
            }
            assert!(outcome.results > 0 || outcome.consumed == rest.len(), "no progress");
            rest = &rest[outcome.consumed..];
        }
        (String::from_utf8(results).unwrap(), lines, String::new())
    }

    #[test]
    fn results_larger_than_the_room_come_in_parts() {
        let input = "3,a\n\n1,b\r\n0,c\n30,d\n".repeat(400);
        let (expected, lines, report) = in_parts(&input, 1 << 20);
        assert_eq!((lines, expected.lines().count(), report.as_str()), (2000, 1600, ""));
        for room in [31, 32, 40, 100, 1000] {
            assert_eq!(in_parts(&input, room), (expected.clone(), 2000, String::new()), "{room}");
        }
    }

    #[test]
    fn a_bad_row_is_reported_after_the_results_before_it() {
        let input = format!("{}9,zz\n1,a\n", "9,a\n".repeat(100));
        for room in [100, 200, 1 << 20] {
            let (results, lines, report) = in_parts(&input, room);
            assert_eq!((results.lines().count(), lines), (100, 100));
            assert!(report.starts_with("field 2: "), "{report}");
        }
    }

    #[test]
    fn a_result_that_never_fits_is_reported() {
        let (results, lines, report) = in_parts("2,a\n500,b\n", 100);
        assert_eq!((results.as_str(), lines), ("aa\n", 1));
        let (_, lines, report_after_blank_lines) = in_parts("2,a\n\n\r\n500,b\n", 100);
        assert_eq!((lines, &report_after_blank_lines), (3, &report));
        assert_eq!(report, "the output is longer than a block; use a larger --block-size");
    }
}
