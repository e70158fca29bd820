"""`Executor.map`: a lazy, ordered map over rows, in chunks that are cut by what rows have cost so far."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import CancelledError, TimeoutError
from itertools import chain
from typing import Any, Callable, Generator, Iterable, Iterator, Optional

from . import _columns
from ._functions import Function
from ._jobs import Job
from ._pool import Pool

# How long a chunk is to take, in nanoseconds, and how many bytes it is to have; how much larger than the last one it may be; its most rows.
# (benches/python executor)
LONG = 8_000_000
LARGE = 4 << 20
GROWTH = 4
MOST = 1 << 16
# At the end of an input of known length, chunks are smaller, so that all workers end at the same time, but none is shorter than that.
SHORT = 1_000_000
# For each worker: how many chunks there are to be that are not done, and how many in all, done and not yet read.
AHEAD = 2
WINDOW = 8


class Rows:
    """The rows of one `map`, cut into jobs, and these jobs in order."""

    def __init__(self, pool: Pool, function: Function, iterables: tuple[Iterable[Any], ...], buffersize: Optional[int] = None) -> None:
        self.pool, self.function = pool, function
        self.source = _columns.Source(iterables)
        # Where results are written in place, and the type of column that is.
        self.into: Optional[memoryview] = None
        self.wanted = 0
        self.buffersize = buffersize
        self.jobs: deque[Job] = deque()
        # How many rows were taken, and how many are with the jobs.
        self.taken = self.buffered = 0
        self.size = 1
        # Nanoseconds and bytes of a row: the function's, and those of taking and writing it.
        self.cost = self.pull_cost = self.weight = 0.0
        # Whether no more rows are taken; because the pool takes none; because they are not wanted.
        self.is_over = self.is_cut = self.is_cancelled = False
        # One thread may read on, while another one shuts the pool down.
        self.lock = threading.RLock()

    def measured(self, rows: int, nanos: int, length: int) -> None:
        """Learns what rows have cost. The thread of the pool calls that."""
        self.cost = nanos / rows
        self.weight = max(self.weight / 2, length / rows)

    def next_size(self) -> int:
        """Returns how many rows the next chunk is to have."""
        if not self.cost:
            # The first ones may take long.
            return 1
        size = min(GROWTH * self.size, MOST, LONG / max(self.cost, self.pull_cost), LARGE / max(self.weight, 1))
        left = self.source.left()
        if left is not None:
            size = min(size, max(left / (2 * self.pool.most), SHORT / self.cost))
        if self.buffersize is not None:
            size = min(size, self.buffersize - self.buffered)
        return max(1, int(size))

    def wants(self) -> bool:
        """Whether a further chunk is to be taken now."""
        if self.is_over or (self.buffersize is not None and self.buffered >= self.buffersize):
            return False
        ahead = sum(not job.is_over for job in self.jobs)
        return ahead < AHEAD * self.pool.most and len(self.jobs) < WINDOW * self.pool.most

    def pull(self, is_encoded: bool = True) -> None:
        """Takes rows, and has them mapped."""
        with self.lock:
            if self.is_over:
                return
            # One that the pool will refuse says whether rows are left.
            size, began = 1 if self.pool.is_ending else self.next_size(), time.perf_counter_ns()
            try:
                columns = self.source.take(size)
            except BaseException:
                self.is_over = True
                raise
            rows = len(columns[0])
            self.is_over = not rows
            if not rows:
                return
            job = Job(self.function, columns, rows, self.taken)
            job.measure, job.wanted = self.measured, self.wanted
            if self.into is not None:
                job.into = self.into[self.taken : self.taken + rows]
                if len(job.into) < rows:
                    self.is_over = True
                    raise ValueError(f"out has {len(self.into)} places, and there are more results")
            if is_encoded:
                try:
                    length = job.encode()[1]
                    self.weight = max(self.weight / 2, length / rows)
                except Exception:
                    # The pool finds the row.
                    pass
            try:
                self.pool.put(job)
            except RuntimeError:
                self.is_over = self.is_cut = True
                return
            if self.cost:
                self.size = size
            self.pull_cost = (time.perf_counter_ns() - began) / rows
            self.taken += rows
            self.buffered += rows
            self.jobs.append(job)

    def finish(self, is_cancelled: bool) -> None:
        """Takes all rows that there are, or cancels them."""
        if is_cancelled:
            self.is_cancelled = self.is_over = True
        while not self.is_over:
            self.pull(is_encoded=False)

    def cancel(self) -> None:
        """Gives up what is not done."""
        self.is_over = True
        for job in self.jobs:
            job.cancel()
        self.jobs.clear()

    def chunks(self, keeper: Any, deadline: Optional[float], starts: set[Rows]) -> Generator[Iterable[Any], None, None]:
        """Yields the results, chunk by chunk. `keeper` is kept as long as they are read.

        Raises TimeoutError for a result that is not there at the deadline, on the clock of `time.monotonic`.
        """
        starts.discard(self)
        try:
            while True:
                while self.wants():
                    self.pull()
                if not self.jobs:
                    if self.is_cancelled:
                        raise CancelledError()
                    if self.is_cut:
                        raise RuntimeError("the executor was shut down before all rows of this map were taken: read its results before that")
                    return
                yield from self.results(self.jobs[0], deadline)
                self.buffered -= self.jobs.popleft().rows
        finally:
            self.cancel()

    def results(self, job: Job, deadline: Optional[float]) -> Iterator[Iterable[Any]]:
        """Yields the results of a job, and raises its exception."""
        if deadline is None:
            job.done.acquire()
        elif not job.is_over and not job.done.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimeoutError()
        if job.parts:
            while job.parts:
                yield from self.results(job.parts[0], deadline)
                del job.parts[0]
            return
        answer, error = job.answer, job.error
        job.answer = job.error = None
        if answer is not None:
            yield answer.take()
            error = answer.error
        elif error is None and job.is_cancelled:
            error = CancelledError()
        if error is not None:
            try:
                raise error
            finally:
                # The exception refers to this frame.
                del error, answer, job


class Results(Iterator[Any]):
    """The results of a `map`, in order.

    Closing it gives up what is not yet done.
    """

    def __init__(self, chunks: Callable[[], Generator[Iterable[Any], None, None]]) -> None:
        self._chunks = chunks()
        self._results: chain[Any] = chain.from_iterable(self._chunks)

    def __iter__(self) -> Iterator[Any]:
        # It iterates without a call of Python for each result, and shares all state with this.
        return self._results

    def __next__(self) -> Any:
        return next(self._results)

    def close(self) -> None:
        """Gives up all results that are not yet read, as the end of the iteration does."""
        self._chunks.close()
        self._results = chain()
