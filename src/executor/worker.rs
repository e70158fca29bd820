//! How a process becomes a worker: it is this program started again, with the segment or a socket as its standard
//! input. Also the loop in which workers claim blocks, whether they are processes or threads.

use crate::error::{Error, reason};
use crate::executor::measures::pack;
use crate::executor::turns::rows_of;
use crate::executor::{Executor, Mapping, no_segment, pickle};
use crate::input::windows::Windows;
use crate::process::aside::read_nothing;
use crate::process::children::NUMBER;
use crate::process::confinement::confine;
use crate::process::console::say;
use crate::process::last_words;
use crate::process::launch::Launch;
use crate::process::streams::{self, SIGNALS, signals_for_workers, take_signals, take_variable};
use crate::ring::{Claim, Place, Segment};
use crate::steps::{self, Step};
use crate::tally;
use crate::work::remote::Failure;
use crate::work::{Mapped, Mapper};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How often a worker looks whether the writer has taken the results that the worker has offered. An offer usually has
/// megabytes of results, and writing them takes longer than this.
const OFFERED: Duration = Duration::from_millis(1);

/// The environment variable that makes a process a worker. Its value is `EXECUTOR/PARENT/MAPPING`.
pub const MARK: &str = "PMAPGCD_WORKER";

/// The environment variable with the number of the descriptor from which a worker process reads windows.
pub const INPUT: &str = "PMAPGCD_WORKER_INPUT";

/// Returns the value that the environment variable [`MARK`] had at the start. The first call removes `MARK` and
/// [`SIGNALS`] from the environment, so that a process which the kernel starts does not take itself for a worker.
fn own_mark() -> Option<&'static OsStr> {
    static OWN: OnceLock<Option<OsString>> = OnceLock::new();
    OWN.get_or_init(|| {
        take_signals();
        take_variable(MARK)
    })
    .as_deref()
}

/// What the parent passes to a worker process, in the environment variable [`MARK`], in the form
/// `EXECUTOR/PARENT/MAPPING` that [`launch`] writes.
struct Mark {
    executor: Executor,
    parent: u32,
    /// The name of the mapping for which the worker works.
    mapping: String,
}

impl Mark {
    /// Returns whether the process that wrote the mark is the parent of this process and alive.
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

/// Returns how to start a worker process of `executor` for `mapping`: this program, with a mark in its environment.
///
/// # Errors
/// If this program cannot be started again.
pub fn launch(executor: Executor, mapping: &Mapping) -> io::Result<Launch> {
    let mark = format!("{}/{}/{}", executor.name(), std::process::id(), mapping.name);
    let launch = Launch::again()?.with(MARK, mark);
    let launch = match signals_for_workers() {
        Some(signals) => launch.with(SIGNALS, signals),
        None => launch,
    };
    Ok(match executor {
        // By default glibc returns the memory of every task to the system afterwards (see mallopt(3)), which costs ten
        // times as much as pickling. This executor is there to show the cost of pickling, so avoid that.
        Executor::Pickle => launch.with("MALLOC_TRIM_THRESHOLD_", (64 << 20).to_string()),
        _ => launch,
    })
}

/// Whether this process was started as a worker.
pub fn is_worker() -> bool {
    own_mark().is_some()
}

/// If this process was started as a worker for this mapping, does the work, then returns the exit status. Returns
/// `None` if this process was not started as a worker, or was started for another mapping. Call this as soon as the
/// kernel is known: whatever a program does before this call, each worker does too.
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

/// Does the same as [`reenter`], but ends the process when the work is done.
pub fn reenter_or_return(mapping: &Mapping) {
    if let Some(status) = reenter(mapping) {
        std::process::exit(i32::from(status));
    }
}

fn join(mark: &Mark, mapping: &Mapping) -> Result<(), Error> {
    let _ = rustix::thread::set_name(c"pmapgcd-worker");
    // The signal is sent only if the parent dies after this call. `is_of_our_parent` below checks whether the parent
    // has died before.
    let unbound = set_parent_process_death_signal(Some(Signal::KILL)).err();
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    // Give the kernel, and processes that it starts, an empty stdin. A kernel must neither read the segment nor receive
    // what the parent sends through the socket.
    let stdin = stdin.and_then(|stdin| read_nothing().map(|()| stdin));
    let stdin = stdin.map_err(|error| Error::io("stdin", error))?;
    if !mark.is_of_our_parent() {
        // Either the parent has just died, or this process is not a worker at all. In the first case stdin is the
        // segment or socket that a worker gets.
        let is_worker = match mark.executor {
            Executor::Pickle => rustix::net::sockopt::socket_type(&stdin).is_ok(),
            _ => Segment::attach(stdin).is_ok(),
        };
        return if is_worker { Ok(()) } else { Err(not_for_you()) };
    }
    let number = std::env::var(NUMBER).ok().and_then(|number| number.parse().ok()).ok_or_else(not_for_you)?;
    match mark.executor {
        Executor::Pickle => {
            // Make the kernel ready before this process is confined, as `share` does.
            let _ready = mapping.work.mapper(None);
            let refused = confine(unbound, mapping.confinement, 0, Some(stdin.as_fd()), None);
            refused.iter().filter(|_| number == 0).for_each(|what| say(what));
            pickle::serve(&stdin, mapping.work)
        }
        _ => share(stdin, mark, number, unbound, mapping),
    }
}

/// The error for a process that has the mark of a worker but is not one, or whose mark is unreadable or names another
/// mapping.
pub fn not_for_you() -> Error {
    Error::usage(format!("the environment variable {MARK} is for worker processes only; unset it"))
}

fn share(stdin: OwnedFd, mark: &Mark, number: u32, unbound: Option<Errno>, mapping: &Mapping) -> Result<(), Error> {
    let segment = Segment::attach(stdin).map_err(no_segment)?;
    last_words::keep();
    let mut mapper = mapping.work.mapper(None);
    let file = input().map_err(|error| Error::io("the input", error))?;
    let refused = confine(unbound, mapping.confinement, segment.length(), None, file.as_ref().map(AsFd::as_fd));
    // The report that this worker has come up must follow the call of `confine`. If another program has installed a
    // filter of system calls, that call can kill the worker, which must then count as not having come up.
    let is_first = segment.report_up() == 0;
    refused.iter().filter(|_| is_first).for_each(|what| say(what));
    steps::lap(Step::Import);
    hand_in_steps(&segment);
    let windows = mapping.cutter.zip(file.as_ref()).map(|(cutter, file)| Windows::new(cutter, file.as_fd()));
    let ends = mapping.work.has_end();
    if let Err((claim, failure)) = work(&segment, number, &mut *mapper, windows, ends, || mark.is_of_our_parent()) {
        claim.leave_last_words(Error::from(failure).to_string().as_bytes());
        std::process::exit(last_words::STATUS)
    }
    if ends && segment.is_closed() { mapper.finish().map_err(Error::from) } else { Ok(()) }
}

/// Returns the file from which this worker reads windows, if it was given a file.
fn input() -> io::Result<Option<OwnedFd>> {
    let Some(number) = take_variable(INPUT) else { return Ok(None) };
    let number = number.to_str().and_then(|number| number.parse().ok()).ok_or(Errno::BADF)?;
    streams::taken(number).map(Some)
}

/// Claims blocks and maps them until `is_wanted` returns false or, if `ends` is true, until the ring is closed. Called
/// by worker threads and by worker processes.
///
/// # Errors
/// If a block could not be mapped. The claim is returned with the error; the worker must not claim another block.
pub(super) fn work<'s>(
    segment: &'s Segment,
    worker: u32,
    mapper: &mut dyn Mapper,
    mut windows: Option<Windows>,
    ends: bool,
    is_wanted: impl Fn() -> bool,
) -> Result<(), (Claim<'s>, Failure)> {
    // If the work has nothing to do at its end, do not ask whether the ring is closed, because a worker that runs wild
    // could close a shared ring. A process that does not ask goes on until its parent kills it or dies.
    let is_closed = || ends && segment.is_closed();
    let is_over = || is_closed() || !is_wanted();
    let mut last = Instant::now();
    while !is_closed() {
        let Some(mut claim) = segment.try_claim(worker) else {
            segment.filled().sleep();
            // Usually the system kills this process when its parent dies. If the system has refused to do that, the
            // process ends here.
            if !is_wanted() {
                return Ok(());
            }
            continue;
        };
        // One wake-up can stand for several published blocks, so the worker that was woken wakes the next one.
        if segment.has_filled() {
            segment.filled().signal();
        }
        let mut waiting = tally::lap(&mut last);
        let mut rows = None;
        if let Place::File { offset, length } = claim.place() {
            let Some(windows) = &mut windows else {
                return Err((claim, Error::defect("a worker was not given the file that it is to read").into()));
            };
            let (found, waited) = rows_of(segment, &mut claim, windows, (offset, length), &is_over);
            (waiting, last) = (waiting + waited, last + waited);
            if found.is_none() {
                claim.put_back();
                if is_over() {
                    return Ok(());
                }
                continue;
            }
            rows = found;
        }
        let care = claim.care();
        if let Some(width) = mapper.first_width() {
            width.set(segment.width());
        }
        let mapped = loop {
            if let Some(scan) = rows.as_ref().zip(windows.as_mut()).and_then(|(rows, windows)| windows.listed(rows)) {
                mapper.take_listed(scan);
            }
            let (head, input, room) = claim.parts();
            let input = match (&rows, &mut windows) {
                (Some(rows), Some(windows)) => windows.rows(rows),
                _ => Ok(input),
            };
            let mapped = match input {
                // A read error is not the worker's fault. The writer reads the rows again. If that fails too, the
                // writer's error names the file.
                Err(error) => Ok(Mapped::impossible(format!("the input: {}", reason(&error)), room)),
                Ok([]) => Ok(Mapped::default()),
                Ok(input) if segment.is_shared() => last_words::caught(|| mapper.map_block(head, input, room, care))
                    .unwrap_or_else(|words| Err(Error::workers(words).into())),
                Ok(input) => mapper.map_block(head, input, room, care),
            };
            match mapped {
                Ok(Mapped { is_open: true, results, .. }) => {
                    claim.offer(results);
                    segment.done().signal();
                    while !claim.is_taken() {
                        std::thread::sleep(OFFERED);
                        if is_over() {
                            return Ok(());
                        }
                    }
                }
                Ok(mapped) => break mapped,
                Err(failure) => return Err((claim, failure)),
            }
        };
        hand_in_steps(segment);
        if let Some(width) = mapper.first_width().and_then(Cell::get) {
            segment.set_width(width);
        }
        if claim.finish(pack(mapped, tally::lap(&mut last), waiting)) {
            segment.done().signal();
        }
    }
    segment.filled().signal();
    Ok(())
}

/// Adds the processor time that this process has measured for each step to the sums in the segment. Must be called
/// before a block is finished, because after that the run may end and this process be killed.
fn hand_in_steps(segment: &Segment) {
    if steps::is_timing() && segment.is_shared() {
        segment.add(&steps::take());
    }
}
