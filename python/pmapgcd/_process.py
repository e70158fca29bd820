"""One worker process: how it is started, what is sent to it, and how it ends. docs/protocol.md describes the memory and the messages."""

from __future__ import annotations

import fcntl
import functools
import marshal
import mmap
import os
import socket
import subprocess
import sys
import threading
from importlib.machinery import SourceFileLoader
from typing import Any, Hashable, Optional, Sequence, Union

from . import _worker

# How many functions a worker keeps at a time.
FUNCTIONS = 8
# The most buffers that the system takes in one call.
MOST_PIECES = 512
# A request or an answer of more bytes than that does not stay in memory after it.
KEPT = 1 << 26
# Signals that others send: they say nothing about what the process did.
SENT = (1, 2, 3, 9, 10, 12, 13, 14, 15)
# How many threads libraries for numbers start. The workers have the processors already.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# What Python runs: the program, which is in the memory in its compiled form. To compile it takes longer than to start Python. Before that it
# leaves the process group, because Ctrl-C is the business of the parent. A session of its own would do that too, and Linux schedules the processes
# of a session apart from others: on a busy machine an answer took three times as long.
START = "import marshal, os; os.setpgrp(); exec(marshal.loads(os.pread(0, %d, 0)))"


@functools.lru_cache(maxsize=None)
def program() -> bytes:
    """Returns the program in its compiled form."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_worker.py")
    return marshal.dumps(SourceFileLoader("pmapgcd._worker", path).get_code("pmapgcd._worker"))


class Process:
    """A worker process. Its methods are called by the thread of the pool alone."""

    def __init__(self, threads: int) -> None:
        """Starts the process. `threads` is how many threads its libraries for numbers may use.

        Raises OSError if the system refuses memory, descriptors or a process.
        """
        self.job: Any = None
        self.is_ready = self.is_killed = False
        self.calls = 0
        # What is behind each number of a function, the one that was used last at the end.
        self.functions: dict[Hashable, int] = {}
        # Readable when the process has ended; None if the system has no such descriptors.
        self.exit: Optional[int] = None
        # What is to be closed, but for the socket.
        self.opened: list[int] = []
        command = [sys.executable, *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
        environment = {name: str(threads) for name in THREADS}
        environment.update(os.environ)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self.socket.setblocking(False)
                self.memory = os.memfd_create("pmapgcd-python", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
                self.opened.append(self.memory)
                fcntl.fcntl(self.memory, getattr(fcntl, "F_ADD_SEALS", 1033), getattr(fcntl, "F_SEAL_SHRINK", 2))
                os.pwrite(self.memory, program(), 0)
                self.their_lifeline, lifeline = os.pipe()
                self.opened += [lifeline, self.their_lifeline]
                self.process = subprocess.Popen(
                    [*command, "-c", START % len(program()), "pmapgcd", str(theirs.fileno())],
                    stdin=self.memory,
                    pass_fds=(theirs.fileno(), self.their_lifeline),
                    env=environment,
                )
        except BaseException:
            self.close()
            raise
        # Theirs. The number of it is the one that the process has.
        os.close(self.opened.pop())
        try:
            self.exit = os.pidfd_open(self.process.pid)
            self.opened.append(self.exit)
        except (AttributeError, OSError):
            pass

    def send(self, kind: int, pieces: Sequence[Any], values: Sequence[int]) -> None:
        """Writes these pieces from the start of the memory, and sends a message."""
        at = 0
        for start in range(0, len(pieces), MOST_PIECES):
            some = pieces[start : start + MOST_PIECES]
            wanted = sum(len(piece) for piece in some)
            done = os.pwritev(self.memory, some, at)
            if done < wanted:
                # More than two gigabytes, or a disturbance.
                rest = memoryview(b"".join(some))[done:]
                while rest:
                    done = os.pwrite(self.memory, rest, at + wanted - len(rest))
                    rest = rest[done:]
            at += wanted
        message = _worker.MESSAGE.pack(_worker.MAGIC, _worker.VERSION, kind, 1, *values, *(0,) * (8 - len(values)))
        try:
            self.socket.send(message)
        except (BrokenPipeError, ConnectionResetError):
            # It has ended, which its descriptors tell.
            pass

    def place(self, function: Any) -> tuple[int, bytes]:
        """Returns the number under which the worker has a function, and its pickle if that has to be sent."""
        place = self.functions.pop(function.key, None)
        data = b""
        if place is None:
            oldest = next(iter(self.functions), None)
            place = self.functions.pop(oldest) if len(self.functions) == FUNCTIONS else len(self.functions)
            data = function.data
        self.functions[function.key] = place
        return place, data

    def receive(self) -> Optional[tuple[int, tuple[int, ...]]]:
        """Returns the kind and the numbers of a message, or None if there is none.

        Raises EOFError if the process has closed its end, or sends what is no message.
        """
        try:
            data = self.socket.recv(_worker.MESSAGE.size + 1)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            raise EOFError from None
        if len(data) != _worker.MESSAGE.size:
            raise EOFError
        magic, version, kind, _, *values = _worker.MESSAGE.unpack(data)
        if (magic, version) != (_worker.MAGIC, _worker.VERSION):
            raise EOFError
        return kind, tuple(values)

    def read(self, offset: int, into: Any) -> None:
        """Fills a buffer from the memory.

        Raises EOFError if the memory has no such bytes.
        """
        rest = memoryview(into).cast("B")
        while rest:
            done = os.preadv(self.memory, [rest], offset)
            if not done:
                raise EOFError
            offset, rest = offset + done, rest[done:]

    def copy(self, offset: int, length: int) -> Union[bytes, bytearray]:
        """Returns a copy of these bytes of the memory.

        Raises EOFError if the memory has no such bytes.
        """
        if offset + length > os.fstat(self.memory).st_size:
            raise EOFError
        found = os.pread(self.memory, length, offset)
        if len(found) < length:
            # More than two gigabytes.
            whole = bytearray(length)
            self.read(offset, whole)
            return whole
        return found

    def forget(self) -> None:
        """Gives back the memory that a large request or answer took."""
        size = os.fstat(self.memory).st_size
        if size > KEPT:
            with mmap.mmap(self.memory, size) as memory:
                memory.madvise(getattr(mmap, "MADV_REMOVE", 9), 0, size // mmap.PAGESIZE * mmap.PAGESIZE)

    def descriptors(self) -> list[int]:
        """Returns the descriptors that become readable when there is a message, or when the process has ended."""
        return [self.socket.fileno()] + ([self.exit] if self.exit is not None else [])

    def ask_to_end(self) -> None:
        """Closes the socket for writing, so that the process ends by itself when it waits for a request."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end(self, grace: float) -> int:
        """Waits for the end of the process for so many seconds, then kills it. Returns its status, as subprocess has it."""
        try:
            if grace > 0:
                return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        self.is_killed = True
        self.process.kill()
        return self.process.wait()

    def close(self) -> None:
        """Closes all descriptors that are open.

        Each is forgotten before it is closed. Its number may be that of another file at once, and a process that is forked then must not close it.
        """
        self.exit = None
        self.socket.close()
        while self.opened:
            os.close(self.opened.pop())


def is_fault(status: int) -> bool:
    """Whether what a process did is to blame for its end with this status, and not a signal of the kind that others send."""
    return -status not in SENT


def cause(status: int) -> str:
    """Returns how a process has ended, as the predicate of a sentence."""
    if status >= 0:
        return f"exited with status {status}"
    import signal

    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


class Bell:
    """Wakes a thread that polls."""

    def __init__(self) -> None:
        # A descriptor that is closed may soon be one of another file.
        self.lock = threading.RLock()
        self.heard, self.rung = os.pipe()
        os.set_blocking(self.heard, False)
        os.set_blocking(self.rung, False)

    def ring(self) -> None:
        with self.lock:
            if self.rung >= 0:
                try:
                    os.write(self.rung, b"\0")
                except BlockingIOError:
                    # It has been rung often enough.
                    pass

    def hear(self) -> None:
        os.read(self.heard, 4096)

    def close(self) -> None:
        with self.lock:
            # Forgotten before they are closed, as those of a process.
            opened, self.heard, self.rung = [self.heard, self.rung], -1, -1
            for descriptor in opened:
                if descriptor >= 0:
                    os.close(descriptor)
