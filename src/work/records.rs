//! A kernel over plain records: rows are read, and outputs written, as the bytes that they have in memory.

use crate::error::Error;
use crate::kernel::{Kernel, Row};
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::work::remote::{self, Failure, Remote};
use crate::work::{BATCH, DEADLY, Mapped, Mapper, Pace, Work, check_outputs};
use bytemuck::Pod;
use std::borrow::Cow;

/// A kernel over blocks of plain records.
#[derive(Clone)]
pub struct Records<'k, K>(pub &'k K);

impl<K: Kernel<Row: Pod, Output: Pod + Row>> Work for Records<'_, K> {
    fn mapper<'m>(&'m self, remote: Option<Remote<'m>>) -> Box<dyn Mapper + 'm> {
        let opened = if remote.is_some() { Ok(()) } else { self.0.open() };
        Box::new(Loaded { kernel: self.0, remote, opened, outputs: vec![] })
    }

    fn map_task(&self, task: &[u8]) -> Result<(Vec<u8>, usize), Error> {
        if let Err(what) = self.0.open() {
            return remote::refusal(&what);
        }
        remote::reply(task, |rows: &Vec<K::Row>, outputs| self.0.map_rows(rows, outputs))
    }
}

/// A kernel with the scratch space of one worker.
struct Loaded<'k, K: Kernel> {
    kernel: &'k K,
    remote: Option<Remote<'k>>,
    /// Whether the kernel can be used here, or why not.
    opened: Result<(), String>,
    outputs: Vec<K::Output>,
}

impl<K: Kernel> Drop for Loaded<'_, K> {
    fn drop(&mut self) {
        if self.remote.is_none() {
            self.kernel.close();
        }
    }
}

impl<K: Kernel<Output: Row>> Loaded<'_, K> {
    fn map_rows(&mut self, rows: &[K::Row]) -> Result<(), Failure> {
        if let Some(remote) = &mut self.remote {
            self.outputs = remote.map(&rows, rows.len())?;
            return Ok(());
        }
        self.outputs.clear();
        self.kernel.map_rows(rows, &mut self.outputs);
        check_outputs(self.outputs.len(), rows.len());
        Ok(())
    }
}

/// Returns these bytes as records. Bytes in a slot are not copied, because the slot's regions are aligned for any
/// record. Bytes in another buffer are copied if they are not aligned.
fn cast<R: Pod>(bytes: &[u8]) -> Cow<'_, [R]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(rows) => Cow::Borrowed(rows),
        Err(_) => Cow::Owned(bytemuck::allocation::pod_collect_to_vec(bytes)),
    }
}

impl<K: Kernel<Row: Pod, Output: Pod + Row>> Mapper for Loaded<'_, K> {
    fn map_block(&mut self, _: &[u8], input: &[u8], room: &mut [u8], care: Care) -> Result<Mapped, Failure> {
        if let Err(what) = &self.opened {
            return Err(Error::usage(what.clone()).into());
        }
        let fit = room.len() / size_of::<K::Output>();
        let rows = cast::<K::Row>(input);
        let rows = &rows[..rows.len().min(fit)];
        let pace = Pace::with(care);
        let batch = self.remote.as_ref().map_or(BATCH, |remote| remote.chunk_size);
        let (mut results, mut consumed, mut done) = (0, 0, 0);
        for rows in rows.chunks(if care.is_needed() { 1 } else { batch }) {
            care.note(consumed);
            if care.must_avoid(consumed) {
                let said = room.len().min(results + DEADLY.len());
                room[results..said].copy_from_slice(&DEADLY.as_bytes()[..said - results]);
                return Ok(Mapped { consumed, results, reports: said - results, rows: done, ..Mapped::default() });
            }
            lap(Step::Take);
            consumed += size_of_val(rows);
            self.map_rows(rows)?;
            let outputs = bytemuck::cast_slice(&self.outputs);
            room[results..results + outputs.len()].copy_from_slice(outputs);
            results += outputs.len();
            done += rows.len();
            lap(Step::Merge);
            if pace.is_enough() {
                break;
            }
        }
        Ok(Mapped { consumed, results, rows: done, ..Mapped::default() })
    }
}
