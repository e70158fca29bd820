//! One run that a comparison makes: this program again, told by its environment what to do.

use crate::error::Error;
use crate::executor::Executor;
use crate::executor::worker::is_worker;
use crate::process::launch::Launch;
use crate::steps::{self, Nanos};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::fs::{Dir, MemfdFlags, Mode, OFlags, SeekFrom, memfd_create, seek};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The environment variable that tells a process what trial it is, as JSON.
const TRIAL: &str = "PMAPGCD_TRIAL";

const NOT_ONE: &str = "the environment variable PMAPGCD_TRIAL is for --compare only; unset it";

/// What one run does. Input is stdin, and the settings are those of the command line.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub struct Trial {
    executor: usize,
    /// Turns of extra work for each row.
    turns: u64,
    /// Blocks and tasks in other sizes than the command line has: so many bytes and rows.
    pieces: Option<(usize, usize)>,
    /// Results go to /dev/null, and what the run says of itself to stdout.
    accounts: bool,
    /// Steps are timed.
    timed: bool,
    /// The process that compares.
    parent: u32,
}

/// What a run says of itself.
#[derive(Serialize, Deserialize, Default, Debug)]
struct Account {
    steps: Nanos,
    copied: u64,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// From its start to its end.
    pub wall: Duration,
    /// Processor time of it and its workers.
    pub cpu: Duration,
    /// Nanoseconds by step, if it was timed.
    pub steps: Nanos,
    /// Bytes copied between processes, if it was timed.
    pub copied: u64,
}

impl Trial {
    /// A run of this executor with so many turns of extra work for each row.
    pub fn new(executor: Executor, turns: u64) -> Self {
        let executor = Executor::ALL.iter().position(|&known| known == executor).unwrap_or_default();
        Trial { executor, turns, pieces: None, accounts: true, timed: false, parent: std::process::id() }
    }

    /// The same with its steps timed.
    pub fn timed(self) -> Self {
        Trial { timed: true, ..self }
    }

    /// The same with blocks of so many bytes and tasks of so many rows.
    pub fn in_pieces(self, block_size: usize, chunk_size: usize) -> Self {
        Trial { pieces: Some((block_size, chunk_size)), ..self }
    }

    /// Bytes of a block and rows of a task, if they are to be others than the command line has.
    pub fn pieces(&self) -> Option<(usize, usize)> {
        self.pieces
    }

    /// What this process was told to be, if it is a trial.
    ///
    /// # Errors
    /// When what it was told is no trial.
    pub fn of_this_process() -> Result<Option<Self>, Error> {
        let Some(text) = std::env::var_os(TRIAL) else { return Ok(None) };
        let trial: Option<Trial> = serde_json::from_str(&text.to_string_lossy()).ok();
        let trial = trial.filter(|trial| trial.executor < Executor::ALL.len());
        // It ends with the comparison, whatever ends that; its workers are bound to it in turn.
        if let (Some(trial), false) = (&trial, is_worker()) {
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            if getppid().map(|pid| pid.as_raw_nonzero().get() as u32) != Some(trial.parent) {
                return Err(Error::usage(NOT_ONE));
            }
        }
        if trial.is_some_and(|trial| trial.timed) {
            steps::start_timing();
        }
        trial.map(Some).ok_or_else(|| Error::usage(NOT_ONE))
    }

    /// The executor to run.
    pub fn executor(&self) -> Executor {
        Executor::ALL[self.executor]
    }

    /// Turns of extra work for each row.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether results go nowhere, and the account to stdout.
    pub fn accounts(&self) -> bool {
        self.accounts
    }

    /// Says on stdout what this run was like.
    pub fn give_account() {
        let account = Account { steps: steps::take(), copied: steps::copied() };
        let _ = serde_json::to_writer(std::io::stdout(), &account);
    }

    fn command(&self, input: &File) -> Result<Command, Error> {
        seek(input, SeekFrom::Start(0)).map_err(|error| Error::io("the input in memory", error.into()))?;
        let stdin = input.try_clone().map_err(|error| Error::io("the input in memory", error))?;
        let command = Launch::again().and_then(|launch| launch.command());
        let mut command = command.map_err(|error| Error::io("cannot run this program again", error))?;
        command.stdin(stdin);
        command.env(TRIAL, serde_json::to_string(self).unwrap_or_default());
        Ok(command)
    }

    /// Runs it over `input` and measures it.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn run(&self, input: &File) -> Result<Outcome, Error> {
        let mut command = self.command(input)?;
        let (start, cpu) = (Instant::now(), children_cpu());
        let output = command.stderr(Stdio::piped()).output();
        let output = output.map_err(|error| Error::io("cannot run this program again", error))?;
        let (wall, cpu) = (start.elapsed(), children_cpu() - cpu);
        if !output.status.success() {
            return Err(failed(self.executor(), output.status, &output.stderr));
        }
        let account: Account = serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::usage(format!("a trial gave no account of itself: {error}")))?;
        Ok(Outcome { wall, cpu, steps: account.steps, copied: account.copied })
    }

    /// Starts it over `input` with its results going to `results`, and what it says to `said`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, input: &File, results: &File, said: &File) -> Result<Child, Error> {
        let mut command = Trial { accounts: false, ..*self }.command(input)?;
        let own = |file: &File| file.try_clone().map_err(|error| Error::io("the results in memory", error));
        let child = command.stdout(own(results)?).stderr(own(said)?).spawn();
        child.map_err(|error| Error::io("cannot run this program again", error))
    }

    /// Runs it over `input`; answers with its results, and with the most memory that was seen in it and its workers, in
    /// bytes of proportional set size.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn results(&self, input: &File) -> Result<(Vec<u8>, u64), Error> {
        let (results, said) = (in_memory(&[])?, in_memory(&[])?);
        let mut child = self.start(input, &results, &said)?;
        let mut peak = 0;
        let status = loop {
            peak = peak.max(family(child.id()).into_iter().map(pss).sum());
            match child.try_wait().map_err(|error| Error::io("cannot wait for a trial", error))? {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        if !status.success() {
            return Err(failed(self.executor(), status, &contents(&said)?));
        }
        Ok((contents(&results)?, peak))
    }
}

fn failed(executor: Executor, status: ExitStatus, stderr: &[u8]) -> Error {
    let said = String::from_utf8_lossy(stderr);
    Error::usage(format!("the run with {} failed ({status}): {}", executor.name(), said.trim_end()))
}

/// These bytes as a file that is on no disk.
///
/// # Errors
/// When there is not that much memory.
pub fn in_memory(bytes: &[u8]) -> Result<File, Error> {
    let made = memfd_create("pmapgcd", MemfdFlags::CLOEXEC).map_err(Into::into);
    let written = made.and_then(|fd| {
        let mut file = File::from(fd);
        file.write_all(bytes).map(|()| file)
    });
    written.map_err(|error| Error::io("the input in memory", error))
}

/// All that is in such a file.
///
/// # Errors
/// When it cannot be read.
pub fn contents(file: &File) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let mut bytes = vec![];
    let read = seek(file, SeekFrom::Start(0)).map_err(Into::into).and_then(|_| (&*file).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| Error::io("the results in memory", error))
}

/// Processor time of all processes that were started here and have been reaped.
fn children_cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Duration::ZERO };
    Duration::from_micros((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as u64)
}

/// A process and those that it has started.
fn family(id: u32) -> Vec<u32> {
    let mut family = workers(id);
    family.push(id);
    family
}

/// The processes that a process has started.
pub fn workers(id: u32) -> Vec<u32> {
    // Not by std, which panics where the system will not close a folder.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(format!("/proc/{id}/task"), flags, Mode::empty()).and_then(Dir::new);
    let tasks = folder.into_iter().flatten().flatten().filter_map(|task| task.file_name().to_str().ok()?.parse().ok());
    let lists =
        tasks.map(|task: u32| fs::read_to_string(format!("/proc/{id}/task/{task}/children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

fn pss(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}
