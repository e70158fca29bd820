//! The names of a kernel's results, for a kernel whose names can be seen only in an output, such as a struct. This
//! program is started once more, maps a made-up row, and says the names of the fields of the output. If the row crashes
//! the kernel, only that process dies.

use crate::error::Error;
use crate::executor::worker::is_worker;
use crate::kernel::batch::BatchKernel;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::launch::{self, Launch};
use crate::process::streams::take_variable;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

/// The environment variable that makes a process say the names of results. Its value is the number of the process that
/// asks.
const MARK: &str = "PMAPGCD_NAMES";

/// The environment variable by which a parent passes the names of results on to its workers. A line end follows each.
const TOLD: &str = "PMAPGCD_RESULTS";

/// How long to wait for an answer at most. Without an answer, the results have the name that the kernel gives them.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer.
const MOST: u64 = 1 << 16;

/// Whether this process was started to say the names of results.
pub fn is_asked() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Returns the names of the results of `kernel` if they can be learnt only from an output. The parent learns them from
/// a process that maps a made-up row. It waits for that process no longer than `most`, if that is given, and no longer
/// than [`PATIENCE`]. A worker is told the names by its parent. If this process is the one that was started to find the
/// names, it prints them and ends.
///
/// # Errors
/// If this process is marked as one that says the names, but was not started by the process that the mark names.
pub fn by_trial(kernel: &impl BatchKernel, most: Option<Duration>) -> Result<Option<Vec<String>>, Error> {
    if is_worker() {
        // A worker gets the names from its parent. Mapping a made-up row here might crash, or never end.
        let told = take_variable(TOLD).unwrap_or_default();
        let names: Vec<String> = told.to_string_lossy().lines().map(String::from).collect();
        return Ok(Some(names).filter(|names| !names.is_empty()));
    }
    let Some(mark) = std::env::var_os(MARK) else {
        let names = asked(most.map_or(PATIENCE, |most| most.min(PATIENCE))).ok().flatten();
        let told: String = names.iter().flatten().map(|name| format!("{name}\n")).collect();
        launch::tell(TOLD, told.into());
        return Ok(names);
    };
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if parent.is_none_or(|parent| *parent != *mark) {
        let what = format!("the environment variable {MARK} is for a process that looks at a kernel only; unset it");
        return Err(Error::usage(what));
    }
    // The names are written to standard input, which is the writing end of a pipe to the process that asks.
    let pipe = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let lines: String = kernel.names_by_trial().unwrap_or_default().iter().map(|name| format!("{name}\n")).collect();
    let told = pipe.and_then(|mut pipe| pipe.write_all(format!("{lines}\n").as_bytes()));
    std::process::exit(i32::from(told.is_err()));
}

/// Asks another process for the names.
fn asked(patience: Duration) -> io::Result<Option<Vec<String>>> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    let launch = Launch::again()?.with(MARK, std::process::id().to_string());
    let mut command = launch.command();
    command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
    keep_standard_streams_only(&mut command, launch.descriptor(), None);
    let mut process = command.spawn()?;
    // Close this process's copy of the other end of the pipe. Otherwise the end of the answer would not be seen.
    drop(command);
    let patience = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: patience.subsec_nanos().into() };
    let mut names = None;
    if poll(&mut [PollFd::new(&ours, PollFlags::IN)], Some(&patience)).is_ok_and(|ready| ready > 0) {
        let lines: Vec<String> = BufReader::new(File::from(ours).take(MOST)).lines().map_while(Result::ok).collect();
        // An answer ends with an empty line.
        names = lines
            .split_last()
            .filter(|(last, names)| last.is_empty() && !names.is_empty())
            .map(|(_, names)| names.to_vec());
    }
    let _ = process.kill();
    process.wait()?;
    Ok(names)
}
