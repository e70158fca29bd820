"""Results are those of plain `map`: the same values, of the same types."""

import itertools
import math
import os
import random
import struct
import unittest
from array import array
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

from pooled import Pooled

import work


class Colour(IntEnum):
    RED = 1


class Whole(int):
    pass


def exact(value):
    """Returns something that is equal for values that are the same: of the same type, with the same bits."""
    if isinstance(value, (tuple, list)):
        return type(value), [exact(one) for one in value]
    if type(value) is float:
        return float, struct.pack("d", value)
    return type(value), hex(value) if isinstance(value, int) else repr(value)


NUMBERS = [0, 1, -1, 2**31, -(2**31), 2**63 - 1, -(2**63), 255, 4_000_000]
LARGE = [2**63, -(2**63) - 1, 2**64, 10**30, -(10**5000)]
FLOATS = [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, struct.unpack("d", b"\x01\0\0\0\0\0\xf8\xff")[0]]
TEXTS = ["", "a", "\0", "é\U0001f600", "a\nb", "\ud800", "\x1f\x1e", "x" * 5000]
OTHERS = [None, True, False, b"bytes", (1, "a"), [1.0], {"k": 2}, Decimal("1.10"), Fraction(1, 3), 1j, Colour.RED, Whole(7), range(3), frozenset([1])]
KINDS = [NUMBERS, NUMBERS + LARGE, FLOATS, TEXTS[:5], TEXTS, [True, False], [None], OTHERS]
KINDS += [NUMBERS + FLOATS, NUMBERS + [True], NUMBERS + FLOATS + OTHERS]


class Values(Pooled):
    def check(self, function, *columns):
        found = [exact(one) for one in self.pool.map(function, *columns)]
        expected = [exact(one) for one in map(function, *columns)]
        if found != expected:
            at = next((at for at, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
            self.fail(f"{function}: {len(found)} and {len(expected)} results, which differ at {at}: {found[at : at + 1]} {expected[at : at + 1]}")

    def test_any_values_come_back_as_they_are(self):
        randoms = random.Random(22)
        for kind in KINDS:
            for count in (1, 7, 3000):
                values = [randoms.choice(kind) for _ in range(count)]
                self.check(work.same, values)
                self.check(work.pair, values, [randoms.choice(randoms.choice(KINDS)) for _ in range(count)])
        for kind in KINDS:
            for value in kind:
                self.assertEqual(exact(self.pool.submit(work.same, value).result()), exact(value))

    def test_a_chunk_may_change_its_kind_anywhere(self):
        for odd in (True, 1.0, None, 2**70, "text", Colour.RED, Whole(7)):
            for at in (0, 1, 999, 2500, 4999):
                values = list(range(5000))
                values[at] = odd
                self.check(work.same, values)

    def test_random_inputs_give_what_map_gives(self):
        randoms = random.Random(int(os.environ.get("PMAPGCD_SEED", "7")))
        for _ in range(int(os.environ.get("PMAPGCD_ROUNDS", "40"))):
            count = randoms.choice([0, 1, 2, 5, 100, 1023, 1024, 1025, 4000])
            columns = []
            for _ in range(randoms.choice([1, 2, 3])):
                kind = randoms.choice(KINDS)
                values = [randoms.choice(kind) for _ in range(max(0, count + randoms.choice([-1, 0, 0, 1])))]
                columns.append(randoms.choice([list, tuple, iter, lambda values: (value for value in values)])(values))
            columns = [itertools.tee(column) if hasattr(column, "__next__") else (column, column) for column in columns]
            function = {1: work.same, 2: work.pair}.get(len(columns), lambda_free)
            found = list(self.pool.map(function, *(ours for ours, _ in columns)))
            expected = list(map(function, *(plain for _, plain in columns)))
            self.assertEqual([exact(one) for one in found], [exact(one) for one in expected])

    def test_sequences_and_buffers_go_as_they_are(self):
        for code in "bBhHiIlLqQfd":
            self.check(work.same, array(code, range(100)))
            self.check(work.same, memoryview(array(code, [n % 100 for n in range(3000)])))
            self.check(work.same, memoryview(array(code, [n % 100 for n in range(3000)]))[::-3])
            self.check(work.pair, array(code, bytes(8000)), range(5, 10**6, 7))
        self.check(work.same, memoryview(bytes([0, 1, 1, 0] * 500)).cast("?"))
        self.check(work.same, range(2**62, 2**65, 2**50))
        for values in (b"bytes", bytearray(b"x" * 3000), "a text", {"a": 1, "b": 2}, {3}, dict.fromkeys(range(999)).keys()):
            self.check(work.same, values)
        grown = array("q", range(10))
        results = self.pool.map(work.same, grown)
        grown.append(10)
        self.assertIn(list(results), ([*range(10)], [*range(11)]))

    def test_large_values_go_without_copies_in_pickles(self):
        for size in (0, 1, 4095, 4096, 3_000_000):
            value = bytearray(os.urandom(size))
            self.assertEqual(self.pool.submit(work.same, value).result(), value)
            self.assertEqual(list(self.pool.map(work.same, [value] * 3)), [value] * 3)

    def test_out_is_written_in_place(self):
        for count in (0, 1, 3, 20_000):
            a, b = list(range(1, count + 1)), list(range(7, count + 7))
            for code in "qQiId":
                out = array(code, bytes(count * array(code).itemsize))
                self.assertIs(self.pool.map(math.gcd, a, b, out=out), out)
                self.assertEqual(out, array(code, map(math.gcd, a, b)))
        out = memoryview(bytearray(3000)).cast("?")
        self.pool.map(bool, [0, 5, 0] * 1000, out=out)
        self.assertEqual(out.tolist(), [False, True, False] * 1000)
        out = array("f", bytes(4 * 1000))
        self.pool.map(math.sqrt, (n for n in range(1000)), out=out)
        self.assertEqual(out, array("f", map(math.sqrt, range(1000))))

    def test_out_that_does_not_fit_is_refused(self):
        out = array("q", [9] * 100)
        with self.assertRaisesRegex(ValueError, "out has 100 places, and there are 99 rows"):
            self.pool.map(abs, range(99), out=out)
        with self.assertRaisesRegex(ValueError, "out has 100 places, and there are more"):
            self.pool.map(abs, iter(range(2000)), out=out)
        with self.assertRaisesRegex(ValueError, "out has 100 places, and there were 50"):
            self.pool.map(abs, iter(range(50)), out=out)
        with self.assertRaisesRegex(TypeError, "the function returned 0.5"):
            self.pool.map(float, [0.5] * 100, out=out)
        with self.assertRaisesRegex(TypeError, "out of the range of i32"):
            self.pool.map(abs, [2**31] * 100, out=array("i", bytes(400)))
        for wrong in (b"bytes", bytearray(5), array("h", [0]), memoryview(out)[::2]):
            with self.assertRaisesRegex(TypeError, "out must be a writable buffer"):
                self.pool.map(abs, [1], out=wrong)
        with self.assertRaises(ZeroDivisionError):
            self.pool.map(divmod, [1] * 100, [0] * 100, out=out)

    def test_no_digits_are_limited_but_as_they_are_here(self):
        with self.assertRaises(ValueError) if hasattr(__import__("sys"), "get_int_max_str_digits") else self.assertNotEqual("", "-"):
            self.pool.submit(str, 10**5000).result()


def lambda_free(*values):
    return values


if __name__ == "__main__":
    unittest.main()
