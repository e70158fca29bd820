//! A trial is one run for a comparison: this program, started again with an environment variable that says what to run.

use crate::error::Error;
use crate::executor::Executor;
use crate::executor::worker::is_worker;
use crate::process::launch::Launch;
use crate::process::streams;
use crate::steps::{self, Nanos};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::fs::{Dir, MemfdFlags, Mode, OFlags, SeekFrom, memfd_create, seek};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// The environment variable that holds the [`Trial`] of a process, as JSON.
const TRIAL: &str = "PMAPGCD_TRIAL";

const NOT_ONE: &str = "the environment variable PMAPGCD_TRIAL is for --compare only; unset it";

const CANNOT_RUN: &str = "cannot run this program again";

/// Whether this process is a trial, or a worker of one.
pub fn is_trial() -> bool {
    std::env::var_os(TRIAL).is_some()
}

/// The settings of a trial. Its input is stdin; all other settings are those of the command line.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub struct Trial {
    /// The index of the executor in [`Executor::ALL`].
    pub(super) executor: usize,
    /// Number of turns of extra work for each row.
    pub(super) turns: u64,
    /// The most bytes in a block and the most rows in a task; `None` for the sizes on the command line.
    pub pieces: Option<(usize, usize)>,
    /// Whether the run writes its results to /dev/null and its [`Account`] to stdout.
    pub accounts: bool,
    /// Whether the run times its steps.
    pub timed: bool,
    /// The number of the process that compares.
    pub(super) parent: u32,
}

/// The measurements that a trial makes of itself and writes to stdout as JSON.
#[derive(Serialize, Deserialize, Default, Debug)]
pub struct Account {
    /// Nanoseconds by step, or zeros if the trial does not time its steps.
    pub steps: Nanos,
    /// Bytes copied between processes, or 0 if the trial does not time its steps.
    pub copied: u64,
}

/// A trial that has ended, with what the comparing process measured.
pub struct Ended {
    executor: Executor,
    /// How the process ended.
    pub status: ExitStatus,
    /// Elapsed time from the start to the end of the process.
    pub wall: Duration,
    /// Processor time of the process and its workers.
    pub cpu: Duration,
    /// What the process wrote to stdout.
    pub stdout: Vec<u8>,
    /// What the process wrote to stderr.
    pub stderr: Vec<u8>,
}

impl Trial {
    /// Returns a trial that runs `executor` with `turns` turns of extra work for each row and writes its [`Account`].
    /// Blocks and tasks have the sizes on the command line.
    pub fn new(executor: Executor, turns: u64) -> Self {
        let executor = Executor::ALL.iter().position(|&known| known == executor).unwrap_or_default();
        Trial { executor, turns, pieces: None, accounts: true, timed: false, parent: std::process::id() }
    }

    /// Returns the trial that this process runs, or that it serves as a worker. `None` if the environment variable
    /// [`TRIAL`] is not set.
    ///
    /// # Errors
    /// If the variable holds no valid trial, or if the trial was not started by the process that compares.
    pub fn of_this_process() -> Result<Option<Self>, Error> {
        let Some(text) = std::env::var_os(TRIAL) else { return Ok(None) };
        let trial: Option<Trial> = serde_json::from_str(&text.to_string_lossy()).ok();
        let not_one = || Error::usage(NOT_ONE);
        let trial = trial.filter(|trial| trial.executor < Executor::ALL.len()).ok_or_else(not_one)?;
        // If the comparing process ends, for whatever reason, the system kills the trial. The workers end with the
        // trial in turn.
        if !is_worker() {
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            if getppid().map(|pid| pid.as_raw_nonzero().get() as u32) != Some(trial.parent) {
                return Err(not_one());
            }
        }
        if trial.timed {
            steps::start_timing();
        }
        Ok(Some(trial))
    }

    /// The executor of this trial.
    pub fn executor(&self) -> Executor {
        Executor::ALL[self.executor]
    }

    /// Writes the [`Account`] of this run to stdout.
    pub fn give_account() {
        let account = Account { steps: steps::take(), copied: steps::copied() };
        if let Ok(stdout) = streams::given(&std::io::stdout()) {
            let _ = serde_json::to_writer(File::from(stdout), &account);
        }
    }

    /// Runs the trial over `input` to its end. Meanwhile calls `watch`, with the number of the process and the file
    /// that is its stdout. `watch` returns the time until its next call, or `None` for no further call.
    ///
    /// # Errors
    /// If the process cannot be started or waited for.
    pub fn run(&self, input: &File, mut watch: impl FnMut(u32, &File) -> Option<Duration>) -> Result<Ended, Error> {
        let (stdout, stderr) = (in_memory(&[])?, in_memory(&[])?);
        let of_input = |error| Error::io("the input in memory", error);
        seek(input, SeekFrom::Start(0)).map_err(|error| of_input(error.into()))?;
        let stdin = input.try_clone().map_err(of_input)?;
        let own = |file: &File| file.try_clone().map_err(|error| Error::io("the results in memory", error));
        let mut command = Launch::again().map_err(|error| Error::io(CANNOT_RUN, error))?.command();
        command.stdin(stdin).stdout(own(&stdout)?).stderr(own(&stderr)?);
        command.env(TRIAL, serde_json::to_string(self).unwrap_or_default());
        let (start, cpu) = (Instant::now(), children_cpu());
        let mut child = command.spawn().map_err(|error| Error::io(CANNOT_RUN, error))?;
        let cannot_wait = |error| Error::io("cannot wait for a trial", error);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(cannot_wait)? {
                break status;
            }
            match watch(child.id(), &stdout) {
                Some(pause) => std::thread::sleep(pause),
                None => break child.wait().map_err(cannot_wait)?,
            }
        };
        let (wall, cpu) = (start.elapsed(), children_cpu() - cpu);
        let (stdout, stderr) = (contents(&stdout)?, contents(&stderr)?);
        Ok(Ended { executor: self.executor(), status, wall, cpu, stdout, stderr })
    }

    /// Runs the trial over `input`, without watching it, because watching might disturb it. Returns what was measured
    /// from outside, and the trial's own account.
    ///
    /// # Errors
    /// If the trial fails; the message has its status and its stderr.
    pub fn measured(&self, input: &File) -> Result<(Ended, Account), Error> {
        let ended = self.run(input, |_, _| None)?.success()?;
        let account = serde_json::from_slice(&ended.stdout)
            .map_err(|error| Error::defect(format!("a trial gave no account of itself: {error}")))?;
        Ok((ended, account))
    }

    /// Runs the trial over `input`. Returns its results, and the peak of the memory of the process and its workers
    /// together, in bytes of proportional set size. The memory is sampled every few milliseconds.
    ///
    /// # Errors
    /// If the trial fails; the message has its status and its stderr.
    pub fn results(&self, input: &File) -> Result<(Vec<u8>, u64), Error> {
        let mut peak = 0;
        let ended = Trial { accounts: false, ..*self }.run(input, |id, _| {
            peak = peak.max(workers(id).into_iter().chain([id]).map(pss).sum());
            Some(Duration::from_millis(2))
        });
        Ok((ended?.success()?.stdout, peak))
    }
}

impl Ended {
    /// Returns `self` if the run succeeded, else an error with its status and its stderr.
    fn success(self) -> Result<Self, Error> {
        if self.status.success() {
            return Ok(self);
        }
        let said = String::from_utf8_lossy(&self.stderr).trim_end().to_string();
        let run = format!("the run with {} failed ({})", self.executor.name(), self.status);
        Err(Error::io(run, std::io::Error::other(said)))
    }
}

/// Returns a file in memory that holds `bytes`. The file's offset is at its end.
///
/// # Errors
/// If there is not enough memory.
pub fn in_memory(bytes: &[u8]) -> Result<File, Error> {
    let made = memfd_create("pmapgcd", MemfdFlags::CLOEXEC).map(File::from).map_err(Into::into);
    let written = made.and_then(|mut file| file.write_all(bytes).map(|()| file));
    written.map_err(|error| Error::io("the input in memory", error))
}

fn contents(mut file: &File) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![];
    let read = seek(file, SeekFrom::Start(0)).map_err(Into::into).and_then(|_| file.read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| Error::io("the results in memory", error))
}

/// Processor time of all child processes of this process that have ended and been waited for.
fn children_cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Duration::ZERO };
    Duration::from_micros((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as u64)
}

/// The process numbers of the children of the process `id`.
pub fn workers(id: u32) -> Vec<u32> {
    // `std::fs::read_dir` is not used here, because it panics if the system reports an error when a folder is closed.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(format!("/proc/{id}/task"), flags, Mode::empty()).and_then(Dir::new);
    let tasks = folder.into_iter().flatten().flatten();
    let children = |task: &str| fs::read_to_string(format!("/proc/{id}/task/{task}/children"));
    let lists = tasks.filter_map(|task| children(task.file_name().to_str().ok()?).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// The proportional set size of the process `id`, in bytes: its memory, where each page that n processes share counts
/// for one n-th. 0 if it cannot be read.
fn pss(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}
