//! A worker process from the inside: this program again, with the segment or a socket as its standard input. And the loop in which
//! workers claim blocks, be they processes or threads.

use crate::error::{Error, reason};
use crate::executor::measures::pack;
use crate::executor::{Executor, Mapping, last_words, no_segment, pickle};
use crate::process::children::NUMBER;
use crate::process::confinement::{self, Confinement};
use crate::process::console::say;
use crate::process::launch::Launch;
use crate::process::streams::take_variable;
use crate::ring::{Claim, Segment};
use crate::steps::{self, Step};
use crate::tally;
use crate::work::Mapper;
use crate::work::remote::Failure;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::OnceLock;
use std::time::Instant;

/// The environment variable that tells a process that it is a worker, and of what.
pub const MARK: &str = "PMAPGCD_WORKER";

/// The mark that this process was started with. It is taken out of the environment when it is first read: a process that a kernel
/// starts is no worker of ours.
fn own_mark() -> Option<&'static OsStr> {
    static OWN: OnceLock<Option<OsString>> = OnceLock::new();
    OWN.get_or_init(|| take_variable(MARK)).as_deref()
}

/// What a worker is told of itself: `EXECUTOR/PARENT/MAPPING`, as [`launch`] writes it.
struct Mark {
    executor: Executor,
    parent: u32,
    /// The name of the mapping that it works for.
    mapping: String,
}

impl Mark {
    /// Whether the process that the mark names is the parent of this one, and lives.
    fn is_of_our_parent(&self) -> bool {
        getppid().is_some_and(|pid| pid.as_raw_nonzero().get() as u32 == self.parent)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let executor = parts.next()?;
        let executor = Executor::ALL.into_iter().find(|known| known.name() == executor)?;
        Some(Mark { executor, parent: parts.next()?.parse().ok()?, mapping: parts.next()?.to_string() })
    }
}

/// What starts a worker of this executor for this mapping: this program again.
///
/// # Errors
/// When it cannot be started again.
pub fn launch(executor: Executor, mapping: &Mapping) -> io::Result<Launch> {
    let mark = format!("{}/{}/{}", executor.name(), std::process::id(), mapping.name);
    let launch = Launch::again()?.with(MARK, mark);
    Ok(match executor {
        // By default glibc gives the memory of every task back to the system after it, see mallopt(3), which costs ten times
        // what pickling does. This executor is there to show what pickling costs.
        Executor::Pickle => launch.with("MALLOC_TRIM_THRESHOLD_", (64 << 20).to_string()),
        _ => launch,
    })
}

/// Whether this process was started as a worker.
pub fn is_worker() -> bool {
    own_mark().is_some()
}

/// Turns this process into a worker if it was started as one for this mapping, and answers with the status to end with.
/// Call it as soon as the kernel is known: whatever is done before that is done in each worker too.
pub fn reenter(mapping: &Mapping) -> Option<u8> {
    let mark = own_mark()?;
    let joined = match Mark::parse(&mark.to_string_lossy()) {
        Some(mark) if mark.mapping != mapping.name => return None,
        Some(mark) => join(&mark, mapping),
        None => Err(not_for_you()),
    };
    Some(match joined {
        Ok(()) => 0,
        Err(error) => {
            say(&error);
            error.exit_status()
        }
    })
}

/// Ends this process if it was started as a worker for this mapping, after it has done the work; otherwise returns at once.
pub fn reenter_or_return(mapping: &Mapping) {
    if let Some(status) = reenter(mapping) {
        std::process::exit(i32::from(status));
    }
}

fn join(mark: &Mark, mapping: &Mapping) -> Result<(), Error> {
    let _ = rustix::thread::set_name(c"pmapgcd-worker");
    // The signal comes only if the parent dies from here on, so see below that it has not died before.
    let unbound = set_parent_process_death_signal(Some(Signal::KILL)).err();
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let stdin = stdin.map_err(|error| Error::io("stdin", error))?;
    if !mark.is_of_our_parent() {
        // Either the parent has died just now, or this is no worker at all, which is seen by what it has for stdin.
        let is_worker = match mark.executor {
            Executor::Pickle => rustix::net::sockopt::socket_type(&stdin).is_ok(),
            _ => Segment::attach(stdin).is_ok(),
        };
        return if is_worker { Ok(()) } else { Err(not_for_you()) };
    }
    let number = std::env::var(NUMBER).ok().and_then(|number| number.parse().ok()).ok_or_else(not_for_you)?;
    match mark.executor {
        Executor::Pickle => {
            let refused = confine(unbound, mapping.confinement, 0, Some(stdin.as_fd()));
            refused.iter().filter(|_| number == 0).for_each(|what| say(what));
            pickle::serve(&stdin, mapping.work)
        }
        _ => share(stdin, mark, number, unbound, mapping),
    }
}

/// The error for a process that has the mark of a worker, but is none, or is one of another mapping.
pub fn not_for_you() -> Error {
    Error::usage(format!("the environment variable {MARK} is for worker processes only; unset it"))
}

fn share(stdin: OwnedFd, mark: &Mark, number: u32, unbound: Option<Errno>, mapping: &Mapping) -> Result<(), Error> {
    let segment = Segment::attach(stdin).map_err(no_segment)?;
    last_words::keep();
    let mut mapper = mapping.work.mapper(None);
    let refused = confine(unbound, mapping.confinement, segment.length(), None);
    // Counted only now: where the program runs under a filter of somebody else's that kills, a worker dies in `confine`, and has
    // then not come up.
    let is_first = segment.report_up() == 0;
    refused.iter().filter(|_| is_first).for_each(|what| say(what));
    steps::lap(Step::Import);
    hand_in_steps(&segment);
    if let Err((claim, failure)) = work(&segment, number, &mut *mapper, || mark.is_of_our_parent()) {
        claim.leave_last_words(Error::from(failure).to_string().as_bytes());
        std::process::exit(last_words::STATUS)
    }
    Ok(())
}

/// Gives up all rights that are not needed from here on. Answers with messages for what the system refuses: the run goes on
/// without that.
fn confine(unbound: Option<Errno>, confinement: Confinement, mapped: usize, socket: Option<BorrowedFd>) -> Vec<String> {
    let unbound = unbound.map(|error| {
        let error = reason(&error.into());
        format!("workers cannot be killed with their parent: {error}; going on, they end within seconds of it")
    });
    let unlimited = confinement::limit(confinement, mapped).err().map(|error| format!("{error}; going on without"));
    let unfiltered = confinement::filter(confinement, socket).err();
    let unfiltered = unfiltered.map(|error| format!("{error}; going on without (--no-sandbox says nothing)"));
    [unbound, unlimited, unfiltered].into_iter().flatten().collect()
}

/// Claims blocks and maps them, until the run is over, or nobody wants them any more.
///
/// # Errors
/// When a block could not be mapped: it is still claimed, and this worker is to claim no other.
pub(super) fn work<'s>(
    segment: &'s Segment,
    worker: u32,
    mapper: &mut dyn Mapper,
    is_wanted: impl Fn() -> bool,
) -> Result<(), (Claim<'s>, Failure)> {
    // Only threads look whether the ring is closed. Anybody who can write to the segment could close it: a process ends with its
    // parent, or when that kills it.
    let mut last = Instant::now();
    while segment.is_shared() || !segment.is_closed() {
        let Some(mut claim) = segment.try_claim(worker) else {
            segment.filled().sleep();
            // As a rule the system kills a process whose parent has died; where it does not, this ends it.
            if !is_wanted() {
                return Ok(());
            }
            continue;
        };
        // One signal may stand for several blocks: the worker that got it passes it on.
        if segment.has_filled() {
            segment.filled().signal();
        }
        let waiting = tally::lap(&mut last);
        let care = claim.care();
        let (head, input, room) = claim.parts();
        let mapped = match segment.is_shared() {
            true => last_words::caught(|| mapper.map_block(head, input, room, care))
                .unwrap_or_else(|words| Err(Error::workers(words).into())),
            false => mapper.map_block(head, input, room, care),
        };
        let mapped = match mapped {
            Ok(mapped) => mapped,
            Err(failure) => return Err((claim, failure)),
        };
        hand_in_steps(segment);
        claim.finish(pack(mapped, tally::lap(&mut last), waiting));
        segment.done().signal();
    }
    segment.filled().signal();
    Ok(())
}

/// Adds what the steps of this process have taken so far to the segment. Called before a block is done: the run may be over after
/// that, and this process killed.
fn hand_in_steps(segment: &Segment) {
    if steps::is_timing() && segment.is_shared() {
        segment.add(&steps::take());
    }
}
