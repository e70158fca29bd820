//! For all tests that run the built binary.
#![allow(dead_code)]

pub mod harm;
pub mod random;
pub mod strace;
pub mod world;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_pmapgcd");

/// A run that takes longer than this hangs, on however busy a machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something holds, and fails when it never does.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Notes that this test, or a part of it, is skipped, and why. `tests/all` prints what was noted at its end.
pub fn skipped(why: &str) {
    println!("skipped: {why}");
    if let Some(file) = std::env::var_os("PMAPGCD_SKIPPED") {
        let mut file = File::options().append(true).create(true).open(file).unwrap();
        file.write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}

pub fn pmapgcd(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments);
    command
}

/// A shell script in which `"$0"` is the binary.
pub fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, BINARY]);
    command
}

/// How a run ended, and what it wrote.
#[derive(Debug)]
pub struct Finished {
    pub command: String,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub status: ExitStatus,
}

impl Finished {
    #[track_caller]
    pub fn is(&self, status: i32, stdout: impl AsRef<[u8]>, stderr: &str) {
        let found = (self.status.code(), &*self.stderr);
        assert_eq!(found, (Some(status), stderr), "{}: {}", self.command, self.status);
        let (found, expected) = (&self.stdout, stdout.as_ref());
        if found != expected {
            // They may be too long to print: say where they differ.
            let lines = |text| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>();
            let (found, expected) = (lines(found), lines(expected));
            let same = found.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
            let counts = (found.len(), expected.len());
            let (found, expected) = (found.get(same), expected.get(same));
            let line = same + 1;
            panic!("{}: line {line} is {found:?} and not {expected:?}; lines: {counts:?}", self.command);
        }
    }
}

/// Runs a command to its end on this input.
pub fn run(command: &mut Command, stdin: impl Into<Vec<u8>>) -> Finished {
    let stdin = stdin.into();
    let mut running = Running::start(command);
    running.feed(move |pipe| pipe.write_all(&stdin));
    running.finish()
}

/// A command that runs, with pipes to its stdin and from its stdout. It is killed when this is dropped.
pub struct Running {
    pub child: Child,
    stderr: File,
    command: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let stderr = tempfile::tempfile().unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr.try_clone().unwrap());
        let child = command.spawn().unwrap();
        Running { child, stderr, command: format!("{command:?}") }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.child.stdin.as_mut().unwrap().write_all(bytes.as_ref()).unwrap();
    }

    /// Writes to stdin from a thread of its own, then closes it. The command may end without reading it all.
    pub fn feed(&mut self, write: impl FnOnce(&mut ChildStdin) -> io::Result<()> + Send + 'static) {
        let mut stdin = self.child.stdin.take().unwrap();
        thread::spawn(move || write(&mut stdin));
    }

    /// As many bytes of stdout as `buffer` holds or as are there; 0 at its end.
    #[track_caller]
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let stdout = self.child.stdout.as_mut().unwrap();
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let ready = poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&patience)).unwrap();
        assert!(ready > 0, "{} hangs", self.command);
        stdout.read(buffer).unwrap()
    }

    /// The next line of stdout, without its end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = vec![];
        let mut byte = [0];
        while self.read(&mut byte) > 0 && byte != *b"\n" {
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    /// Closes stdin, unless it is being fed, and waits for the end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        self.child.stdin = None;
        self.end()
    }

    /// Waits for the end; stdin stays open.
    #[track_caller]
    pub fn end(&mut self) -> Finished {
        let mut stdout = vec![];
        let mut buffer = vec![0; 1 << 16];
        while self.child.stdout.is_some() {
            match self.read(&mut buffer) {
                0 => self.child.stdout = None,
                count => stdout.extend(&buffer[..count]),
            }
        }
        let mut status = None;
        eventually(&format!("{} ended", self.command), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut stderr = vec![];
        self.stderr.rewind().unwrap();
        self.stderr.read_to_end(&mut stderr).unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        Finished { command: self.command.clone(), stdout, stderr, status: status.unwrap() }
    }

    /// Waits until the command has written this, and no more, to the unnamed file that will become an output. By then it has done all
    /// that it does before the first row.
    #[track_caller]
    pub fn writes(&self, result: &str) {
        let entries = || fs::read_dir(format!("/proc/{}/fd", self.child.id())).into_iter().flatten().flatten();
        let is_written = |path: &Path| {
            let is_as_long =
                fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == result.len() as u64);
            is_as_long && fs::read(path).is_ok_and(|text| text == result.as_bytes())
        };
        eventually(&format!("{} writes {result:?}", self.command), || entries().any(|entry| is_written(&entry.path())));
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        let mut said = vec![0; self.stderr.metadata().unwrap().len() as usize];
        self.stderr.read_exact_at(&mut said, 0).unwrap();
        String::from_utf8(said).unwrap()
    }

    /// Its child processes.
    pub fn children(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|&pid| living(pid) == Some(self.child.id())).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The parent of a process that is alive; none once the process has ended, reaped or not.
fn living(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (!matches!(fields.next()?, "Z" | "X")).then_some(())?;
    fields.next()?.parse().ok()
}

pub fn is_alive(pid: u32) -> bool {
    living(pid).is_some()
}

/// The rows of `examples/generate.rs` for the same kind and seed.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Small,
    Wide,
}

impl Kind {
    pub fn rows(self, seed: u64) -> impl Iterator<Item = (u64, u64)> {
        let mut random = SplitMix64(seed);
        let mut integer = move || match self {
            Kind::Small => ((u128::from(random.next()) * 4_000_000) >> 64) as u64,
            Kind::Wide => random.next() >> 1,
        };
        std::iter::repeat_with(move || (integer(), integer()))
    }
}

struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

pub fn euclid(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The rows as CSV, and the output that they must give.
pub fn input_and_output(rows: impl Iterator<Item = (u64, u64)>) -> (Vec<u8>, Vec<u8>) {
    let (mut input, mut output) = (vec![], vec![]);
    for (a, b) in rows {
        writeln!(input, "{a},{b}").unwrap();
        writeln!(output, "{}", euclid(a, b)).unwrap();
    }
    (input, output)
}

/// What is said of a field, or of what else, with a carriage return in it that ends no row.
pub const STRAY_RETURN: &str = "has a carriage return outside quotes, which ends no row without a line feed: ";
/// What to do about it.
pub const RETURNS_TO_LINES: &str = "; if it is to end one: tr '\\r' '\\n' < FILE";

/// The number of the field, from 1, that has such a carriage return, in a row without its line end, and how many line
/// ends come before that: found byte by byte.
pub fn stray_return(row: &[u8], delimiter: u8, quote: Option<u8>) -> Option<(usize, usize)> {
    let (mut field, mut at, mut begins, mut is_open) = (1, 0, true, false);
    while at < row.len() {
        let byte = row[at];
        match is_open {
            true if Some(byte) == quote && row.get(at + 1) == Some(&byte) => at += 1,
            true => is_open = Some(byte) != quote,
            false if begins && Some(byte) == quote => is_open = true,
            false if byte == b'\r' => return Some((field, row[..at].iter().filter(|&&byte| byte == b'\n').count())),
            false => field += usize::from(byte == delimiter),
        }
        begins = !is_open && byte == delimiter;
        at += 1;
    }
    None
}
