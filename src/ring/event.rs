//! Sleeping and waking: raw_sync's event interface, implemented by one futex word.
//!
//! raw_sync's own Unix event holds a pthread mutex that is not robust: if a worker were killed while it held the mutex,
//! all others would wait for ever. A futex word has no owner, so the death of a waiter blocks nobody. A wake-up is only
//! a hint, so whoever is woken looks at the ring again. A wake-up is lost if a worker is killed between setting the
//! word and waking a waiter, or between being woken and looking at the ring. Therefore the supervisor repeats wake-ups
//! ([`FutexEvent::repeat`]) after each death.
//!
//! The ring keeps its events in `Control`, and does not need `EventInit`. That trait is implemented so that code
//! written for raw_sync can use this event in place of raw_sync's own.

use raw_sync::Timeout;
use raw_sync::events::{EventImpl, EventInit, EventState};
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::error::Error;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const CLEAR: u32 = 0;
const SIGNALED: u32 = 1;

/// How many times to look at the word before sleeping. All looks together take about a microsecond. If the event is set
/// within that time, two context switches are saved.
const SPINS: u32 = 50;

/// The longest time to sleep before looking at the ring again.
pub const ROUND: Duration = Duration::from_secs(1);

/// An event in memory that processes can share. A successful wait resets it (auto-reset).
#[derive(Clone, Copy)]
pub struct FutexEvent<'a>(pub &'a AtomicU32);

impl FutexEvent<'_> {
    /// Sets the event and wakes one waiter, even if the event is set already. This is needed after a death: the process
    /// that set the event might have been killed before it woke a waiter, and a waiter that was woken might have been
    /// killed before it looked at the ring.
    pub fn repeat(&self) {
        self.0.swap(SIGNALED, Ordering::AcqRel);
        let _ = futex::wake(self.0, futex::Flags::empty(), 1);
    }

    /// Sets the event and wakes one waiter, unless the event is set already. If nobody waits, the next wait returns at
    /// once.
    pub fn signal(&self) {
        let _ = self.set(EventState::Signaled);
    }

    /// Waits until the event is set, but no longer than [`ROUND`], because a faulty worker that writes to any memory
    /// might have cleared the event before the waiter saw it. Returning without an event does no harm, since the caller
    /// looks at the ring in any case.
    pub fn sleep(&self) {
        let _ = self.wait(Timeout::Val(ROUND));
    }

    fn consume(&self) -> bool {
        // Any value other than CLEAR counts as set. A faulty worker might write a value that is neither CLEAR nor
        // SIGNALED. Such a value must end the wait and be reset, because the system lets nobody sleep on a word that is
        // not CLEAR.
        self.0.load(Ordering::Relaxed) != CLEAR && self.0.swap(CLEAR, Ordering::Acquire) != CLEAR
    }
}

/// An event on which each waiter waits for the turn of a certain block in the chain: a worker for the turn of its own
/// block, and the reader for that of the block that it publishes next. The first word counts turns. The second word
/// counts sleepers, so that a turn is announced without a system call if nobody sleeps. A sleeper that is killed stays
/// counted. The only harm is that each turn then costs a system call.
#[derive(Clone, Copy)]
pub struct FutexTurns<'a>(pub &'a AtomicU32, pub &'a AtomicU32);

impl FutexTurns<'_> {
    /// Returns the count of turns. A waiter reads the count, then looks whether its turn has come, and if not, sleeps
    /// with this count. A turn that is announced after the count was read changes the count, so that the waiter does
    /// not sleep.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Announces that the turn of `block` has come, and wakes whoever waits for it.
    pub fn announce(&self, block: u64) {
        self.wake(bit(block));
    }

    /// Wakes all sleepers, because something other than one turn has changed: the chain is stuck, a worker has died, or
    /// the run is over.
    pub fn repeat(&self) {
        self.wake(NonZeroU32::MAX);
    }

    fn wake(&self, bits: NonZeroU32) {
        // The sequentially consistent order makes sure that no sleeper is missed: either this thread sees the sleeper
        // counted, or the sleeper's system call sees the new count of turns and returns at once.
        self.0.fetch_add(1, Ordering::SeqCst);
        if self.1.load(Ordering::SeqCst) != 0 {
            let _ = futex::wake_bitset(self.0, futex::Flags::empty(), i32::MAX as u32, bits);
        }
    }

    /// Sleeps until the turn of `block` is announced, but no longer than [`ROUND`]. Returns at once if any turn was
    /// announced since [`FutexTurns::count`] returned `count`.
    pub fn sleep(&self, count: u32, block: u64) {
        let now = clock_gettime(ClockId::Monotonic);
        let until = Timespec { tv_sec: now.tv_sec + ROUND.as_secs() as i64, tv_nsec: now.tv_nsec };
        self.1.fetch_add(1, Ordering::SeqCst);
        let _ = futex::wait_bitset(self.0, futex::Flags::empty(), count, Some(&until), bit(block));
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the bit that stands for `block` in the futex's bit set. A wake-up with this bit wakes only the workers that
/// sleep with the same bit. There are 32 bits, so blocks 32 apart share one.
fn bit(block: u64) -> NonZeroU32 {
    // One bit is set, so the number is not 0.
    NonZeroU32::new(1u32.rotate_left(block as u32)).unwrap_or(NonZeroU32::MAX)
}

impl EventImpl for FutexEvent<'_> {
    fn wait(&self, timeout: Timeout) -> Result<(), Box<dyn Error>> {
        let deadline = match timeout {
            Timeout::Infinite => None,
            Timeout::Val(time) => Some(Instant::now() + time),
        };
        for _ in 0..SPINS {
            if self.consume() {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        while !self.consume() {
            let left = match deadline.map(|deadline| deadline.checked_duration_since(Instant::now())) {
                None => None,
                Some(None) => return Err(Errno::TIMEDOUT.into()),
                Some(Some(left)) => Some(left.try_into()?),
            };
            match futex::wait(self.0, futex::Flags::empty(), CLEAR, left.as_ref()) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set(&self, state: EventState) -> Result<(), Box<dyn Error>> {
        match state {
            EventState::Clear => self.0.store(CLEAR, Ordering::Relaxed),
            EventState::Signaled => {
                if self.0.swap(SIGNALED, Ordering::AcqRel) == CLEAR {
                    futex::wake(self.0, futex::Flags::empty(), 1)?;
                }
            }
        }
        Ok(())
    }
}

#[allow(unsafe_code)] // raw_sync hands over memory as a raw pointer
impl EventInit for FutexEvent<'static> {
    fn size_of(_: Option<*mut u8>) -> usize {
        size_of::<AtomicU32>()
    }

    /// # Safety
    /// The same as for [`FutexEvent::from_existing`].
    unsafe fn new(mem: *mut u8, auto_reset: bool) -> Result<(Box<dyn EventImpl>, usize), Box<dyn Error>> {
        if !auto_reset {
            return Err("this event resets itself".into());
        }
        // SAFETY: the caller promises what `from_existing` demands.
        let made = unsafe { Self::from_existing(mem)? };
        made.0.set(EventState::Clear)?;
        Ok(made)
    }

    /// # Safety
    /// - `mem` must be valid for reads and writes of 4 bytes, and aligned to 4, for as long as the event is used.
    /// - All other uses of these bytes must be as an event of this type.
    unsafe fn from_existing(mem: *mut u8) -> Result<(Box<dyn EventImpl>, usize), Box<dyn Error>> {
        // SAFETY: valid, aligned and only used atomically, as the caller promises.
        let word: &'static AtomicU32 = unsafe { AtomicU32::from_ptr(mem.cast()) };
        Ok((Box::new(FutexEvent(word)), Self::size_of(None)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(unsafe_code)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_signal_before_the_wait_is_kept_and_used_up_once() {
        let word = AtomicU32::new(0);
        let event = FutexEvent(&word);
        event.signal();
        event.signal();
        assert!(event.wait(Timeout::Infinite).is_ok());
        assert!(event.wait(Timeout::Val(Duration::from_millis(20))).is_err());
    }

    #[test]
    fn raw_sync_can_make_it_anywhere() {
        let word: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(SIGNALED)));
        // SAFETY: a leaked atomic is valid for ever.
        let (event, size) = unsafe { FutexEvent::new(word.as_ptr().cast(), true) }.unwrap();
        assert_eq!(size, 4);
        assert!(event.wait(Timeout::Val(Duration::ZERO)).is_err(), "a new event is clear");
        event.set(EventState::Signaled).unwrap();
        // SAFETY: a leaked atomic is valid for ever.
        let (same, _) = unsafe { FutexEvent::from_existing(word.as_ptr().cast()) }.unwrap();
        assert!(same.wait(Timeout::Infinite).is_ok());
        // SAFETY: a leaked atomic is valid for ever.
        assert!(unsafe { FutexEvent::new(word.as_ptr().cast(), false) }.is_err());
    }

    #[test]
    fn whoever_waits_for_a_turn_is_woken_by_its_announcement() {
        let words = [AtomicU32::new(7), AtomicU32::new(0)];
        let turns = FutexTurns(&words[0], &words[1]);
        let count = turns.count();
        turns.announce(5);
        turns.sleep(count, 3); // Returns at once: a turn was announced after `count`.
        let count = turns.count();
        let start = Instant::now();
        std::thread::scope(|scope| {
            let [other, own] = [3, 5].map(|block| scope.spawn(move || turns.sleep(count, block)));
            while words[1].load(Ordering::Relaxed) < 2 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(20));
            turns.announce(5);
            own.join().unwrap();
            turns.repeat();
            other.join().unwrap();
        });
        assert!(start.elapsed() < ROUND && words[1].load(Ordering::Relaxed) == 0);
    }

    #[test]
    fn repeat_wakes_a_sleeper_whose_signal_was_swallowed() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| FutexEvent(&word).sleep());
            std::thread::sleep(Duration::from_millis(20));
            // Set the word without waking the sleeper. The ring looks like this if a woken worker is killed before it
            // looks at the word.
            word.store(SIGNALED, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
            assert!(!sleeper.is_finished());
            FutexEvent(&word).repeat();
        });
    }
}
