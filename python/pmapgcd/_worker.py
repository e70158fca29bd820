"""The worker of `pmapgcd --python` and of `pmapgcd.Executor`: a process that maps a function over columns which lie in memory shared with
its parent.

docs/protocol.md describes the messages and the memory. The program `pmapgcd` carries this file, and starts it as

    python3 - pmapgcd SOCKET

where SOCKET is the number of an open descriptor. Standard input is the memory, which at first holds this file. It needs nothing but the
standard library, of Python 3.9 or newer, and is one file, whatever its length, so that a program can carry it. What takes long to import is
imported where it is needed. The parent that is written in Python, `_pool.py`, writes and reads columns with the same code.
"""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    # The current folder, in which a module of the user's could have the name of one that is imported here.
    del sys.path[0]

import mmap
import os
import time
from array import array
from itertools import accumulate
from struct import Struct

VERSION = 1
MAGIC = 0x50414D50
# What it is, its version, its kind, its number, and eight numbers whose meaning depends on the kind.
MESSAGE = Struct("<IHHQ8Q")
HELLO, OPEN, OPENED, FAILED, MAP, MAPPED, PREPARE, CALL = range(1, 9)
# How a function is called with a row: with its values, or with the arguments and the keywords that its one value holds.
MAPS, APPLIES = range(2)

# A column: its type, where its values are and their length in bytes, the separator of texts, the offsets of texts that have no separator,
# the bytes that say which values are there, and where the integers of more than 64 bits are and how many; for objects, where it says where
# their buffers are and how long, and how many there are.
COLUMN = Struct("<8Q")
# A row that is bad: its number, the field at fault from 1 or 0, and the length of the message.
FAULT = Struct("<3Q")
# No byte separates the texts: there are offsets.
NO_SEPARATOR = 256
# Characters that may separate texts, because they hardly ever stand in one.
SEPARATORS = [chr(code) for code in (0, 31, 30, 29, 28, 1, 2, 3, 4)]

# The types of columns, by their names in `--types`: their numbers, and the codes that `memoryview` and `array` have for them.
TYPES = {
    "i32": (1, "i"),
    "i64": (2, "q"),
    "u32": (3, "I"),
    "u64": (4, "Q"),
    "f32": (5, "f"),
    "f64": (6, "d"),
    "text": (7, None),
    "int": (8, "q"),
    "bool": (9, "?"),
    # Whatever a function without annotations returns, as text.
    "any": (7, None),
    # Pickled, all values of the column together.
    "object": (10, None),
}
NAMES = {1: "i32", 2: "i64", 3: "u32", 4: "u64", 5: "f32", 6: "f64", 7: "text", 8: "int", 9: "bool", 10: "object"}
# The types whose values go as columns of their own kind, and come back as what they were.
EXACT = {int: "int", float: "f64", bool: "bool", str: "text"}
# Buffers of so many bytes are not copied into a pickle.
LARGE_BUFFER = 4096
DTYPES = {"i32": "int32", "i64": "int64", "u32": "uint32", "u64": "uint64", "f32": "float32", "f64": "float64", "int": "int64", "bool": "bool"}

# The number of this process. One that the function has forked has another.
PROCESS = os.getpid()
# How many rows are called in one go: few enough that arguments and results stay in the caches of the processor.
CHUNK = 1024
# The most characters of a message.
LONGEST = 500


class Refused(Exception):
    """Why a function cannot be used. The text is the whole message."""


class Broken(Exception):
    """What a function did against its contract. All rows that it was called with are bad."""


class Nothing:
    """Stands for the result of a row that is bad."""


NOTHING = Nothing()


def pickler():
    """Returns the module that pickles. The one that is written in Python imports much that is not needed, regular expressions for example."""
    try:
        import _pickle as module
    except ImportError:
        import pickle as module
    return module


def aligned(length):
    return (length + 7) & ~7


# ---------------------------------------------------------------------------------------------------------------- the function


class Function:
    """The function of the user's: what it takes and returns, and how it is called."""

    # Waiting is not counted.
    clock = staticmethod(time.thread_time_ns)

    def __init__(self, settings):
        self.target = settings["target"]
        self.is_batch = settings["batch"] == "1"
        self.stops = settings["stop"] == "1"
        self.call, self.file, self.shown = load(self.target)
        given = settings["types"]
        code = getattr(self.call, "__code__", None)
        if code is not None and code.co_flags & 0x2A0:
            raise Refused("is a generator or a coroutine, and a function that returns its result is expected")
        # How many columns it needs, if that is not how many types there are.
        self.least = None
        if given:
            inputs, outputs = given.split(":")
            self.inputs, self.outputs, self.names, self.row = inputs.split(","), outputs.split(","), None, None
            check(self.call, self.inputs)
        else:
            count = int(settings["columns"]) if settings["columns"] else None
            self.inputs, self.least = takes(self.call, count, self.is_batch)
            self.outputs, self.names, self.row = returns(self.call, self.is_batch)
        self.is_bare = not given and not set(annotations(self.call)) - {"return"}
        # How many columns there are.
        self.columns = 0
        self.name = getattr(self.call, "__name__", self.target.rpartition(":")[2])
        self.numpy = sys.modules.get("numpy") if self.is_batch else None

    def types(self):
        return ",".join(self.inputs) + ":" + ",".join("text" if of == "any" else of for of in self.outputs)

    def where(self, trace):
        """Returns the line at which the function was, as FILE:LINE; nothing if that is not known."""
        found = None
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if name == self.file:
                found = "%s:%d" % (self.shown, trace.tb_lineno)
            elif found is None and name != __file_name__ and not name.startswith("<frozen "):
                # Of another file, the first line counts.
                found = "%s:%d" % (os.path.basename(name), trace.tb_lineno)
            trace = trace.tb_next
        return found

    def describe(self, error, within=None):
        """Returns the message about an exception: its type, its message, and the line, or `within` which function it was raised."""
        text = named(error)
        code = getattr(within, "__code__", None)
        if code is not None:
            text += " (in %s, %s:%d)" % (within.__qualname__, self.shown, code.co_firstlineno)
        place = None if isinstance(error, SyntaxError) else self.where(error.__traceback__)
        if place:
            text += " (%s)" % place
        if self.is_bare and isinstance(error, TypeError):
            types = ",".join(["int"] * self.columns)
            text += "; what it takes is text, as it has no annotations: --types %s:int says otherwise" % types
        return text


# As it stands in tracebacks.
__file_name__ = (lambda: 0).__code__.co_filename


def named(error):
    """Returns the type and the message of an exception."""
    of = type(error)
    name = of.__qualname__ if of.__module__ in ("builtins", "__main__") else "%s.%s" % (of.__module__, of.__qualname__)
    try:
        text = str(error)
    except BaseException:
        text = ""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    return "%s: %s" % (name, text) if text else name


def load(target):
    """Imports the module of `FILE:FUNCTION` or `MODULE:FUNCTION`. Returns the function, the file that it is in, and how that is shown."""
    place, _, path = target.rpartition(":")
    is_file = "/" in place or place.endswith(".py")
    sys.argv = [place]
    global folder
    import importlib

    folder = os.path.dirname(os.path.realpath(place)) if is_file else os.getcwd()
    if is_file:
        standard("importlib.machinery")
        standard("importlib.util")
    # As `python3 FILE` and `python3 -m MODULE` do.
    sys.path.insert(0, folder)
    if is_file:
        module = load_file(place)
    else:
        module = importlib.import_module(place)
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Refused("there is no function %s in %s%s" % (path, place, others(module, path))) from None
    if not callable(found):
        raise Refused("is no function, but of type %s" % type(found).__name__)
    code = getattr(unwrapped(found), "__code__", None)
    file = code.co_filename if code is not None else getattr(module, "__file__", None)
    shown = place if is_file and file == module.__file__ else os.path.basename(file or place)
    return found, file, shown


# The folder that comes first in the path: that of the user's file, or the current one.
folder = None
# The modules that `standard` has imported.
imported = {}


def standard(name):
    """Imports a module of the standard library. Modules of the user's with its name, or that of one that it needs, neither get in between nor
    are replaced."""
    import importlib

    if name not in imported:
        try:
            beside = {entry.partition(".")[0] for entry in os.listdir(folder or os.devnull)}
        except OSError:
            beside = set()
        before, path = dict(sys.modules), sys.path[:]
        theirs = [key for key in before if key.partition(".")[0] in beside and is_theirs(before[key])]
        try:
            for key in theirs:
                del sys.modules[key]
            if folder in sys.path:
                sys.path.remove(folder)
            imported[name] = importlib.import_module(name)
        finally:
            sys.path[:] = path
            for key in set(sys.modules) - set(before):
                if key.partition(".")[0] in beside:
                    # Theirs is imported when they ask for it.
                    del sys.modules[key]
            sys.modules.update((key, before[key]) for key in theirs)
    return imported[name]


def is_theirs(module):
    """Whether a module, or the package that it is part of, is in the user's folder."""
    name = getattr(module, "__name__", "")
    place = getattr(module, "__file__", None) or ""
    for _ in range(1 + name.count(".") + hasattr(module, "__path__")):
        place = os.path.dirname(place)
    return bool(place) and name != "__main__" and os.path.realpath(place) == folder


def unwrapped(function):
    """Returns the function that decorators have wrapped."""
    for _ in range(100):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    return function


def load_file(place):
    path = os.path.abspath(place)
    if not os.path.exists(path):
        raise Refused("there is no file %s" % place)
    import importlib.machinery
    import importlib.util

    name = os.path.splitext(os.path.basename(path))[0]
    while name in sys.modules:
        name += "_"
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    # Where pickle and dataclasses look for it.
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def others(module, missing):
    """Returns a hint at what the module has in place of what is missing."""
    mine = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    own = [name for name in mine if getattr(getattr(module, name), "__module__", None) == module.__name__] or mine
    if not own:
        return ""
    near = standard("difflib").get_close_matches(missing, own, 1)
    return "; did you mean %s?" % near[0] if near else "; it has " + ", ".join(own[:8])


def takes(function, count, is_batch):
    """Returns the types of the columns that a function takes, by its annotations, and how many of them it needs if there may be further ones.
    `count` is the number of columns that are chosen."""
    names, least, rest = parameters(function)
    known = annotations(function)
    if count is not None and rest is None and not least <= count <= len(names):
        more = "" if least == len(names) else "%d to " % least
        raise Refused("takes %s%s, and -k chooses %d" % (more, counted(len(names), "column"), count))
    if rest is not None:
        further = annotated(rest, known, is_batch)
        types = [annotated(name, known, is_batch) for name in names]
        if count is None:
            return [*types, further, "..."], max(1, least)
        if count < least:
            raise Refused("takes %d or more columns, and -k chooses %d" % (least, count))
        return [*types, *[further] * count][:count], None
    types = [annotated(name, known, is_batch) for name in names[: least if count is None else count]]
    if not types:
        raise Refused("takes no column, as all that it takes has defaults: -k chooses columns for it" if names else "takes no column")
    return types, None


def check(function, types):
    """Checks that a function takes as many columns as there are types, if that is known without effort."""
    if not hasattr(function, "__code__") or hasattr(function, "__wrapped__") or hasattr(function, "__self__"):
        return
    names, least, rest = parameters(function)
    count = len(types) - ("..." in types)
    if count > len(names) and rest is None or count < least and "..." not in types:
        more = " or more" if rest else "" if least == len(names) else " to %d" % len(names)
        many = "%d%s columns" % (least, more) if more else counted(least, "column")
        raise Refused("takes %s, and --types has %d" % (many, count))


def parameters(function):
    """Returns the names of a function's positional parameters, how many of them it needs, and the name of the one for all others."""
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__") and not hasattr(function, "__self__"):
        names = list(code.co_varnames[: code.co_argcount])
        after = code.co_argcount + code.co_kwonlyargcount
        rest = code.co_varnames[after] if code.co_flags & 4 else None
        wanted = [name for name in code.co_varnames[code.co_argcount : after] if name not in (function.__kwdefaults__ or ())]
        least = len(names) - len(function.__defaults__ or ())
    else:
        inspect = standard("inspect")
        try:
            all_of_them = list(inspect.signature(function).parameters.values())
        except (ValueError, TypeError):
            raise Refused("does not say what it takes: say so with --types, as in --types int,int:int") from None
        P = inspect.Parameter
        placed = [p for p in all_of_them if p.kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD)]
        names = [p.name for p in placed]
        least = sum(p.default is P.empty for p in placed)
        rest = next((p.name for p in all_of_them if p.kind == P.VAR_POSITIONAL), None)
        wanted = [p.name for p in all_of_them if p.kind == P.KEYWORD_ONLY and p.default is P.empty]
    if wanted:
        raise Refused("needs %s by name, and columns are given by their places" % ", ".join(wanted))
    return names, least, rest


def annotations(function):
    """Returns the annotations of a function, as types."""
    if not isinstance(function, type) and not hasattr(function, "__code__") and hasattr(type(function).__call__, "__code__"):
        # An object that is called.
        function = type(function).__call__
    elif hasattr(function, "func") and hasattr(function, "keywords"):
        # One of `functools.partial`.
        return annotations(function.func)
    try:
        known = dict(getattr(function, "__annotations__", None) or {})
        if any(map(is_text, known.values())):
            known = standard("typing").get_type_hints(function)
    except Exception as error:
        raise Refused("has annotations that cannot be read (%s); say its types with --types" % named(error)) from None
    return known


def is_text(annotation):
    """Whether an annotation, or a part of it, is text: with `from __future__ import annotations` all are, and those of a `NamedTuple` are
    kept as references."""
    return isinstance(annotation, str) or type(annotation).__name__ == "ForwardRef" or any(map(is_text, getattr(annotation, "__args__", None) or ()))


def union(annotation):
    """Returns the members of `X | None`, `Optional[X]` and other unions; `None` if it is no union."""
    name = type(annotation).__name__
    origin = str(getattr(annotation, "__origin__", ""))
    if name in ("UnionType", "Union") or origin == "typing.Union":
        return annotation.__args__
    return None


def plain(annotation):
    """Returns the name of the type that is annotated, and whether there may be no value; no name if it is not known."""
    members = union(annotation)
    if members is not None:
        some = [member for member in members if member is not type(None)]
        name = plain(some[0])[0] if len(some) == 1 else None
        return name, len(some) < len(members)
    if hasattr(annotation, "__metadata__"):
        return plain(annotation.__origin__)
    if isinstance(annotation, type):
        for of, name in ((bool, "bool"), (int, "int"), (float, "f64"), (str, "text")):
            if issubclass(annotation, of):
                return name, False
        by_name = {"int32": "i32", "int64": "i64", "uint32": "u32", "uint64": "u64", "float32": "f32", "float64": "f64"}
        by_name.update({"bool_": "bool", "bool": "bool", "str_": "text"})
        if annotation.__module__ == "numpy":
            return by_name.get(annotation.__name__), False
    return None, False


def of_elements(annotation):
    """Returns the type of what is in a column, as in `list[float]`; the annotation itself if it is of no such form."""
    args = getattr(annotation, "__args__", None)
    if union(annotation) is None and args and len(args) == 1 and plain(annotation)[0] is None:
        return args[0]
    return annotation


def annotated(name, known, is_batch):
    """Returns the type of a parameter."""
    if name not in known:
        return "text"
    annotation = of_elements(known[name]) if is_batch else known[name]
    of, may_lack = plain(annotation)
    if of is None and not is_batch and plain(of_elements(annotation))[0]:
        raise Refused("takes %s: %s, and is called for each row; with --python-batch it is called with columns" % (name, shown(annotation)))
    if of is None:
        what = "columns of int, float, str, bool" if is_batch else "int, float, str, bool and X | None"
        raise Refused("takes %s: %s, and %s are known; --types says otherwise" % (name, shown(known[name]), what))
    return of + "/na" if may_lack else of


def counted(count, what):
    return "%d %s" % (count, what) if count == 1 else "%d %ss" % (count, what)


def expected(count, what):
    """Returns what is said of a result that is not so many values or columns."""
    return counted(count, what) + (" is expected" if count == 1 else " are expected")


def kind(value):
    """Returns the type of a value, with its article."""
    name = type(value).__name__
    return ("an " if name.startswith((*"aeiou", "nd")) else "a ") + name


def shown(annotation):
    is_name = isinstance(annotation, type) and not getattr(annotation, "__args__", None)
    return annotation.__name__ if is_name else str(annotation)


def returns(function, is_batch):
    """Returns the types of the results of a function by its annotations, their names if they have some, and the class of a row of them."""
    known = annotations(function)
    if "return" not in known:
        return ["any"], None, None
    annotation = known["return"]
    members = union(annotation)
    if members is not None and len([m for m in members if m is not type(None)]) == 1:
        # Any result may be missing.
        annotation = next(m for m in members if m is not type(None))
    fields = getattr(annotation, "_fields", None)
    if isinstance(annotation, type) and issubclass(annotation, tuple) and fields:
        of = [known_result(a, annotation, is_batch) for a in annotations(annotation).values()]
        return (of if len(of) == len(fields) else ["any"] * len(fields)), list(fields), annotation
    args = getattr(annotation, "__args__", None)
    if str(getattr(annotation, "__origin__", "")) in ("<class 'tuple'>", "tuple") and args and Ellipsis not in args:
        return [known_result(a, annotation, is_batch) for a in args], None, tuple
    return [known_result(annotation, annotation, is_batch)], None, None


def known_result(annotation, whole, is_batch):
    if annotation is None or annotation is type(None):
        raise Refused("returns None, and a result is expected")
    of, _ = plain(of_elements(annotation) if is_batch else annotation)
    if of is None and str(annotation) == "typing.Any":
        return "any"
    if of is None and not is_batch and plain(of_elements(annotation))[0]:
        raise Refused("returns %s, and is called for each row; with --python-batch it is called with columns" % shown(whole))
    if of is None:
        known = "int, float, str, bool and tuples of these are known; --types says otherwise"
        raise Refused("returns %s: %s" % (shown(whole), known))
    return of


# ------------------------------------------------------------------------------------------------------------- columns that go in


class Given:
    """Columns that the parent has written, and the views of them, which are released after use."""

    def __init__(self, memory, rows, count, offset, length, function):
        self.views = []
        self.memory = memory
        self.region = memory[offset : offset + length]
        self.rows, self.count, self.function = rows, count, function
        self.views.append(self.region)
        try:
            self.make()
        except BaseException:
            # Objects that cannot be made.
            self.release()
            raise

    def make(self):
        """Makes the columns."""
        count, function = self.count, self.function
        lacks = [of.endswith("/na") for of in function.inputs if of != "..."]
        # Further columns are like the last one.
        lacks += lacks[-1:] * (count - len(lacks))
        entries = [COLUMN.unpack_from(self.region, at * COLUMN.size) for at in range(count)]
        self.columns = [self.column(entry, may_lack, function) for entry, may_lack in zip(entries, lacks)]

    def view(self, offset, length, code):
        part = self.region[offset : offset + length]
        cast = part.cast(code)
        self.views += [part, cast]
        return cast

    def column(self, entry, may_lack, function):
        code, values, length, separator, offsets, presence, large, many = entry
        name = NAMES[code]
        lacks = None
        if presence:
            lacks = [row for row, there in enumerate(self.region[presence : presence + self.rows]) if not there]
        if name == "text":
            column = self.texts(values, length, separator, offsets)
        elif name == "object":
            column = self.objects(values, length, large, many, function)
        else:
            column = self.view(values, length, TYPES[name][1])
            if many:
                column = column.tolist()
                self.enlarge(column, large, many)
        if not function.is_batch:
            if lacks is not None:
                column = column if type(column) is list else column.tolist()
                for row in lacks:
                    column[row] = None
            return column
        return self.whole(column, name, lacks, may_lack, function.numpy)

    def texts(self, values, length, separator, offsets):
        text = bytes(self.region[values : values + length])
        if separator != NO_SEPARATOR:
            # Each has a separator behind it.
            return str(text[:-1], "utf-8").split(chr(separator)) if self.rows else []
        ends = self.view(offsets, 4 * (self.rows + 1), "I").tolist()
        return [str(text[start:end], "utf-8") for start, end in zip(ends, ends[1:])]

    def objects(self, values, length, table, many, function):
        places = bytes(self.region[table : table + 16 * many])
        places = array("Q", places)
        # They live as long as the objects do, and the memory is used again before.
        buffers = [bytearray(self.region[at : at + size]) for at, size in zip(places[::2], places[1::2])]
        return function.loads(bytes(self.region[values : values + length]), buffers)

    def enlarge(self, column, large, many):
        """Puts the integers of more than 64 bits in their places."""
        rows = self.view(large + 8, 8 * many, "Q")
        (length,) = self.view(large, 8, "Q")
        at = large + 8 + 8 * many
        for row, digits in zip(rows, bytes(self.region[at : at + length]).split()):
            column[row] = int(digits)

    def whole(self, column, name, lacks, may_lack, numpy):
        """Returns the column in the form in which a function of columns gets it."""
        if name == "text" or type(column) is list or (may_lack and name not in ("f32", "f64")):
            column = column if type(column) is list else column.tolist()
            for row in lacks or ():
                column[row] = None
            return numpy.array(column, dtype=object) if numpy and name == "int" else column
        for row in lacks or ():
            column[row] = float("nan")
        return numpy.frombuffer(column, dtype=DTYPES[name]) if numpy else column

    def release(self):
        """Gives the memory back, as far as nobody has kept it."""
        self.columns = None
        for view in reversed(self.views):
            release(view)


# ------------------------------------------------------------------------------------------------------------- results that go out


class Packer:
    """A column of results. `faults` are the messages about rows that are bad, by number."""

    def __init__(self, of, faults):
        self.of, self.faults, self.count, self.missing = of, faults, 0, []

    def add(self, values):
        """Appends the results of further rows."""
        try:
            if not self.add_all(values):
                self.add_each(values)
        except (TypeError, OverflowError, ValueError):
            self.add_each(values)
        self.count += len(values)

    def add_each(self, values):
        for row, value in enumerate(values, self.count):
            kept = self.blank
            # What pandas has for no value can be told by its name alone.
            if value is None or type(value).__name__ in ("NAType", "NaTType"):
                self.missing.append(row)
            elif value is not NOTHING:
                try:
                    kept = self.one(value, row)
                except BaseException as error:
                    text = str(error) if isinstance(error, Broken) else self.unlike(value)
                    self.faults.setdefault(row, text)
            self.append(kept)

    def unlike(self, value):
        expected = {"text": "str", "f64": "float", "f32": "float"}.get(self.of, self.of)
        try:
            text = repr(value)
        except BaseException:
            text = "a value without a repr"
        text = text if len(text) <= 60 else text[:60] + "…"
        return "the function returned %s (%s), and %s is expected" % (text, type(value).__name__, expected)

    def presence(self):
        """Returns the bytes that say which values are there; nothing if all are."""
        if not self.missing:
            return b""
        there = bytearray(b"\1") * self.count
        for row in self.missing:
            there[row] = 0
        return there

    def large(self):
        return b"", 0


class Numbers(Packer):
    blank = 0

    def __init__(self, of, faults):
        Packer.__init__(self, of, faults)
        self.values, self.beyond = array(TYPES[of][1]), []
        self.append = self.values.append

    def add_all(self, values):
        before = len(self.values)
        if type(values) is array:
            self.values.extend(values)
            return True
        self.values.fromlist(values)
        if self.of == "f32" and any(value - value != 0 for value in self.values[before:]):
            # An infinity may be a number that is too large.
            del self.values[before:]
            return False
        return True

    def one(self, value, row):
        if self.of in ("f32", "f64"):
            try:
                kept = array(self.values.typecode, (value,))[0]
                if kept - kept == 0 or value - value != 0:
                    return kept
            except OverflowError:
                # An integer.
                pass
            shown = repr(value)
            shown = shown if len(shown) <= 60 else shown[:60] + "…"
            raise Broken("the function returned %s, which is out of the range of %s" % (shown, self.of))
        value = value.__index__()
        try:
            return array(self.values.typecode, (value,))[0]
        except OverflowError:
            if self.of == "int":
                self.beyond.append((row, value))
                return 0
            raise Broken("the function returned %d, which is out of the range of %s" % (value, self.of)) from None

    def large(self):
        if not self.beyond:
            return b"", 0
        digits = "\n".join(str(value) for _, value in self.beyond).encode()
        rows = array("Q", [len(digits)] + [row for row, _ in self.beyond])
        return rows.tobytes() + digits, len(self.beyond)

    def finish(self):
        return memoryview(self.values).cast("B"), NO_SEPARATOR, b""


class Bools(Packer):
    blank = 0

    def __init__(self, of, faults):
        Packer.__init__(self, of, faults)
        self.values = bytearray()
        self.append = self.values.append

    def add_all(self, values):
        found = bytes(values)
        if found.translate(None, b"\0\1"):
            return False
        self.values += found
        return True

    def one(self, value, _):
        if value is True or value is False or type(value).__name__ in ("bool_", "bool") or value in (0, 1):
            return 1 if value else 0
        raise TypeError

    def finish(self):
        return self.values, NO_SEPARATOR, b""


class Texts(Packer):
    blank = ""

    def __init__(self, of, faults):
        Packer.__init__(self, "text", faults)
        self.is_any, self.values = of == "any", []
        self.append = self.values.append

    def add_all(self, values):
        if self.is_any:
            kinds = set(map(type, values))
            if kinds == {int} or kinds == {float}:
                self.values += map(repr, values)
                return True
        # Whether all are texts that can be written.
        "".join(values).encode()
        self.values += values
        return True

    def one(self, value, _):
        if not isinstance(value, str):
            if not self.is_any:
                raise TypeError
            if isinstance(value, (tuple, list)):
                what = "the function returned %s: annotate what it returns, as in -> tuple[int, str], or say so with --types"
                raise Broken(what % counted(len(value), "value"))
            of = type(value)
            is_shown = of.__str__ is not object.__str__ or of.__repr__ is not object.__repr__
            is_other = isinstance(value, (dict, set, frozenset, bytes, bytearray, memoryview)) or hasattr(of, "__next__") or hasattr(of, "__await__")
            if is_other or not is_shown or callable(value):
                raise Broken("the function returned %s, and a number or a text is expected" % kind(value))
            if type(value).__name__ in ("bool", "bool_"):
                return "true" if value else "false"
            try:
                value = str(value)
            except Exception as error:
                raise Broken("the function returned %s, whose text cannot be made: %s" % (kind(value), named(error))) from None
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Broken("the function returned a text with half a character in it, which is not UTF-8: %r" % value[:60]) from None
        return str(value)

    def finish(self):
        text = "\0".join(self.values)
        if text.count("\0") < max(1, self.count):
            return (text + "\0").encode() if self.count else b"", 0, b""
        text = "".join(self.values)
        for separator in SEPARATORS:
            if separator not in text:
                return (separator.join(self.values) + separator).encode(), ord(separator), b""
        parts = [value.encode() for value in self.values]
        return b"".join(parts), NO_SEPARATOR, array("I", [0, *accumulate(map(len, parts))]).tobytes()


class Objects(Packer):
    """Any values: a list, or what can be sliced and iterated over like one. Large buffers in them stay outside of the pickle."""

    def __init__(self, values):
        Packer.__init__(self, "object", {})
        self.buffers = []
        self.values = pickler().dumps(values, 5, buffer_callback=self.keep)

    def keep(self, buffer):
        raw = buffer.raw()
        if raw.nbytes < LARGE_BUFFER:
            # Into the pickle.
            return True
        self.buffers.append(raw)
        return False

    def finish(self):
        return self.values, NO_SEPARATOR, b""


def exactly(values: list[object]) -> Packer:
    """Returns a column from which these values come back as what they are: as numbers or texts if all are of one such type, else pickled."""
    of = type(values[0]) if values else object
    if of in EXACT or (len(values) >= 8 and of.__module__ == "numpy"):
        if list(map(type, values)).count(of) == len(values):
            if of not in EXACT:
                # Scalars of numpy; those of dates may differ in their units.
                is_number = getattr(getattr(values[0], "dtype", None), "kind", "O") in "biufc" and not hasattr(values[0], "__len__")
                return Objects(sys.modules["numpy"].array(values) if is_number else values)
            one = packer(EXACT[of], {})
            try:
                if one.add_all(values):
                    one.count = len(values)
                    return one
            except (OverflowError, ValueError):
                # More than 64 bits, or half a character.
                pass
    return Objects(values)


def packer(of, faults):
    return (Texts if of in ("text", "any") else Bools if of == "bool" else Numbers)(of, faults)


# ------------------------------------------------------------------------------------------------------------------------- calls


def map_rows(function, columns, rows, packers, faults):
    """Calls the function for each row. Returns how many rows are done, and the nanoseconds in the function."""
    nanos = 0
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        parts = [column[start : start + count] for column in columns]
        began = function.clock()
        out = call_rows(function, parts, count, start, faults)
        nanos += function.clock() - began
        if len(packers) == 1 and not function.row:
            packers[0].add(out)
        else:
            for one, values in zip(packers, apart(function, out, start, faults)):
                one.add(values)
        if faults and function.stops:
            return min(faults) + 1, nanos
    return rows, nanos


# The rows that are being called, which a forked process must not go on with.
under_call = []


def forget_rows():
    for part in under_call:
        release(part) if type(part) is memoryview else part.clear()


os.register_at_fork(after_in_child=forget_rows)


def leave_if_forked(error=None):
    """Ends a process that the function has forked, as Python would have ended it: it must not answer in place of this one."""
    if os.getpid() == PROCESS:
        return
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if status == 1 and error.code != 1:
            print(error.code, file=sys.stderr)
    elif error is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file_name__:
            trace = trace.tb_next
        if trace is not None:
            # Nobody of the user's has raised the one about rows that are forgotten.
            status = 1
            sys.excepthook(type(error), error.with_traceback(trace), trace)
    flush()
    os._exit(status & 0xFF)


def flush():
    """Writes what has been printed: this process may be killed at any time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # It is closed, or something else.
            pass


def call_rows(function, parts, count, start, faults):
    try:
        return call_each(function, parts, count, start, faults)
    finally:
        # Nothing that rows refer to outlives their calls.
        under_call.clear()


def call_each(function, parts, count, start, faults):
    call, out = function.call, []
    while True:
        done = len(out)
        try:
            # What has been returned before an exception is kept: no row is called twice.
            under_call[:] = [part[done:] for part in parts] if done else parts
            collect(out, map(call, *under_call), function)
            leave_if_forked()
            if len(out) == count:
                return out
            # It ends `map` too, and is gone.
            faults[start + len(out)] = function.describe(StopIteration(), unwrapped(call))
        except BaseException as error:
            leave_if_forked(error)
            faults[start + len(out)] = function.describe(error)
            error.__traceback__ = None
        out.append(NOTHING)
        if len(out) == count or function.stops:
            out += [NOTHING] * (count - len(out))
            return out


def collect(out, results, function):
    """Appends results, or copies of them where the first one can change: a function may use one list or array for all of them."""
    for first in results:
        of = type(first)
        if function.outputs and hasattr(of, "__setitem__") and hasattr(of, "copy"):
            out.append(first.copy())
            results = (value.copy() if type(value) is of else value for value in results)
        else:
            out.append(first)
        out.extend(results)
        # Not to be asked again: a StopIteration of the function's ends it as well.
        break


def apart(function, out, start, faults):
    """Returns the columns of results that are several values each."""
    count = len(function.outputs)
    try:
        if set(map(type, out)) <= {tuple, list, function.row} and set(map(len, out)) == {count}:
            return list(map(list, zip(*out)))
    except TypeError:
        pass
    rows = []
    for at, value in enumerate(out, start):
        if value is NOTHING or value is None:
            value = (value,) * count
        elif not isinstance(value, (tuple, list)) or len(value) != count:
            many = counted(len(value), "value") if isinstance(value, (tuple, list)) else kind(value)
            faults.setdefault(at, "the function returned %s, and %s" % (many, expected(count, "value")))
            value = (NOTHING,) * count
        rows.append(value)
    return list(map(list, zip(*rows)))


def map_columns(function, given, rows, packers, faults):
    """Calls the function with columns: with all rows, and if it raises an exception with half of them, to find the rows that are bad."""
    nanos, parts, columns = 0, [(0, rows)], given.columns
    # A call may write to its columns, and the rows of one that fails are given to others.
    saved = bytes(given.region)
    while parts:
        start, end = parts.pop()
        arguments = columns if (start, end) == (0, rows) else [part_of(column, start, end) for column in columns]
        began = time.thread_time_ns()
        result = None
        try:
            result = function.call(*arguments)
            leave_if_forked()
            found = [column_of(one, end - start, of, function.numpy) for one, of in zip(results_of(result, function), function.outputs)]
        except Broken as error:
            found = [[NOTHING] * (end - start)] * len(packers)
            for row in range(start, end):
                faults[row] = str(error)
        except BaseException as error:
            leave_if_forked(error)
            text = function.describe(error)
            error.__traceback__ = None
            found = None
            if end - start == 1:
                faults[start] = text
                found = [[NOTHING]] * len(packers)
            else:
                middle = (start + end) // 2
                parts += [(middle, end), (start, middle)]
        finally:
            nanos += time.thread_time_ns() - began
            if arguments is not columns:
                for argument in arguments:
                    if type(argument) is memoryview:
                        release(argument)
            del arguments, result
        if found is not None:
            for one, values in zip(packers, found):
                one.add(values)
        elif end - start == rows:
            # As it was. From here on calls have copies of their own.
            given.region[:] = saved
            given.make()
            columns = given.columns
        if faults and function.stops:
            return min(faults) + 1, nanos
    return rows, nanos


def part_of(column, start, end):
    """Returns a copy of some rows of a column."""
    part = column[start:end]
    if type(part) is memoryview:
        return memoryview(bytearray(part)).cast(part.format)
    return part if type(part) is list else part.copy()


def release(view):
    try:
        view.release()
    except BufferError:
        # Somebody has kept it, which is told when all is done.
        pass


def results_of(result, function):
    """Returns the columns of a result."""
    count = len(function.outputs)
    if count == 1 and not function.row:
        return [result]
    if is_table(result):
        raise Broken("the function returned %s, and a tuple of %s is expected, as %s" % (kind(result), counted(count, "column"), is_table(result)))
    if isinstance(result, list) and any(isinstance(one, tuple) for one in result):
        raise Broken("the function returned a list of tuples, and a tuple of %s is expected, as tuple(zip(*rows)) has" % counted(count, "column"))
    if not isinstance(result, (tuple, list)) or len(result) != count:
        many = counted(len(result), "column") if isinstance(result, (tuple, list)) else kind(result)
        raise Broken("the function returned %s, and %s" % (many, expected(count, "column")))
    return list(result)


def is_table(result):
    """Returns how the columns of a result of two dimensions are had; nothing if it is none."""
    if hasattr(result, "iloc") and hasattr(result, "columns"):
        return "tuple(table[name] for name in table) is"
    return "tuple(a.T) is" if getattr(result, "ndim", 1) == 2 else None


def column_of(result, rows, of, numpy):
    """Returns a column of results as an array or a list."""
    if is_table(result):
        example = "table[name]" if hasattr(result, "columns") else "a[:, 0]"
        raise Broken("the function returned %s, and a column of results is expected, as %s is" % (kind(result), example))
    if isinstance(result, (str, dict, set, frozenset)) or not (hasattr(result, "__iter__") or hasattr(result, "__getitem__")):
        raise Broken("the function returned %s for %d row(s), and a column of results is expected" % (kind(result), rows))
    if numpy and hasattr(result, "__array__") and not hasattr(result, "mask"):
        result = numpy.asarray(result)
        if result.ndim != 1:
            raise Broken("the function returned an array of %d dimensions, and a column of results is expected" % result.ndim)
        result = fitting(result, of, numpy)
    found, is_flat = None, True
    try:
        # Arrays of dates have no view, and that of a masked array does not know what is masked.
        view = None if hasattr(result, "mask") else memoryview(result)
    except (TypeError, ValueError):
        view = None
    if view is not None:
        is_flat = view.ndim == 1
        if is_flat and view.contiguous and of not in ("text", "any", "bool") and is_same(view.format, of):
            found = array(TYPES[of][1], b"")
            found.frombytes(view.cast("B"))
        view.release()
    if found is None and is_flat:
        found = result.tolist() if hasattr(result, "tolist") else list(result)
    if found is None or len(found) != rows:
        raise Broken("the function returned %d results for %d row(s)" % (len(result), rows))
    return found


def fitting(values, of, numpy):
    """Returns an array with the same values in the type that is wanted, if there is one for all such values."""
    dtype = DTYPES.get(of)
    if dtype is None or values.dtype == dtype or of == "bool":
        return values
    wanted = numpy.dtype(dtype)
    is_wider = numpy.can_cast(values.dtype, wanted, "safe") or (of == "f64" and values.dtype.kind in "iuf")
    return values.astype(wanted) if is_wider else values


def is_same(format, of):
    """Whether numbers in this format of `memoryview` are those of a type."""
    code = TYPES[of][1]
    format = format.lstrip("@=")
    return format == code or (format + code in ("lq", "LQ") and array(format).itemsize == 8)


class Stopped(Exception):
    """Holds the StopIteration of a call, which would end `map` and be lost."""


def applied(call, pair):
    try:
        return call(*pair[0], **pair[1])
    except StopIteration as error:
        raise Stopped(error) from None


class Called:
    """A function that came as a pickle, and how it is called."""

    is_batch, stops, numpy, inputs = False, True, None, ("object",)
    outputs, row = (), None
    # Waiting is counted.
    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, call, loads, how=MAPS):
        self.call = call if how == MAPS else lambda pair: applied(call, pair)
        self.loads = loads

    @staticmethod
    def describe(error, within=None):
        """Returns the pickle of an exception, and of its traceback as text."""
        import traceback

        if type(error) is Stopped:
            error = error.args[0]
        pickle = pickler()
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file_name__:
            trace = trace.tb_next
        try:
            text = "".join(traceback.format_exception(type(error), error, trace))
        except BaseException as other:
            text = "%s\n(there is no traceback: %s)\n" % (named(error), named(other))
        try:
            data = pickle.dumps((error, text), 5)
            # Many an exception can be pickled, and then not made again.
            if type(pickle.loads(data)[0]) is type(error):
                return data
            why = "it comes back as something else"
        except BaseException as other:
            why = named(other)
        return pickle.dumps((RuntimeError("%s (this exception cannot be pickled: %s)" % (named(error), why)), text), 5)


class Kept:
    """Results as they are."""

    def __init__(self):
        self.values = []
        self.add = self.values.extend


def packed(values, of, faults, describe):
    """Returns the column of these results, of the type that is asked for or as they are, and how many there are up to the first that cannot be
    sent, which is told in `faults`."""
    if of:
        texts = {}
        one = packer(NAMES[of], texts)
        one.add(values)
        if texts:
            row = min(texts)
            faults[row] = describe(TypeError(texts[row]))
            # Without the results behind it.
            return packed([*values[:row], None], of, faults, describe)[0], row + 1
        return one, len(values)
    try:
        return exactly(values), len(values)
    except BaseException as error:
        failed = error
    for row, value in enumerate(values):
        try:
            Objects([value])
        except BaseException as error:
            faults.clear()
            faults[row] = describe(error)
            return exactly([*values[:row], None]), row + 1
    # Each of them can be pickled, and all together cannot.
    raise failed


# --------------------------------------------------------------------------------------------------------------------- messages


def region(packers: list[Packer], faults: dict[int, object]) -> tuple[list[bytes], int]:
    """Returns the pieces of a region, and where in it the bad rows are told."""
    at, entries, pieces = aligned(COLUMN.size * len(packers)), [], []

    def place(piece):
        nonlocal at
        if not len(piece):
            return 0
        pieces.append(piece)
        at += aligned(len(piece))
        return at - aligned(len(piece))

    for one in packers:
        values, separator, offsets = one.finish()
        large, many = one.large()
        code = TYPES[one.of][0]
        if code == TYPES["object"][0]:
            many = len(one.buffers)
            large = array("Q", [number for raw in one.buffers for number in (place(raw), len(raw))]).tobytes()
        entries.append(COLUMN.pack(code, place(values), len(values), separator, place(offsets), place(one.presence()), place(large), many))
    messages = [(row, faults[row]) for row in sorted(faults)]
    messages = [(row, text if isinstance(text, bytes) else text.encode("utf-8", "replace")) for row, text in messages]
    told = at
    if messages:
        place(b"".join([FAULT.pack(row, 0, len(text)) for row, text in messages]))
        place(b"".join([text for _, text in messages]))
    return [b"".join(entries), *pieces], told


class Memory:
    """The memory that is shared with the parent. It only ever grows."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.map = None

    def until(self, end):
        """Returns a view of the memory, which has at least so many bytes."""
        if self.map is None or len(self.map) < end:
            size = os.fstat(self.descriptor).st_size
            if size < end:
                size = max(end, 2 * size)
                os.ftruncate(self.descriptor, size)
            self.map = mmap.mmap(self.descriptor, size)
        return memoryview(self.map)

    def is_kept(self):
        """Whether somebody still has a view of the memory."""
        size = os.fstat(self.descriptor).st_size
        for again in (True, False):
            try:
                # Python refuses that if there are views.
                self.map.resize(size)
                return False
            except BufferError:
                if again:
                    import gc

                    gc.collect()
        return True

    def write(self, offset, pieces):
        """Writes these bytes one behind the other, each where a multiple of 8 begins. Returns the length of all."""
        leave_if_forked()
        end = offset + sum(aligned(len(piece)) for piece in pieces)
        with self.until(end) as view:
            at = offset
            for piece in pieces:
                view[at : at + len(piece)] = piece
                at += aligned(len(piece))
        return end - offset


class Worker:
    """Answers the messages of the parent, one by one."""

    def __init__(self, socket, memory):
        self.socket, self.memory, self.function = socket, Memory(memory), None
        # Those of CALL by their numbers, and how to import the parent's main module, until it is imported.
        self.functions, self.main, self.authkey = {}, None, None

    def send(self, kind, number, *values):
        flush()
        values += (0,) * (8 - len(values))
        os.write(self.socket, MESSAGE.pack(MAGIC, VERSION, kind, number, *values))

    def serve(self):
        self.send(HELLO, 0, sys.hexversion)
        while True:
            message = os.read(self.socket, MESSAGE.size)
            if len(message) != MESSAGE.size:
                # The parent has gone, or needs no more.
                return
            magic, version, kind, number, *values = MESSAGE.unpack(message)
            if magic != MAGIC or version != VERSION:
                return
            if kind == OPEN:
                self.open(number, *values[:2])
            elif kind == MAP and self.function is not None:
                self.map(number, *values[:4])
            elif kind == PREPARE:
                self.answer(number, OPENED, self.prepare, *values[:2])
            elif kind == CALL:
                self.answer(number, MAPPED, self.call, *values)
            else:
                return

    def open(self, number, offset, length):
        with self.memory.until(offset + length) as view:
            text = bytes(view[offset : offset + length]).decode("utf-8", "surrogateescape")
        settings = dict(item.split("=", 1) for item in text.split("\0") if item)
        place = settings["target"]
        try:
            self.function = Function(settings)
            function, names = self.function, self.function.names or ()
            answer = ["types=" + function.types(), "name=" + function.name, "names=" + ",".join(names)]
            answer += ["least=%d" % function.least] if function.least else []
            answer.append("interpreter=" + (sys.executable or ""))
            kind, text = OPENED, "\0".join(answer)
        except Refused as error:
            text = str(error)
            kind, text = FAILED, text if text.startswith("there is no ") else "%s %s" % (place, text)
        except BaseException as error:
            leave_if_forked(error)
            line = last_line(error, settings["target"].rpartition(":")[0])
            kind, text = FAILED, "cannot import %s: %s" % (place.rpartition(":")[0], line)
        data = text.encode("utf-8", "surrogateescape")
        self.memory.write(0, [data])
        self.send(kind, number, 0, len(data))

    def map(self, number, rows, count, offset, length):
        began, function, faults = time.thread_time_ns(), self.function, {}
        function.columns = count
        # The results lie behind what was given.
        free = aligned(offset + length)
        packers = [packer(of, faults) for of in function.outputs]
        with self.memory.until(free) as view:
            given = Given(view, rows, count, offset, length, function)
            if function.is_batch:
                done, nanos = map_columns(function, given, rows, packers, faults)
            else:
                done, nanos = map_rows(function, given.columns, rows, packers, faults)
            given.release()
        if function.is_batch and self.memory.is_kept():
            what = "the function keeps a column that it was given, which is valid during the call alone: copy it"
            faults.update((row, what) for row in range(rows))
        pieces, told = region(packers, faults)
        length = self.memory.write(free, pieces)
        took = time.thread_time_ns() - began
        self.send(MAPPED, number, done, len(packers), free, length, len(faults), told, nanos, took)

    def answer(self, number, kind, act, *values):
        """Does what is asked for, and answers with what comes of it or with the exception."""
        try:
            answer = act(*values)
            leave_if_forked()
        except BaseException as error:
            leave_if_forked(error)
            data = Called.describe(error)
            self.memory.write(0, [data])
            kind, answer = FAILED, (0, len(data))
        self.send(kind, number, *answer)

    def loads(self, data, buffers=()):
        """Returns what is pickled. What it may need of the parent is made when it is needed first: the main module, and the key to what
        `multiprocessing` shares."""
        if self.main and b"_main__" in data:
            import_main(*self.main)
            self.main = None
        if self.authkey and b"multiprocessing" in data:
            import multiprocessing.process

            multiprocessing.process.current_process().authkey = self.authkey
            self.authkey = None
        return pickler().loads(data, buffers=buffers)

    def prepare(self, offset, length):
        """Makes this process like the parent, and calls the initializer."""
        with self.memory.until(offset + length) as view:
            settings = pickler().loads(bytes(view[offset : offset + length]))
        # A parent that is written in Python has its results from the memory, and what a function prints is the user's.
        sys.stdout = sys.__stdout__
        getattr(sys, "set_int_max_str_digits", lambda most: None)(settings["digits"])
        end_with(settings["lifeline"])
        import _signal

        # The parent has blocked it for the start of Python.
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGINT})
        sys.path[:], sys.argv, self.main, self.authkey = settings["path"], settings["argv"], settings["main"], settings["authkey"]
        # For the package `pmapgcd`, which may be imported here as well.
        sys.modules["pmapgcd._worker"] = sys.modules["__main__"]
        if settings["initializer"]:
            function, arguments = self.loads(settings["initializer"])
            function(*arguments)
        return ()

    def call(self, rows, count, offset, length, how, place, size, wanted):
        began, faults, kept = time.perf_counter_ns(), {}, Kept()
        free = aligned(offset + length)
        with self.memory.until(free) as view:
            if size:
                self.functions[place] = None
                self.functions[place] = self.loads(bytes(view[:size]))
            function = Called(self.functions[place], self.loads, how)
            given = Given(view, rows, count, offset, length, function)
            try:
                done, nanos = map_rows(function, given.columns, rows, [kept], faults)
            finally:
                given.release()
        values = kept.values
        del values[done:]
        if faults:
            values[-1] = None
        one, done = packed(values, wanted, faults, function.describe)
        pieces, told = region([one], faults)
        length = self.memory.write(free, pieces)
        return done, 1, free, length, len(faults), told, nanos, time.perf_counter_ns() - began


# Whether the parent's main module is being imported, in which no further pool may be started.
is_importing_main = False


def import_main(kind, name):
    """Imports the main module of the parent, as `multiprocessing` does: what stands below `if __name__ == "__main__":` is not run."""
    global is_importing_main
    import runpy

    is_importing_main = True
    try:
        module = type(sys)("__mp_main__")
        if kind == "module":
            found = runpy.run_module(name, run_name="__mp_main__", alter_sys=True)
        else:
            found = runpy.run_path(name, run_name="__mp_main__")
        vars(module).update(found)
        # This module is kept, as pmapgcd._worker.
        sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    finally:
        is_importing_main = False


def end_with(lifeline):
    """Has the system kill this process as soon as the other end of a pipe is closed, whatever a function does meanwhile."""
    import fcntl

    os.set_inheritable(lifeline, False)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    # SIGKILL in place of SIGIO.
    fcntl.fcntl(lifeline, getattr(fcntl, "F_SETSIG", 10), 9)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    try:
        os.read(lifeline, 1)
        # It was closed before.
        os._exit(1)
    except BlockingIOError:
        pass


def last_line(error, place):
    """Returns what the last line of a traceback says, and where that was."""
    text = named(error)
    if isinstance(error, SyntaxError):
        return text
    trace, line = error.__traceback__, None
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name != __file_name__ and "importlib" not in name:
            line = "%s:%d" % (os.path.relpath(name) if name.startswith(os.getcwd() + "/") else name, trace.tb_lineno)
        trace = trace.tb_next
    return "%s (%s)" % (text, line) if line else text


def main():
    import _signal

    # There is no file that `multiprocessing` could run for the main module of its processes: it would look for one called "<stdin>".
    globals().pop("__file__", None)
    # Ctrl-C ends it without a traceback.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    # Integers may have any number of digits.
    getattr(sys, "set_int_max_str_digits", lambda most: None)(0)
    # The results of the program go to standard output, and nothing that a function prints may be among them.
    sys.stdout = sys.stderr
    # What reads standard input must not read the memory.
    memory, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.set_inheritable(int(sys.argv[2]), False)
    try:
        Worker(int(sys.argv[2]), memory).serve()
    except (BrokenPipeError, ConnectionResetError):
        # The parent has gone.
        pass


if __name__ == "__main__":
    main()
