//! A kernel over records as they lie in memory: rows are used where they are, and outputs laid down as they are.

use crate::error::Error;
use crate::kernel::Kernel;
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::pickles::{pickle, unpickle, unpickle_untrusted};
use crate::work::pickling::{Pickler, Pickling, Task, check_reply};
use crate::work::{BATCH, DEADLY, Mapped, Mapper, Pace, Read, Work, check_outputs};
use bytemuck::Pod;
use std::borrow::Cow;

/// A kernel over blocks of records.
#[derive(Clone)]
pub struct Records<'k, K>(pub &'k K);

impl<K: Kernel<Row: Pod, Output: Pod>> Work for Records<'_, K> {
    fn mapper(&self) -> Box<dyn Mapper + '_> {
        Box::new(Loaded { kernel: self.0, outputs: vec![] })
    }
}

impl<K: Kernel<Row: Pod, Output: Pod>> Pickling for Records<'_, K> {
    fn pickler(&self) -> Box<dyn Pickler + '_> {
        Box::new(Loaded { kernel: self.0, outputs: vec![] })
    }
}

/// A kernel with scratch space.
struct Loaded<'k, K: Kernel> {
    kernel: &'k K,
    outputs: Vec<K::Output>,
}

impl<K: Kernel> Loaded<'_, K> {
    fn map_rows(&mut self, rows: &[K::Row]) {
        self.outputs.clear();
        self.kernel.map_rows(rows, &mut self.outputs);
        check_outputs(self.outputs.len(), rows.len());
    }
}

/// Regions of a segment are aligned for any record; other buffers may not be.
fn cast<R: Pod>(bytes: &[u8]) -> Cow<'_, [R]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(rows) => Cow::Borrowed(rows),
        Err(_) => Cow::Owned(bytemuck::allocation::pod_collect_to_vec(bytes)),
    }
}

impl<K: Kernel<Row: Pod, Output: Pod>> Mapper for Loaded<'_, K> {
    fn map_block(&mut self, _: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Mapped {
        let fit = room.len() / size_of::<K::Output>();
        let rows = cast::<K::Row>(input);
        let rows = &rows[..rows.len().min(fit)];
        let pace = Pace::with(care);
        let (mut results, mut consumed, mut done) = (0, 0, 0);
        for rows in rows.chunks(if care.is_needed() { 1 } else { BATCH }) {
            care.note(consumed);
            if care.must_avoid(consumed) {
                let said = room.len().min(results + DEADLY.len());
                room[results..said].copy_from_slice(&DEADLY.as_bytes()[..said - results]);
                return Mapped { consumed, results, reports: said - results, rows: done, ..Mapped::default() };
            }
            lap(Step::Take);
            consumed += size_of_val(rows);
            self.map_rows(rows);
            let outputs = bytemuck::cast_slice(&self.outputs);
            room[results..results + outputs.len()].copy_from_slice(outputs);
            results += outputs.len();
            done += rows.len();
            lap(Step::Merge);
            if pace.is_enough() {
                break;
            }
        }
        Mapped { consumed, results, rows: done, ..Mapped::default() }
    }
}

impl<K: Kernel<Row: Pod, Output: Pod>> Pickler for Loaded<'_, K> {
    fn pickle_rows(&mut self, _: &[u8], block: &[u8], limit: usize, task: &mut Vec<u8>) -> Result<Read, Error> {
        let rows = cast::<K::Row>(block);
        let rows = &rows[..limit.min(rows.len())];
        lap(Step::Take);
        pickle("rows", &rows, task)?;
        lap(Step::Pickle);
        Ok(Read { rows: rows.len(), end: size_of_val(rows), bad: None })
    }

    fn map_pickles(&mut self, task: &[u8], reply: &mut Vec<u8>) -> Result<usize, Error> {
        let rows: Vec<K::Row> = unpickle("rows", task)?;
        lap(Step::Unpickle);
        self.map_rows(&rows);
        pickle("outputs", &self.outputs, reply)?;
        lap(Step::PickleResult);
        Ok(rows.len())
    }

    fn unpickle_outputs(
        &mut self,
        reply: &[u8],
        task: &mut Task,
        _: &mut [u8],
        results: &mut Vec<u8>,
        _: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let outputs: Vec<K::Output> = unpickle_untrusted("outputs", reply)?;
        check_reply(outputs.len(), task.rows)?;
        lap(Step::UnpickleResult);
        results.extend_from_slice(bytemuck::cast_slice(&outputs));
        lap(Step::Merge);
        Ok(())
    }
}
