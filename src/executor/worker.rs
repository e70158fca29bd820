//! The worker's side: this program again, with the segment or a socket as its standard input.

use crate::error::{Error, reason};
use crate::executor::measures::{Spent, pack};
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
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;

/// The environment variable that tells a process that it is a worker, and of what.
pub const MARK: &str = "PMAPGCD_WORKER";

/// The mark that this process was started with. It is read once and then no longer in the environment: a process that a
/// kernel starts is no worker of ours.
fn own_mark() -> Option<&'static OsStr> {
    static OWN: OnceLock<Option<OsString>> = OnceLock::new();
    OWN.get_or_init(|| take_variable(MARK)).as_deref()
}

/// What a worker is told of itself.
struct Mark {
    executor: Executor,
    parent: u32,
    /// The name of the mapping that it works for.
    mapping: String,
}

impl Mark {
    /// Whether the process that it names has started this one, and lives.
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

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.executor.name(), self.parent, self.mapping)
    }
}

/// A worker of this executor for this mapping: this program again.
///
/// # Errors
/// When it cannot be started again.
pub fn launch(executor: Executor, mapping: &Mapping) -> io::Result<Launch> {
    let mark = Mark { executor, parent: std::process::id(), mapping: mapping.name.clone() };
    let launch = Launch::again()?.with(MARK, mark.to_string());
    Ok(match executor {
        // Or glibc gives the memory of every task back to the system after it, which costs ten times what pickling
        // does: mallopt(3). It is pickling that this executor is there to show.
        Executor::Pickle => launch.with("MALLOC_TRIM_THRESHOLD_", (64 << 20).to_string()),
        _ => launch,
    })
}

/// Whether this process was started as a worker.
pub fn is_worker() -> bool {
    own_mark().is_some()
}

/// Turns this process into a worker if it was started as one for this mapping, and answers with the status to end with.
/// Call it as early as the kernel is known: all that comes before runs in each worker too.
pub fn reenter(mapping: &Mapping) -> Option<ExitCode> {
    let mark = own_mark()?;
    let joined = match Mark::parse(&mark.to_string_lossy()) {
        Some(mark) if mark.mapping != mapping.name => return None,
        Some(mark) => join(&mark, mapping),
        None => Err(not_for_you()),
    };
    Some(match joined {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(error.exit_status())
        }
    })
}

fn join(mark: &Mark, mapping: &Mapping) -> Result<(), Error> {
    let _ = rustix::thread::set_name(c"pmapgcd-worker");
    // The signal comes only if the parent dies from here on, so see that it has not yet.
    let unbound = set_parent_process_death_signal(Some(Signal::KILL)).err();
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let stdin = stdin.map_err(|error| Error::io("stdin", error))?;
    if !mark.is_of_our_parent() {
        // Its parent has died just now, or it is no worker at all: what it has for stdin tells.
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

/// What a process is told that has the mark of a worker and is none, or not for this.
pub fn not_for_you() -> Error {
    Error::usage(format!("the environment variable {MARK} is for worker processes only; unset it"))
}

fn share(stdin: OwnedFd, mark: &Mark, number: u32, unbound: Option<Errno>, mapping: &Mapping) -> Result<(), Error> {
    let segment = Segment::attach(stdin).map_err(no_segment)?;
    last_words::keep();
    let mut mapper = mapping.work.mapper(None);
    let refused = confine(unbound, mapping.confinement, segment.length(), None);
    // Who runs under a filter of another's may have died of asking for one.
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

/// Gives up all rights that are not needed from here on, and answers with what to say where the system refuses that: the
/// run goes on without.
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
    // A process ends with its parent, and goes home on nobody else's word.
    let mut last = Instant::now();
    while segment.is_shared() || !segment.is_closed() {
        let Some(mut claim) = segment.try_claim(worker) else {
            segment.filled().sleep();
            // As a rule the system ends a process that is not.
            if !is_wanted() {
                return Ok(());
            }
            continue;
        };
        // One signal may stand for several blocks: whoever got it passes it on.
        if segment.has_filled() {
            segment.filled().signal();
        }
        let waiting = micros(&mut last);
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
        claim.finish(pack(mapped, Spent { working: micros(&mut last), waiting }));
        segment.done().signal();
    }
    segment.filled().signal();
    Ok(())
}

/// The microseconds since `last`, which is now from now on.
fn micros(last: &mut Instant) -> u32 {
    tally::lap(last).as_micros().try_into().unwrap_or(u32::MAX)
}

/// Before the block is done, since the run may be over then, and this process with it.
fn hand_in_steps(segment: &Segment) {
    if steps::is_timing() && segment.is_shared() {
        segment.add(&steps::take());
    }
}
