#!/usr/bin/env python3
"""Runs CPython's own tests of executors against `pmapgcd.Executor`, from the `test` package of the Python that runs this.

    python3 tests/executor/cpython.py [-v] [NAME...]

Nothing of them is copied: the classes that CPython runs with `ProcessPoolExecutor` are run with ours in its place. What is left out, and why, is
below. Where a test expects `BrokenProcessPool`, it gets the exception of the one call that is to blame: `WorkerDied` of a call that kills, and of
one that cannot be unpickled what was raised then.
If this Python has no such tests, another one is looked for: in PATH, and among those of pyenv. The status is 77 if there is none.
"""

import glob
import importlib
import multiprocessing
import os
import pickle
import pkgutil
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

import pmapgcd  # noqa: E402

# What is tested, by the names that CPython has for the classes.
CLASSES = ["ProcessPoolExecutorTest", "ProcessPoolShutdownTest", "WaitTests", "AsCompletedTests", "ExecutorDeadlockTest", "InitializerMixin"]

INSIDE = "looks at processes, threads or queues inside of ProcessPoolExecutor"
ITSELF = "makes a ProcessPoolExecutor by its name, whatever the class under test is"
LEFT_OUT = {
    "test_killed_child": "a pool is not broken when a worker is killed, and the call is done again: tests/executor/test_deaths.py",
    "test_traceback": "the cause is a class of ours, with the same text: tests/executor/test_calls.py",
    "test_python_finalization_error": "replaces the function that starts the second thread of a pool, and ours has one",
    "test_cancel_futures": "expects that a call begins before its worker has started: tests/executor/test_ends.py",
    "test_saturation": INSIDE,
    "test_idle_process_reuse_one": INSIDE,
    "test_idle_process_reuse_multiple": INSIDE,
    "test_max_tasks_per_child": INSIDE + ": tests/executor/test_calls.py",
    "test_max_tasks_per_child_defaults_to_spawn_context": INSIDE,
    "test_processes_terminate": INSIDE,
    "test_del_shutdown": INSIDE + ": tests/executor/test_ends.py",
    "test_shutdown_no_wait": INSIDE + ": tests/executor/test_ends.py",
    "test_interpreter_shutdown": ITSELF + ": tests/executor/test_ends.py",
    "test_submit_after_interpreter_shutdown": ITSELF + ": tests/executor/test_ends.py",
    "test_hang_gh83386": ITSELF + ": tests/executor/test_ends.py",
    "test_context_manager_shutdown": ITSELF,
    "test_shutdown_deadlock_pickle": INSIDE,
    "test_crash_big_data": INSIDE,
    "test_gh105829_should_not_deadlock_if_wakeup_pipe_full": INSIDE,
}


def modules():
    """Returns the modules with the tests."""
    try:
        main = importlib.import_module("test.test_concurrent_futures")
    except ImportError:
        return []
    if not hasattr(main, "__path__"):
        return [main]
    return [importlib.import_module(f"{main.__name__}.{one.name}") for one in pkgutil.iter_modules(main.__path__)]


class Ours:
    """Makes the executor under test, in place of CPython's own mixins."""

    executor_type = pmapgcd.Executor
    ctx = "spawn"

    def get_context(self):
        return multiprocessing.get_context(self.ctx)


def classes():
    found = modules()
    known = {name: value for module in found for name, value in vars(module).items()}
    for module in found:
        if hasattr(module, "BrokenProcessPool"):
            module.BrokenProcessPool = (pmapgcd.WorkerDied, pickle.UnpicklingError, SystemExit)
    for name in CLASSES:
        mixin = known.get(name)
        if mixin is None:
            continue
        bases = (Ours, mixin, known["BaseTestCase"])
        if not issubclass(mixin, known["ExecutorMixin"]):
            bases = (Ours, mixin, known["ExecutorMixin"], known["BaseTestCase"])
        yield type("Ours" + name, bases, {"__module__": mixin.__module__})


def numbers(path):
    return [int(one) for one in re.findall("[0-9]+", path)]


def another():
    """Runs this with another Python, which has the tests."""
    names = [f"python3.{minor}" for minor in range(15, 8, -1)]
    kept = os.path.join(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions", "3.*", "bin", "python3")
    for path in [*filter(None, map(shutil.which, names)), *sorted(glob.glob(kept), key=numbers, reverse=True)]:
        has = "import sys, test.test_concurrent_futures; assert sys.version_info >= (3, 9)"
        if path != sys.executable and subprocess.run([path, "-c", has], stderr=subprocess.DEVNULL).returncode == 0:
            return subprocess.run([path, "-W", "error", *sys.argv]).returncode
    print("skipped: no Python here has the test package with its tests of executors")
    return 77


def main():
    chosen = [one for one in sys.argv[1:] if not one.startswith("-")]
    suite, left_out = unittest.TestSuite(), []
    for of in classes():
        for name in unittest.defaultTestLoader.getTestCaseNames(of):
            if name in LEFT_OUT:
                left_out.append(name)
            elif not chosen or name in chosen:
                suite.addTest(of(name))
    if not suite.countTestCases():
        return another()
    print(f"Python {sys.version.split()[0]}")
    result = unittest.TextTestRunner(verbosity=2 if "-v" in sys.argv else 1).run(suite)
    for name in sorted(set(left_out)):
        print(f"left out: {name}: {LEFT_OUT[name]}")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
