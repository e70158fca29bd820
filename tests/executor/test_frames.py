"""Arrays of numpy, frames of pandas, arrays of Arrow: the items are what plain `map` gives, and their values are not pickled one by one."""

import importlib.util
import math
import operator
import sys
import unittest
from datetime import datetime

from pooled import Pooled

import work


def needs(name):
    is_there = importlib.util.find_spec(name) is not None
    if not is_there:
        print(f"skipped: Python has no {name}", file=sys.stdout, flush=True)
    return unittest.skipUnless(is_there, f"Python has no {name}")


class Frames(Pooled):
    def check(self, function, *columns):
        found, expected = list(self.pool.map(function, *columns)), list(map(function, *columns))
        self.assertEqual(list(map(repr, found)), list(map(repr, expected)))
        self.assertEqual(list(map(type, found)), list(map(type, expected)))

    @needs("numpy")
    def test_arrays_of_numpy(self):
        import numpy as np

        for name in ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64", "bool", "complex128"):
            for count in (0, 1, 5, 5000):
                values = (np.arange(count) % 100).astype(name)
                self.check(work.same, values)
                self.check(work.pair, values, range(count))
                self.check(work.same, values[::-2])
                self.check(work.same, list(values))
        self.check(work.same, np.array(["2026-01-01", "NaT"], dtype="datetime64[s]"))
        self.check(work.same, [np.datetime64("2026", "Y"), np.datetime64("2026-01", "M")] * 20)
        self.check(work.same, np.array(["a", "bcd"] * 3000))
        self.check(work.same, [np.str_("a\0"), np.str_("b")] * 10)
        self.check(work.same, np.array([1, None, "a"], dtype=object))
        self.check(work.same, np.zeros(300, dtype=[("a", "i4"), ("b", "f8")]))
        self.check(work.same, np.ma.array([1, 2, 3], mask=[0, 1, 0]))
        self.check(math.gcd, np.arange(1, 3000), np.arange(2, 3001))
        self.check(operator.mul, np.arange(9000), np.arange(9000) / 8)
        with self.assertRaises(TypeError):
            self.pool.map(abs, np.array(5))

    @needs("numpy")
    def test_rows_and_large_arrays(self):
        import numpy as np

        table = np.arange(40_000.0).reshape(-1, 8)
        for order in (table, table.T.copy().T):
            found = list(self.pool.map(np.cumsum, order))
            self.assertTrue(np.array_equal(np.array(found), np.cumsum(table, axis=1)))
            self.assertTrue(all(one.flags.writeable for one in found))
        large = np.random.default_rng(1).random((1000, 1000))
        result = self.pool.submit(np.transpose, large).result()
        self.assertTrue(np.array_equal(result, large.T))
        result[0, 0] = 5
        # What a function keeps stays what it was.
        kept = list(self.pool.map(work.keeps, [np.full(10_000, n) for n in range(20)]))
        self.assertTrue(all(one == sorted(set(one)) and one[-1] == n for n, one in enumerate(kept)), kept)

    @needs("numpy")
    def test_out_of_numpy(self):
        import numpy as np

        a, b = np.arange(1, 50_001), np.arange(50_001, 1, -1)
        out = np.zeros(50_000, dtype=np.int64)
        self.assertIs(self.pool.map(math.gcd, a, b, out=out), out)
        self.assertTrue(np.array_equal(out, np.gcd(a, b)))
        out = np.zeros(50_000)
        self.pool.map(math.sqrt, a, out=out)
        self.assertTrue(np.array_equal(out, np.sqrt(a)))
        out = np.zeros(50_000, dtype=bool)
        self.pool.map(operator.gt, a, b, out=out)
        self.assertTrue(np.array_equal(out, a > b))
        half = np.zeros((50_000, 2))
        with self.assertRaisesRegex(TypeError, "without gaps"):
            self.pool.map(math.sqrt, a, out=half[:, 0])

    @needs("pandas")
    def test_a_frame_goes_there_and_back(self):
        import numpy as np
        import pandas as pd

        frame = pd.DataFrame({"a": np.arange(1, 5001), "b": np.arange(5001, 1, -1), "x": np.arange(5000) / 3, "word": ["pear", "fig"] * 2500})
        frame["gcd"] = list(self.pool.map(math.gcd, frame["a"], frame["b"]))
        self.assertTrue((frame["gcd"] == np.gcd(frame["a"], frame["b"])).all())
        frame["root"] = self.pool.map(math.sqrt, frame["x"], out=np.zeros(5000))
        self.assertTrue(np.array_equal(frame["root"], np.sqrt(frame["x"])))
        frame["shout"] = list(self.pool.map(str.upper, frame["word"]))
        self.assertEqual(list(frame["shout"]), ["PEAR", "FIG"] * 2500)
        for name in ("a", "x", "word", "gcd"):
            self.check(work.same, frame[name])
        self.check(work.same, frame["a"] % 2 == 0)
        self.check(work.same, frame["x"].where(frame["a"] > 9))
        self.check(work.same, frame["a"].astype("Int64").where(frame["a"] > 9))
        self.check(work.same, frame["word"].astype("category"))
        self.check(work.same, pd.Series(pd.date_range("2026-01-01", periods=50)))
        self.check(work.same, frame["a"].iloc[::-3])
        self.check(work.same, list(frame.head(50).itertuples(index=False, name=None)))
        again = self.pool.submit(pd.DataFrame.sum, frame[["a", "x"]]).result()
        self.assertTrue(again.equals(frame[["a", "x"]].sum()))

    @needs("pyarrow")
    def test_arrays_of_arrow(self):
        import pyarrow as pa

        for values in ([1, None, 3] * 2000, [1.5, None], ["a", None, "é"] * 2000, [datetime(2026, 1, 1)], [[1], [2, 3]], []):
            self.check(work.same, pa.array(values))
            self.check(work.same, pa.chunked_array([pa.array(values), pa.array(values)]) if values else pa.array(values))


if __name__ == "__main__":
    unittest.main()
