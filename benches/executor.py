"""Measures `pmapgcd.Executor` against plain `map` and `ProcessPoolExecutor`, with two workers, and checks all results.

    benches/python executor            10^7 pairs, ProcessPoolExecutor's default on 10^5, 3 runs
    benches/python executor --quick    20 000 pairs, 1 run: checks that everything works and that the results are right

Prints a table in Markdown: nanoseconds an item, by the clock and of all processors, and the target. Runs are in turn, and the median counts. Pools
have started before, which is measured by itself: a fresh interpreter that imports the pool, maps two items, and ends. numpy is measured where
this Python has it. The status is 1 if a result is wrong; a figure that misses its target is marked.
"""

import argparse
import math
import os
import random
import statistics
import subprocess
import sys
import time
from array import array
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "python"
sys.path.insert(0, str(PACKAGE))

from pmapgcd import Executor  # noqa: E402

NUMBERS = [(1963309, 2265973), (2030677, 3814172), (1551645, 2229620), (2039045, 2020802)]


def trial(pair):
    a, b = pair
    low = min(a, b)
    for i in range(low, 0, -1):
        if a % i == 0 and b % i == 0:
            return i


def used():
    """Returns the seconds of processor time of this process and its children."""
    total = time.process_time()
    for task in os.listdir("/proc/self/task"):
        for pid in Path(f"/proc/self/task/{task}/children").read_text().split():
            try:
                total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
            except (OSError, IndexError):
                pass
    return total


def timed(run):
    cpu, start = used(), time.perf_counter()
    results = run()
    return time.perf_counter() - start, used() - cpu, results


def starts(line, runs):
    """Returns the seconds from the start of an interpreter to its end, with a map of two items between."""
    text = f"{line}\nimport math\nif __name__ == '__main__':\n with E(2) as pool: assert list(pool.map(math.gcd, [4, 6], [2, 3])) == [2, 3]\n"
    walls = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True, env={**os.environ, "PYTHONPATH": str(PACKAGE)})
        walls.append(time.perf_counter() - start)
    return statistics.median(walls)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    rows, runs = (20_000, 1) if given.quick else (given.rows, given.runs)
    single = min(rows, 2000 if given.quick else 100_000)
    randoms = random.Random(41)
    a, b = ([randoms.randrange(1, 4_000_000) for _ in range(rows)] for _ in "ab")
    expected = array("q", map(math.gcd, a, b))
    are_good = True
    ours, theirs = Executor(2), ProcessPoolExecutor(2)
    for pool in (ours, theirs):
        list(pool.map(trial, [(9, 9)] * 8))

    # Name, rows, and what is run.
    measures = [
        ("plain `map`", rows, lambda: list(map(math.gcd, a, b))),
        ("`ProcessPoolExecutor`, chunk size 1", single, lambda: list(theirs.map(math.gcd, a[:single], b[:single]))),
        ("the same at 1024", rows, lambda: list(theirs.map(math.gcd, a, b, chunksize=1024))),
        ("the same at 8192", rows, lambda: list(theirs.map(math.gcd, a, b, chunksize=8192))),
        ("`Executor.map` on lists", rows, lambda: list(ours.map(math.gcd, a, b))),
        ("`Executor.map` on `array`, with `out=`", rows, lambda: ours.map(math.gcd, x, y, out=z)),
    ]
    x, y, z = array("q", a), array("q", b), array("q", bytes(8 * rows))
    try:
        import numpy

        n, m, o = (numpy.array(one) for one in (x, y, z))
        measures += [
            ("`ProcessPoolExecutor` on numpy arrays, at 1024", rows, lambda: list(theirs.map(math.gcd, n, m, chunksize=1024))),
            ("`Executor.map` on numpy arrays, with `out=`", rows, lambda: ours.map(math.gcd, n, m, out=o)),
        ]
    except ImportError:
        print("numpy is missing: its arrays are left out", file=sys.stderr)
    walls, cpus = {}, {}
    for _ in range(runs):
        for name, count, run in measures:
            wall, cpu, results = timed(run)
            walls.setdefault(name, []).append(wall / count * 1e9)
            cpus.setdefault(name, []).append(cpu / count * 1e9)
            if array("q", results) != expected[:count]:
                print(f"{name}: the results differ", file=sys.stderr)
                are_good = False
            del results
    pairs = {"`ProcessPoolExecutor`": theirs, "`Executor`": ours}
    fours = {name: [] for name in pairs}
    for _ in range(2 if given.quick else 15):
        for name, pool in pairs.items():
            wall, _, results = timed(lambda pool=pool: list(pool.map(trial, NUMBERS)))
            fours[name].append(wall)
            are_good &= results == [1, 1, 5, 1]
    ours.shutdown()
    theirs.shutdown()
    nanos = {name: statistics.median(values) for name, values in walls.items()}
    print("| measure | ns an item | of processors | spread |")
    print("|---|---|---|---|")
    for name, values in walls.items():
        print(f"| {name} | {nanos[name]:.1f} | {statistics.median(cpus[name]):.1f} | {(max(values) - min(values)) / nanos[name]:.0%} |")
    lists, at = "`Executor.map` on lists", "the same at "
    best = min((at + "1024", at + "8192"), key=nanos.get)
    ratios = [
        ("lists: times as fast as `ProcessPoolExecutor` at 1024", nanos[at + "1024"] / nanos[lists], 3),
        ("lists: times as fast as at its best chunk size", nanos[best] / nanos[lists], 1.8),
        ("lists: times as fast as its default", nanos["`ProcessPoolExecutor`, chunk size 1"] / nanos[lists], 400),
        ("lists: the time of plain `map` over ours", nanos["plain `map`"] / nanos[lists], 1 / 1.5),
    ]
    if "`Executor.map` on numpy arrays, with `out=`" in nanos:
        ratio = nanos["`ProcessPoolExecutor` on numpy arrays, at 1024"] / nanos["`Executor.map` on numpy arrays, with `out=`"]
        ratios.append(("numpy: times as fast as `ProcessPoolExecutor` at 1024", ratio, 5))
    # Of neighbours, because the machine is faster at one time than at another.
    ratio = statistics.median(other / mine for mine, other in zip(fours["`Executor`"], fours["`ProcessPoolExecutor`"]))
    ratios.append((f"Item 41's four pairs ({statistics.median(fours['`Executor`']):.3f} s): `ProcessPoolExecutor`'s time over ours", ratio, 0.98))
    count = 2 if given.quick else 15
    mine, other = starts("from pmapgcd import Executor as E", count), starts("from concurrent.futures import ProcessPoolExecutor as E", count)
    ratios.append((f"start and end ({mine * 1000:.0f} ms): `ProcessPoolExecutor`'s time over ours", other / mine, 1))
    print("\n| ratio | | target |")
    print("|---|---|---|")
    for name, ratio, target in ratios:
        mark = "" if ratio >= target or given.quick else " **missed**"
        print(f"| {name} | {ratio:.2f} | {target:.2f}{mark} |")
    sys.exit(0 if are_good else 1)


if __name__ == "__main__":
    main()
