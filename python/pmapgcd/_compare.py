"""One run of `pmapgcd --compare --python`: maps rows in one of the ways that Python itself has, and says as JSON what that took.

The program `pmapgcd` carries this file. It writes it beside `_worker.py`, and starts it with the settings as JSON in its first argument.
"""

import csv
import json
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import _worker as worker

CONVERSIONS = {"text": str, "bool": lambda text: text.strip().lower() in ("1", "true")}
CONVERSIONS.update(dict.fromkeys(("i32", "i64", "u32", "u64", "int"), int))
CONVERSIONS.update(dict.fromkeys(("f32", "f64"), float))


def columns_of(settings, types):
    """Returns the columns that the function takes, from the rows in a file."""
    with open(settings["rows"], newline="") as file:
        how = {"quotechar": settings["quote"]} if settings["quote"] else {"quoting": csv.QUOTE_NONE}
        rows = [row for row in csv.reader(file, delimiter=settings["delimiter"], **how) if row]
    header = [name.strip() for name in rows.pop(0)] if settings["header"] else None
    chosen = settings["columns"]
    if chosen is not None:
        chosen = [header.index(one) if isinstance(one, str) else one for one in chosen]
        rows = [[row[at] for at in chosen] for row in rows]
    kinds = [of for of in types if of != "..."]
    kinds += kinds[-1:] * (len(rows[0]) - len(kinds))
    columns = []
    for texts, kind in zip(zip(*rows), kinds):
        convert = CONVERSIONS[kind.partition("/")[0]]
        columns.append([None if kind.endswith("/na") and not text.strip() else convert(text) for text in texts])
    return columns


def repeated(columns, count):
    """Returns `count` rows: the first ones, from the start again if there are fewer."""
    times = -(-count // len(columns[0]))
    return [(column * times)[:count] for column in columns]


def pool(settings):
    if settings["way"] == "threads":
        return ThreadPoolExecutor(settings["jobs"])
    return ProcessPoolExecutor(settings["jobs"])


def run(settings, function, columns):
    """Maps all rows. Returns the seconds of the map and of the processors, and the results."""
    way, jobs = settings["way"], settings["jobs"]
    if way == "loop":
        start, used = time.perf_counter(), os.times()
        results = list(map(function, *columns))
        wall, now = time.perf_counter() - start, os.times()
        return wall, sum(now[:4]) - sum(used[:4]), results
    used = os.times()
    with pool(settings) as executor:
        # The start of the processes is not part of the map.
        list(executor.map(abs, range(4 * jobs)))
        start = time.perf_counter()
        results = list(executor.map(function, *columns, chunksize=settings["chunk"]))
        wall = time.perf_counter() - start
    # The children have ended, so that their times count.
    return wall, sum(os.times()[:4]) - sum(used[:4]), results


def slowed(function, seconds, *row):
    end = time.perf_counter() + seconds
    result = function(*row)
    while time.perf_counter() < end:
        pass
    return result


def crash(settings, function, columns):
    """Maps rows that take long, and has one process killed in the middle. Says how many results there were."""
    seconds, jobs, count = 1.0, settings["jobs"], len(columns[0])
    slow = partial(slowed, function, seconds * (jobs if settings["way"] == "processes" else 1) / count)
    written = 0

    def kill(pid):
        time.sleep(seconds / 2)
        os.kill(pid(), signal.SIGKILL)

    def told(outcome):
        return {"outcome": outcome, "written": written, "rows": count}

    if settings["way"] != "processes":
        # A process that is killed can say nothing: its results so far are those of which it was told.
        pid = os.getpid
        threading.Thread(target=kill, args=(pid,), daemon=True).start()
        if settings["way"] == "loop":
            for _ in map(slow, *columns):
                written += 1
        else:
            with pool(settings) as executor:
                for _ in executor.map(slow, *columns):
                    written += 1
        return told("over too soon")
    threading.excepthook = lambda failure: None
    try:
        with pool(settings) as executor:
            list(executor.map(abs, range(4 * jobs)))
            pid = lambda: next(iter(executor._processes))
            threading.Thread(target=kill, args=(pid,), daemon=True).start()
            for _ in executor.map(slow, *columns, chunksize=max(1, min(settings["chunk"], count // (4 * jobs)))):
                written += 1
    except Exception as error:
        return told(type(error).__name__)
    finally:
        # Where the pool's own thread marks a future as broken while the map cancels it, the thread fails, and leaves processes
        # behind for which the end of this one would wait for ever (seen in Python 3.11).
        for child in multiprocessing.active_children():
            child.kill()
    return told("over too soon")


def steps(settings, function, columns):
    """Returns what each of the ten steps takes for a row of a chunk, in nanoseconds; none for what cannot be told by itself."""
    from concurrent.futures.process import _CallItem, _process_chunk, _ResultItem

    chunk, rows = settings["chunk"], min(len(columns[0]), max(20 * settings["chunk"], 2000))
    sums = [[] for _ in range(10)]
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            one.setsockopt(socket.SOL_SOCKET, size, 1 << 20)

    def copied(data):
        for at in range(0, len(data), 1 << 14):
            piece = data[at : at + (1 << 14)]
            ours.sendall(piece)
            theirs.recv(len(piece), socket.MSG_WAITALL)
        return data

    clock, merged = time.thread_time_ns, []
    for start in range(0, rows, chunk):
        laps = [clock()]

        def lap(value):
            laps.append(clock())
            return value

        items = lap(tuple(zip(*[column[start : start + chunk] for column in columns])))
        call = _CallItem(start, _process_chunk, (function, items), {})
        data = copied(lap(pickle.dumps(call)))
        lap(None)
        found = lap(pickle.loads(data))
        results = lap(found.fn(*found.args))
        data = lap(pickle.dumps(_ResultItem(start, result=results)))
        copied(data)
        lap(None)
        results = lap(pickle.loads(data)).result
        merged.extend(results)
        lap(None)
        took = [after - before for before, after in zip(laps, laps[1:])]
        for at, nanos in zip((0, 1, 2, 3, 5, 6, 7, 8, 9), took):
            sums[at].append(nanos / len(items))
    # The process is not alone on the machine: the median of all chunks counts.
    return [sorted(each)[len(each) // 2] if each else None for each in sums]


def main():
    settings = json.loads(sys.argv[1])
    getattr(sys, "set_int_max_str_digits", lambda most: None)(0)
    standard_output, sys.stdout = sys.stdout, sys.stderr
    function, _, _ = worker.load(settings["target"])
    columns = columns_of(settings, settings["types"].partition(":")[0].split(","))
    try:
        pickle.dumps(function)
    except Exception as error:
        what = "it cannot be pickled, so process pools cannot be compared with: %s" % worker.named(error)
        json.dump({"refused": what}, standard_output)
        return
    if settings["task"] == "calibrate":
        start, count = time.perf_counter(), 0
        for row in zip(*columns):
            function(*row)
            count += 1
            if count % 16 == 0 and time.perf_counter() - start > 0.2:
                break
        answer = {"nanos": (time.perf_counter() - start) / count * 1e9}
    else:
        columns = repeated(columns, settings["count"])
        if settings["task"] == "crash":
            answer = crash(settings, function, columns)
        elif settings["task"] == "steps":
            answer = {"steps": steps(settings, function, columns)}
        else:
            wall, cpu, results = run(settings, function, columns)
            assert len(results) == settings["count"]
            answer = {"wall": wall, "cpu": cpu}
    json.dump(answer, standard_output)


if __name__ == "__main__":
    main()
