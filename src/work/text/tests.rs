use super::*;
use crate::bad_row::Report;
use crate::kernel::Kernel;

/// Repeats the row's character as many times as the row's number says.
struct Repeat;

impl Kernel for Repeat {
    type Row = (usize, char);
    type Output = String;
    fn map(&self, &(times, c): &(usize, char)) -> String {
        c.to_string().repeat(times)
    }
}

/// Maps `input` part by part, with `room` bytes for results at a time, up to the first report. Returns the results, the
/// number of line ends in the mapped input, and the message of that report.
fn in_parts(input: &str, room: usize) -> (String, usize, String) {
    let (mut results, mut lines, mut rest) = (vec![], 0, input.as_bytes());
    let (mapping, mut room) = (Text::new(&Repeat, Settings::default()), vec![0; room]);
    let mut mapper = mapping.mapper(None);
    while !rest.is_empty() {
        let outcome = mapper.map_block(&[], rest, &mut room, Care::default()).unwrap();
        results.extend_from_slice(&room[..outcome.results]);
        lines += outcome.lines;
        if outcome.reports > 0 {
            let mut reports = &room[outcome.results..outcome.results + outcome.reports];
            let report = Report::take(&mut reports, rest.len(), outcome.results).unwrap();
            return (String::from_utf8(results).unwrap(), lines, report.bad.what);
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
    for room in [200, 300, 1 << 20] {
        let (results, lines, report) = in_parts(&input, room);
        assert_eq!((results.lines().count(), lines), (100, 100));
        assert!(report.starts_with("field 2: "), "{report}");
    }
}

#[test]
fn a_result_that_never_fits_is_reported() {
    for input in ["2,a\n500,b\n", "2,a\n\n\r\n500,b\n"] {
        let (results, lines, report) = in_parts(input, 150);
        assert_eq!((results.as_str(), lines), ("aa\n", input.lines().count() - 1));
        assert_eq!(report, TOO_LONG);
    }
}
