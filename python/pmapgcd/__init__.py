"""Maps functions over rows in parallel, through memory that processes share.

`Executor` stands in for `concurrent.futures.ProcessPoolExecutor`, and `map_csv` maps over the rows of a file with the program `pmapgcd`.
docs/python.md of the project describes both.
"""

from ._csv import MapError, map_csv
from ._executor import Executor
from ._jobs import WorkerDied

__all__ = ["Executor", "MapError", "WorkerDied", "map_csv"]
