//! Judges how the parent reads what workers send. Whatever bytes they are, the run must end with an error, or the bytes
//! must do no harm.

use super::{MOST, QUIET};
use crate::bad_row::Report;
use crate::csv::hints::Reading;
use crate::error::{Error, must_be_escaped};
use crate::executor::pickle::receive;
use crate::flow::{Block, Bytes, Part, Sink};
use crate::kernel::Function;
use crate::kernel::gcd::Gcd;
use crate::output::bad_rows::BadRows;
use crate::output::writer::Writer;
use crate::ring::Care;
use crate::tally::Tally;
use crate::work::remote::Remote;
use crate::work::text::{OnBadRow, Settings, Text};
use crate::work::{Mapped, Work};

/// Checks that the parent can read reports of any content, which refer to rows and results of any size.
pub fn report(bytes: &[u8]) {
    let Some((&[input, results, lines, how], bytes)) = bytes.split_first_chunk() else { return };
    let Some((input, bytes)) = bytes.split_at_checked(usize::from(input)) else { return };
    let Some((results, reports)) = bytes.split_at_checked(usize::from(results)) else { return };
    let mut rest = reports;
    while let Some(Report { results: before, bad }) = Report::take(&mut rest, input.len(), results.len()) {
        assert!(before <= results.len() && bad.place <= input.len());
        assert!(bad.row.start <= bad.row.end && bad.row.end <= input.len());
        assert!(!bad.what.contains(must_be_escaped), "{bad:?}");
    }
    // Tolerate no bad row, because a run that goes on after bad rows prints a message for each.
    let bad_rows = BadRows::new((how & 1 > 0).then_some(0));
    let reading = Reading { format: super::format(how >> 2), columns: None, has_header: how & 4 > 0, has_front: true };
    let tally = Tally::default();
    let mut writer = Writer::new(&QUIET.1, "out".to_string(), vec!["in".to_string()], bad_rows, &tally);
    if how & 2 > 0 {
        writer.reading = Some(reading);
    }
    writer.begin(Block::default()).unwrap();
    let part = Part {
        input: Bytes::Here(input),
        consumed: input.len(),
        lines: usize::from(lines),
        rows: 0,
        results,
        reports,
        deadly: "",
    };
    let written = writer.write(part);
    assert_eq!(written.is_err(), !reports.is_empty());
    if let Err(error) = written {
        assert!(!error.to_string().contains(must_be_escaped), "{error}");
    }
}

type Row = (u64, u64);
type Output = (f64, Option<String>, Vec<i64>);

fn any(&(a, b): &Row) -> Output {
    (a as f64, None, vec![b as i64])
}

/// Checks that a mapper can read replies of any content from a worker process to which it has sent rows.
pub fn frames(bytes: &[u8]) {
    let Some((&[rows, how, room, _], mut bytes)) = bytes.split_first_chunk() else { return };
    let on_bad_row = [OnBadRow::Stop, OnBadRow::Skip, OnBadRow::Blank, OnBadRow::Skip][usize::from(how & 3)];
    let settings = Settings { append: how & 4 > 0, on_bad_row, ..Settings::default() };
    let (gcd, function) = (Gcd::default(), Function(any as fn(&Row) -> Output));
    let (gcd, function) = (Text::new(&gcd, settings.clone()), Text::new(&function, settings));
    let work: &dyn Work = if how & 8 > 0 { &gcd } else { &function };
    let bad: &[u8] = if how & 16 > 0 { b"x,y\n" } else { b"" };
    let text = [&b"12,18\r\n".repeat(usize::from(rows)), bad].concat();
    while let Some(pickle) = receive(&mut bytes) {
        let call = Box::new(|_: &[u8]| Ok(pickle.clone()));
        let mut mapper = work.mapper(Some(Remote { chunk_size: MOST, call }));
        let mut room = vec![0; 64 + usize::from(room)];
        match mapper.map_block(&[], &text, &mut room, Care::default()) {
            Ok(Mapped { results, reports, .. }) => {
                let mut rest = &room[results..results + reports];
                while !rest.is_empty() {
                    assert!(Report::take(&mut rest, text.len(), results).is_some());
                }
            }
            Err(failure) => assert!(!Error::from(failure).to_string().contains(must_be_escaped)),
        }
    }
}
