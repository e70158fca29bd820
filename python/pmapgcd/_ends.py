"""What becomes of pools when the program ends, and in a process that is forked."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._executor import Executor
    from ._pool import Pool

# Those that have a thread.
POOLS: set[Pool] = set()
EXECUTORS: weakref.WeakSet[Executor] = weakref.WeakSet()
is_exiting = False


def at_exit() -> None:
    """Does what is left to do, as `ProcessPoolExecutor` does; or nothing, if it is a KeyboardInterrupt that ends the program."""
    global is_exiting
    is_exiting = True
    is_interrupted = issubclass(getattr(sys, "last_type", None) or Exception, KeyboardInterrupt)
    for executor in list(EXECUTORS):
        if executor._pool.pid == os.getpid():
            if is_interrupted:
                executor._kill()
            executor.shutdown(wait=True)
    # Those whose executor was collected before.
    for pool in list(POOLS):
        if pool.pid == os.getpid():
            pool.join()


def at_fork() -> None:
    """Leaves the pools to the parent."""
    while POOLS:
        POOLS.pop().forget()


atexit.register(at_exit)
os.register_at_fork(after_in_child=at_fork)
