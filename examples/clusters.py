"""Code that dask_cluster.py and spark_pipe.py share: the command line, ranges of a file, their results (*parts*), and the
processes of a cluster on this machine."""

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
NAME = re.compile(r"[^\s'\"=:;|&<>()]+")  # what may be the name of a file in an option, as in ./lib.so:function and 'python3 score.py'


class Failed(Exception):
    """Ends the run with a message and an exit status, which means what pmapgcd's statuses mean."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Range(NamedTuple):
    """A range of whole rows, as `pmapgcd --split` prints it, and the file for its results."""

    offset: str
    length: str
    first_line: str
    part: Path


class Joined(NamedTuple):
    """The number of lines and the SHA-256 of the output."""

    lines: int
    sha256: str


def parser(description: str, address: str) -> ArgumentParser:
    """The options that both examples have."""
    result = ArgumentParser(description=description, usage="%(prog)s [options] FILE OUTPUT [-- PMAPGCD OPTIONS]")
    result.add_argument("file", metavar="FILE", type=Path, help="the rows; all workers must see it under this name")
    result.add_argument("output", metavar="OUTPUT", type=Path, help="the results; appears whole or not at all")
    result.add_argument("--pmapgcd", default="pmapgcd", metavar="PATH", help="path of pmapgcd, the same on all workers")
    result.add_argument("--workers", type=int, default=2, metavar="N", help="how many workers to start, or to wait for [2]")
    result.add_argument("--ranges", type=int, default=32, metavar="N", help="into how many ranges to split FILE [32]")
    result.add_argument("--code", type=Path, action="append", default=[], metavar="PATH",
                        help="a file or folder that the function needs; those that PMAPGCD OPTIONS name are found without this")
    result.add_argument(f"--{address}", dest="address", metavar="ADDRESS", help="use the cluster at this address, and start none")
    return result


def parse(parser: ArgumentParser) -> Namespace:
    """Parses the command line. Paths are made absolute, so that workers can use them."""
    mine, theirs = sys.argv[1:], []
    if "--" in mine:
        mine, theirs = mine[: mine.index("--")], mine[mine.index("--") + 1 :]
    given = parser.parse_args(mine, Namespace(options=theirs))
    for option in theirs:
        if option.startswith("--rejects"):
            parser.error("--rejects names one file, and each range would write it anew")
        if option.startswith(("-o", "--output")):
            parser.error(f"{option}: the results go to OUTPUT")
    given.file, given.output = given.file.absolute(), given.output.absolute()
    given.pmapgcd = os.path.abspath(shutil.which(given.pmapgcd) or given.pmapgcd)
    return given


def code(given: Namespace, folder: str) -> Path:
    """Copies the files of code that the options name beside the parts, where all workers see them, under the same names.

    Returns the folder of the copies: pmapgcd is to run there, so that `--kernel ./lib.so` and `--command 'python3 score.py'` mean on
    every worker what they mean here.
    """
    copies = Path(folder, "code")
    copies.mkdir()
    words = (Path(word) for option in given.options for word in NAME.findall(option))
    named = [path for path in words if not path.is_absolute() and path.is_file() and not path.samefile(given.file)]
    for path in dict.fromkeys([*given.code, *named]):
        copy = copies / path
        if path.is_absolute() or ".." in path.parts:
            raise Failed(2, f"{path}: name code from the current folder down, so that it has the same name on the workers")
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copytree(path, copy, dirs_exist_ok=True) if path.is_dir() else shutil.copy2(path, copy)
        except OSError as error:
            raise Failed(2, f"{path}: {error.strerror}; workers cannot have it") from error
    return copies


def failed(status: int, message: str, given: Namespace, copies: Path) -> Failed:
    """The end of the run, by a range with this status. If code may have been missing, the message says which code workers have."""
    if any(option.startswith(("-c", "--command", "--kernel", "--python")) for option in given.options):
        files = sorted(str(path.relative_to(copies)) for path in copies.rglob("*") if path.is_file())
        message = f"{message.rstrip()}\n(files of code that workers have: {', '.join(files) or 'none'}; others are named with --code)"
    return Failed(status, message)


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
    """Joins the parts in a file beside them, and then renames that file to the output."""
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
    """Measures how long each step takes."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        """Ends the step of this name, and begins the next."""
        now = time.monotonic()
        self.steps.append(f"{name} {now - self.last:.2f} s")
        self.last = now


def report(joined: Joined, ranges: list[Range], given: Namespace, clock: Clock) -> None:
    """Prints a line about the run."""
    took = ", ".join(clock.steps)
    print(f"{joined.lines} lines, {len(ranges)} ranges, {given.workers} workers; {took}; sha256 {joined.sha256}")


def beside(output: Path) -> tempfile.TemporaryDirectory:
    """A folder for the parts beside the output, so that it is on the same file system and all workers see it."""
    # If the run has failed and the cluster goes on, a worker may still be writing there: then the folder may stay.
    return tempfile.TemporaryDirectory(prefix=f"{output.name}.parts-", dir=output.parent, ignore_cleanup_errors=True)


class Process:
    """A program, in a process group of its own together with all processes that it starts."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        # The kernel kills the program if this script is killed and cannot do so itself.
        tied = ["setpriv", "--pdeathsig", "KILL", *command]
        with log.open("wb") as output:
            self.popen = subprocess.Popen(tied, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          start_new_session=True, env={**os.environ, **environment})
        self.pid = self.popen.pid

    def ended(self) -> bool:
        """Whether the program has ended. Does not reap it, so that its process id is not reused before `kill_group`."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill_group(self) -> None:
        """Kills the program and all that it has started, as when a machine is lost."""
        os.killpg(self.pid, signal.SIGKILL)

    def says(self, pattern: str) -> str:
        """Waits until the log matches the pattern, and returns the pattern's group."""
        give_up = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.log.read_text(errors="replace"))):
            if self.ended() or time.monotonic() > give_up:
                raise Failed(3, f"{self.log.name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return found[1]


class Processes:
    """The processes of a cluster, with their logs and scratch files. All of this is gone after the `with` block."""

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
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt this
        for process in self.started:
            process.kill_group()
            process.popen.wait()
        self.scratch.cleanup()


def finish(run: Callable[[Namespace], int], given: Namespace) -> int:
    """Runs the example and returns its exit status. For a bad row it prints pmapgcd's own message and nothing else."""
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
