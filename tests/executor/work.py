"""Functions for workers, which import this module by its name. Where the package is taken from is decided here for all tests."""

import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

STATE = {"initialized": None}


def same(value):
    return value


def pair(a, b):
    return a, b


def add(a, b=0, *, c=0):
    return a + b + c


def fails_at(limit, value):
    if value == limit:
        raise ValueError(f"at {limit}")  # told in the traceback
    return value


def stops(value):
    raise StopIteration(value)  # told in the traceback


def slept(seconds):
    time.sleep(seconds)
    return seconds


def pid(*_):
    return os.getpid()


def initialize(value):
    STATE["initialized"] = value


def locks(*_):
    with STATE["initialized"]:
        return True


def initialized(*_):
    return STATE["initialized"]


def fail(*_):
    raise ValueError("the initializer's own")


def dies(how, fatal, value):
    """Ends the worker at one value."""
    if value == fatal:
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(60)
    return value


def dies_once(how, folder, value):
    """Ends the worker at each value when it comes for the first time."""
    try:
        os.close(os.open(os.path.join(folder, str(value)), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return value
    return dies(how, value, value)


def noted(folder, value):
    """Leaves a file for each call."""
    with open(os.path.join(folder, str(value)), "a") as file:
        file.write("x")
    return value


def closes_socket(value):
    """Closes all descriptors, and lives on."""
    os.closerange(3, 100)
    time.sleep(60)


def forks(path):
    """Leaves a process behind that has all descriptors of the worker, until there is no such file, and dies."""
    if os.fork() == 0:
        while os.path.exists(path):
            time.sleep(0.05)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGSEGV)


class Counter:
    """An object that is called, and changes with each call."""

    def __init__(self):
        self.count = 0

    def __call__(self, _):
        self.count += 1
        return self.count


class Odd(Exception):
    """An exception that can be pickled, and not be made again."""

    def __init__(self, first, second):
        super().__init__(first)


def raises_odd(value):
    raise Odd(value, 2)


class Unpicklable:
    def __reduce__(self):
        raise TypeError("it does not want to")


def unpicklable_at(limit, value):
    return Unpicklable() if value == limit else value


def explode():
    raise OSError("not here")


class Explosive:
    """Can be pickled, and not be made again."""

    def __reduce__(self):
        return explode, ()


def explosive_at(limit, value):
    return Explosive() if value == limit else [value]


def nested(values):
    import pmapgcd

    with pmapgcd.Executor(1) as pool:
        return list(pool.map(abs, values))


def children(of=None):
    """Returns the processes whose parent is this one."""
    of = os.getpid() if of is None else of
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == of and fields[0] != "Z":
                found.append(int(name))
    return found


def gone(pids, seconds=200.0):
    """Waits until these processes have ended. Returns those that have not."""
    end = time.monotonic() + seconds
    while True:
        left = []
        for one in pids:
            try:
                with open(f"/proc/{one}/stat") as file:
                    if file.read().rpartition(")")[2].split()[0] != "Z":
                        left.append(one)
            except OSError:
                pass
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def threads():
    return [one for one in threading.enumerate() if one.name == "pmapgcd"]


def limit_memory(most):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def zeros(count):
    return len(bytearray(count))


def spins(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


KEPT = []


def keeps(array):
    """Keeps what it is given, and returns the first values of all that it has kept."""
    KEPT.append(array)
    return [int(one[0]) for one in KEPT]
