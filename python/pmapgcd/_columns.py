"""Values of the user's as columns: where they are taken from, how they are written for a worker, and how its results are read.

The columns themselves are those of `_worker.py`, which docs/protocol.md describes.
"""

from __future__ import annotations

import pickle
import sys
from array import array
from itertools import islice, repeat
from typing import Any, Iterable, Iterator, Optional, Sequence, Union

from . import _worker

# A column of values: whatever has a length, and can be sliced and iterated over.
Column = Any

# The types of buffers whose values are numbers of Python when they are iterated over, by their formats.
FORMATS = {code: name for name, (_, code) in _worker.TYPES.items() if code and name != "int"}
for spare, size in (("l", "i64"), ("L", "u64")):
    if array(spare).itemsize == 8:
        FORMATS[spare] = size
# No byte stands between two pieces that have the length of a multiple of 8.
PADDING = [bytes(count) for count in range(8)]


class Sliced:
    """A sequence that is taken from by slices, without a step for each value."""

    def __init__(self, values: Column) -> None:
        self.values, self.at = values, 0

    def left(self) -> int:
        return max(0, len(self.values) - self.at)

    def take(self, count: int) -> Column:
        part = self.values[self.at : self.at + count]
        self.at += len(part)
        return part


class Source:
    """The rows of one `map`, which are taken from all of its iterables as `zip` takes them."""

    def __init__(self, iterables: Sequence[Iterable[Any]]) -> None:
        self.places: list[Optional[Sliced]] = [sliced(one) for one in iterables]
        others = [iter(one) for one, place in zip(iterables, self.places) if place is None]
        # With several iterators, which may be one and the same, it matters from which one a value is taken first.
        self.rows: Optional[Iterator[Any]] = zip(*others) if len(others) > 1 else others[0] if others else None
        self.iterators = len(others)

    def left(self) -> Optional[int]:
        """Returns how many rows there are; None if that is not known."""
        known = [place.left() for place in self.places if place is not None]
        if self.rows is not None:
            return 0 if known and min(known) == 0 else None
        return min(known)

    def take(self, count: int) -> list[Column]:
        """Returns the columns of the next rows, `count` or fewer. The columns are empty if there are no more."""
        count = min([count, *(place.left() for place in self.places if place is not None)])
        taken: list[Column] = []
        if self.rows is not None:
            rows = list(islice(self.rows, count))
            taken = [rows] if self.iterators == 1 else list(zip(*rows)) or [()] * self.iterators
            count = len(rows)
        others = iter(taken)
        return [next(others) if place is None else place.take(count) for place in self.places]


def sliced(values: Iterable[Any]) -> Optional[Sliced]:
    """Returns the sequence that these values are, if slices of it hold what iteration would give."""
    of = type(values)
    if of in (list, tuple, range):
        return Sliced(values)
    if of in (array, memoryview):
        is_plain = getattr(values, "ndim", 1) == 1 and getattr(values, "format", getattr(values, "typecode", "")) in FORMATS
        return Sliced(values) if is_plain else None
    module = of.__module__.partition(".")[0]
    if module == "numpy" and of.__name__ == "ndarray":
        return Sliced(values) if values.ndim and not values.dtype.hasobject else None  # type: ignore[attr-defined]
    if module == "pyarrow" and of.__name__.endswith("Array"):
        return Sliced(values)
    if module == "pandas" and of.__name__ == "Series":
        # Its numbers are those of Python when it is iterated over.
        try:
            view = memoryview(values.to_numpy())  # type: ignore[attr-defined]
        except (AttributeError, BufferError, TypeError, ValueError):
            return None
        return sliced(view) if str(values.dtype) == str(values.to_numpy().dtype) else None  # type: ignore[attr-defined]
    return None


def column(values: Column) -> Any:
    """Returns the column of these values."""
    of = type(values)
    if of is memoryview or of is array:
        one: Any = _worker.packer(FORMATS[values.typecode if of is array else values.format], {})
        one.values = values if of is array or values.contiguous else memoryview(values.tobytes())
        one.count = len(values)
        return one
    if of is list:
        return _worker.exactly(values)
    if of in (tuple, range):
        return _worker.exactly(list(values))
    return _worker.Objects(values)


def pieces(columns: Sequence[Column]) -> tuple[list[Any], int]:
    """Returns the bytes of a region with these columns, one behind the other, and their length.

    Raises what comes of pickling values that are no numbers and no texts.
    """
    found, length = [], 0
    for piece in _worker.region([column(one) for one in columns], {})[0]:
        found.append(piece)
        length += len(piece)
        if length % 8:
            found.append(PADDING[-length % 8])
            length += -length % 8
    return found, length


class Answer:
    """The results of rows: those that are good, and the exception behind the last of them, if there is one."""

    __slots__ = ("values", "done", "error")

    def __init__(self, region: Union[bytes, bytearray], message: Sequence[int]) -> None:
        done, _, _, _, faults, told = message[:6]
        view = memoryview(region)
        self.values = _worker.Given(view, done, 1, 0, len(region), LOADS).columns[0]
        self.done, self.error = done, None
        if faults:
            row, _, length = _worker.FAULT.unpack_from(view, told)
            at = told + _worker.FAULT.size
            self.error = exception(region[at : at + length])
            self.done = row

    def take(self) -> Iterable[Any]:
        """Returns the good results, each of which is let go of when the next one is asked for."""
        values = self.values
        if type(values) is list:
            del values[self.done :]
            values.reverse()
            return map(values.pop, repeat(-1, len(values)))
        good: Iterable[Any] = values if len(values) == self.done else values[: self.done]
        return good


def loads(data: Union[bytes, bytearray], buffers: Iterable[bytearray] = ()) -> Any:
    """Returns what a worker has pickled."""
    sys.modules.setdefault("__mp_main__", sys.modules["__main__"])
    return pickle.loads(data, buffers=buffers)


LOADS = _worker.Called(None, loads)


class RemoteTraceback(Exception):
    """The cause of an exception that a function has raised in a worker: the traceback there, as text."""

    def __init__(self, tb: str) -> None:
        self.tb = tb

    def __str__(self) -> str:
        return self.tb


def exception(data: Union[bytes, bytearray]) -> BaseException:
    """Returns the exception that a worker has pickled, with its traceback as the cause."""
    error: BaseException
    try:
        error, text = loads(data)
    except BaseException as unread:
        return unread
    error.__cause__ = RemoteTraceback(f'\n"""\n{text}"""')
    return error
