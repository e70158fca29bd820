//! Checks that a kernel has written one line for each output. Results are separated only by their line ends. So an
//! output without a line end, or with two, would move all later results to the wrong rows.

use crate::csv::Format;
use crate::csv::record::{Line, split};
use crate::csv::shown::shown;
use crate::kernel::batch::{BatchKernel, Written};
use memchr::memchr;
use std::ops::Range;

/// Has the kernel write the outputs of this range to `room`, as [`BatchKernel::write`] describes. Stops at the first
/// output that the kernel does not write as exactly one row, and returns it as the bad one.
pub fn write<K: BatchKernel>(
    kernel: &K,
    outputs: &K::Outputs,
    range: Range<usize>,
    format: Format,
    room: &mut [u8],
) -> Written {
    if kernel.is_known_to_write_rows() {
        return kernel.write(outputs, range, format, room);
    }
    // Write one output at a time. Among several, an output with one line end too many could hide another output that
    // has none.
    let mut written = Written::default();
    for number in range {
        let room = &mut room[written.bytes..];
        let one = kernel.write(outputs, number..number + 1, format, room);
        if one.outputs == 0 {
            written.bad = one.bad;
            break;
        }
        if !is_as_promised(&one, format, room) {
            written.bad = Some(broken_promise(&one, room));
            break;
        }
        written.bytes += one.bytes;
        written.outputs += 1;
    }
    written
}

/// Returns whether the kernel has written one output, within the room, as one row.
fn is_as_promised(written: &Written, format: Format, room: &[u8]) -> bool {
    written.outputs == 1 && room.get(..written.bytes).is_some_and(|text| is_row(text, format))
}

/// Returns whether `text` is one row with its line end. The row may be blank.
fn is_row(text: &[u8], format: Format) -> bool {
    if format.quote.is_none_or(|quote| memchr(quote, text).is_none()) {
        return memchr(b'\n', text).is_some_and(|end| end + 1 == text.len());
    }
    // A line end within quotes does not end the row. An output that looks like a comment is valid, so it must not be
    // taken for a comment here.
    let length = match split(text, Format { comment: None, ..format }, &mut vec![]) {
        Line::Nothing { length } | Line::Row { length, .. } | Line::Stray { length, .. } => length,
        Line::Unclosed { .. } => return false,
    };
    text.ends_with(b"\n") && length == text.len()
}

/// Returns the message about an output that is not one row.
fn broken_promise(written: &Written, room: &[u8]) -> String {
    let what = match room.get(..written.bytes) {
        _ if written.outputs > 1 => format!("it says that it wrote {} outputs", written.outputs),
        None => format!("it says that it wrote {} bytes into {}", written.bytes, room.len()),
        Some(text) => format!("it wrote {}", shown(text)),
    };
    format!("the kernel did not write its output as one line with an end: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bad_row::{BadRow, Report};
    use crate::csv::record::Record;
    use crate::ring::Care;
    use crate::work::Work;
    use crate::work::text::{OnBadRow, Settings, Text};

    /// A kernel that can write wrong outputs and make false statements about them. Its rows have the form
    /// `BYTES|OUTPUTS|TEXT`. It writes TEXT, in which `\n` and `\r` stand for these characters, and says that it has
    /// written BYTES bytes and OUTPUTS outputs. If one of these numbers is empty, it says the true number.
    struct Loose;

    impl BatchKernel for Loose {
        type Rows = Vec<String>;
        type Outputs = Vec<String>;

        fn result_name(&self) -> &str {
            "loose"
        }

        fn needs_nothing(&self) -> bool {
            false
        }

        fn sample_row(&self, _: u64) -> Option<String> {
            None
        }

        fn read(&self, record: &Record, rows: &mut Vec<String>) -> Result<(), BadRow> {
            rows.push(String::from_utf8(record.text().to_vec()).unwrap());
            Ok(())
        }

        fn map_batch(&self, rows: &Vec<String>, outputs: &mut Vec<String>) {
            outputs.extend(rows.iter().map(|row| row.replace("\\n", "\n").replace("\\r", "\r")));
        }

        fn write(&self, outputs: &Vec<String>, range: Range<usize>, _: Format, room: &mut [u8]) -> Written {
            let mut written = Written::default();
            for output in &outputs[range] {
                let mut parts = output.splitn(3, '|');
                let (bytes, count, text) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                let Some(space) = room.get_mut(written.bytes..).and_then(|room| room.get_mut(..text.len())) else {
                    break;
                };
                space.copy_from_slice(text.as_bytes());
                written.bytes += bytes.parse().unwrap_or(text.len());
                written.outputs += count.parse().unwrap_or(1);
            }
            written
        }
    }

    /// Bad outputs, and what the message about each contains.
    const BAD: [(&str, &str); 9] = [
        ("||", "it wrote \"\""),
        ("||7", "it wrote \"7\""),
        ("||7\\n8\\n", "it wrote \"7\\n8\\n\""),
        ("||\\n\\n", "it wrote \"\\n\\n\""),
        ("||7\\n8", "it wrote \"7\\n8\""),
        ("||\"7\\n", "it wrote \"\\\"7\\n\""),
        ("1||7\\n", "it wrote \"7\""),
        ("99999||7\\n", "it says that it wrote 99999 bytes into "),
        ("|3|7\\n", "it says that it wrote 3 outputs"),
    ];

    /// Maps these rows. Returns the output, and how many bad rows are reported.
    fn results(input: &str, append: bool, on_bad_row: OnBadRow) -> (String, usize) {
        let format = Format { quote: Some(b'"'), ..Format::default() };
        let text = Text::new(
            &Loose,
            Settings { format: Format { delimiter: b'\t', ..format }, append, on_bad_row, ..Settings::default() },
        );
        let (mut mapper, mut room, mut results, mut bad) = (text.mapper(None), vec![b'x'; 2000], vec![], 0);
        let mut rest = input.as_bytes();
        while !rest.is_empty() {
            let mapped = mapper.map_block(&[], rest, &mut room, Care::default()).unwrap();
            results.extend_from_slice(&room[..mapped.results]);
            let mut reports = &room[mapped.results..mapped.results + mapped.reports];
            while let Some(report) = Report::take(&mut reports, rest.len(), mapped.results) {
                assert!(report.bad.what.starts_with("the kernel did not write "), "{}", report.bad.what);
                let said = BAD.iter().any(|(_, said)| report.bad.what.contains(said));
                assert!(said, "{}", report.bad.what);
                bad += 1;
            }
            assert!(mapped.consumed > 0, "no progress");
            rest = &rest[mapped.consumed..];
        }
        (String::from_utf8(results).unwrap(), bad)
    }

    #[test]
    fn an_output_that_is_not_one_line_is_a_bad_row_and_the_others_keep_their_places() {
        for (bad, _) in BAD {
            for end in ["\n", "\r\n"] {
                // The bad row alone, at the front, between good rows, at the end, and between so many that there are
                // several batches.
                for (before, after) in [(0, 0), (0, 3), (3, 3), (3, 0), (600, 600)] {
                    let good = |count: usize, from: usize| {
                        (from..from + count).map(|n| format!("||{n}\\n{end}")).collect::<String>()
                    };
                    let input = format!("{}{bad}{end}{}", good(before, 0), good(after, before));
                    for append in [false, true] {
                        let line = |n: usize| if append { format!("||{n}\\n\t{n}{end}") } else { format!("{n}\n") };
                        let lines = |range: Range<usize>| range.map(line).collect::<String>();
                        let (first, second) = (lines(0..before), lines(before..before + after));
                        let skipped = results(&input, append, OnBadRow::Skip);
                        assert_eq!(skipped, (format!("{first}{second}"), 1), "{bad:?} {append}");
                        let blank = if append { format!("{bad}\t{end}") } else { "\n".to_string() };
                        assert_eq!(
                            results(&input, append, OnBadRow::Blank),
                            (format!("{first}{blank}{second}"), 1),
                            "{bad:?} {append}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn outputs_that_are_one_row_are_left_as_they_are() {
        for (good, written) in [
            ("\\n", ""),
            (" \\n", " "),
            ("#7\\n", "#7"),
            ("\"8\\n9\"\\n", "\"8\n9\""),
            ("a\"b\\n", "a\"b"),
            ("a\\rb\\n", "a\rb"),
        ] {
            let input = format!("||1\\n\n||{good}\n||2\\n\n");
            assert_eq!(results(&input, false, OnBadRow::Stop), (format!("1\n{written}\n2\n"), 0), "{good:?}");
            let appended = format!("||1\\n\t1\n||{good}\t{written}\n||2\\n\t2\n");
            assert_eq!(results(&input, true, OnBadRow::Stop), (appended, 0), "{good:?}");
        }
        // A carriage return before the output's line feed belongs to its line end. The row's line end replaces the
        // output's.
        assert_eq!(results("||7\\r\\n\n", true, OnBadRow::Stop), ("||7\\r\\n\t7\n".to_string(), 0));
        assert_eq!(results("||7\\r\\n\r\n", true, OnBadRow::Stop), ("||7\\r\\n\t7\r\n".to_string(), 0));
    }
}
