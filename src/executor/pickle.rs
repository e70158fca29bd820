//! Worker processes that share nothing: what Python's `ProcessPoolExecutor` does, to be measured against.
//!
//! The parent decodes rows and pickles them, a task of many at a time, and copies each task through a Unix socket to a
//! worker, which unpickles it, maps the kernel, pickles the outputs and copies them back; the parent unpickles these,
//! and merges them in order. One thread of the parent feeds, the other collects, like the executor's queue feeder and
//! its manager thread. A worker that dies breaks the pool: the rows it held are nowhere else.

use crate::error::{Error, reason};
use crate::executor::frame::{FAREWELL, HEADER, seal, send, split_frame};
use crate::executor::run::{bell, ring_bell};
use crate::executor::{Execute, Executor, Job, Mapping, worker};
use crate::flow::{Block, Ending, Part, Sink, Source};
use crate::process::children::Children;
use crate::process::console::say;
use crate::process::launch::Launch;
use crate::ring::{ROUND, Sizes};
use crate::steps::{self, Nanos, Step, lap};
use crate::tally::{Stopwatch, Tally};
use crate::work::pickling::{Pickler, Pickling, Task};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError};
use std::thread;
use std::time::Duration;

/// None at first; then the processes that the last run has left for the next.
pub struct Pickle {
    /// Our ends of the sockets, by worker. Closed before the workers are killed.
    sockets: Vec<OwnedFd>,
    children: Children,
}

impl Pickle {
    /// With workers that are still to be started, among these children.
    pub fn new(children: Children) -> Self {
        Pickle { sockets: vec![], children }
    }
}

/// Tasks under way with each worker: one that it works on and one that waits. (`ProcessPoolExecutor` has one queue for
/// all its workers, with one task more than there are of them: where rows are uneven, that shares them out better.)
const TASKS_PER_WORKER: usize = 2;
/// Tasks whose outputs wait for those before them.
const TASKS_UNMERGED: usize = 16;

impl Execute for Pickle {
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        let bell = bell()?;
        self.start_missing(mapping, job.jobs)?;
        let Pickle { sockets, children } = self;
        lap(Step::Import);
        let Job { source, sink, stop, sizes, chunk_size, tally, .. } = job;
        let (told, order) = mpsc::sync_channel(sockets.len() * TASKS_UNMERGED);
        let (free, idle) = mpsc::channel();
        for worker in (0..TASKS_PER_WORKER).flat_map(|_| 0..sockets.len()) {
            let _ = free.send(worker);
        }
        thread::scope(|scope| {
            let feeder = Feeder { pickling: mapping.pickling, sockets, bell: &bell, sizes, chunk_size, tally };
            let feeding = move || feeder.feed(source, idle, told);
            let feeding = thread::Builder::new().name("feeder".into()).spawn_scoped(scope, feeding);
            feeding.map_err(|error| Error::io("cannot start a thread", error))?;
            let hang_up = HangUpOnDrop { stop, sockets };
            let mut collector = Collector {
                sockets,
                bell: &bell,
                tally,
                children,
                pickler: mapping.pickling.pickler(),
                room: vec![0; sizes.room],
                partial: sockets.iter().map(|_| vec![]).collect(),
                waiting: HashMap::new(),
                dead: vec![],
                buffer: vec![0; 1 << 16],
            };
            collector.collect(sink, order, free)?;
            collector.say_farewell()?;
            // The feeder has ended with the input, and the workers wait for what may come next.
            std::mem::forget(hang_up);
            Ok(())
        })
    }
}

impl Pickle {
    /// Starts workers in the place of those that have ended since the last run, and then as many as there may be.
    fn start_missing(&mut self, mapping: &Mapping, jobs: usize) -> Result<(), Error> {
        let dead = self.children.ended()?;
        for death in &dead {
            self.children.tell(death, &death.cause(), "it had nothing to do, and another takes its place");
        }
        let new = self.sockets.len()..jobs;
        if dead.is_empty() && new.is_empty() {
            return Ok(());
        }
        let cannot = |error| Error::io("cannot start a worker", error);
        let launch = worker::launch(Executor::Pickle, mapping).map_err(cannot)?;
        for death in dead {
            self.sockets[death.worker as usize] = start(&mut self.children, death.worker, &launch).map_err(cannot)?;
        }
        for worker in new {
            match start(&mut self.children, worker as u32, &launch) {
                Ok(socket) => self.sockets.push(socket),
                Err(error) if self.sockets.is_empty() => return Err(cannot(error)),
                Err(error) => {
                    say(&format_args!("cannot start worker {worker}: {}; going on with {worker}", reason(&error)));
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Starts a worker, and answers with our end of the socket to it.
fn start(children: &mut Children, worker: u32, launch: &Launch) -> io::Result<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    children.start(worker, launch, theirs)?;
    Ok(ours)
}

/// Ends the run for the feeder, which may be waiting for input, or in the middle of a task to a worker that does not
/// listen any more.
struct HangUpOnDrop<'a> {
    stop: &'a OwnedFd,
    sockets: &'a [OwnedFd],
}

impl Drop for HangUpOnDrop<'_> {
    fn drop(&mut self) {
        ring_bell(self.stop);
        for socket in self.sockets {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }
}

/// Tells the collector that the feeder has ended, by a panic too.
struct RingOnDrop<'a>(&'a OwnedFd);

impl Drop for RingOnDrop<'_> {
    fn drop(&mut self) {
        ring_bell(self.0);
    }
}

/// What the feeder tells the collector, in input order.
enum Next {
    Block(Block),
    /// Rows at the front of this text are with the worker; the one after them may be bad.
    Task {
        worker: usize,
        task: Task,
    },
    End(Ending),
}

struct Feeder<'a> {
    pickling: &'a dyn Pickling,
    sockets: &'a [OwnedFd],
    bell: &'a OwnedFd,
    sizes: Sizes,
    chunk_size: usize,
    tally: &'a Tally,
}

impl Feeder<'_> {
    /// Sends all of the source to whichever worker is free, until it ends or nobody listens any more.
    fn feed(&self, source: &mut dyn Source, idle: Receiver<usize>, told: SyncSender<Next>) {
        // Dropped last, when there is nothing more to be told.
        let _bell = RingOnDrop(self.bell);
        let told = told;
        let mut buffer = vec![0; self.sizes.head + self.sizes.block];
        let mut pickler = self.pickling.pickler();
        let mut number = 0;
        let mut watch = Stopwatch::new(&self.tally.reader);
        let ending = loop {
            watch.skip();
            match source.next_block(&mut buffer) {
                Ok(block) => {
                    watch.worked();
                    let (head, rows) = (&buffer[..self.sizes.head], &buffer[block.rows.clone()]);
                    if told.send(Next::Block(block)).is_err() {
                        break Ending::Stopped;
                    }
                    if rows.is_empty() {
                        // No reply will wake the collector for what the block says beside.
                        ring_bell(self.bell);
                    }
                    match self.feed_block(head, rows, &mut *pickler, &mut number, &idle, &told) {
                        Some(Ok(())) => {}
                        Some(Err(error)) => break Ending::Failed(error),
                        None => break Ending::Stopped,
                    }
                }
                Err(ending) => break ending,
            }
        };
        let _ = told.send(Next::End(ending));
        lap(Step::Take);
    }

    /// Sends the rows of a block; none when it has to end there.
    fn feed_block(
        &self,
        head: &[u8],
        rows: &[u8],
        pickler: &mut dyn Pickler,
        number: &mut u64,
        idle: &Receiver<usize>,
        told: &SyncSender<Next>,
    ) -> Option<Result<(), Error>> {
        let mut rest = rows;
        let mut watch = Stopwatch::new(&self.tally.reader);
        while !rest.is_empty() {
            let mut task = vec![0; HEADER];
            let read = match pickler.pickle_rows(head, rest, self.chunk_size, &mut task) {
                Ok(read) => read,
                Err(error) => return Some(Err(error)),
            };
            let (text, after) = rest.split_at(read.bad.as_ref().map_or(read.end, |bad| bad.end));
            rest = after;
            watch.worked();
            let worker = idle.recv().ok()?;
            watch.waited();
            if let Err(error) = seal(&mut task, *number) {
                return Some(Err(error));
            }
            let sent = Task { text: text.to_vec(), rows: read.rows, bad: read.bad };
            told.send(Next::Task { worker, task: sent }).ok()?;
            lap(Step::Take);
            *number += 1;
            if let Err(error) = send(&self.sockets[worker], &task) {
                if error != Errno::PIPE {
                    say(&format_args!("cannot send rows to worker {worker}: {}", reason(&error.into())));
                }
                // Or the collector would wait for its reply without end.
                let _ = rustix::net::shutdown(&self.sockets[worker], rustix::net::Shutdown::Both);
                return None;
            }
            steps::count_copied(task.len());
            lap(Step::Send);
        }
        watch.worked();
        Some(Ok(()))
    }
}

struct Collector<'a> {
    sockets: &'a [OwnedFd],
    bell: &'a OwnedFd,
    tally: &'a Tally,
    children: &'a mut Children,
    pickler: Box<dyn Pickler + 'a>,
    room: Vec<u8>,
    /// What has come from each worker and is not a whole reply yet.
    partial: Vec<Vec<u8>>,
    /// Replies that wait for those before them.
    waiting: HashMap<(usize, u64), Vec<u8>>,
    /// Workers that have ended, or listen no more.
    dead: Vec<usize>,
    buffer: Vec<u8>,
}

impl Collector<'_> {
    /// Hands results on in order until the input has ended and all is handed on.
    fn collect(&mut self, sink: &mut dyn Sink, order: Receiver<Next>, free: Sender<usize>) -> Result<(), Error> {
        let mut next = None;
        let mut number = 0;
        let (mut results, mut reports) = (vec![], vec![]);
        let mut watch = Stopwatch::new(&self.tally.writer);
        loop {
            if next.is_none() {
                next = match order.try_recv() {
                    Ok(next) => Some(next),
                    Err(TryRecvError::Empty) => None,
                    // The feeder has panicked, which the scope passes on.
                    Err(TryRecvError::Disconnected) => return Ok(()),
                };
            }
            match next.take() {
                Some(Next::End(ending)) => return sink.end(ending),
                Some(Next::Block(block)) => {
                    sink.begin(block)?;
                    continue;
                }
                Some(Next::Task { worker, mut task }) => match self.waiting.remove(&(worker, number)) {
                    Some(reply) => {
                        number += 1;
                        results.clear();
                        reports.clear();
                        let (room, results, reports) = (&mut self.room, &mut results, &mut reports);
                        self.pickler.unpickle_outputs(&reply, &mut task, room, results, reports)?;
                        let (text, rows) = (&task.text, task.rows);
                        let lines = memchr::memchr_iter(b'\n', text).count();
                        self.tally.enter(worker, rows, Duration::ZERO, Duration::ZERO);
                        let consumed = text.len();
                        sink.write(Part { input: text, consumed, lines, rows, results, reports, deadly: "" })?;
                        lap(Step::Merge);
                        watch.worked();
                        continue;
                    }
                    // What the dead one had is lost, and all after that; what others have before that is not.
                    None if self.dead.contains(&worker) => return Err(self.broken_by(worker)),
                    None => next = Some(Next::Task { worker, task }),
                },
                None => {
                    if let Some(&worker) = self.dead.first() {
                        return Err(self.broken_by(worker));
                    }
                }
            }
            watch.worked();
            self.receive(&free)?;
            watch.waited();
        }
    }

    /// Waits until there are bytes from a worker, the end of one, or news from the feeder, and takes them in.
    fn receive(&mut self, free: &Sender<usize>) -> Result<(), Error> {
        let is_alive = |worker: &usize| !self.dead.contains(worker);
        let alive: Vec<usize> = (0..self.sockets.len()).filter(is_alive).collect();
        let mut descriptors = vec![self.bell.as_fd()];
        descriptors.extend(alive.iter().map(|&worker| self.sockets[worker].as_fd()));
        let (ready, ended) = self.children.watch(&descriptors, ROUND)?;
        if ready[0] {
            let _ = rustix::io::read(self.bell, &mut [0; 8]);
        }
        for (&worker, _) in alive.iter().zip(&ready[1..]).filter(|(_, talking)| **talking) {
            self.take_in(worker, free);
        }
        for worker in ended.into_iter().map(|worker| worker as usize) {
            // Its last words may have come since.
            self.take_in(worker, free);
            self.dead.push(worker);
        }
        lap(Step::Receive);
        Ok(())
    }

    /// Takes in all that has come from a worker.
    fn take_in(&mut self, worker: usize, free: &Sender<usize>) {
        loop {
            match rustix::net::recv(&self.sockets[worker], &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((count, _)) if count > 0 => {
                    self.partial[worker].extend_from_slice(&self.buffer[..count]);
                    steps::count_copied(count);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                _ => {
                    self.dead.push(worker);
                    break;
                }
            }
        }
        while let Some((number, reply)) = split_frame(&mut self.partial[worker]) {
            self.waiting.insert((worker, number), reply);
            // The feeder is gone when the input has ended.
            let _ = free.send(worker);
        }
    }

    /// The error for a worker that has ended.
    fn broken_by(&mut self, worker: usize) -> Error {
        match self.children.reap(worker as u32) {
            Ok(death) => Error::workers(format!(
                "worker {worker} (pid {}) {} and has broken the pool: the rows it had been sent are lost; all results \
                 before them are written",
                death.pid,
                death.cause()
            )),
            Err(error) => error,
        }
    }

    /// Tells the workers that there is nothing more to do, and adds what they measured.
    fn say_farewell(&mut self) -> Result<(), Error> {
        if !steps::is_timing() {
            return Ok(());
        }
        for (worker, socket) in self.sockets.iter().enumerate() {
            // Or it would wait for more, and we for it.
            if rustix::net::shutdown(socket, rustix::net::Shutdown::Write).is_err() {
                return Err(self.broken_by(worker));
            }
            let nanos = loop {
                match split_frame(&mut self.partial[worker]) {
                    Some((FAREWELL, nanos)) => break nanos,
                    Some(_) => {}
                    None => match rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut self.buffer[..])) {
                        Ok(count) if count > 0 => self.partial[worker].extend_from_slice(&self.buffer[..count]),
                        _ => return Err(self.broken_by(worker)),
                    },
                }
            };
            let (nanos, _) = nanos.as_chunks::<8>();
            let nanos: Nanos =
                std::array::from_fn(|step| nanos.get(step).map_or(0, |nanos| u64::from_le_bytes(*nanos)));
            steps::add(nanos);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::gcd::Gcd;
    use crate::pool::memory;
    use crate::work::text::{Settings, Text};
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    #[test]
    fn what_goes_through_the_socket_is_what_cpython_unpickles() {
        let gcd = Gcd::default();
        let text = Text::new(&gcd, Settings::default());
        let rows = b"12,18\n0,7\n2147483647,2147483648\n18446744073709551615,9223372036854775808\n1,2\n";
        let mut source = memory::Records { bytes: rows, size: rows.len(), block_rows: 1 };
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let (told, order) = mpsc::sync_channel(9);
        let (free, idle) = mpsc::channel();
        (0..3).for_each(|_| free.send(0).unwrap());
        let sockets = [ours];
        let bell = bell().unwrap();
        let sizes = Sizes { head: 0, block: 4096, room: 4096 };
        let feeder =
            Feeder { pickling: &text, sockets: &sockets, bell: &bell, sizes, chunk_size: 2, tally: &Tally::default() };
        feeder.feed(&mut source, idle, told);
        drop(sockets);
        assert_eq!(order.try_iter().filter(|next| matches!(next, Next::Task { .. })).count(), 3);

        let mut bytes = vec![];
        std::fs::File::from(theirs).read_to_end(&mut bytes).unwrap();
        let script = "\
import pickle, struct, sys
data, tasks = sys.stdin.buffer.read(), []
while data:
    length, number = struct.unpack_from('<IQ', data)
    tasks.append((number, pickle.loads(data[12:12 + length])))
    data = data[12 + length:]
print(tasks)";
        let mut python = Command::new("python3");
        let mut python = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        python.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = python.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "[(0, [(12, 18), (0, 7)]), (1, [(2147483647, 2147483648), (18446744073709551615, 9223372036854775808)]), \
             (2, [(1, 2)])]\n"
        );
    }
}
