//! The probe: this program, started once more to load a kernel's library and to say what the kernel is. If the library
//! crashes while it is loaded, only the probe dies. Also, no foreign code is loaded into the process that reads the
//! input and writes the results.

use crate::error::Error;
use crate::kernel::native::{Description, Unusable};
use crate::process::console::say;
use crate::process::death;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::launch::Launch;
use crate::process::streams::take_variable;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The environment variable that makes a process the probe. Its value is the number of the process that asks.
const MARK: &str = "PMAPGCD_PROBE";

/// How long a library may take to load before a message says so.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the probe answers: the kernels of the library, or why they cannot be used.
pub type Answer = Result<Vec<Description>, Unusable>;

/// Whether this process was started as a probe.
///
/// # Errors
/// If it is marked as a probe, but was not started by the process that the mark names.
pub fn is_probe() -> Result<bool, Error> {
    let Some(mark) = take_variable(MARK) else { return Ok(false) };
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if parent.is_some_and(|parent| *parent == *mark) {
        return Ok(true);
    }
    Err(Error::usage(format!("the environment variable {MARK} is for a process that looks at a kernel only; unset it")))
}

/// Gives the answer to the process that has started this one, and returns the status to end with.
pub fn answer(answer: &Answer) -> ExitCode {
    // The standard input of a probe is the pipe to the process that asks.
    let pipe = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let line = serde_json::to_string(answer).unwrap_or_default() + "\n";
    match pipe.and_then(|mut pipe| pipe.write_all(line.as_bytes())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format_args!("what is known of the kernel cannot be told: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Asks a probe about the kernel that this process's arguments name. `name` is what messages call the kernel. `most` is
/// the time of `--block-timeout`, which also limits the time that the probe may take.
///
/// # Errors
/// If the probe cannot be started, dies before it answers, or takes too long.
pub fn ask(name: &str, most: Option<Duration>) -> Result<Answer, Error> {
    let cannot = |error: io::Error| Error::io(format!("{name} cannot be looked at"), error);
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(|error: Errno| cannot(error.into()))?;
    let launch = Launch::again().map_err(cannot)?.with(MARK, std::process::id().to_string());
    let mut command = launch.command();
    command.stdin(theirs);
    // What the library prints must not get among the results, so it goes to stderr.
    command.stdout(io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from));
    keep_standard_streams_only(&mut command, launch.descriptor(), None);
    let mut probe = command.spawn().map_err(cannot)?;
    // Close this process's copy of the other end of the pipe. Otherwise the end of the answer would not be seen.
    drop(command);
    let start = Instant::now();
    let has_answered_by = |time: Duration| {
        let left = Timespec::try_from(time.saturating_sub(start.elapsed())).ok();
        poll(&mut [PollFd::new(&ours, PollFlags::IN)], left.as_ref()) != Ok(0)
    };
    let mut has_answered = has_answered_by(most.unwrap_or(PATIENCE).min(PATIENCE));
    if !has_answered && most.is_none_or(|most| most > PATIENCE) {
        say(&format_args!("{name}: its library takes long to load or to open; still waiting"));
        has_answered = most.is_none_or(has_answered_by);
    }
    if let (false, Some(most)) = (has_answered, most) {
        let _ = probe.kill();
        let _ = probe.wait();
        return Err(Error::usage(format!("{name} cannot be used: {}", too_slow(most))));
    }
    let mut line = vec![];
    let read = BufReader::new(File::from(ours)).read_until(b'\n', &mut line);
    // Once there is an answer, kill the probe: the library's destructors may take long, or never end.
    let answer = serde_json::from_slice(&line).ok().filter(|_| read.is_ok());
    if answer.is_some() {
        let _ = probe.kill();
    }
    let status = probe.wait().map_err(cannot)?;
    answer.ok_or_else(|| {
        let cause = death::cause(status);
        Error::usage(format!("{name} cannot be used: the process that loaded its library, to look at it, {cause}"))
    })
}

/// Returns the message about a library that takes longer than `--block-timeout` allows.
fn too_slow(most: Duration) -> String {
    format!("its library takes longer to load and to open than --block-timeout allows, {} seconds", most.as_secs_f64())
}

/// Calls `load`, which loads a library, and returns its result. If `load` takes longer than `most`, another thread
/// calls `instead` with a message, and ends this process. It must be another thread, because a library cannot be
/// interrupted. A library that hangs in its constructor holds a lock of the loader. If the other thread needs this
/// lock, it hangs, too, and the parent kills the worker, as it kills one that holds a block for too long.
pub fn in_time<T>(most: Option<Duration>, load: impl FnOnce() -> T, instead: impl FnOnce(String) -> u8 + Send) -> T {
    let Some(most) = most else { return load() };
    std::thread::scope(|scope| {
        let (loaded, is_loaded) = channel::<()>();
        scope.spawn(move || {
            if is_loaded.recv_timeout(most) == Err(RecvTimeoutError::Timeout) {
                std::process::exit(i32::from(instead(too_slow(most))));
            }
        });
        let answer = load();
        drop(loaded);
        answer
    })
}
