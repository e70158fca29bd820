//! One process of the command: how it is started, what it prints on stderr, and whether it waits for input.

use super::waits::{self, Waits};
use crate::process::children::NUMBER;
use crate::process::descriptors::keep_standard_streams_only;
use crate::process::group::Group;
use crate::process::streams::restore_signals;
use crate::work::stderr::{SHELL, Stderr};
use memchr::memrchr;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// The size in bytes that pipes to and from the command are given. The larger they are, the less often the command is
/// woken. If the system refuses, they keep their size.
const PIPE: usize = 256 << 10;

/// A process of the command with its process group. When it is dropped, the whole group is killed.
pub struct Running {
    group: Group,
    shell: Child,
    /// Becomes readable when the shell has ended. `None` if the system has no such descriptors.
    pub exit: Option<OwnedFd>,
    /// The write end of the pipe to the command. Writes to it never block. `None` once this end is closed.
    pub stdin: Option<OwnedFd>,
    /// How many bytes were still unread in the pipe to the command when its last reader had gone.
    lost: u64,
    /// The read end of the pipe from the command. Reads from it never block.
    pub stdout: OwnedFd,
    /// What the command writes to stderr.
    pub said: Stderr,
    /// Whether rows have been answered while the input was open.
    pub has_answered_rows: bool,
    /// Whether a message has said that the command reads everything and does not answer.
    pub is_waiting_told: bool,
    /// Whether a message has said that the command leaves rows unread.
    pub is_leaving_told: bool,
    /// Whether all rows were answered, and the command's processes have still worked for a long time since then.
    pub is_restless: bool,
    began: Instant,
    /// How long it took until the command read its first row. `None`: it has not read any.
    start: Option<Duration>,
}

impl Running {
    /// Starts the command for the worker with this number.
    ///
    /// # Errors
    /// If the system refuses pipes or processes.
    pub fn start(command: &OsStr, worker: u32) -> io::Result<Self> {
        let [(their_stdin, stdin), (stdout, their_stdout), (stderr, their_stderr)] =
            [pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?];
        for ours in [&stdin, &stdout, &stderr] {
            fcntl_setfl(ours, fcntl_getfl(ours)? | OFlags::NONBLOCK)?;
        }
        for large in [&stdin, &stdout] {
            let _ = fcntl_setpipe_size(large, PIPE);
        }
        let group = Group::new()?;
        let mut shell = Command::new(SHELL);
        shell.arg("-c").arg(command).env(NUMBER, worker.to_string()).process_group(group.number());
        shell.stdin(their_stdin).stdout(their_stdout).stderr(their_stderr);
        keep_standard_streams_only(&mut shell, None, None);
        restore_signals(&mut shell);
        let shell = shell.spawn()?;
        let exit = Pid::from_raw(shell.id() as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Ok(Running {
            group,
            shell,
            exit,
            stdin: Some(stdin),
            lost: 0,
            stdout,
            said: Stderr::of(stderr),
            has_answered_rows: false,
            is_waiting_told: false,
            is_leaving_told: false,
            is_restless: false,
            began: Instant::now(),
            start: None,
        })
    }

    /// Returns how the shell has ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }

    /// Returns how many bytes of its input the command has not read. What was in the pipe at
    /// [`close_input`](Running::close_input) is not counted.
    pub fn unread(&self) -> u64 {
        self.lost + self.stdin.as_ref().map_or(0, |stdin| rustix::io::ioctl_fionread(stdin).unwrap_or(0))
    }

    /// Notes that no process reads the command's input any more.
    pub fn abandon_input(&mut self) {
        self.lost = self.unread();
        self.stdin = None;
    }

    /// Closes the command's input. What is in the pipe can still be read.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Notes that the command has read a row, and so has started.
    pub fn note_start(&mut self) {
        self.start.get_or_insert_with(|| self.began.elapsed());
    }

    /// Whether the command has read a row.
    pub fn has_started(&self) -> bool {
        self.start.is_some()
    }

    /// Returns how long the command took until it read its first row; 0 if that is not known.
    pub fn start_time(&self) -> Duration {
        self.start.unwrap_or_default()
    }

    /// Notes that the command has answered something, so that the shell's messages need not be held back any more.
    pub fn note_answer(&mut self) {
        self.said.release();
    }

    /// Whether there is something in the pipe from the command.
    pub fn has_answer(&self) -> io::Result<bool> {
        Ok(rustix::io::ioctl_fionread(&self.stdout)? > 0)
    }

    /// Called when the command has ended. Passes on everything that it has written to stderr. Returns the last line.
    /// `could_run` is false if the command could not be run: the shell's messages about that are then left out.
    pub fn last_words(&mut self, could_run: bool) -> String {
        self.said.read();
        self.said.end();
        if could_run {
            self.said.release();
        }
        self.said.last()
    }

    /// Looks at the command's processes: the shell and its descendants. `at_waits`: also at what they wait for.
    pub fn look(&self, at_waits: bool) -> Look {
        let mut look = Look::default();
        let pipe = self.stdin.as_ref().and_then(|stdin| fstat(stdin.as_fd()).ok()).map(|stat| stat.st_ino);
        let pipe = pipe.map(|inode| OsString::from(format!("pipe:[{inode}]")));
        let mut pids = vec![self.shell.id()];
        while let Some(pid) = pids.pop() {
            let folder = Path::new("/proc").join(pid.to_string());
            let Some((state, ticks)) = fs::read(folder.join("stat")).ok().and_then(|stat| fields(&stat)) else {
                continue;
            };
            look.is_stopped |= state == b'T';
            look.is_running |= state == b'R' || state == b'D';
            look.seen += 1;
            // `schedstat` counts in nanoseconds, but only for one thread; `stat` counts for all threads, but in ticks.
            // Only whether they change matters, so both are added up in one number, in which the ticks take the upper
            // half.
            let schedule = fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
            let nanos: u64 = schedule.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
            look.used = look.used.wrapping_add(nanos).wrapping_add(ticks << 32);
            for thread in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
                let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                pids.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
                if !at_waits {
                    continue;
                }
                let Ok(call) = fs::read_to_string(thread.path().join("syscall")) else { continue };
                look.is_readable = true;
                match pipe.as_ref().map(|pipe| waits::of_thread(&folder, &call, pipe)) {
                    Some(Waits::Input) => look.waits_for_rows = true,
                    Some(Waits::Other) => look.waits_for_other = true,
                    Some(Waits::No) | None => {}
                }
            }
        }
        look
    }
}

/// What was seen of the processes of a command.
#[derive(Default)]
pub struct Look {
    /// Whether one of them is stopped.
    pub is_stopped: bool,
    /// A number that grows when one of them uses processor time.
    pub used: u64,
    /// How many processes there are.
    seen: usize,
    /// Whether one of them runs, or waits for a disk.
    is_running: bool,
    /// Whether one of them waits for more of its input.
    waits_for_rows: bool,
    /// Whether one of them waits for something else that comes by itself, such as an answer over a network.
    waits_for_other: bool,
    /// Whether the system says which system calls they are in.
    is_readable: bool,
}

impl Look {
    /// Whether a process of the command waits for more input. If the system does not say which system calls the
    /// processes are in, the answer is yes.
    pub fn waits_for_input(&self) -> bool {
        self.seen > 0 && (self.waits_for_rows || !self.is_readable)
    }

    /// Whether a process of the command waits for something that comes by itself, such as an answer over a network. Its
    /// input does not count.
    pub fn waits_for_other(&self) -> bool {
        self.waits_for_other
    }

    /// Whether no process of the command runs or waits for a disk.
    pub fn is_at_rest(&self) -> bool {
        !self.is_running
    }
}

/// Returns the state and the processor time in ticks, from a line of `/proc/PID/stat`. The name of the program, in
/// parentheses, can contain anything, so fields are counted from the last `)` on: the state has index 0, and the ticks
/// in the program and in the system have 11 and 12.
fn fields(stat: &[u8]) -> Option<(u8, u64)> {
    let after_name = std::str::from_utf8(&stat[memrchr(b')', stat)? + 1..]).ok()?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((*fields.first()?.as_bytes().first()?, ticks(11)? + ticks(12)?))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stdin = None;
        self.group.kill();
        // The shell might have left its group, for example by `exec setsid`. So kill the shell's own process, too.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        self.said.read();
        self.said.end();
    }
}
