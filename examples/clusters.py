"""What dask_cluster.py and spark_pipe.py share: ranges of a file, the parts made of them, processes on this machine."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Callable, NamedTuple

PATIENCE = 60  # seconds for a cluster to start


class Failed(Exception):
    """The end of the run: what to say, and pmapgcd's exit status or one of the same meaning."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Range(NamedTuple):
    """Whole rows of the file, as `pmapgcd --split` prints them, and the part that their results go to."""

    offset: str
    length: str
    first_line: str
    part: Path


class Joined(NamedTuple):
    """What was written."""

    lines: int
    sha256: str


def parser(description: str, address: str) -> ArgumentParser:
    """The command line that both examples have."""
    result = ArgumentParser(description=description, usage="%(prog)s [options] FILE OUTPUT [-- PMAPGCD OPTIONS]")
    result.add_argument("file", metavar="FILE", type=Path, help="rows; all workers must see it under this name")
    result.add_argument("output", metavar="OUTPUT", type=Path, help="results; appears whole or not at all")
    result.add_argument("--pmapgcd", default="pmapgcd", metavar="PATH", help="the program, on all workers")
    result.add_argument("--workers", type=int, default=2, metavar="N", help="how many to start, or to wait for [2]")
    result.add_argument("--ranges", type=int, default=32, metavar="N", help="into how many to split FILE [32]")
    result.add_argument(f"--{address}", dest="address", metavar="ADDRESS", help="a cluster that runs already")
    return result


def parse(parser: ArgumentParser) -> Namespace:
    """What the command line says; paths are those that any worker can use."""
    mine, theirs = sys.argv[1:], []
    if "--" in mine:
        mine, theirs = mine[: mine.index("--")], mine[mine.index("--") + 1 :]
    given = parser.parse_args(mine, Namespace(options=theirs))
    if any(option.startswith("--rejects") for option in theirs):
        parser.error("--rejects names one file, and each range would write it anew")
    given.file, given.output = given.file.absolute(), given.output.absolute()
    given.pmapgcd = os.path.abspath(shutil.which(given.pmapgcd) or given.pmapgcd)
    return given


def split(given: Namespace, folder: str) -> list[Range]:
    """The ranges of the file, in order."""
    command = [given.pmapgcd, *given.options, "--split", str(given.ranges), str(given.file)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise Failed(2, f"{given.pmapgcd}: {error.strerror}; say where it is with --pmapgcd") from error
    if done.returncode:
        raise Failed(done.returncode, done.stderr)
    lines = [line.split(",") for line in done.stdout.splitlines()]
    parts = (Path(folder, f"part-{number:05}") for number in range(len(lines)))
    return [Range(offset, length, first_line, part) for (offset, length, first_line), part in zip(lines, parts)]


def join(ranges: list[Range], folder: str, output: Path) -> Joined:
    """Makes the output of the parts: in a file beside them, which then takes the output's name."""
    whole = Path(folder, "whole")
    digest, lines = hashlib.sha256(), 0
    with whole.open("wb") as file:
        for one in ranges:
            with one.part.open("rb") as part:
                while piece := part.read(1 << 20):
                    digest.update(piece)
                    lines += piece.count(b"\n")
                    file.write(piece)
            one.part.unlink()
    whole.replace(output)
    return Joined(lines, digest.hexdigest())


class Clock:
    """What each step took."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        """Ends a step, and begins the next."""
        now = time.monotonic()
        self.steps.append(f"{name} {now - self.last:.2f} s")
        self.last = now


def report(joined: Joined, ranges: list[Range], given: Namespace, clock: Clock) -> None:
    """The line that tells how it went."""
    took = ", ".join(clock.steps)
    print(f"{joined.lines} lines, {len(ranges)} ranges, {given.workers} workers; {took}; sha256 {joined.sha256}")


def beside(output: Path) -> tempfile.TemporaryDirectory:
    """A folder for the parts, where the output will be: on the same file system, and where all workers see it."""
    # On a cluster that runs on, a worker may still be writing there when the run has failed.
    return tempfile.TemporaryDirectory(prefix=f"{output.name}.parts-", dir=output.parent, ignore_cleanup_errors=True)


class Process:
    """A program in a process group of its own, with all that it starts."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        # It is also to end if this script is killed and cannot end it.
        tied = ["setpriv", "--pdeathsig", "KILL", *command]
        with log.open("wb") as output:
            self.popen = subprocess.Popen(tied, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          start_new_session=True, env={**os.environ, **environment})
        self.pid = self.popen.pid

    def ended(self) -> bool:
        """Whether it has. It is left unreaped, so that its id stays its own until `kill_group`."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill_group(self) -> None:
        """Kills it and all that it has started, as when a machine is lost."""
        os.killpg(self.pid, signal.SIGKILL)

    def says(self, pattern: str) -> str:
        """Waits for a line of the log, and returns the group of the pattern."""
        give_up = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.log.read_text(errors="replace"))):
            if self.ended() or time.monotonic() > give_up:
                raise Failed(3, f"{self.log.name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return found[1]


class Processes:
    """A cluster's processes, their logs and what else they write. Nothing of it outlives the `with` block."""

    def __init__(self) -> None:
        self.started: list[Process] = []

    def __enter__(self) -> "Processes":
        self.scratch = tempfile.TemporaryDirectory(prefix="cluster-")
        return self

    def start(self, name: str, command: list[str], **environment: str) -> Process:
        """Starts a program that writes its log to a file of this name."""
        self.started.append(Process(command, Path(self.scratch.name, name), environment))
        return self.started[-1]

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave half of them
        for process in self.started:
            process.kill_group()
            process.popen.wait()
        self.scratch.cleanup()


def finish(run: Callable[[Namespace], int], given: Namespace) -> int:
    """Runs it and turns how it ends into an exit status: nothing but pmapgcd's own message for a bad row."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        return run(given)
    except Failed as failed:
        print(str(failed).rstrip("\n"), file=sys.stderr)
        return failed.status
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
