"""What a worker is asked to do at a time: a job, which is a chunk of a `map`, or one call of `submit`."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import Future
from typing import Any, Optional, Sequence, Union

from . import _columns, _worker
from ._functions import Function

# How many faults over one row it takes to blame the row. These three are those of the program (src/work/search.rs).
MOST_FAULTS = 3
# How many kills over the same rows it takes to try half of them: a row may need more memory than there is. That costs little and blames nobody yet.
MOST_KILLS_OF_MANY = 2
# How many kills over one row it takes to blame the row.
MOST_KILLS = 30


class WorkerDied(RuntimeError):
    """A call kept ending its worker process: by a segmentation fault, `os._exit`, or because the system ended it for its use of memory.

    It takes three deaths that are its own, or thirty by signals that others send as well, such as the SIGKILL of a system without memory.

    The pool goes on with all other calls.
    """

    def __init__(self, index: int, cause: str) -> None:
        super().__init__(index, cause)
        #: The number of the call, from 0: the item's in its `map`, and that of the call of `submit` in its pool.
        self.index = index
        #: How the last worker ended, as in "was killed by SIGSEGV".
        self.cause = cause

    def __str__(self) -> str:
        return f"the worker died in call {self.index}, again and again: the last one {self.cause}"


class Job:
    """Rows that are mapped together. The thread of the pool carries it out, and lets `done` go when it is over."""

    def __init__(self, function: Function, columns: Sequence[Any], rows: int, index: int) -> None:
        self.function, self.columns, self.rows, self.index = function, columns, rows, index
        self.how = _worker.MAPS
        # Where results are written in place, and the type of column that is.
        self.into: Optional[memoryview] = None
        self.wanted = 0
        # The bytes of the columns and their length, from when they are made until they are sent.
        self.encoded: Optional[tuple[list[Any], int]] = None
        self.done = threading.Lock()
        self.done.acquire()
        self.is_over = self.is_cancelled = False
        self.answer: Optional[_columns.Answer] = None
        self.error: Optional[BaseException] = None
        # The two halves, if the whole could not be done.
        self.parts: list[Job] = []
        self.faults = self.kills = 0
        # Told the rows, the nanoseconds and the bytes of each answer.
        self.measure: Any = None

    def encode(self) -> tuple[list[Any], int]:
        """Returns the bytes of the columns, and their length."""
        if self.encoded is None:
            self.encoded = _columns.pieces(self.columns)
        return self.encoded

    def may_begin(self) -> bool:
        """Whether it is still wanted."""
        return not self.is_cancelled

    def take(self, region: Union[bytes, bytearray], message: Sequence[int]) -> None:
        """Takes the answer of a worker. Raises what comes of reading it."""
        self.answer = _columns.Answer(region, message)

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.finish()

    def halve(self) -> list[Job]:
        """Cuts it into two halves, which are done in place of it."""
        middle, self.encoded = self.rows // 2, None
        for start, end in ((0, middle), (middle, self.rows)):
            part = Job(self.function, [column[start:end] for column in self.columns], end - start, self.index + start)
            part.how, part.wanted, part.is_cancelled = self.how, self.wanted, self.is_cancelled
            part.into = self.into[start:end] if self.into is not None else None
            self.parts.append(part)
        self.finish()
        return self.parts

    def die(self, is_fault: bool, cause: str) -> list[Job]:
        """Returns what is to be done again after a worker has died over it: itself, or its halves, or nothing if it is to blame."""
        self.faults += is_fault
        self.kills += not is_fault
        if self.rows > 1 and (self.faults or self.kills >= MOST_KILLS_OF_MANY):
            return self.halve()
        if self.faults >= MOST_FAULTS or self.kills >= MOST_KILLS:
            self.fail(WorkerDied(self.index, cause))
            return []
        return [self]

    def finish(self) -> None:
        self.is_over, self.encoded, self.measure = True, None, None
        self.done.release()

    def cancel(self) -> None:
        self.is_cancelled = True
        for part in self.parts:
            part.cancel()


class Task(Job):
    """One call of `submit`, with its future."""

    def __init__(self, function: Function, call: tuple[Any, Any], index: int, future: Future[Any]) -> None:
        super().__init__(function, [[call]], 1, index)
        self.how = _worker.APPLIES
        self.future, self.has_begun = future, False

    def may_begin(self) -> bool:
        if not self.has_begun:
            self.has_begun = self.future.set_running_or_notify_cancel()
        return self.has_begun

    def fail(self, error: BaseException) -> None:
        # It may not have begun, in which case it can have been cancelled.
        if self.may_begin():
            super().fail(error)

    def finish(self) -> None:
        future, answer, error = self.future, self.answer, self.error
        # What the call refers to must not outlive it.
        self.columns, self.answer, self.error = [], None, None
        super().finish()
        try:
            if answer is not None:
                error = answer.error
                for value in answer.take():
                    future.set_result(value)
            if error is not None:
                future.set_exception(error)
        except BaseException:
            # A callback of the future's that ends with SystemExit, for example. It must not end the thread of the pool.
            traceback.print_exc()

    def cancel(self) -> None:
        self.future.cancel()
