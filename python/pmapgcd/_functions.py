"""How a function gets to the workers: by its module and name if they can import it, else by cloudpickle where that is installed."""

from __future__ import annotations

import os
import pickle
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Callable, Hashable, Optional


class Function:
    """A function as a pickle. Workers that have one with the same key need no pickle of it."""

    __slots__ = ("data", "key")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.data, is_by_value = pickled(function)
        # What is called may change with each call, as the object of a method or a closure may. In one `map` it is the same for all rows, and
        # each `submit` has its own.
        self.key: Hashable = object() if is_by_value else self.data


def pickled(function: Callable[..., Any]) -> tuple[bytes, bool]:
    """Returns the pickle of a function, and whether it holds more than its name.

    Raises TypeError if workers cannot import it, and cloudpickle is not installed.
    """
    if not callable(function):
        raise TypeError(f"a function is expected, and not {function!r:.100}")
    try:
        data = pickle.dumps(function, 5)
        if b"__main__" not in data or main_module():
            is_method = isinstance(function, BuiltinFunctionType) and not isinstance(function.__self__, ModuleType)
            return data, is_method or not isinstance(function, (FunctionType, BuiltinFunctionType, type))
        why = "it is defined in an interactive session, which workers cannot import"
    except Exception as error:
        why = f"it cannot be pickled ({error})"
    try:
        from cloudpickle import dumps  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise TypeError(
            f"workers cannot import {function!r:.100}: {why}. Define it at the top of a module or of a script, "
            "or install cloudpickle (pip install cloudpickle), which sends functions as they are"
        ) from None
    try:
        return dumps(function, 5), True
    except Exception as error:
        raise TypeError(f"workers cannot import {function!r:.100}: {why}, and cloudpickle cannot send it either ({error})") from error


def main_module() -> Optional[tuple[str, str]]:
    """Returns how a worker imports the main module: `module` and its name, or `path` and the script; None if it cannot be imported."""
    main = sys.modules.get("__main__")
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if main is None or hasattr(sys, "ps1") or name == "__main__":
        return None
    if name:
        return "module", name
    path = getattr(main, "__file__", None)
    return ("path", os.path.abspath(path)) if path and os.path.isfile(path) else None


def settings(initializer: Optional[bytes], lifeline: int) -> bytes:
    """Returns what makes a worker like this process, as a pickle. The initializer is one already."""
    processes = sys.modules.get("multiprocessing.process")
    return pickle.dumps(
        {
            "path": [os.path.abspath(folder) if isinstance(folder, str) and not folder else folder for folder in sys.path],
            "argv": list(getattr(sys, "argv", [])),
            "main": main_module(),
            "digits": getattr(sys, "get_int_max_str_digits", lambda: 0)(),
            "lifeline": lifeline,
            "authkey": bytes(processes.current_process().authkey) if processes else None,
            "initializer": initializer,
        },
        5,
    )


class Loaded:
    """Stands for a function in a pickle of other things: comes out of it as what its own pickle holds."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (self.data,)
