//! The layout of columns in the memory that is shared with Python: a list of entries, one for each column, and behind
//! the list the bytes to which the entries refer. All offsets count from the first entry, and all parts begin at
//! multiples of 8. `docs/protocol.md` describes the layout.
//!
//! What Python answers is copied and then checked like any untrusted input. Python could change the shared memory after
//! a check, but not the copy.
//!
//! What writes the layout and what reads it are both in this file, because they must be changed together.

use super::message::Mapped;
use crate::kernel::columns::results::{BadResult, Results};
use crate::kernel::columns::types::Type;
use crate::kernel::columns::{Column, Columns, Texts, Validity, Values, with_values};
use memchr::{memchr, memchr_iter};
use std::ops::Range;

/// How many numbers an entry has.
const NUMBERS: usize = 8;
/// The length of an entry in bytes.
const ENTRY: usize = 8 * NUMBERS;
/// The length in bytes of the entry for a bad row, without its message.
const FAULT: usize = 24;
/// Stands in place of the separator, if there is none: no byte has this value. Offsets then say where texts end.
const NO_SEPARATOR: u64 = 256;
/// The bytes that are tried as separators, because they hardly ever stand in a text.
const SEPARATORS: [u8; 9] = [0, 31, 30, 29, 28, 1, 2, 3, 4];

/// Appends zeros up to a multiple of 8, and returns the new length.
fn align(bytes: &mut Vec<u8>) -> usize {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.len()
}

/// Replaces `bytes` by the rows `rows` of `columns`: first an entry for each column, then the values to which the
/// entries point. `of` returns the type of the column at an index.
pub fn write(columns: &Columns, of: impl Fn(usize) -> Type, rows: Range<usize>, bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(ENTRY * columns.columns.len(), 0);
    for (at, column) in columns.columns.iter().enumerate() {
        let mut entry = [0u64; NUMBERS];
        entry[0] = of(at) as u64;
        entry[1] = align(bytes) as u64;
        entry[3] = NO_SEPARATOR;
        with_values!(
            &column.values,
            numbers => bytes.extend_from_slice(bytemuck::cast_slice(&numbers[rows.clone()])),
            texts => (entry[3], entry[4]) = write_texts(texts, rows.clone(), bytes)
        );
        // The offsets of texts, if any, lie behind the texts, and are not part of this length.
        entry[2] = if entry[4] > 0 { text_length(&column.values, &rows) } else { bytes.len() as u64 - entry[1] };
        if !rows.clone().all(|row| column.has(row)) {
            entry[5] = align(bytes) as u64;
            bytes.extend(rows.clone().map(|row| u8::from(column.has(row))));
        }
        let from = column.large.partition_point(|(row, _)| *row < rows.start);
        let to = column.large.partition_point(|(row, _)| *row < rows.end);
        if from < to {
            let large = &column.large[from..to];
            (entry[6], entry[7]) = (align(bytes) as u64, large.len() as u64);
            let digits: Vec<&[u8]> = large.iter().map(|(_, digits)| &digits[..]).collect();
            let digits = digits.join(&b'\n');
            bytes.extend_from_slice(&(digits.len() as u64).to_le_bytes());
            large.iter().for_each(|(row, _)| bytes.extend_from_slice(&((row - rows.start) as u64).to_le_bytes()));
            bytes.extend_from_slice(&digits);
        }
        bytes[at * ENTRY..][..ENTRY].copy_from_slice(entry.map(u64::to_le_bytes).as_flattened());
    }
}

fn text_length(values: &Values, rows: &Range<usize>) -> u64 {
    let Values::Text(texts) = values else { return 0 };
    (texts.offsets[rows.end] - texts.offsets[rows.start]) as u64
}

/// Appends these texts, each with a separator behind it. If every possible separator occurs in some text, appends the
/// texts without separators, and their offsets behind them. Returns the separator and 0, or, where there is none,
/// [`NO_SEPARATOR`] and the place of the offsets.
fn write_texts(texts: &Texts, rows: Range<usize>, bytes: &mut Vec<u8>) -> (u64, u64) {
    let (start, end) = (texts.offsets[rows.start], texts.offsets[rows.end]);
    let all = &texts.bytes[start as usize..end as usize];
    if let Some(separator) = SEPARATORS.into_iter().find(|&byte| memchr(byte, all).is_none()) {
        bytes.reserve(all.len() + rows.len());
        for row in rows {
            bytes.extend_from_slice(texts.get(row));
            bytes.push(separator);
        }
        return (u64::from(separator), 0);
    }
    bytes.extend_from_slice(all);
    let at = align(bytes);
    let offsets = texts.offsets[rows.start..=rows.end].iter();
    bytes.extend(offsets.map(|offset| ((offset - start) as u32).to_le_bytes()).collect::<Vec<_>>().as_flattened());
    (NO_SEPARATOR, at as u64)
}

/// The bytes of an answer.
#[derive(Clone, Copy)]
struct Region<'r>(&'r [u8]);

impl<'r> Region<'r> {
    /// Returns `length` bytes from offset `at` on.
    fn part(self, at: u64, length: u64) -> Result<&'r [u8], String> {
        let end = at.checked_add(length).filter(|&end| end <= self.0.len() as u64);
        end.map(|end| &self.0[at as usize..end as usize]).ok_or_else(|| "what lies outside of its answer".to_string())
    }

    /// Returns `count` numbers from offset `at` on.
    fn numbers(self, at: u64, count: u64) -> Result<Vec<u64>, String> {
        let bytes = self.part(at, count.saturating_mul(8))?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|&number| u64::from_le_bytes(number)).collect())
    }

    fn entry(self, at: u64) -> Result<[u64; NUMBERS], String> {
        let numbers = self.numbers(at, NUMBERS as u64)?;
        Ok(std::array::from_fn(|at| numbers[at]))
    }
}

/// Appends the results in the answer `region` to `results`: those of the first `mapped.done` of `rows` rows. The types
/// of the results are `types`, and `fields` is the number of columns that Python was given.
///
/// # Errors
/// If the answer is not valid. The error says what is wrong with it, and `results` is unchanged.
pub fn read(
    region: &[u8],
    mapped: Mapped,
    rows: usize,
    fields: usize,
    types: &[Type],
    results: &mut Results,
) -> Result<(), String> {
    let region = Region(region);
    if mapped.done > rows as u64 || mapped.columns != types.len() as u64 {
        let Mapped { done, columns, .. } = mapped;
        return Err(format!("{done} rows of {columns} columns, where {rows} of {} were wanted", types.len()));
    }
    let done = mapped.done as usize;
    let columns: Vec<Column> = (types.iter().enumerate())
        .map(|(at, &of)| column(region, region.entry((at * ENTRY) as u64)?, of, done))
        .collect::<Result<_, String>>()?;
    let faults = faults(region, mapped, rows, fields)?;
    if done < rows && faults.last().is_none_or(|last| last.row + 1 != done) {
        return Err(format!("{done} rows without a bad one at their end, where {rows} were wanted"));
    }
    results.begin(types);
    let before = results.columns.rows;
    let text = |column: &Column| if let Values::Text(texts) = &column.values { texts.bytes.len() } else { 0 };
    let is_long = |(to, from): (&Column, &Column)| text(to) + text(from) >= i32::MAX as usize;
    if results.columns.columns.iter().zip(&columns).any(is_long) {
        return Err("more text than a block holds".to_string());
    }
    for (to, from) in results.columns.columns.iter_mut().zip(columns) {
        append(to, from, before, done);
    }
    results.columns.rows += done;
    results.bad.extend(faults.into_iter().map(|fault| BadResult { row: before + fault.row, ..fault }));
    Ok(())
}

/// Returns the first `done` results of a column.
fn column(region: Region, entry: [u64; NUMBERS], of: Type, done: usize) -> Result<Column, String> {
    let [found, at, length, separator, offsets, presence, large, many] = entry;
    if found != of as u64 {
        return Err(format!("a column of type number {found}, where {} was wanted", of.name()));
    }
    let mut column = Column::new(of, false);
    let bytes = region.part(at, length)?;
    let numbers = |size: usize| bytes.get(..done * size).ok_or_else(|| "fewer results than rows".to_string());
    match &mut column.values {
        Values::I32(values) => *values = bytemuck::pod_collect_to_vec(numbers(4)?),
        Values::I64(values) => *values = bytemuck::pod_collect_to_vec(numbers(8)?),
        Values::U32(values) => *values = bytemuck::pod_collect_to_vec(numbers(4)?),
        Values::U64(values) => *values = bytemuck::pod_collect_to_vec(numbers(8)?),
        Values::F32(values) => *values = bytemuck::pod_collect_to_vec(numbers(4)?),
        Values::F64(values) => *values = bytemuck::pod_collect_to_vec(numbers(8)?),
        Values::Bool(values) => values.extend(numbers(1)?.iter().map(|&byte| byte != 0)),
        Values::Text(texts) => *texts = read_texts(region, bytes, separator, offsets, done)?,
    }
    if presence > 0 {
        let mut validity = Validity::default();
        region.part(presence, done as u64)?.iter().for_each(|&there| validity.push(there != 0));
        column.validity = Some(validity);
    }
    if many > 0 && of == Type::Int {
        column.large = read_large(region, large, many, done)?;
    }
    Ok(column)
}

/// Returns the first `done` texts.
fn read_texts(region: Region, bytes: &[u8], separator: u64, offsets: u64, done: usize) -> Result<Texts, String> {
    const FEWER: &str = "fewer texts than rows";
    if bytes.len() >= i32::MAX as usize {
        return Err("more text than a block holds".to_string());
    }
    let mut texts = Texts::default();
    texts.offsets.reserve(done);
    if let Ok(separator) = u8::try_from(separator) {
        let mut start = 0;
        texts.bytes.reserve(bytes.len());
        for end in memchr_iter(separator, bytes).take(done) {
            texts.push(&bytes[start..end]);
            start = end + 1;
        }
        if texts.len() < done {
            return Err(FEWER.to_string());
        }
    } else {
        let ends = region.part(offsets, 4 * (done as u64 + 1))?;
        let ends: Vec<usize> = ends.as_chunks::<4>().0.iter().map(|&end| u32::from_le_bytes(end) as usize).collect();
        for ends in ends.windows(2) {
            texts.push(bytes.get(ends[0]..ends[1]).ok_or(FEWER)?);
        }
    }
    // Check the texts one by one, and not only all of them together: half a character at the end of one text could find
    // its other half at the start of the next.
    if !texts.bytes.is_ascii() && (0..done).any(|at| std::str::from_utf8(texts.get(at)).is_err()) {
        return Err("a text that is not UTF-8".to_string());
    }
    Ok(texts)
}

/// Returns the integers of more than 64 bits, with their rows.
fn read_large(region: Region, at: u64, many: u64, done: usize) -> Result<Vec<(usize, Vec<u8>)>, String> {
    let length = region.numbers(at, 1)?[0];
    let rows = region.numbers(at + 8, many)?;
    // The sum cannot overflow: numbers were read from these places, so they lie within the region.
    let digits = region.part(at + 8 + 8 * many, length)?;
    let texts: Vec<&[u8]> = digits.split(|&byte| byte == b'\n').collect();
    let is_integer = |text: &[u8]| {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        digits.len() > 18 && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit)
    };
    if texts.len() != rows.len() || !texts.iter().all(|text| is_integer(text)) || !rows.is_sorted_by(|a, b| a < b) {
        return Err("large integers that are none".to_string());
    }
    let all = rows.into_iter().zip(texts).map(|(row, text)| (row as usize, text.to_vec()));
    Ok(all.filter(|(row, _)| *row < done).collect())
}

/// Returns what Python reports about bad rows among those that are done.
fn faults(region: Region, mapped: Mapped, rows: usize, fields: usize) -> Result<Vec<BadResult>, String> {
    let Mapped { faults: count, told, done, .. } = mapped;
    if count == 0 {
        return Ok(vec![]);
    }
    if count > rows as u64 {
        return Err("more bad rows than rows".to_string());
    }
    let numbers = region.numbers(told, count * (FAULT / 8) as u64)?;
    let mut at = told + count * FAULT as u64;
    let mut faults: Vec<BadResult> = vec![];
    for fault in numbers.as_chunks::<3>().0 {
        let [row, field, length] = *fault;
        let what = region.part(at, length)?;
        at += length;
        if faults.last().is_some_and(|last| last.row as u64 >= row) {
            return Err("bad rows that are not in order".to_string());
        }
        let field = field.checked_sub(1).filter(|&field| field < fields as u64).map(|field| field as usize);
        if row < done {
            faults.push(BadResult { row: row as usize, field, what: String::from_utf8_lossy(what).into_owned() });
        }
    }
    Ok(faults)
}

/// Appends `from`, a column of `done` results, to `to`, a column of the same type with `before` results.
fn append(to: &mut Column, from: Column, before: usize, done: usize) {
    if before == 0 {
        *to = from;
        return;
    }
    match (&mut to.values, from.values) {
        (Values::I32(to), Values::I32(from)) => to.extend(from),
        (Values::I64(to), Values::I64(from)) => to.extend(from),
        (Values::U32(to), Values::U32(from)) => to.extend(from),
        (Values::U64(to), Values::U64(from)) => to.extend(from),
        (Values::F32(to), Values::F32(from)) => to.extend(from),
        (Values::F64(to), Values::F64(from)) => to.extend(from),
        (Values::Bool(to), Values::Bool(from)) => to.extend(from),
        (Values::Text(to), Values::Text(from)) => (0..done).for_each(|at| to.push(from.get(at))),
        _ => {}
    }
    debug_assert_eq!(with_values!(&to.values, numbers => numbers.len(), texts => texts.len()), before + done);
    to.large.extend(from.large.into_iter().map(|(row, digits)| (before + row, digits)));
    if from.validity.is_some() || to.validity.is_some() {
        let validity = to.validity.get_or_insert_with(|| Validity::all(before));
        (0..done).for_each(|row| validity.push(from.validity.as_ref().is_none_or(|from| from.get(row))));
    }
}
