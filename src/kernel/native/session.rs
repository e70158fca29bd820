//! One worker's use of a kernel that exports `pmap_kernel_v1`: from its `open` to its `close`.
//!
//! The code of a kernel is trusted, since nothing can be done about code in one's own process that writes where it
//! likes. Its answers are not trusted: [`answer`](super::answer) checks them.
#![allow(unsafe_code)]

use super::abi;
use super::answer::{Answer, Raw, RawValues, SPARE, take};
use super::guard::inside;
use super::library::{Exported, text_at};
use crate::kernel::columns::results::Results;
use crate::kernel::columns::types::Type;
use crate::kernel::columns::{Column, Columns, Values, with_values};
use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

/// The room for messages of a kernel, in bytes.
const MESSAGE: usize = 1024;
/// How many bytes of texts a column of results has room for at first.
const ROOM: usize = 64 << 10;

/// A kernel that is open.
pub struct Session {
    exported: Exported,
    this: *mut c_void,
    /// What the kernel said about its types when it was opened.
    pub types: Option<String>,
    /// What the kernel said about the names of its results when it was opened.
    pub names: Option<String>,
    room: usize,
    /// The memory for the results of a call. It is kept for the next one.
    raw: Vec<Raw>,
    /// The text with which the kernel was opened. The kernel may refer to it later.
    _args: CString,
}

impl Session {
    /// Opens a kernel with the text of `--kernel-args`.
    ///
    /// # Errors
    /// If the kernel reports that it cannot be opened; the error is the kernel's message. Also if `args` has a NUL in
    /// it.
    pub fn open(exported: Exported, args: &str) -> Result<Self, String> {
        let args = CString::new(args).map_err(|_| "--kernel-args has a NUL in it".to_string())?;
        let mut message = [0u8; MESSAGE];
        let mut request = abi::Open {
            size: size_of::<abi::Open>() as u32,
            reserved: 0,
            args: args.as_ptr(),
            this: null_mut(),
            types: null(),
            names: null(),
            message: message.as_mut_ptr().cast::<c_char>(),
            message_room: MESSAGE as u64,
        };
        if let Some(open) = exported.kernel().open {
            // SAFETY: `request` is a `pmap_open` as the header describes it, and what it points to lives longer than
            // this call. The kernel is trusted to keep to the header.
            let answer = inside(|| unsafe { open(&mut request) });
            if answer != 0 {
                let said = said(&message);
                return Err(if said.is_empty() { format!("it answers {answer} and does not say why") } else { said });
            }
        }
        let mut session =
            Session { exported, this: request.this, types: None, names: None, room: ROOM, raw: vec![], _args: args };
        // SAFETY: the header says that each of `types` and `names` is null or a text with a NUL at its end.
        (session.types, session.names) = unsafe { (text_at(request.types)?, text_at(request.names)?) };
        Ok(session)
    }

    /// Maps the rows of `part` to results of these types, and appends them to `results`, with the bad rows among them.
    /// `most` limits the texts of the results, in bytes. A row is bad if its texts alone are longer. Once the texts of
    /// all results together are longer, the rows that are left are not mapped.
    ///
    /// If the kernel gives an invalid answer for several rows, half of these rows are mapped again, and so on until the
    /// row at fault is alone.
    pub fn map(&mut self, part: &Columns, types: &[Type], most: usize, results: &mut Results) {
        let has_text = types.contains(&Type::Text);
        // `from` is the next row, and `span` how many rows the kernel is given at most.
        let (mut from, mut span) = (0, part.rows);
        while from < part.rows {
            let rows = span.min(part.rows - from);
            let mut raw = std::mem::take(&mut self.raw);
            if raw.len() != types.len() {
                raw = types.iter().map(|&of| Raw::new(of, 0, 0)).collect();
            }
            raw.iter_mut().for_each(|raw| raw.clear(rows, self.room));
            let answer = self.call(part, from, rows, &mut raw);
            let taken = take(&raw, &answer, rows, part.columns.len(), results);
            self.raw = raw;
            let wrong = match taken {
                Ok(0) if has_text && self.room < most => {
                    self.room = (2 * self.room).min(most);
                    continue;
                }
                Ok(0) if has_text => "the result is longer than a block; use a larger --block-size".to_string(),
                Ok(0) => "the kernel has mapped fewer rows than it was given, and does not say why".to_string(),
                Ok(_) if texts_of(&results.columns) > most => break,
                Ok(done) => {
                    (from, span) = (from + done, 2 * rows);
                    continue;
                }
                Err(wrong) => wrong,
            };
            if rows > 1 {
                span = rows / 2;
            } else {
                results.push_bad(None, wrong);
                from += 1;
            }
        }
    }

    /// Calls the kernel for `rows` rows of `part`, of which the first has the index `from`.
    fn call(&mut self, part: &Columns, from: usize, rows: usize, raw: &mut [Raw]) -> Answer {
        let validities: Vec<Option<Vec<u8>>> =
            part.columns.iter().map(|column| column.validity.as_ref().map(|bits| bits.from(from))).collect();
        let column = |(column, validity): (&Column, &Option<Vec<u8>>)| {
            let (values, offsets) = with_values!(&column.values,
                numbers => (numbers[from..].as_ptr().cast::<c_void>(), null()),
                texts => (texts.bytes.as_ptr().cast::<c_void>(), texts.offsets[from..].as_ptr()));
            abi::Column { values, offsets, validity: validity.as_ref().map_or(null(), |bits| bits.as_ptr()) }
        };
        let columns: Vec<abi::Column> = part.columns.iter().zip(&validities).map(column).collect();
        let batch = abi::Batch {
            size: size_of::<abi::Batch>() as u32,
            stride: size_of::<abi::Column>() as u32,
            rows: rows as u64,
            count: columns.len() as u64,
            columns: columns.as_ptr(),
        };
        let room = |raw: &mut Raw| {
            let validity = raw.validity.as_mut_ptr();
            match &mut raw.values {
                RawValues::Numbers(values) => {
                    let values =
                        with_values!(values, numbers => numbers.as_mut_ptr().cast::<c_void>(), _texts => null_mut());
                    abi::Result { values, offsets: null_mut(), validity, room: 0 }
                }
                RawValues::Texts(offsets, bytes) => {
                    let bytes = &mut bytes[SPARE..];
                    let room = bytes.len() as u64;
                    abi::Result { values: bytes.as_mut_ptr().cast(), offsets: offsets.as_mut_ptr(), validity, room }
                }
            }
        };
        let columns: Vec<abi::Result> = raw.iter_mut().map(room).collect();
        let mut message = [0u8; MESSAGE];
        let mut results = abi::Results {
            size: size_of::<abi::Results>() as u32,
            stride: size_of::<abi::Result>() as u32,
            count: columns.len() as u64,
            columns: columns.as_ptr(),
            message: message.as_mut_ptr().cast::<c_char>(),
            message_room: MESSAGE as u64,
            field: 0,
        };
        let Some(map) = self.exported.kernel().map else {
            return Answer { done: 0, message: "the kernel has no function `map`".to_string(), field: 0 };
        };
        // SAFETY: the structs are as the header describes them. `part` has `rows` rows from `from` on, and the
        // caller has made room in `raw` for as many, so all arrays are long enough. The kernel is trusted to stay
        // within them.
        let done = inside(|| unsafe { map(self.this, &batch, &mut results) });
        Answer { done, message: said(&message), field: results.field }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(close) = self.exported.kernel().close {
            // SAFETY: `this` is what the kernel returned when it was opened, and the session that used it ends here.
            unsafe { close(self.this) };
        }
    }
}

/// Returns the text in the room for a message, up to the first NUL.
fn said(message: &[u8]) -> String {
    let length = message.iter().position(|&byte| byte == 0).unwrap_or(message.len());
    String::from_utf8_lossy(&message[..length]).into_owned()
}

/// Returns how many bytes the texts in these columns have.
fn texts_of(columns: &Columns) -> usize {
    let bytes = |values: &Values| if let Values::Text(texts) = values { texts.bytes.len() } else { 0 };
    columns.columns.iter().map(|column| bytes(&column.values)).sum()
}
