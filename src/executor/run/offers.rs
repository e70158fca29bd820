//! Results that a worker offers before its block is done. The worker keeps the block, because no other worker could go
//! on with it.
//!
//! The results of an offer that was taken are written. If the worker dies after that, its block must not be mapped
//! again, or these results would be printed twice. The count of offers tells the supervisor this. Therefore the writer
//! counts an offer before it reads the offered bytes. The writer holds a lock while it looks for an offer and counts
//! it. The supervisor holds the same lock while it withdraws the offer of a dead worker. So each offer is either
//! counted or withdrawn.

use super::Run;
use crate::error::{Error, locked};
use crate::flow::{Part, Sink};
use crate::ring::{Held, Supervisor, Writer};
use std::sync::atomic::Ordering;

impl Run<'_> {
    /// Passes to the sink the results that the claimant of the writer's block offers. Returns whether there were any.
    /// `end` is where in the file the rows of earlier blocks end.
    pub(in crate::executor) fn take_offer(
        &self,
        ring: &mut Writer,
        end: u64,
        sink: &mut dyn Sink,
    ) -> Result<bool, Error> {
        let length = {
            let mut offers = locked(&self.offers);
            let length = ring.offered();
            *offers += u64::from(length > 0);
            length
        };
        if length == 0 {
            return Ok(false);
        }
        let input = self.text(ring.rest(), ring.left(), end);
        sink.write(Part { input, results: ring.offered_results(length), ..Part::default() })?;
        ring.release();
        self.taken.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Withdraws the offer of a dead worker, so that its block can be mapped again. Returns false if an offer of the
    /// worker has already been taken: mapping the block again would then print results twice.
    pub fn withdraw_offer(&self, ring: &Supervisor, held: &Held) -> bool {
        let offers = locked(&self.offers);
        ring.withdraw(held);
        *offers == 0 || held.block() != self.written()
    }
}
