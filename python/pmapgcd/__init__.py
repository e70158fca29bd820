"""Maps functions over rows in parallel, through memory that processes share: `Executor` in place of `concurrent.futures.ProcessPoolExecutor`.

docs/python.md of the project describes it.
"""

from ._executor import Executor
from ._jobs import WorkerDied

__all__ = ["Executor", "WorkerDied"]
