//! What a kernel that exports `pmap_kernel_v1` answers. The answer is checked like any untrusted input, so that wrong
//! numbers in it do no harm, but lead to a message.

use crate::kernel::columns::results::Results;
use crate::kernel::columns::types::Type;
use crate::kernel::columns::{Texts, Validity, Values, with_values};

/// A kernel's answer: how many rows are done, and what it says about the next one.
pub struct Answer {
    /// The number of rows that are done.
    pub done: u64,
    /// The kernel's message about the next row, which it could not map. Empty if all rows are done, or if the kernel
    /// gave no reason.
    pub message: String,
    /// The number of the column at fault, from 1. A number that no column has, such as 0, means that the column is not
    /// known.
    pub field: u64,
}

/// The results of one call, as the kernel has left them.
pub struct Raw {
    /// The results: numbers, or all of the room for texts.
    pub values: RawValues,
    /// Which of the results are present.
    pub validity: Vec<u8>,
}

/// The values of a column of results, for as many rows as were asked for.
pub enum RawValues {
    /// Numbers.
    Numbers(Values),
    /// Texts: the offsets at which they begin and end, and the buffer with their bytes. Offset 0 is at byte [`SPARE`]
    /// of the buffer.
    Texts(Vec<i32>, Vec<u8>),
}

/// The value of each offset before the kernel sets it. No text can end at -1, so an offset that the kernel forgot is
/// found.
const UNSET: i32 = -1;
/// How many bytes lie before the room for texts. A kernel that forgets to set an offset, and then takes the unset
/// offset for the start of the next text, writes into these bytes, and not outside of its memory.
pub const SPARE: usize = UNSET.unsigned_abs() as usize;

impl Raw {
    /// Returns room for the results of `rows` rows, of this type. `room` is the number of bytes for their texts.
    pub fn new(of: Type, rows: usize, room: usize) -> Self {
        let values = match Values::new(of) {
            Values::Text(_) => RawValues::Texts(vec![], vec![]),
            values => RawValues::Numbers(values),
        };
        let mut raw = Raw { values, validity: vec![] };
        raw.clear(rows, room);
        raw
    }

    /// Makes room for the results of `rows` rows, and for `room` bytes of text. Results of earlier calls are not
    /// erased: the kernel overwrites the result of each row that it maps.
    pub fn clear(&mut self, rows: usize, room: usize) {
        match &mut self.values {
            RawValues::Numbers(values) => {
                with_values!(values, numbers => numbers.resize(rows, Default::default()), _texts => {});
            }
            RawValues::Texts(offsets, bytes) => {
                offsets.clear();
                offsets.resize(rows + 1, UNSET);
                offsets[0] = 0;
                bytes.resize(SPARE + room, 0);
            }
        }
        self.validity.clear();
        self.validity.resize(rows.div_ceil(8), 0xff);
    }

    /// Checks the first `done` results.
    ///
    /// # Errors
    /// If the results are not valid. The error says what is wrong with them.
    fn check(&self, done: usize) -> Result<(), &'static str> {
        let RawValues::Texts(offsets, bytes) = &self.values else { return Ok(()) };
        let bytes = &bytes[SPARE..];
        if offsets[0] != 0 {
            return Err("the kernel has moved the offset of the first result");
        }
        let is_bad = |ends: &[i32]| ends[1] < ends[0] || ends[1] as usize > bytes.len();
        if let Some(at) = offsets[..=done].windows(2).position(is_bad) {
            return Err(match offsets[at + 1] {
                UNSET => "the kernel has not set the offset behind the result, which a missing text needs too",
                _ => "the kernel's offset of the result is outside of its room, or before the last one",
            });
        }
        let is_text = |ends: &[i32]| std::str::from_utf8(&bytes[ends[0] as usize..ends[1] as usize]).is_ok();
        match bytes[..offsets[done] as usize].is_ascii() || offsets[..=done].windows(2).all(is_text) {
            true => Ok(()),
            false => Err("the kernel's result is not UTF-8"),
        }
    }
}

/// Appends the results of one call for `rows` rows of `count` fields to `results`. If the kernel says what is wrong
/// with the next row, appends that one as a bad row. Returns how many rows were appended, with the bad one.
///
/// # Errors
/// If the answer is not valid. The error says what is wrong with it. Nothing of an invalid answer is taken, because a
/// kernel that wrote one result wrongly may also have overwritten the results before it.
pub fn take(raw: &[Raw], answer: &Answer, rows: usize, count: usize, results: &mut Results) -> Result<usize, String> {
    if answer.done > rows as u64 {
        return Err(format!("the kernel says that it has mapped {} rows, and it was given {rows}", answer.done));
    }
    let done = answer.done as usize;
    raw.iter().try_for_each(|column| column.check(done))?;
    for (Raw { values, validity }, column) in raw.iter().zip(&mut results.columns.columns) {
        append(values, done, &mut column.values);
        note(validity, done, results.columns.rows, &mut column.validity);
    }
    results.columns.rows += done;
    if done == rows || answer.message.is_empty() {
        return Ok(done);
    }
    let field = answer.field.checked_sub(1).filter(|&field| field < count as u64).map(|field| field as usize);
    results.push_bad(field, answer.message.clone());
    Ok(done + 1)
}

/// Notes which of the next `done` values of a column are present. The column has `before` values so far.
fn note(bits: &[u8], done: usize, before: usize, validity: &mut Option<Validity>) {
    let (whole, rest) = (&bits[..done / 8], done % 8);
    let are_all_there = whole.iter().all(|&bits| bits == 0xff) && (rest == 0 || bits[done / 8] | 0xff << rest == 0xff);
    if are_all_there && validity.is_none() {
        return;
    }
    let validity = validity.get_or_insert_with(|| Validity::all(before));
    (0..done).for_each(|row| validity.push(bits[row / 8] >> (row % 8) & 1 == 1));
}

/// Appends the first `done` of `values` to `to`, whose values have the same type.
fn append(values: &RawValues, done: usize, to: &mut Values) {
    match (values, to) {
        (RawValues::Numbers(Values::I32(new)), Values::I32(to)) => to.extend_from_slice(&new[..done]),
        (RawValues::Numbers(Values::I64(new)), Values::I64(to)) => to.extend_from_slice(&new[..done]),
        (RawValues::Numbers(Values::U32(new)), Values::U32(to)) => to.extend_from_slice(&new[..done]),
        (RawValues::Numbers(Values::U64(new)), Values::U64(to)) => to.extend_from_slice(&new[..done]),
        (RawValues::Numbers(Values::F32(new)), Values::F32(to)) => to.extend_from_slice(&new[..done]),
        (RawValues::Numbers(Values::F64(new)), Values::F64(to)) => to.extend_from_slice(&new[..done]),
        (RawValues::Texts(offsets, bytes), Values::Text(Texts { offsets: to, bytes: all })) => {
            let base = all.len() as i32;
            all.extend_from_slice(&bytes[SPARE..][..offsets[done] as usize]);
            to.extend(offsets[1..=done].iter().map(|offset| base + offset));
        }
        _ => {}
    }
}
