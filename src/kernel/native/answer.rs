//! What a kernel that exports `pmap_kernel_v1` answers. It is looked at as if it came from anywhere, so that a kernel that counts wrong is
//! told so, and does no harm.

use crate::kernel::columns::results::Results;
use crate::kernel::columns::types::Type;
use crate::kernel::columns::{Texts, Validity, Values, with_values};

/// What a kernel has answered: how many rows are done, and what it says of the next one.
pub struct Answer {
    /// The number of rows.
    pub done: u64,
    /// What is wrong with the next one. Empty if nothing is said.
    pub message: String,
    /// The number of the column at fault, from 1, or anything else.
    pub field: u64,
}

/// The results of one call, as the kernel has left them.
pub struct Raw {
    /// The results: numbers, or all bytes that there was room for.
    pub values: RawValues,
    /// Which of them are there.
    pub validity: Vec<u8>,
}

/// The values of a column of results, for as many rows as were asked for.
pub enum RawValues {
    /// Numbers.
    Numbers(Values),
    /// Texts: where they begin and end, and the room that they are in.
    Texts(Vec<i32>, Vec<u8>),
}

impl Raw {
    /// Returns room for the results of `rows` rows, of this type. `room` is that for texts, in bytes.
    pub fn new(of: Type, rows: usize, room: usize) -> Self {
        let values = match Values::new(of) {
            Values::Text(_) => RawValues::Texts(vec![0; rows + 1], vec![0; room]),
            mut values => {
                with_values!(&mut values, numbers => numbers.resize(rows, Default::default()), _texts => {});
                RawValues::Numbers(values)
            }
        };
        Raw { values, validity: vec![0xff; rows.div_ceil(8)] }
    }

    /// Makes room for the results of `rows` rows. What earlier calls have left there stays, and is not looked at.
    pub fn clear(&mut self, rows: usize, room: usize) {
        match &mut self.values {
            RawValues::Numbers(values) => {
                with_values!(values, numbers => numbers.resize(rows, Default::default()), _texts => {});
            }
            RawValues::Texts(offsets, bytes) => {
                offsets.resize(rows + 1, 0);
                offsets[0] = 0;
                bytes.resize(room, 0);
            }
        }
        self.validity.clear();
        self.validity.resize(rows.div_ceil(8), 0xff);
    }

    /// Returns how many of the first `done` results can be taken, and what is wrong with the next one.
    fn good(&self, done: usize) -> (usize, Option<&'static str>) {
        let RawValues::Texts(offsets, bytes) = &self.values else { return (done, None) };
        if done > 0 && offsets[0] != 0 {
            return (0, Some("the kernel has moved the offset of the first result"));
        }
        let is_bad = |ends: &[i32]| ends[1] < ends[0] || ends[1] as usize > bytes.len();
        let whole = offsets[..=done].windows(2).position(is_bad);
        let outside = "the kernel's offset of the result is outside of its room, or before the last one";
        let (done, what) = whole.map_or((done, None), |at| (at, Some(outside)));
        if done == 0 || bytes[..offsets[done] as usize].is_ascii() {
            return (done, what);
        }
        let text = |at: usize| &bytes[offsets[at] as usize..offsets[at + 1] as usize];
        match (0..done).find(|&at| std::str::from_utf8(text(at)).is_err()) {
            Some(bad) => (bad, Some("the kernel's result is not UTF-8")),
            None => (done, what),
        }
    }
}

/// Appends the results of one call for `rows` rows of `count` fields to `results`, with the bad row behind them if something is wrong with
/// the next one, whatever the kernel has answered. Returns of how many rows.
pub fn take(raw: &[Raw], answer: &Answer, rows: usize, count: usize, results: &mut Results) -> usize {
    if answer.done > rows as u64 {
        let what = format!("the kernel says that it has mapped {} rows, and it was given {rows}", answer.done);
        results.push_bad(None, what);
        return 1;
    }
    let mut done = answer.done as usize;
    let field = answer.field.checked_sub(1).filter(|&field| field < count as u64).map(|field| field as usize);
    let mut bad = (done < rows && !answer.message.is_empty()).then(|| (field, answer.message.clone()));
    for column in raw {
        let (good, what) = column.good(done);
        done = good;
        if let Some(what) = what {
            bad = Some((None, what.to_string()));
        }
    }
    for (Raw { values, validity }, column) in raw.iter().zip(&mut results.columns.columns) {
        append(values, done, &mut column.values);
        note(validity, done, results.columns.rows, &mut column.validity);
    }
    results.columns.rows += done;
    if let Some((field, what)) = bad {
        results.push_bad(field, what);
        done += 1;
    }
    done
}

/// Notes which of the next `done` values of a column are there, of which so far there are `before`.
fn note(bits: &[u8], done: usize, before: usize, validity: &mut Option<Validity>) {
    let (whole, rest) = (&bits[..done / 8], done % 8);
    let are_all_there = whole.iter().all(|&bits| bits == 0xff) && (rest == 0 || bits[done / 8] | 0xff << rest == 0xff);
    if are_all_there && validity.is_none() {
        return;
    }
    let validity = validity.get_or_insert_with(|| Validity::all(before));
    (0..done).for_each(|row| validity.push(bits[row / 8] >> (row % 8) & 1 == 1));
}

/// Appends the first `done` of these values to `to`, which are of the same type.
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
            // Where no result is taken, the first offset need not be 0.
            let end = if done == 0 { 0 } else { offsets[done] as usize };
            all.extend_from_slice(&bytes[..end]);
            to.extend(offsets[1..=done].iter().map(|offset| base + offset));
        }
        _ => {}
    }
}
