//! Judges what a worker makes of the answers of Python, which may be anything.

use crate::kernel::columns::results::Results;
use crate::kernel::columns::types::Type;
use crate::kernel::columns::{Values, with_values};
use crate::work::python::message::{LENGTH, Mapped, Message};
use crate::work::python::region::{read, write};

/// Checks that what is taken of an answer is consistent, can be printed, and comes back when it is sent as columns. The bytes are how many
/// rows were asked for, the types of two results, how many rows are said to be done, the offset of bad rows in eighths and their number,
/// and the region.
pub fn answer(bytes: &[u8]) {
    let [rows, first, second, done, told, faults, region @ ..] = bytes else { return };
    if let Ok(message) = Message::from_bytes(&region[..region.len().min(LENGTH)]) {
        assert_eq!(message.bytes(), region[..LENGTH]);
    }
    let of = |byte: u8| Type::ALL[usize::from(byte) % Type::ALL.len()];
    let types = &[of(*first), of(*second)][..1 + usize::from(first >> 7)];
    let (rows, number) = (usize::from(*rows), |byte: u8| if byte == 255 { u64::MAX } else { u64::from(byte) });
    let mapped = Mapped {
        done: number(*done),
        columns: types.len() as u64,
        told: number(*told).saturating_mul(8),
        faults: number(*faults),
        ..Mapped::default()
    };
    let mut results = Results { rows, ..Results::default() };
    if read(region, mapped, rows, 2, types, &mut results).is_err() {
        assert!(results.columns.rows == 0 && results.bad.is_empty());
        return;
    }
    let done = results.columns.rows;
    assert!(done <= rows && done as u64 == mapped.done);
    assert!(results.bad.is_sorted_by(|a, b| a.row < b.row) && results.bad.iter().all(|bad| bad.row < done));
    for column in &results.columns.columns {
        assert_eq!(column.values.len(), done);
        if let Values::Text(texts) = &column.values {
            assert!((0..done).all(|at| std::str::from_utf8(texts.get(at)).is_ok()));
        }
    }
    let mut room = vec![0; 1 << 16];
    let mut row = 0;
    while row < done {
        let written = results.write(types, row..done, super::format(*told), &mut room);
        let is_fault = results.bad.iter().any(|bad| bad.row == row + written.outputs);
        assert!(!is_fault || written.bad.is_some());
        row += written.outputs.max(1);
    }
    let mut again = vec![];
    write(&results.columns, |at| types[at], 0..done, &mut again);
    let mut same = Results { rows, ..Results::default() };
    let mapped = Mapped { done: done as u64, faults: 0, ..mapped };
    assert_eq!(read(&again, mapped, done, 2, types, &mut same), Ok(()));
    for (sent, found) in results.columns.columns.iter().zip(&same.columns.columns) {
        // A NaN is unlike itself.
        let has_nan =
            with_values!(&sent.values, numbers => numbers.iter().any(|number| number != number), _texts => false);
        assert!(has_nan || sent.values == found.values);
        assert!((0..done).all(|at| sent.has(at) == found.has(at)) && sent.large == found.large);
    }
}
