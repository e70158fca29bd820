"""`map_csv`: the program `pmapgcd` over the rows of a CSV, and its results as values of Python.

Workers import this module with the package. So what takes long to import is imported where it is needed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, Any, Callable, Iterator, Optional, Sequence, Union

CONVERSIONS: dict[str, Callable[[str], Any]] = {name: int for name in ("i32", "i64", "u32", "u64", "int")}
CONVERSIONS.update({"f32": float, "f64": float, "text": str, "bool": lambda text: text == "true"})


class MapError(RuntimeError):
    """The program `pmapgcd` has ended a run: at a bad row, or because it could not do what it was asked for.

    The text is what the program has said. `status` is its exit status: 1 bad rows, 2 wrong arguments or files, 3 workers that kept failing.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status)
        self.status = status

    def __str__(self) -> str:
        return str(self.args[0])


def map_csv(
    path: Union[str, os.PathLike[str]],
    fn: Union[str, Callable[..., Any]],
    *,
    columns: Optional[Sequence[Union[str, int]]] = None,
    types: Optional[str] = None,
    jobs: Optional[int] = None,
    bad_rows: str = "stop",
    options: Sequence[str] = (),
) -> Iterator[Any]:
    """Maps a function over the rows of a CSV file in parallel, and returns an iterator over its results, in order.

    The program `pmapgcd` reads the file and converts its fields; workers import the function by its name.

    fn: a function at the top of a module or of a script, or its name as `--python` takes it: "FILE:FUNCTION" or "MODULE:FUNCTION".
    columns: names of the header, or numbers from 1: what the function gets; all fields of a row if it is None.
    types: what goes in and comes out, as in "f64,f64:f64", if the annotations of the function do not say so.
    jobs: the number of worker processes; as many as there are processors if it is None.
    bad_rows: "stop" raises MapError at the first row that is bad, behind the results of those before it; "skip" leaves bad rows out, and
        "blank" has None in their places. What was wrong with them is then told on stderr.
    options: further options of the program, as in ["--delimiter", ";"].

    A result is an int, float, bool or str, and a tuple of these if the function returns several values; None if it returned None. Nothing is
    run before the first result is asked for, but for the types. Raises FileNotFoundError if there is no program, TypeError for a function
    that cannot be imported by its name, ValueError for another `bad_rows`, and MapError.
    """
    if bad_rows not in ("stop", "skip", "blank"):
        raise ValueError(f"bad_rows must be stop, skip or blank, and is {bad_rows!r}")
    for name, given in (("columns", columns), ("options", options)):
        if isinstance(given, (str, bytes)):
            raise TypeError(f"{name} must be a list, as in [{given!r}], and is {given!r}")
    command = [program(), "--python", fn if isinstance(fn, str) else target(fn), *options]
    if columns is not None:
        command += ["-k", ",".join(quoted(str(column)) for column in columns)]
    if types is not None:
        command += ["--types", types]
    path = os.fspath(path)
    if types is None:
        found = subprocess.run([*command, "--describe"], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if found.returncode:
            raise MapError(text_of(found.stderr), found.returncode)
        # As in "gcd: int,int:int, Python 3.13.0".
        types = found.stdout.decode().partition(": ")[2].split(", ")[0]
    if jobs is not None:
        command += ["-j", str(jobs)]
    command += ["--bad-rows", bad_rows, "--", path if path.startswith("/") else os.path.join(".", path)]
    outputs = [name.partition("/")[0] for name in types.partition(":")[2].split(",")]
    return results(command, outputs, bad_rows)


def results(command: list[str], outputs: list[str], bad_rows: str) -> Iterator[Any]:
    """Runs the program, and yields its results."""
    import io
    import tempfile

    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        try:
            assert process.stdout is not None
            with io.TextIOWrapper(process.stdout, encoding="utf-8", newline="") as lines:
                # There are no results if the program does not know a type, and says so.
                yield from values(lines, [CONVERSIONS.get(name, str) for name in outputs])
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        message = said.read()
    if status == 0 or (status == 1 and bad_rows != "stop"):
        sys.stderr.write(message.decode("utf-8", "replace"))
    else:
        raise MapError(text_of(message), status)


def values(lines: IO[str], conversions: list[Callable[[str], Any]]) -> Iterator[Any]:
    """Yields what the lines hold."""
    import csv

    # For all readers of this process: there is no limit of its own for one.
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 30))
    if len(conversions) > 1:
        for row in csv.reader(lines):
            # All fields are empty for a bad row.
            yield tuple(value(text, of) for text, of in zip(row, conversions)) if any(row) else None
        return
    of = conversions[0]
    if of is str:
        for row in csv.reader(lines):
            yield row[0] if row else None
        return
    for line in lines:
        yield value(line.rstrip("\r\n"), of)


def value(text: str, of: Callable[[str], Any]) -> Any:
    return of(text) if text or of is str else None


def program() -> str:
    """Returns the path of the program that came with this package, or else of the one in PATH."""
    import shutil
    import sysconfig

    folders = [os.path.dirname(sys.executable), sysconfig.get_path("scripts")]
    if os.name in sysconfig.get_scheme_names() or f"{os.name}_user" in sysconfig.get_scheme_names():
        folders.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    for folder in folders:
        path = os.path.join(folder, "pmapgcd")
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    path = shutil.which("pmapgcd") or ""
    if not path:
        raise FileNotFoundError("there is no program pmapgcd beside this Python or in PATH: pip install pmapgcd brings it")
    return path


def environment() -> dict[str, str]:
    """Returns an environment in which workers are this Python, and find the modules that this process finds."""
    folders = os.pathsep.join(os.path.abspath(folder) for folder in sys.path if isinstance(folder, str))
    return {**os.environ, "PMAPGCD_PYTHON": sys.executable, "PYTHONPATH": folders}


def target(fn: Callable[..., Any]) -> str:
    """Returns the name of a function, as `--python` takes it.

    Raises TypeError if it has none under which a worker could import it.
    """
    import importlib

    name = getattr(fn, "__qualname__", None)
    # Methods of types that are not written in Python have the module of the type.
    module = getattr(fn, "__module__", None) or getattr(getattr(fn, "__objclass__", None), "__module__", None)
    try:
        found: Any = importlib.import_module(module or "")
        for part in (name or "").split("."):
            found = getattr(found, part)
        if found != fn:
            raise AttributeError
    except (AttributeError, ImportError, ValueError):
        raise TypeError(f"map_csv needs a function at the top of a module or of a script, and workers cannot import {fn!r:.100}") from None
    if module == "__main__":
        path = getattr(sys.modules["__main__"], "__file__", None)
        if not path or not os.path.isfile(path):
            raise TypeError(f"map_csv needs a function of a module or of a script, and {fn!r:.100} is one of an interactive session")
        return f"{os.path.abspath(path)}:{name}"
    return f"{module}:{name}"


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"') else text


def text_of(said: bytes) -> str:
    """Returns a message without the name of the program in front of it."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return "\n".join(line[9:] if line.startswith("pmapgcd: ") else line for line in lines)
