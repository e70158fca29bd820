"""`map_csv`: the program over the rows of a file. It is the one in PATH here."""

import math
import os
import shutil
import sys
import tempfile
import unittest

import work

import pmapgcd

MODULE = """
from typing import NamedTuple
class Parts(NamedTuple):
    whole: int
    text: str
    is_large: bool
    share: float
def parts(a: int, b: float) -> Parts:
    return Parts(a, "say \\"%d\\", twice" % a, a > 1, b)
def quotient(a: int, b: int) -> float:
    return a / b
def text(a: int) -> str:
    return ["", None, "a\\nb", "é"][a]
def both(a, b):
    return a + b
"""


@unittest.skipUnless(shutil.which("pmapgcd"), "there is no program pmapgcd")
class Rows(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.module = self.write("rows_module.py", MODULE)
        sys.path.insert(0, self.folder.name)
        self.addCleanup(sys.path.remove, self.folder.name)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def map(self, text, *arguments, **keywords):
        return list(pmapgcd.map_csv(self.write("rows.csv", text), *arguments, **keywords))

    def test_results_are_typed(self):
        rows = "".join(f"{n},{n / 4}\n" for n in range(3000))
        expected = [(n, f'say "{n}", twice', n > 1, n / 4) for n in range(3000)]
        self.assertEqual(self.map(rows, self.module + ":parts", jobs=2), expected)
        self.assertEqual(self.map("1,4\n3,4\n", "rows_module:quotient"), [0.25, 0.75])
        self.assertEqual(self.map("0\n1\n2\n3\n", "rows_module:text"), ["", None, "a\nb", "é"])
        self.assertEqual(self.map("1,4\n3,4\n", "rows_module:both", types="int,int:int"), [5, 7])
        self.assertEqual(self.map("1,4\n3,4\n", "rows_module:both"), ["14", "34"])
        self.assertEqual(self.map("x" * 500_000 + "\n", str.upper, types="text:text"), ["X" * 500_000])

    def test_functions_are_found_by_name(self):
        self.assertEqual(self.map("12,18\n340282366920938463463374607431768211456,6\n", math.gcd, types="int,int:int"), [6, 2])
        self.assertEqual(self.map("ab\n", str.upper, types="text:text"), ["AB"])
        self.assertEqual(self.map("-5\n", abs, types="int:int"), [5])
        self.assertEqual(self.map("1,2\n", work.add, types="int,int:int"), [3])
        for wrong in (lambda a: a, "x".join, len.__call__):
            with self.assertRaisesRegex(TypeError, "map_csv needs a function"):
                self.map("1\n", wrong, types="text:text")
        with self.assertRaisesRegex(pmapgcd.MapError, "there is no function quotint in .*did you mean quotient"):
            self.map("1\n", "rows_module:quotint")

    def test_columns_are_chosen(self):
        rows = 'name,"a, b",c\nx,6,4\ny,7,7\n'
        self.assertEqual(self.map(rows, math.gcd, columns=["a, b", "c"], types="int,int:int"), [2, 7])
        self.assertEqual(self.map(rows, math.gcd, columns=[3, 2], types="int,int:int", options=["--header"]), [2, 7])
        self.assertEqual(self.map("6;4\n", math.gcd, types="int,int:int", options=["--delimiter", ";"]), [2])

    def test_bad_rows_stop_or_are_left_out_or_are_none(self):
        rows = "1,2\n1,0\n4,2\n"
        found = []
        with self.assertRaisesRegex(pmapgcd.MapError, "rows.csv:2: ZeroDivisionError: division by zero") as caught:
            for value in pmapgcd.map_csv(self.write("rows.csv", rows), "rows_module:quotient"):
                found.append(value)
        self.assertEqual((found, caught.exception.status), ([0.5], 1))
        said, sys.stderr = sys.stderr, open(os.path.join(self.folder.name, "said"), "w+")
        try:
            self.assertEqual(self.map(rows, "rows_module:quotient", bad_rows="skip"), [0.5, 2.0])
            self.assertEqual(self.map(rows, "rows_module:quotient", bad_rows="blank"), [0.5, None, 2.0])
            self.assertEqual(self.map("1,2\nx,3\n", "rows_module:parts", bad_rows="blank")[1:], [None])
            sys.stderr.seek(0)
            self.assertEqual(sys.stderr.read().count("division by zero"), 2)
        finally:
            sys.stderr.close()
            sys.stderr = said
        with self.assertRaises(ValueError):
            self.map(rows, "rows_module:quotient", bad_rows="ignore")
        with self.assertRaisesRegex(pmapgcd.MapError, "No such file") as caught:
            list(pmapgcd.map_csv("missing.csv", "rows_module:quotient"))
        self.assertEqual(caught.exception.status, 2)

    def test_wrong_arguments_are_told(self):
        for wrong in ({"columns": "width"}, {"options": "--header"}):
            with self.assertRaisesRegex(TypeError, "must be a list, as in"):
                self.map("1,2\n", math.gcd, types="int,int:int", **wrong)
        for wrong in ("foo", "int,int:foo", "foo,int:int", ":"):
            with self.assertRaisesRegex(pmapgcd.MapError, "types") as caught:
                self.map("1,2\n", math.gcd, types=wrong)
            self.assertEqual(caught.exception.status, 2)

    def test_nothing_is_left_if_reading_ends_early(self):
        path = self.write("rows.csv", "6,4\n" * 500_000)
        results = pmapgcd.map_csv(path, math.gcd, types="int,int:int")
        self.assertEqual(next(results), 2)
        results.close()
        self.assertEqual(work.children(), [])


if __name__ == "__main__":
    unittest.main()
