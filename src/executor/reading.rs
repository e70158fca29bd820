//! The reader of a run: publishes block after block. If workers read a file for themselves, the reader publishes
//! windows, and the chain tells it at which offset it has to go on reading.

use crate::error::Error;
use crate::executor::no_segment;
use crate::executor::run::Run;
use crate::executor::told::{Told, Window};
use crate::flow::{Ending, Source, Stretch};
use crate::input::windows::announce;
use crate::process::bell::ring_bell;
use crate::ring::{Filling, Place, Reached, Reader, Spoilt};
use crate::steps::{self, Step};
use crate::tally::Stopwatch;
use std::sync::atomic::Ordering;

/// If the rest of the file has fewer windows than this, the reader does not let workers read it. The parent always
/// reads the last one or two windows itself, because only one process may decide where the file ends.
const WORTH: u64 = 8;

/// How far ahead of the published windows the system is asked to read the file, and how many bytes it is asked for at a
/// time. Bytes that are in memory already are not asked for.
const AHEAD: u64 = 4 << 20;

/// How many blocks the reader reads itself after the chain has been stuck for the first time.
const DETOUR: u64 = 16;

/// When the chain is stuck, the reader reads some blocks itself: a detour. `left` is how many of them are still to be
/// read, and `last` is how many the latest detour has in all. Each detour has twice as many as the one before. So a
/// file with many rows that are too long for workers costs little more than if the parent read all of it.
#[derive(Default)]
struct Detour {
    left: u64,
    last: u64,
}

impl Detour {
    fn begin(&mut self) {
        self.last = (2 * self.last).max(DETOUR);
        self.left = self.last;
    }

    /// Counts one block as read by the parent. Returns whether that was the last of the detour, so that workers may
    /// read again.
    fn is_over(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }
}

fn spoilt(_: Spoilt) -> Ending {
    Ending::Failed(Error::spoilt())
}

impl Run<'_> {
    /// The reader: publishes block after block, until there is an error.
    ///
    /// # Errors
    /// Why there is no further block, or `None` if the run is over. The functions that this one calls have the same
    /// errors.
    pub(super) fn read(&self, mut ring: Reader, source: &mut dyn Source) -> Result<(), Option<Ending>> {
        let mut watch = Stopwatch::new(&self.tally.reader);
        let (mut detour, mut has_begun) = (Detour::default(), false);
        loop {
            if self.file().is_some() && self.may_overlap() && detour.is_over() && self.cut.is_cheap() {
                self.leave_to_workers(&mut ring, source, &mut detour, &mut watch)?;
            }
            self.wait_for_slot(&ring)?;
            let Some(mut filling) = ring.try_fill().map_err(spoilt)? else { continue };
            watch.waited();
            filling.allocate().map_err(|error| Ending::Failed(no_segment(error)))?;
            self.segment.set_awaits_input(true);
            let wanted = self.cut.wanted();
            let read = source.next_block(filling.input(), wanted);
            self.segment.set_awaits_input(false);
            steps::lap(Step::Take);
            let block = read?;
            if !std::mem::replace(&mut has_begun, true) && self.cutter.is_some() {
                source.lend().into_iter().for_each(|file| drop(self.file.set(file)));
            }
            self.cut.was_cut(block.rows.len(), wanted);
            let place = Place::Slot(block.rows.clone());
            self.publish(filling, place, Told::Block(block));
            watch.worked();
        }
    }

    /// Waits until another block may be published, and its slot is free.
    fn wait_for_slot(&self, ring: &Reader) -> Result<(), Option<Ending>> {
        loop {
            if self.is_over() {
                return Err(None);
            }
            let waiting = self.published.load(Ordering::Acquire).saturating_sub(self.written());
            let is_free = ring.is_free().map_err(spoilt)?;
            if is_free && self.cut.may_publish(waiting, self.jobs()) && (waiting == 0 || self.may_overlap()) {
                return Ok(());
            }
            self.segment.freed().sleep();
        }
    }

    /// Publishes a block, and wakes a worker to claim it. Wakes the supervisor, too, if there is work for more workers.
    fn publish(&self, filling: Filling, place: Place, told: Told) {
        // Announce the block to the writer before publishing it: a worker can finish the block at once, and the writer
        // must know of the block by then.
        self.tell(told);
        filling.publish(place);
        self.segment.filled().signal();
        self.published.fetch_add(1, Ordering::AcqRel);
        if self.wanted() > self.workers.load(Ordering::Acquire) {
            ring_bell(&self.bell);
        }
    }

    /// If the source has a stretch of the file that workers can read, publishes windows of it. Goes on with that until
    /// the stretch ends, rows become expensive or the chain is stuck; then takes up reading where the windows' rows
    /// end.
    fn leave_to_workers(
        &self,
        ring: &mut Reader,
        source: &mut dyn Source,
        detour: &mut Detour,
        watch: &mut Stopwatch,
    ) -> Result<(), Option<Ending>> {
        let Some(stretch) = source.stretch(WORTH * self.cut.window() as u64) else { return Ok(()) };
        self.tell(Told::Stretch(stretch.range.start));
        ring.begin_chain();
        let end = self.publish_windows(ring, &stretch, watch)?;
        let place = loop {
            let count = self.segment.turns().count();
            let are_written = self.written() == ring.block();
            match ring.reached().map_err(spoilt)? {
                Reached::All(behind) => break end + behind as u64,
                Reached::Stuck(place) => {
                    detour.begin();
                    break place;
                }
                Reached::NotYet if self.is_over() => return Err(None),
                // A window is written only after its turn in the chain. All windows are written, yet according to the
                // chain the last one has not had its turn. So a faulty worker has set the chain back.
                Reached::NotYet if are_written => return Err(Some(spoilt(Spoilt))),
                Reached::NotYet => self.segment.turns().sleep(count, ring.block()),
            }
        };
        watch.waited();
        self.tell(Told::GoOn(place));
        // Workers write the chain's word, so do not trust the offset that follows from it.
        if !(stretch.range.start..=stretch.range.end).contains(&place) {
            return Err(Some(spoilt(Spoilt)));
        }
        source.go_on_at(place)?;
        Ok(())
    }

    /// Publishes windows of the stretch. Returns where the last one ends.
    fn publish_windows(
        &self,
        ring: &mut Reader,
        stretch: &Stretch,
        watch: &mut Stopwatch,
    ) -> Result<u64, Option<Ending>> {
        let mut offset = stretch.range.start;
        let mut announced = offset;
        loop {
            if let Some(file) = self.file().filter(|_| offset >= announced) {
                announced = offset + AHEAD;
                announce(file, announced..announced + AHEAD);
            }
            self.wait_for_slot(ring)?;
            watch.waited();
            let length = self.cut.window();
            let is_near_the_end = stretch.range.end - offset < 2 * length as u64;
            // Only now, after the wait for a free slot, ask whether the chain is stuck: it can get stuck during that
            // wait. If it is stuck, do not use the slot: this may be the slot of the stuck window, and it still says
            // where the reader has to go on.
            let is_stuck = matches!(ring.reached(), Ok(Reached::Stuck(_)));
            if is_near_the_end || is_stuck || !self.cut.is_cheap() {
                return Ok(offset);
            }
            let Some(mut filling) = ring.try_fill().map_err(spoilt)? else { continue };
            filling.allocate().map_err(|error| Ending::Failed(no_segment(error)))?;
            filling.input()[..stretch.head.len()].copy_from_slice(&stretch.head);
            let window = Window::new(stretch, offset, length);
            self.publish(filling, window.place(), Told::Window(window));
            offset += length as u64;
            watch.worked();
        }
    }
}
