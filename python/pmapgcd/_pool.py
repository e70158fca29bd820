"""The workers of an executor, and the thread that gives them jobs and takes their answers.

All state is changed by that thread alone: nothing is left half done when a KeyboardInterrupt, which only ever comes to the main thread, comes
at any moment. Other threads append to the queue, set flags, and wake it. It runs hardly any code of the user's and takes the interpreter's
lock for microseconds a job: jobs are encoded and answers read in the thread that wants them. All that it does is in this file, however long, so that
one can see who changes what.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import warnings
from collections import deque
from concurrent.futures import BrokenExecutor
from typing import Optional

from . import _columns, _ends, _functions, _process, _worker
from ._jobs import MOST_FAULTS, MOST_KILLS, Job

# How long a worker that has closed its socket, and one that is asked to end, may live on, in seconds.
LINGER, GRACE = 1.0, 5.0
# How often to look for workers that have ended, in seconds, if the system has no descriptors of processes.
ROUND = 0.05


class Pool:
    """The workers and their thread. It knows nothing of the executor, which may be collected before it."""

    def __init__(self, most: int, most_calls: Optional[int], initializer: Optional[bytes]) -> None:
        self.most, self.most_calls, self.initializer = most, most_calls, initializer
        self.pid = os.getpid()
        self.queue: deque[Job] = deque()
        self.workers: list[_process.Process] = []
        self.idle: list[_process.Process] = []
        # Those whose calls are used up, until they have ended.
        self.leaving: list[_process.Process] = []
        self.thread: Optional[threading.Thread] = None
        self.lock = threading.RLock()
        self.broken: Optional[BrokenExecutor] = None
        # No more jobs will come; and those that there are need not be done.
        self.is_ending = self.is_killing = False
        self.is_waiting = False
        self.failed_starts = 0

    # -- For any thread

    def put(self, job: Job) -> None:
        """Adds a job to the queue. Raises RuntimeError if no more jobs are taken."""
        with self.lock:
            if self.is_ending:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self.queue.append(job)
            if self.thread is None:
                self.start()
        if self.is_waiting and (self.idle or len(self.workers) < self.most):
            self.wake()

    def start(self) -> None:
        self.bell = _process.Bell()
        self.poll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self.poll.register(self.bell.heard, select.EPOLLIN)
        self.pid = os.getpid()
        _ends.POOLS.add(self)
        # A daemon, because the interpreter waits for others before it calls what is registered for its exit.
        self.thread = threading.Thread(target=self.run, name="pmapgcd", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        self.is_waiting = False
        self.bell.ring()

    def end(self, is_killing: bool = False) -> None:
        """Has the thread end when all jobs are done, or at once."""
        with self.lock:
            self.is_ending = True
            self.is_killing |= is_killing
        if self.thread is not None:
            self.wake()

    def join(self) -> None:
        # One that has no number was interrupted before it started.
        if self.thread is not None and self.thread is not threading.current_thread() and self.thread.ident is not None:
            self.thread.join()

    def forget(self) -> None:
        """Closes what a process that was forked has of its parent's pool."""
        self.broken, self.lock = BrokenExecutor("this process was forked from the one that has the pool"), threading.RLock()
        self.queue = deque()
        for worker in (*self.workers, *self.leaving):
            worker.process.returncode = 0
            worker.close()
        self.poll.close()
        self.bell.lock = threading.RLock()
        self.bell.close()
        self.workers, self.idle, self.leaving, self.thread = [], [], [], None

    # -- For the thread of the pool

    def run(self) -> None:
        # Workers inherit that until they are prepared: Python would make a traceback of an interrupt while it starts.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while self.step():
                pass
        except BaseException as error:
            # A mistake of this file. Nobody may wait for ever.
            self.breaks(BrokenExecutor("the thread of the pool has failed"), error)
            self.is_killing = True
        finally:
            self.clean()

    def step(self) -> bool:
        """Gives out jobs, and waits for something to happen. Returns false when all is done."""
        self.dispatch()
        if self.is_killing or (self.is_ending and not self.queue and not any(worker.job for worker in self.workers)):
            return False
        self.is_waiting = True
        if self.queue and (self.idle or self.wants_worker()):
            # What has come since.
            return True
        has_descriptors = all(worker.exit is not None for worker in self.workers)
        events = self.poll.poll(None if has_descriptors else ROUND)
        self.is_waiting = False
        known = {descriptor for descriptor, _ in events}
        if self.bell.heard in known:
            self.bell.hear()
        for worker in [*self.workers, *self.leaving]:
            if not known.isdisjoint(worker.descriptors()) or (worker.exit is None and worker.socket.fileno() >= 0):
                self.hear(worker, known)
        return True

    def dispatch(self) -> None:
        """Gives jobs to workers that have none, and starts as many workers as there are jobs for."""
        while self.queue and self.idle:
            job = self.queue.popleft()
            if self.broken:
                job.fail(self.broken)
                continue
            if not job.may_begin():
                job.finish()
                continue
            try:
                pieces, length = job.encode()
            except Exception as error:
                self.fails(job, error)
                continue
            worker = self.idle.pop()
            place, data = worker.place(job.function)
            offset = _worker.aligned(len(data))
            if data:
                pieces = [data, _columns.PADDING[-len(data) % 8], *pieces]
            worker.job, job.encoded = job, None
            worker.send(_worker.CALL, pieces, (job.rows, len(job.columns), offset, length, job.how, place, len(data), job.wanted))
        if self.broken:
            while self.queue:
                self.queue.popleft().fail(self.broken)
            return
        while self.wants_worker():
            try:
                worker = _process.Process(max(1, (os.cpu_count() or 1) // self.most))
            except Exception as error:
                if not self.workers:
                    self.breaks(BrokenExecutor(f"a worker cannot be started: {error}"), error)
                    return
                self.most = len(self.workers)
                warnings.warn(f"pmapgcd: no more than {self.most} workers can be started: {error}", RuntimeWarning, stacklevel=1)
                return
            self.workers.append(worker)
            for descriptor in worker.descriptors():
                self.poll.register(descriptor, select.EPOLLIN)

    def wants_worker(self) -> bool:
        """Whether a further worker is to be started, because those that are being started are too few for the queue."""
        starting = sum(not worker.is_ready for worker in self.workers)
        return starting < len(self.queue) and len(self.workers) < self.most and not self.is_killing

    def hear(self, worker: _process.Process, known: set[int]) -> None:
        """Takes a message, or finds out that the process has ended."""
        try:
            message = worker.receive()
            if message is not None:
                self.take(worker, *message)
            elif worker.exit in known or (worker.exit is None and worker.process.poll() is not None):
                self.lose(worker, 0)
        except EOFError:
            self.lose(worker, LINGER)

    def take(self, worker: _process.Process, kind: int, values: tuple[int, ...]) -> None:
        job = worker.job
        if kind == _worker.HELLO and not worker.is_ready:
            data = _functions.settings(self.initializer, worker.their_lifeline)
            worker.send(_worker.PREPARE, [data], (0, len(data)))
        elif kind == _worker.OPENED and not worker.is_ready:
            worker.is_ready, self.failed_starts = True, 0
            self.idle.append(worker)
        elif kind == _worker.FAILED and not worker.is_ready:
            error = _columns.exception(worker.copy(*values[:2]))
            self.breaks(BrokenExecutor("the initializer of the pool failed in a worker"), error)
        elif kind == _worker.FAILED and job is not None:
            error = _columns.exception(worker.copy(*values[:2]))
            # The function may not have been made.
            worker.functions.clear()
            self.frees(worker)
            self.fails(job, error)
        elif kind == _worker.MAPPED and job is not None:
            self.answered(worker, job, values)
        else:
            raise EOFError

    def answered(self, worker: _process.Process, job: Job, values: tuple[int, ...]) -> None:
        done, _, offset, length, faults, _, nanos, _ = values
        if not 1 <= done <= job.rows:
            raise EOFError
        region = None
        if job.into is not None and not faults:
            # Straight to where the results belong.
            code, at, size, _, _, presence, *_ = _worker.COLUMN.unpack(worker.copy(offset, _worker.COLUMN.size))
            if (code, size, presence) == (job.wanted, job.into.nbytes, 0):
                worker.read(offset + at, job.into)
            else:
                raise EOFError
        else:
            region = worker.copy(offset, length)
        worker.forget()
        self.frees(worker)
        # The worker need not wait until the answer is read.
        self.dispatch()
        if job.measure is not None:
            job.measure(done, nanos, length)
        if region is not None:
            try:
                job.take(region, values)
            except BaseException as error:
                # It runs what the result's own class has for that.
                self.fails(job, error)
                return
        job.finish()

    def frees(self, worker: _process.Process) -> None:
        """Makes a worker ready for the next job, or has it end if it has done as many as it may."""
        worker.job = None
        worker.calls += 1
        if worker.calls == self.most_calls:
            self.workers.remove(worker)
            self.leaving.append(worker)
            worker.ask_to_end()
        else:
            self.idle.append(worker)

    def fails(self, job: Job, error: BaseException) -> None:
        """Tries a job by halves that could not be sent, made or read; of a single row, that is its result."""
        if job.rows > 1:
            self.again(*job.halve())
        else:
            job.fail(error)

    def again(self, *jobs: Job) -> None:
        self.queue.extendleft(reversed(jobs))

    def lose(self, worker: _process.Process, grace: float) -> None:
        """Decides what becomes of the job of a worker that has ended."""
        status, job = self.remove(worker, grace), worker.job
        # One that this process had to kill lived on without its socket.
        is_fault = worker.is_killed or _process.is_fault(status)
        if job is None:
            if not worker.is_ready:
                self.failed_starts += 1
                if self.failed_starts >= (MOST_FAULTS if is_fault else MOST_KILLS):
                    calling = ", or in the initializer" if self.initializer else ""
                    what = f"no worker can be started: the last one {_process.cause(status)} while it started{calling}"
                    self.breaks(BrokenExecutor(what), None)
            return
        self.again(*job.die(is_fault, _process.cause(status)))

    def remove(self, worker: _process.Process, grace: float) -> int:
        for descriptor in worker.descriptors():
            self.poll.unregister(descriptor)
        for workers in (self.workers, self.idle, self.leaving):
            if worker in workers:
                workers.remove(worker)
        status = worker.end(grace)
        worker.close()
        return status

    def breaks(self, broken: BrokenExecutor, cause: Optional[BaseException]) -> None:
        """Gives up: all jobs fail, and those that come."""
        broken.__cause__ = cause
        self.broken = broken
        for worker in self.workers[:]:
            self.remove(worker, 0)
            if worker.job is not None:
                worker.job.fail(broken)
        while self.queue:
            self.queue.popleft().fail(broken)

    def clean(self) -> None:
        """Ends the workers, and closes everything."""
        workers = [*self.workers, *self.leaving]
        if self.is_killing:
            self.breaks(self.broken or BrokenExecutor("the pool was ended at once"), None)
        for worker in workers:
            worker.ask_to_end()
        for worker in [*self.workers, *self.leaving]:
            self.remove(worker, 0 if self.is_killing else GRACE)
        self.poll.close()
        self.bell.close()
        _ends.POOLS.discard(self)
