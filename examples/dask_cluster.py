#!/usr/bin/env python3
"""Runs pmapgcd on a Dask cluster: computes the ranges of a file, and joins the results to the bytes that one machine gives.

    pip install 'dask[distributed]'
    examples/dask_cluster.py small.csv gcds.txt                 starts a scheduler and two workers on this machine
    examples/dask_cluster.py small.csv gcds.txt --kill          the same, and kills one of the two during the run
    examples/dask_cluster.py small.csv gcds.txt --scheduler tcp://10.0.0.1:8786 --workers 40 --ranges 4000

`pmapgcd --split` cuts the file into ranges of whole rows. Each range is a task that runs `pmapgcd --range` on a worker that
Dask chooses, and writes a part beside the output. Only statuses and messages travel through Dask, never a row. Note that:

- Tasks are submitted a few at a time and waited for in order, so the message shown is that of the first bad row.
- When a worker is lost, Dask runs its tasks again elsewhere. A part may then be written twice. It appears whole each time
  (`-o`), so a worker that was only believed dead does no harm.
- A range whose pmapgcd is killed is tried again twice. A range with bad rows is not, since they would be bad again.
- Options of pmapgcd stand behind `--`. Files of code that they name (`--kernel ./lib.so`) are copied beside the parts for the workers.
"""

import os
import subprocess
import sys
from argparse import Namespace
from collections import deque
from pathlib import Path
from typing import Iterable, Iterator

import clusters
from clusters import Clock, Processes, Range
from dask.distributed import Client, Future

AHEAD = 4  # ranges submitted for each worker, so that none waits for this script
DASK = [sys.executable, "-m", "dask"]
LOOPBACK = ["--host", "127.0.0.1", "--no-dashboard"]


def compute(command: list[str], folder: str) -> tuple[int, str]:
    """Runs pmapgcd in this folder, on a worker that has none of these scripts. Raises an exception where Dask is to try again."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", cwd=folder)
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(f"status {done.returncode} of {command}: {done.stderr}")
    return done.returncode, done.stderr


def command(given: Namespace, one: Range) -> list[str]:
    """The command that computes a range."""
    place = ["--range", f"{one.offset},{one.length}", "--first-line", one.first_line]
    return [given.pmapgcd, *given.options, *place, "-o", str(one.part), str(given.file)]


def submitted(client: Client, commands: Iterable[list[str]], folder: Path, window: int) -> Iterator[Future]:
    """Submits the commands in order, at most `window` ahead of the one that is waited for, and yields their futures."""
    waiting: deque[Future] = deque()
    for each in commands:
        waiting.append(client.submit(compute, each, str(folder), pure=False, retries=2))
        if len(waiting) == window:
            yield waiting.popleft()
    yield from waiting


def result(future: Future, given: Namespace, copies: Path) -> tuple[int, str]:
    """What `compute` returned."""
    try:
        return future.result()
    except Exception as error:  # Dask has several exceptions for giving up
        raise clusters.failed(3, f"the cluster gave up: {type(error).__name__}: {error}", given, copies) from error


def start(processes: Processes, workers: int) -> str:
    """Starts a scheduler and workers, which talk over TCP as they would on several machines; returns the address."""
    # Without this time limit, tasks would wait for ever when no worker is left.
    scheduler = processes.start("scheduler", [*DASK, "scheduler", *LOOPBACK, "--port", "0"],
                                DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT="20s")
    address = scheduler.says(r"Scheduler at: +(\S+)")
    for number in range(workers):
        scratch = os.path.join(processes.scratch.name, f"worker-{number}.files")
        processes.start(f"worker-{number}", [*DASK, "worker", *LOOPBACK, "--nthreads", "1", "--no-nanny",
                                             "--death-timeout", "20", "--local-directory", scratch, address])
    return address


def kill_one(client: Client, processes: Processes) -> str:
    """Kills the worker with the most ranges to do; returns a line that says so."""
    tasks = client.processing()
    busiest = max(tasks, key=lambda worker: len(tasks[worker]))
    pid = client.run(os.getpid)[busiest]
    next(process for process in processes.started if process.pid == pid).kill_group()
    return f"killed worker {pid}, ranges it had to do: {len(tasks[busiest])}"


def compute_all(client: Client, given: Namespace, ranges: list[Range], copies: Path, processes: Processes) -> int:
    """Computes every range into its part; returns the exit status."""
    status = 0
    futures = submitted(client, (command(given, one) for one in ranges), copies, AHEAD * given.workers)
    for number, (one, future) in enumerate(zip(ranges, futures)):
        if given.kill and number == len(ranges) // 4:
            print(kill_one(client, processes), file=sys.stderr)
        answer, message = result(future, given, copies)
        # With `--bad-rows skip` a range with bad rows has status 1 and a part, and the run goes on.
        if answer and not one.part.exists():
            raise clusters.failed(answer, message, given, copies)
        status = max(status, answer)
        sys.stderr.write(message)
    return status


def run(given: Namespace) -> int:
    """Splits, computes and joins; returns the exit status."""
    clock = Clock()
    with clusters.beside(given.output) as folder:
        ranges = clusters.split(given, folder)
        copies = clusters.code(given, folder)
        clock.step("split")
        with Processes() as processes:
            address = given.address or start(processes, given.workers)
            with Client(address, timeout=clusters.PATIENCE) as client:
                client.wait_for_workers(given.workers, timeout=clusters.PATIENCE)
                clock.step("start")
                status = compute_all(client, given, ranges, copies, processes)
                clock.step("compute")
        clock.step("stop")
        joined = clusters.join(ranges, folder, given.output)
        clock.step("join")
    clusters.report(joined, ranges, given, clock)
    return status


def main() -> int:
    """Reads the command line and runs."""
    parser = clusters.parser("Run pmapgcd on a Dask cluster.", "scheduler")
    parser.add_argument("--kill", action="store_true", help="kill a worker during the run")
    given = clusters.parse(parser)
    if given.kill and (given.address or given.workers < 2):
        parser.error("--kill is for a cluster that is started here, with two workers or more")
    return clusters.finish(run, given)


if __name__ == "__main__":
    sys.exit(main())
