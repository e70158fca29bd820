//! Judges what a worker makes of the answers of a native kernel, which may be anything.

use super::format;
use crate::csv::record::split;
use crate::kernel::columns::results::Results;
use crate::kernel::columns::types::Type;
use crate::kernel::columns::{Column, Columns, Values};
use crate::kernel::native::answer::{Answer, Raw, RawValues, take};

/// Checks that what is taken of an answer is consistent, and can be printed. The bytes are how many rows were asked for, which results, how
/// many rows are said to be done and which column is at fault, where texts are said to end, and what is in the room for them.
pub fn kernel(bytes: &[u8]) {
    let [rows, types, done, field, more @ ..] = bytes else { return };
    let rows = usize::from(rows % 20) + 1;
    let types: Vec<Type> = (0..1 + types % 3).map(|at| Type::ALL[usize::from(types >> at) % Type::NATIVE]).collect();
    let mut more = more.iter().copied();
    let mut next = || more.next().unwrap_or(0);
    let raw: Vec<Raw> = types
        .iter()
        .map(|&of| {
            let mut raw = Raw::new(of, rows, 40);
            raw.validity.iter_mut().for_each(|bits| *bits = next());
            if let RawValues::Texts(offsets, room) = &mut raw.values {
                // Mostly ends that could be right, since others are noticed at once.
                let mut end = 0i32;
                for offset in offsets.iter_mut() {
                    end = match next() {
                        255 => i32::MIN,
                        254 => i32::MAX,
                        253 => end.wrapping_sub(1),
                        step => end.wrapping_add(i32::from(step % 4)),
                    };
                    *offset = end;
                }
                offsets[0] -= offsets[0] % 4;
                room.iter_mut().for_each(|byte| *byte = next());
            }
            raw
        })
        .collect();
    let message = if field % 3 == 0 { String::new() } else { "is bad".to_string() };
    let done = if *done > 250 { u64::MAX - u64::from(*done) } else { u64::from(*done) };
    let answer = Answer { done, message, field: u64::from(*field) };
    let columns = types.iter().map(|&of| Column::new(of, false)).collect();
    let mut results = Results { columns: Columns { columns, rows: 0 }, rows, bad: vec![] };
    let taken = match take(&raw, &answer, rows, 2, &mut results) {
        Ok(taken) => taken,
        Err(wrong) => {
            assert!(results.columns.rows == 0 && results.bad.is_empty() && !wrong.is_empty());
            0
        }
    };
    let good = taken - results.bad.len();
    assert!(taken <= rows && results.columns.rows == taken && (taken == 0 || good as u64 == answer.done));
    assert!(results.bad.iter().all(|bad| bad.row == good && bad.field.is_none_or(|field| field < 2)));
    for column in &results.columns.columns {
        assert_eq!(column.values.len(), taken);
        if let Values::Text(texts) = &column.values {
            assert!((0..taken).all(|at| std::str::from_utf8(texts.get(at)).is_ok()));
            assert_eq!(texts.offsets.last().copied().unwrap_or_default() as usize, texts.bytes.len());
        }
    }
    let (format, mut room) = (format(*field), vec![0; 4000]);
    let written = results.write(&types, 0..rows, format, &mut room);
    assert!(written.outputs <= good && (written.outputs == good || written.bad.is_some()));
    let (mut rest, mut fields) = (&room[..written.bytes], vec![]);
    // With comments a result may look like one, and without quotes or with blanks a line may be blank.
    let plain = crate::csv::Format { comment: None, ..format };
    for _ in 0..written.outputs {
        let length = split(rest, plain, &mut fields).length().unwrap_or(rest.len());
        assert!(length > 0);
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "{}", room[..written.bytes].escape_ascii());
}
