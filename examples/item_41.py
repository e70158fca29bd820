"""Item 41 of *Effective Python*, with the book's numbers and its trial division: the page's own four ways, and one more changed line.

    pip install .
    python3 examples/item_41.py

Beside each time is that of the page, from the first edition. Only the executor's name changes between the last three runs.
"""

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from pmapgcd import Executor  # the one more line


def gcd(pair):
    a, b = pair
    low = min(a, b)
    for i in range(low, 0, -1):
        if a % i == 0 and b % i == 0:
            return i


numbers = [(1963309, 2265973), (2030677, 3814172), (1551645, 2229620), (2039045, 2020802)]


def took(name, page, run):
    start = time.time()
    results = run()
    print(f"{name:20} Took {time.time() - start:.3f} seconds (the page: {page})", flush=True)
    assert results == [1, 1, 5, 1]


def pooled(executor):
    def run():
        pool = executor(max_workers=2)
        return list(pool.map(gcd, numbers))

    return run


if __name__ == "__main__":
    took("map", "1.170", lambda: list(map(gcd, numbers)))
    took("ThreadPoolExecutor", "1.199", pooled(ThreadPoolExecutor))
    took("ProcessPoolExecutor", "0.663", pooled(ProcessPoolExecutor))
    took("Executor", "has none", pooled(Executor))
