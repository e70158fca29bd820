//! A kernel over bytes: what an executor sees of it.

use crate::error::Error;
use crate::executor::unpickle::unpickle;
use crate::kernel::{Decoded, Encoded, Kernel};
use crate::ring::Outcome;
use crate::steps::{Step, lap};
use bytemuck::Pod;
use serde_pickle::SerOptions;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rows that are decoded, mapped and encoded together: rows and outputs stay in the first-level cache.
const BATCH: usize = 512;

const TOO_LONG: &str = "the output is longer than a block; use a larger --block-size";

/// A kernel, whatever its types, that can be mapped over blocks of bytes.
pub trait MapBlocks: Sync {
    /// Which of the program's mappings it is, in the order in which they were made: a worker process makes them all
    /// again, and works for this one.
    fn number(&self) -> u32;
    /// What one worker of a ring, or the serial loop, keeps from block to block.
    fn mapper(&self) -> Box<dyn MapBlock + '_>;
    /// What one side of a pool with pickles keeps from task to task.
    fn pickler(&self) -> Box<dyn MapPickles + '_>;
}

/// A kernel in the hands of one who shares memory.
pub trait MapBlock {
    /// Maps the rows of a block, or as many as have room for their results.
    fn map_block(&mut self, input: &[u8], room: &mut [u8]) -> Outcome;
}

/// A kernel in the hands of those who share no memory, and so pickle rows and outputs.
pub trait MapPickles {
    /// In the parent: pickles at most `limit` rows from the front of a block as a list; answers with how
    /// far they reach.
    ///
    /// # Errors
    /// When the rows have a type that cannot be pickled.
    fn pickle_rows(&mut self, block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Decoded, Error>;

    /// In the worker: unpickles a list of rows, maps it, and pickles the outputs as a list.
    ///
    /// # Errors
    /// When these bytes are no such list.
    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<(), Error>;

    /// In the parent: unpickles the list of outputs of the rows in `block` and appends their results, of which each
    /// must fit into `room`; answers, where an output cannot be encoded, with the lines before its row and what is wrong.
    ///
    /// # Errors
    /// When these bytes are no such list.
    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        block: &[u8],
        room: &mut [u8],
        results: &mut Vec<u8>,
    ) -> Result<Option<(usize, String)>, Error>;
}

/// How rows and outputs lie in blocks.
pub trait Form<K: Kernel>: Sync {
    /// At most `limit` rows from the front of a block, read into `space` if they have to be read.
    fn rows<'a>(
        &self,
        kernel: &K,
        block: &'a [u8],
        limit: usize,
        space: &'a mut Vec<K::Row>,
    ) -> (&'a [K::Row], Decoded);

    /// Writes outputs to the front of `room`, as many as fit.
    fn encode(&self, kernel: &K, outputs: &[K::Output], room: &mut [u8]) -> Encoded;
}

/// Lines of text, as the kernel reads and writes them.
pub struct Text;

impl<K: Kernel> Form<K> for Text {
    fn rows<'a>(
        &self,
        kernel: &K,
        block: &'a [u8],
        limit: usize,
        space: &'a mut Vec<K::Row>,
    ) -> (&'a [K::Row], Decoded) {
        space.clear();
        let decoded = kernel.decode(block, limit, space);
        (space, decoded)
    }

    fn encode(&self, kernel: &K, outputs: &[K::Output], room: &mut [u8]) -> Encoded {
        kernel.encode(outputs, room)
    }
}

/// Records as they lie in memory: rows are used where they are, and outputs laid down as they are.
#[derive(Clone)]
pub struct Records;

impl<K: Kernel<Row: Pod, Output: Pod>> Form<K> for Records {
    fn rows<'a>(&self, _: &K, block: &'a [u8], limit: usize, space: &'a mut Vec<K::Row>) -> (&'a [K::Row], Decoded) {
        // Regions of a segment are aligned for any record; other buffers may not be.
        let rows = bytemuck::try_cast_slice(block).unwrap_or_else(|_| {
            *space = bytemuck::allocation::pod_collect_to_vec(block);
            space
        });
        let rows = &rows[..limit.min(rows.len())];
        (rows, Decoded { bytes: size_of_val(rows), lines: 0, bad: None })
    }

    fn encode(&self, _: &K, outputs: &[K::Output], room: &mut [u8]) -> Encoded {
        let fit = room.len() / size_of::<K::Output>().max(1);
        let bytes = bytemuck::cast_slice(&outputs[..fit.min(outputs.len())]);
        room[..bytes.len()].copy_from_slice(bytes);
        Encoded { outputs: fit.min(outputs.len()), bytes: bytes.len(), bad: None }
    }
}

/// A kernel over blocks of one form.
#[derive(Clone)]
pub struct Mapping<'k, K, F> {
    kernel: &'k K,
    form: F,
    number: u32,
}

static MAPPINGS: AtomicU32 = AtomicU32::new(0);

impl<'k, K: Kernel, F: Form<K>> Mapping<'k, K, F> {
    /// This kernel over blocks of this form.
    pub fn new(kernel: &'k K, form: F) -> Self {
        Mapping { kernel, form, number: MAPPINGS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl<K: Kernel, F: Form<K>> MapBlocks for Mapping<'_, K, F> {
    fn number(&self) -> u32 {
        self.number
    }
    fn mapper(&self) -> Box<dyn MapBlock + '_> {
        Box::new(Hand { mapping: self, rows: vec![], outputs: vec![] })
    }
    fn pickler(&self) -> Box<dyn MapPickles + '_> {
        Box::new(Hand { mapping: self, rows: vec![], outputs: vec![] })
    }
}

/// A mapping with scratch space.
struct Hand<'m, 'k, K: Kernel, F> {
    mapping: &'m Mapping<'k, K, F>,
    rows: Vec<K::Row>,
    outputs: Vec<K::Output>,
}

impl<K: Kernel, F: Form<K>> Hand<'_, '_, K, F> {
    /// The lines before the row that comes after so many; blank lines before it are passed over with it.
    fn lines_before(&mut self, block: &[u8], rows: usize) -> usize {
        let Mapping { kernel, form, .. } = self.mapping;
        form.rows(kernel, block, rows + 1, &mut self.rows).1.lines.saturating_sub(1)
    }
}

impl<K: Kernel, F: Form<K>> MapBlock for Hand<'_, '_, K, F> {
    fn map_block(&mut self, input: &[u8], room: &mut [u8]) -> Outcome {
        let Mapping { kernel, form, .. } = self.mapping;
        let mut outcome = Outcome::default();
        while outcome.consumed < input.len() {
            let block = &input[outcome.consumed..];
            let (rows, decoded) = form.rows(kernel, block, BATCH, &mut self.rows);
            lap(Step::Take);
            check_progress(&decoded);
            map_rows(*kernel, rows, &mut self.outputs);
            let encoded = form.encode(kernel, &self.outputs, &mut room[outcome.results..]);
            lap(Step::Merge);
            outcome.results += encoded.bytes;
            if encoded.outputs == rows.len() {
                outcome.consumed += decoded.bytes;
                outcome.lines += decoded.lines;
                if let Some(bad) = decoded.bad {
                    report(&mut outcome, &bad, room);
                    return outcome;
                }
                continue;
            }
            // Out of room, or an output that cannot be written: how far the rows before it reach is found by reading
            // them once more, which is rare, rather than by noting where each ends, which would be paid by all.
            outcome.consumed += form.rows(kernel, block, encoded.outputs, &mut self.rows).1.bytes;
            let too_long = (outcome.results == 0).then(|| TOO_LONG.to_string());
            match encoded.bad.or(too_long) {
                None => outcome.lines += form.rows(kernel, block, encoded.outputs, &mut self.rows).1.lines,
                Some(bad) => {
                    outcome.lines += self.lines_before(block, encoded.outputs);
                    report(&mut outcome, &bad, room);
                }
            }
            return outcome;
        }
        outcome
    }
}

/// A kernel that decodes nothing and says nothing would be asked for ever.
fn check_progress(decoded: &Decoded) {
    assert!(decoded.bytes > 0 || decoded.bad.is_some(), "the kernel decodes nothing of what is there");
}

/// The outputs of these rows, and of no others.
fn map_rows<K: Kernel>(kernel: &K, rows: &[K::Row], outputs: &mut Vec<K::Output>) {
    outputs.clear();
    kernel.map_rows(rows, outputs);
    assert_eq!(outputs.len(), rows.len(), "the kernel has not one output for each row");
    lap(Step::Run);
}

/// Puts a report behind the results. Where there is no room for it, the block's first part is handed over without it:
/// its row then comes first in the rest of the block, with all of the region for the report.
fn report(outcome: &mut Outcome, what: &str, room: &mut [u8]) {
    let what = if what.is_empty() { "the row is bad" } else { what };
    let room = &mut room[outcome.results..];
    if what.len() <= room.len() || outcome.results == 0 {
        let length = what.floor_char_boundary(room.len());
        room[..length].copy_from_slice(&what.as_bytes()[..length]);
        outcome.report = length;
    }
}

impl<K: Kernel, F: Form<K>> MapPickles for Hand<'_, '_, K, F> {
    fn pickle_rows(&mut self, block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Decoded, Error> {
        let (rows, decoded) = self.mapping.form.rows(self.mapping.kernel, block, limit, &mut self.rows);
        check_progress(&decoded);
        lap(Step::Take);
        let pickled = serde_pickle::to_writer(task, &rows, SerOptions::new());
        pickled.map_err(|error| Error::usage(format!("the rows cannot be pickled: {error}")))?;
        lap(Step::Pickle);
        Ok(decoded)
    }

    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<(), Error> {
        let rows: Vec<K::Row> =
            unpickle(task).map_err(|error| Error::usage(format!("the rows cannot be unpickled: {error}")))?;
        lap(Step::Unpickle);
        map_rows(self.mapping.kernel, &rows, &mut self.outputs);
        serde_pickle::to_writer(reply, &self.outputs, SerOptions::new())
            .map_err(|error| Error::usage(format!("the outputs cannot be pickled: {error}")))?;
        lap(Step::PickleResult);
        Ok(())
    }

    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        block: &[u8],
        room: &mut [u8],
        results: &mut Vec<u8>,
    ) -> Result<Option<(usize, String)>, Error> {
        let outputs: Vec<K::Output> =
            unpickle(reply).map_err(|error| Error::usage(format!("the outputs cannot be unpickled: {error}")))?;
        lap(Step::UnpickleResult);
        let mut done = 0;
        while done < outputs.len() {
            let encoded = self.mapping.form.encode(self.mapping.kernel, &outputs[done..], room);
            results.extend_from_slice(&room[..encoded.bytes]);
            done += encoded.outputs;
            let too_long = (encoded.outputs == 0).then(|| TOO_LONG.to_string());
            if let Some(bad) = encoded.bad.or(too_long) {
                return Ok(Some((self.lines_before(block, done), bad)));
            }
        }
        lap(Step::Merge);
        Ok(None)
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats the row's number as often as it says.
    struct Repeat;

    impl Kernel for Repeat {
        type Row = (usize, char);
        type Output = String;
        fn map(&self, &(times, c): &(usize, char)) -> String {
            c.to_string().repeat(times)
        }
    }

    /// All that comes of `input` with so much room at a time: results, lines, and the report.
    fn in_parts(input: &str, room: usize) -> (String, usize, String) {
        let (mut results, mut lines, mut rest) = (vec![], 0, input.as_bytes());
        let (mapping, mut room) = (Mapping::new(&Repeat, Text), vec![0; room]);
        let mut mapper = mapping.mapper();
        while !rest.is_empty() {
            let outcome = mapper.map_block(rest, &mut room);
            results.extend_from_slice(&room[..outcome.results]);
            lines += outcome.lines;
            if outcome.report > 0 {
                let report = &room[outcome.results..outcome.results + outcome.report];
                return (String::from_utf8(results).unwrap(), lines, String::from_utf8(report.to_vec()).unwrap());
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
        for room in [100, 200, 1 << 20] {
            let (results, lines, report) = in_parts(&input, room);
            assert_eq!((results.lines().count(), lines), (100, 100));
            assert!(report.starts_with("field 2: "), "{report}");
        }
    }

    #[test]
    fn a_result_that_never_fits_is_reported() {
        let (results, lines, report) = in_parts("2,a\n500,b\n", 100);
        assert_eq!((results.as_str(), lines), ("aa\n", 1));
        let (_, lines, report_after_blank_lines) = in_parts("2,a\n\n\r\n500,b\n", 100);
        assert_eq!((lines, &report_after_blank_lines), (3, &report));
        assert_eq!(report, "the output is longer than a block; use a larger --block-size");
    }
}
