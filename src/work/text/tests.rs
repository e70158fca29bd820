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

/// Maps `input` part by part, with `room` bytes for results at a time, and stops after the first report of a bad row.
/// Returns the results, the number of line ends in the mapped input, and the message of that report.
fn in_parts(input: &str, room: usize) -> (String, usize, String) {
    in_parts_with(Settings::default(), input, room)
}

fn in_parts_with(settings: Settings, input: &str, room: usize) -> (String, usize, String) {
    let (mut results, mut lines, mut rest) = (vec![], 0, input.as_bytes());
    let (mapping, mut room) = (Text::new(&Repeat, settings), vec![0; room]);
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
fn results_stand_behind_their_rows_whatever_fits() {
    let long = "d".repeat(40);
    let rows = [
        ("3,a", "\n", "aaa"),
        ("30,d", "\r\n", &long[..30]),
        ("0,x", "\n", ""),
        ("2,\"\n\"", "\n", "\"\n\n\""),
        ("40,d", "\n", &long),
        ("1,e", "\r\n", "e"),
    ];
    for taken in [0..3, 0..6, 1..2, 3..4] {
        let rows = rows[taken].iter().cycle().take(1200);
        let input: String = rows.clone().flat_map(|(row, end, _)| [*row, end]).collect();
        let expected: String = rows.flat_map(|(row, end, result)| [*row, ",", result, end]).collect();
        for room in [50, 99, 150, 1000, 1 << 20] {
            let (found, ..) = in_parts_with(Settings { append: true, ..Settings::default() }, &input, room);
            assert!(found == expected, "{room}: {found}");
        }
    }
    let settings = Settings { append: true, ..Settings::default() };
    let (found, ..) = in_parts_with(settings, &format!("20000,{}\n", 'z'), 1 << 16);
    assert_eq!(found.len(), 20_009, "a result is longer than what is printed at a time");
}

#[test]
fn a_bad_row_is_reported_after_the_results_before_it() {
    let input = format!("{}9,zz\n1,a\n", "9,a\n".repeat(100));
    for room in [200, 300, 1 << 20] {
        let (results, lines, report) = in_parts(&input, room);
        assert_eq!((results.lines().count(), lines), (100, 100));
        assert!(report.starts_with("field 2 is not one character: "), "{report}");
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

/// Maps `input` in parts, to the end. Returns the results and, for each bad row, its offset and the message.
fn with_bad_rows(input: &str, settings: &Settings, room: usize) -> (String, Vec<(usize, String)>) {
    let (mut results, mut bad_rows, mut at) = (vec![], vec![], 0);
    let (mapping, mut room) = (Text::new(&Repeat, settings.clone()), vec![0; room]);
    let mut mapper = mapping.mapper(None);
    while at < input.len() {
        let outcome = mapper.map_block(&[], &input.as_bytes()[at..], &mut room, Care::default()).unwrap();
        let (before, reports) = (results.len(), &room[outcome.results..outcome.results + outcome.reports]);
        results.extend_from_slice(&room[..outcome.results]);
        let mut reports = reports;
        while !reports.is_empty() {
            let report = Report::take(&mut reports, input.len() - at, outcome.results).unwrap();
            // The results before a bad row are those of the rows before it.
            let lines = results[..before + report.results].iter().filter(|&&byte| byte == b'\n').count();
            bad_rows.push((at + report.bad.row.start, format!("{lines} {}", report.bad.what)));
        }
        assert!(outcome.consumed > 0, "no progress");
        at += outcome.consumed;
    }
    (String::from_utf8(results).unwrap(), bad_rows)
}

#[test]
fn bad_rows_and_bad_results_leave_their_neighbours_alone() {
    // Good rows, bad rows, a row whose result has no room, and a blank line. All sequences of three of these lines are
    // tried.
    let kinds = ["3,a\n", "9,zz\n", "5000,b\n", "\n", "1\n", "1,c\r\n", "2,\"d\"\n"];
    let each = || kinds.iter().copied();
    let lines: Vec<&str> = each().flat_map(|a| each().flat_map(move |b| each().flat_map(move |c| [a, b, c]))).collect();
    for (on_bad_row, append) in
        [(OnBadRow::Skip, false), (OnBadRow::Blank, false), (OnBadRow::Skip, true), (OnBadRow::Blank, true)]
    {
        let (mut results, mut bad_rows, mut at) = (String::new(), vec![], 0);
        for line in &lines {
            let (row, end) = line.split_at(line.trim_end().len());
            let (good, wrong) = match row {
                "" => (None, None),
                "3,a" => (Some("aaa"), None),
                "1,c" => (Some("c"), None),
                "2,\"d\"" => (Some("dd"), None),
                "9,zz" => (None, Some("field 2 is not one character: ")),
                "1" => (None, Some("1 field where 2 are expected: ")),
                _ => (None, Some(TOO_LONG)),
            };
            if let Some(wrong) = wrong {
                bad_rows.push((at, format!("{} {wrong}", results.lines().count())));
            }
            if let Some(result) = good.or(wrong.filter(|_| on_bad_row == OnBadRow::Blank).map(|_| "")) {
                results += &if append { format!("{row},{result}{end}") } else { format!("{result}\n") };
            }
            at += line.len();
        }
        let settings = Settings { on_bad_row, append, ..Settings::default() };
        let input = lines.concat();
        for room in [200, 300, 1000, 4000] {
            let (found, found_bad) = with_bad_rows(&input, &settings, room);
            assert_eq!(found, results, "{settings:?} {room}");
            assert_eq!(found_bad.len(), bad_rows.len());
            for ((at, what), (expected, start)) in found_bad.iter().zip(&bad_rows) {
                assert!(at == expected && what.starts_with(start), "{at} {what:?} is not {expected} {start:?}");
            }
        }
    }
}
