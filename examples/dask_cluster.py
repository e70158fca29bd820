#!/usr/bin/env python3
"""Runs pmapgcd on a Dask cluster: ranges of a file in, parts out, and the same bytes as one machine gives.

    pip install 'dask[distributed]'
    examples/dask_cluster.py small.csv gcds.txt                 starts a scheduler and two workers on this machine
    examples/dask_cluster.py small.csv gcds.txt --kill          and kills one of the two in mid-run
    examples/dask_cluster.py small.csv gcds.txt --scheduler tcp://10.0.0.1:8786 --workers 40 --ranges 4000

`pmapgcd --split` cuts the file into ranges of whole rows. Each is a task that runs `pmapgcd --range` on whatever worker
Dask chooses, and writes a part beside the output. Only a status travels through Dask, never a row. What this shows:

- Tasks are submitted a few ahead, not all at once, and are waited for in order: the message is that of the first bad row.
- A worker that is lost takes its tasks with it; Dask runs them again elsewhere. A part is written twice then, and appears
  whole each time (`-o`), so that even a worker that was only believed dead does no harm.
- A range whose pmapgcd is killed is tried again twice. One that has bad rows is not: they do not get better.
"""

import os
import subprocess
import sys
from argparse import Namespace
from collections import deque
from typing import Iterable, Iterator

import clusters
from clusters import Clock, Failed, Processes, Range
from dask.distributed import Client, Future

AHEAD = 4  # ranges submitted for each worker, so that none waits for this script
DASK = [sys.executable, "-m", "dask"]
LOOPBACK = ["--host", "127.0.0.1", "--no-dashboard"]


def compute(command: list[str]) -> tuple[int, str]:
    """Runs on a worker, which needs none of these files. An exception is what Dask is to try again."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(f"status {done.returncode} of {command}: {done.stderr}")
    return done.returncode, done.stderr


def command(given: Namespace, one: Range) -> list[str]:
    """What to run for a range."""
    place = ["--range", f"{one.offset},{one.length}", "--first-line", one.first_line]
    return [given.pmapgcd, *given.options, *place, "-o", str(one.part), str(given.file)]


def submitted(client: Client, commands: Iterable[list[str]], window: int) -> Iterator[Future]:
    """The commands on their way, in order, with at most so many on the cluster."""
    waiting: deque[Future] = deque()
    for each in commands:
        waiting.append(client.submit(compute, each, pure=False, retries=2))
        if len(waiting) == window:
            yield waiting.popleft()
    yield from waiting


def result(future: Future) -> tuple[int, str]:
    """What `compute` returned."""
    try:
        return future.result()
    except Exception as error:  # whatever Dask has to say when it gives up
        raise Failed(3, f"the cluster gave up: {type(error).__name__}: {error}") from error


def start(processes: Processes, workers: int) -> str:
    """A scheduler and workers that talk over TCP, as they would on machines of their own."""
    # Without the time limit, tasks wait for ever when no worker is left.
    scheduler = processes.start("scheduler", [*DASK, "scheduler", *LOOPBACK, "--port", "0"],
                                DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT="20s")
    address = scheduler.says(r"Scheduler at: +(\S+)")
    for number in range(workers):
        scratch = os.path.join(processes.scratch.name, f"worker-{number}.files")
        processes.start(f"worker-{number}", [*DASK, "worker", *LOOPBACK, "--nthreads", "1", "--no-nanny",
                                             "--death-timeout", "20", "--local-directory", scratch, address])
    return address


def kill_one(client: Client, processes: Processes) -> str:
    """Kills a worker that has ranges to do."""
    tasks = client.processing()
    busiest = max(tasks, key=lambda worker: len(tasks[worker]))
    pid = client.run(os.getpid)[busiest]
    next(process for process in processes.started if process.pid == pid).kill_group()
    return f"killed worker {pid}, ranges it had to do: {len(tasks[busiest])}"


def compute_all(client: Client, given: Namespace, ranges: list[Range], processes: Processes) -> int:
    """Every range to its part, in a window that slides; returns the exit status."""
    status = 0
    futures = submitted(client, (command(given, one) for one in ranges), AHEAD * given.workers)
    for number, (one, future) in enumerate(zip(ranges, futures)):
        if given.kill and number == len(ranges) // 4:
            print(kill_one(client, processes), file=sys.stderr)
        answer, message = result(future)
        # With `--bad-rows skip` there are results beside the message, and the run goes on.
        if answer and not one.part.exists():
            raise Failed(answer, message)
        status = max(status, answer)
        sys.stderr.write(message)
    return status


def run(given: Namespace) -> int:
    """Splits, computes and joins; returns the exit status."""
    clock = Clock()
    with clusters.beside(given.output) as folder:
        ranges = clusters.split(given, folder)
        clock.step("split")
        with Processes() as processes:
            address = given.address or start(processes, given.workers)
            with Client(address, timeout=clusters.PATIENCE) as client:
                client.wait_for_workers(given.workers, timeout=clusters.PATIENCE)
                clock.step("start")
                status = compute_all(client, given, ranges, processes)
                clock.step("compute")
        clock.step("stop")
        joined = clusters.join(ranges, folder, given.output)
        clock.step("join")
    clusters.report(joined, ranges, given, clock)
    return status


def main() -> int:
    """The command line, and the run."""
    parser = clusters.parser("Run pmapgcd on a Dask cluster.", "scheduler")
    parser.add_argument("--kill", action="store_true", help="kill a worker in mid-run")
    given = clusters.parse(parser)
    if given.kill and (given.address or given.workers < 2):
        parser.error("--kill is for a cluster that is started here, with two workers or more")
    return clusters.finish(run, given)


if __name__ == "__main__":
    sys.exit(main())
