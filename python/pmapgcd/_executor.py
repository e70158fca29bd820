"""`pmapgcd.Executor`: what `concurrent.futures.ProcessPoolExecutor` does, over shared memory."""

from __future__ import annotations

import os
import pickle
import time
import weakref
from concurrent.futures import Executor as Base
from concurrent.futures import Future
from itertools import count
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Optional, TypeVar, overload

from . import _columns, _ends, _functions, _worker
from ._jobs import Task
from ._map import Results, Rows
from ._pool import Pool

T = TypeVar("T")
Buffer = TypeVar("Buffer")


class Executor(Base):
    """Calls functions in worker processes, as `concurrent.futures.ProcessPoolExecutor` does.

    Numbers and buffers go there and back through shared memory without being pickled, `map` is lazy and chooses its chunks by what calls cost,
    and a worker that dies costs nothing but the one call that it dies of.

    max_workers: the number of worker processes; as many as there are processors for this process if it is None.
    mp_context: what `multiprocessing.get_context` returns. Workers are new interpreters, as with its methods "spawn" and "forkserver". A
        context of the method "fork" is refused, because a worker inherits nothing.
    initializer, initargs: a function that each worker calls first, and its arguments. If it fails, all calls fail with a `BrokenExecutor`.
    max_tasks_per_child: after how many calls of `submit` or chunks of a `map` a worker is replaced by a new one; never if it is None.

    Raises ValueError or TypeError for arguments that are no such values, and NotImplementedError where the system is not Linux.
    """

    def __init__(
        self,
        max_workers: Optional[int] = None,
        mp_context: Any = None,
        initializer: Optional[Callable[..., object]] = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: Optional[int] = None,
    ) -> None:
        if not hasattr(os, "memfd_create"):
            raise NotImplementedError("pmapgcd.Executor needs Linux, for memory that processes share")
        if _worker.is_importing_main:
            raise RuntimeError(
                "the main module is being imported by a worker, and starts an Executor: "
                'put what starts it below `if __name__ == "__main__":`, so that it runs in the first process alone'
            )
        if max_workers is None:
            max_workers = processors()
        if not isinstance(max_workers, int):
            raise TypeError(f"max_workers must be an integer, and is {max_workers!r}")
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if mp_context is not None and mp_context.get_start_method() == "fork":
            raise ValueError('mp_context: workers are never forked; use the method "spawn" or "forkserver", or none')
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
        first = None if initializer is None else pickle.dumps((_functions.Loaded(_functions.pickled(initializer)[0]), initargs), 5)
        # What a manager has for them lives as long as they do.
        self._initargs = initargs
        self._max_workers = max_workers
        self._pool = Pool(max_workers, max_tasks_per_child, first)
        self._calls = count()
        self._is_shut = False
        # The maps that nobody has begun to read.
        self._unread: set[Rows] = set()
        self._finish = weakref.finalize(self, finish, self._pool, self._unread)
        self._finish.atexit = False
        _ends.EXECUTORS.add(self)

    @property
    def _broken(self) -> Any:
        return self._pool.broken or False

    def _check(self) -> None:
        """Raises RuntimeError if no more work can be given, as other executors do."""
        if self._pool.broken:
            raise type(self._pool.broken)(*self._pool.broken.args) from self._pool.broken.__cause__
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _ends.is_exiting:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Calls `fn(*args, **kwargs)` in a worker, and returns the future of its result.

        The future has the exception that the call raises, a TypeError if the function cannot be sent, what comes of pickling the arguments
        or the result, or WorkerDied if the worker keeps dying of it. Raises RuntimeError after `shutdown`.
        """
        future: Future[T] = Future()
        self._check()
        index = next(self._calls)
        try:
            task = Task(_functions.Function(fn), (args, kwargs), index, future)
            # Now, because the arguments may change later.
            task.encode()
        except Exception as error:
            future.set_running_or_notify_cancel()
            future.set_exception(error)
            return future
        self._pool.put(task)
        return future

    @overload
    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        timeout: Optional[float] = None,
        chunksize: int = 1,
        buffersize: Optional[int] = None,
        out: None = None,
    ) -> Iterator[T]: ...

    @overload
    def map(
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        timeout: Optional[float] = None,
        chunksize: int = 1,
        buffersize: Optional[int] = None,
        out: Buffer,
    ) -> Buffer: ...

    def map(
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        timeout: Optional[float] = None,
        chunksize: int = 1,
        buffersize: Optional[int] = None,
        out: Any = None,
    ) -> Any:
        """Returns an iterator over the results of `map(fn, *iterables)`, in order.

        Rows are taken from the iterables as results are read, a bounded number of them ahead. How many go to a worker at a time is decided by
        what they cost.

        timeout: how many seconds after this call all results must be there; a result that is not raises TimeoutError.
        chunksize: accepted, and not needed.
        buffersize: how many rows may be taken ahead at most; as many as keep the workers busy if it is None.
        out: a writable buffer of numbers (`array`, numpy), into which the results are written in place. The call then returns when all are
            there, and returns `out`. Results that are not of its type raise TypeError, and if there are more or fewer results than places in
            it, ValueError is raised.

        The iteration raises the exception of the first call that fails, and ends with it. Raises TypeError if the function cannot be sent,
        and RuntimeError after `shutdown`.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None:
            if not isinstance(buffersize, int):
                raise TypeError("buffersize must be an integer or None")
            if buffersize < 1:
                raise ValueError("buffersize must be None or > 0")
        deadline = None if timeout is None else time.monotonic() + timeout
        view, wanted = (None, 0) if out is None else places(out)
        self._check()
        if not iterables:
            return iter(())
        rows = Rows(self._pool, _functions.Function(fn), iterables, buffersize)
        rows.into, rows.wanted = view, wanted
        left = rows.source.left()
        if view is not None and left is not None and rows.source.rows is None and left != len(view):
            raise ValueError(f"out has {len(view)} places, and there are {left} rows")
        self._unread.add(rows)
        try:
            while rows.wants():
                rows.pull()
        except BaseException:
            # The input has raised it, or the user has interrupted it.
            self._unread.discard(rows)
            rows.cancel()
            raise
        results = Results(lambda: rows.chunks(self, deadline, self._unread))
        if view is None:
            return results
        for _ in results:
            pass
        if rows.taken != len(view):
            raise ValueError(f"out has {len(view)} places, and there were {rows.taken} results")
        return out

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the workers when all is done that was asked for.

        wait: whether to return only then.
        cancel_futures: whether to cancel what has not begun.

        A `map` of which no result was read yet is taken to its end first. One that is being read is not: reading it beyond the rows that
        were taken before raises RuntimeError.
        """
        self._is_shut = True
        self._finish.detach()
        finish(self._pool, self._unread, cancel_futures)
        if wait:
            self._pool.join()

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> Optional[bool]:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._kill()
        self.shutdown(wait=True)
        return None

    def _kill(self) -> None:
        """Ends the workers at once."""
        self._is_shut = True
        self._unread.clear()
        self._pool.end(is_killing=True)


def finish(pool: Pool, unread: set[Rows], is_cancelled: bool = False) -> None:
    """Has a pool end when its work is done; `is_cancelled` cancels what has not begun."""
    if is_cancelled:
        for job in list(pool.queue):
            job.cancel()
    while unread:
        unread.pop().finish(is_cancelled)
    pool.end()


def places(out: Any) -> tuple[memoryview, int]:
    """Returns the places of a buffer for results, and their type."""
    view = memoryview(out)
    name = _columns.FORMATS.get(view.format)
    if view.readonly or view.ndim != 1 or not view.contiguous or name is None:
        known = ", ".join(sorted(set(_columns.FORMATS.values())))
        raise TypeError(f"out must be a writable buffer of one dimension, without gaps, of one of these types: {known}; it is {out!r:.60}")
    return view, _worker.TYPES[name][0]


def processors() -> int:
    """Returns how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0)) or 1
    except (AttributeError, OSError):
        return os.cpu_count() or 1
