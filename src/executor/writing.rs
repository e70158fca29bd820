//! The writer of a run: takes the results of block after block, in order, and passes them to the sink.

use crate::error::{Error, locked};
use crate::executor::measures::unpack;
use crate::executor::run::Run;
use crate::executor::told::{Sentence, Told};
use crate::flow::{Bytes, Part, Sink};
use crate::ring::{Place, Spoilt, Taken, Writer};
use crate::steps::{self, Step};
use crate::tally::Stopwatch;
use crate::work::Mapped;
use std::sync::atomic::Ordering;

impl Run<'_> {
    /// The writer: passes the results of block after block to the sink, until the run ends.
    pub(super) fn write(&self, mut ring: Writer, sink: &mut dyn Sink) -> Result<(), Error> {
        let mut watch = Stopwatch::new(&self.tally.writer);
        // If workers read the file: the offset in the file at which the rows of the blocks written so far end.
        let mut end = 0;
        let mut free = 0;
        // Wake the reader only when several slots are free, so that it fills several at each wake-up. But wake it while
        // there is still a filled slot ready for each worker.
        let slots = self.segment.slots();
        let enough = slots.saturating_sub(2 * self.jobs() as usize).min(slots / 2).max(1);
        for block in self.first.. {
            // If the block is a window, the writer first sleeps for this time without being woken. Workers finish
            // several blocks meanwhile, so that the writer wakes less often.
            let mut nap = None;
            let (place, next) = loop {
                // Do not lock the announcements in the head of the `match`: the lock would be held while the writer
                // sleeps. `next_told` releases the lock before it returns.
                let told = self.next_told();
                match told {
                    Some(Told::Block(next)) => break (Place::Slot(next.rows.clone()), next),
                    Some(Told::Window(window)) => {
                        nap = Some(self.cut.nap(slots, self.jobs()));
                        break (window.place(), window.block(end));
                    }
                    Some(Told::Stretch(start)) => end = start,
                    Some(Told::GoOn(place)) if place == end => {}
                    Some(Told::GoOn(_)) => return Err(Error::spoilt()),
                    Some(Told::End(ending)) => {
                        sink.end(ending)?;
                        self.is_complete.store(true, Ordering::Release);
                        return Ok(());
                    }
                    None if self.is_over() => return Ok(()),
                    None => self.segment.done().sleep(),
                }
            };
            ring.begin(place, end);
            watch.waited();
            sink.begin(next)?;
            watch.worked();
            loop {
                // The writer sleeps on the event `done` in this loop as well as in the loop above. So it is enough to
                // set this event after a change of anything that the writer waits for.
                let is_published = self.published.load(Ordering::Acquire) > block;
                if let Some(taken) = ring.try_take(is_published).map_err(|Spoilt| Error::spoilt())? {
                    self.write_part(block, &taken, end, sink, &mut watch)?;
                    end += taken.outcome.consumed as u64;
                    if taken.give_back() {
                        break;
                    }
                    self.segment.filled().signal();
                    continue;
                }
                if self.take_offer(&mut ring, end, sink)? {
                    continue;
                }
                match locked(&self.sentences).get_mut(&block) {
                    Some(Sentence::GivenUp(what)) => {
                        return Err(sink.given_up(self.text(ring.rest(), ring.left(), end), what.clone()));
                    }
                    Some(Sentence::Ends(error)) => return error.take().map_or(Ok(()), Err),
                    _ => {}
                }
                if self.is_over() {
                    return Ok(());
                }
                match nap.take() {
                    Some(nap) => std::thread::sleep(nap),
                    None => self.segment.done().sleep(),
                }
            }
            locked(&self.sentences).remove(&block);
            self.parts.store(0, Ordering::Release);
            self.written.store(block + 1, Ordering::Release);
            free += 1;
            // The reader waits for free slots (first condition). While the cost of rows is not known, the reader
            // publishes few blocks ahead, so it can also wait for blocks to be written (second condition).
            if free >= enough || self.published.load(Ordering::Acquire) <= block + 1 + self.jobs() {
                self.segment.freed().signal();
                free = 0;
            }
        }
        Ok(())
    }

    /// Returns the rows of a block: `here` if the rows are in the slot, otherwise the `length` bytes at `offset` of the
    /// file.
    pub(super) fn text<'t>(&'t self, here: Option<&'t [u8]>, length: usize, offset: u64) -> Bytes<'t> {
        match (here, self.file()) {
            (None, Some(file)) => Bytes::InFile(file, offset, length),
            (here, _) => Bytes::Here(here.unwrap_or_default()),
        }
    }

    /// Passes the results of a block, or of the next part of it, to the sink. `end` is where in the file the rows of
    /// earlier blocks end.
    fn write_part(
        &self,
        block: u64,
        taken: &Taken,
        end: u64,
        sink: &mut dyn Sink,
        watch: &mut Stopwatch,
    ) -> Result<(), Error> {
        let (mapped, working, waiting) = unpack(taken).map_err(|Spoilt| Error::spoilt())?;
        let Mapped { consumed, lines, rows, results, .. } = mapped;
        self.tally.enter(taken.worker as usize % self.jobs() as usize, rows, working, waiting);
        self.cut.measured(consumed, results, working, mapped.overhead);
        watch.waited();
        let (results, reports) = taken.results().split_at(results);
        let deadly = if reports.is_empty() { String::new() } else { self.deadly(block) };
        let input = self.text(taken.input(), taken.left(), end);
        sink.write(Part { input, consumed, lines, rows, results, reports, deadly: &deadly })?;
        if consumed == 0 && !taken.is_whole() {
            // A part that consumes no input is valid only if it has a report that ends the run. Such a report makes the
            // sink return an error, which it has not done.
            return Err(Error::spoilt());
        }
        steps::lap(Step::Merge);
        watch.worked();
        *locked(&self.offers) = 0;
        self.parts.fetch_add(1, Ordering::Release);
        self.taken.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
