"""`python -m crucible_datasets run`: a script or module, as Python itself would run it, with `datasets` meaning this."""

from __future__ import annotations

import importlib.util
import io
import os
import runpy
import sys
from collections.abc import Sequence
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from crucible_datasets.compat._install import install

USAGE = "usage: python -m crucible_datasets run [-h] (SCRIPT | -m MODULE) [ARGUMENTS]..."
_HELP = f"""{USAGE}

Run a Python script or module in which `import datasets` means crucible_datasets.
Everything after the script is its own: sys.argv, exit code, traceback and Ctrl-C are as with `python SCRIPT`.
"""
_MISUSE = 2


def run(words: Sequence[str]) -> int:
    """Runs a script; returns its exit code where it ends without an exception.

    Args:
        words: `SCRIPT`, or `-m MODULE`, and the arguments of it.
    """
    if not words or words[0] in {"-h", "--help"} or (words[0] == "-m" and len(words) < 2):
        print(_HELP if words else USAGE, file=sys.stdout if words else sys.stderr)
        return 0 if words and words[0] != "-m" else _MISUSE
    install()
    if words[0] == "-m":
        return _module(words[1], list(words[2:]))
    return _script(words[0], list(words[1:]))


def _script(script: str, arguments: list[str]) -> int:
    path = Path(script)
    if path.is_dir() or path.suffix in {".zip", ".pyz"}:  # with a __main__ in it
        _argv(script, arguments, script)
        runpy.run_path(script, run_name="__main__")
        return 0
    place = os.path.join(os.getcwd(), script)  # noqa: PTH109, PTH118  # as Python: neither links nor dots are resolved
    try:
        with io.open_code(place) as file:
            source = file.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {script!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return _MISUSE
    _argv(script, arguments, os.path.dirname(os.path.realpath(script)))  # noqa: PTH120
    module = _main(place, None, SourceFileLoader("__main__", place))
    _executed(partial(compile, source, place, "exec", dont_inherit=True), module)
    return 0


def _module(name: str, arguments: list[str]) -> int:
    _argv("-m", arguments, os.getcwd())  # noqa: PTH109
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        print(f"{sys.executable}: Error while finding module specification for {name!r} ({error})", file=sys.stderr)
        return 1
    loader: Any = None if spec is None else spec.loader
    if spec is None or loader is None or not hasattr(loader, "get_code"):
        print(f"{sys.executable}: No module named {name}, or it cannot be executed", file=sys.stderr)
        return 1
    sys.argv[0] = str(spec.origin)
    module = _main(str(spec.origin), spec, loader)
    _executed(partial(loader.get_code, spec.name), module)
    return 0


def _argv(first: str, arguments: list[str], folder: str) -> None:
    """`sys.argv` and the first entry of `sys.path`, which belong to the script now."""
    sys.argv[:] = [first, *arguments]
    if sys.flags.safe_path:
        return
    sys.path[0] = folder  # in place of the working directory, which `python -m` put there


def _main(path: str, spec: ModuleSpec | None, loader: Any) -> ModuleType:
    """A new `__main__`."""
    module = ModuleType("__main__")
    module.__dict__.update(
        __file__=path,
        __loader__=loader,
        __spec__=spec,
        __package__=None if spec is None else spec.parent,
        __cached__=None if spec is None else spec.cached,
        __builtins__=__builtins__,
    )
    sys.modules["__main__"] = module
    return module


def _executed(compiled: Any, module: ModuleType) -> None:
    """Runs code as `__main__`. An exception goes up to Python, which shows the script's part of the traceback."""
    try:
        code: CodeType = compiled()
        exec(code, module.__dict__)  # what it is for
    except BaseException:
        sys.excepthook = partial(_shown, sys.excepthook, module.__dict__)
        raise


def _shown(
    hook: Any, names: dict[str, Any], kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """The script's hook, without the frames above the script."""
    inner = trace
    while inner is not None and inner.tb_frame.f_globals is not names:
        inner = inner.tb_next
    hook(kind, error.with_traceback(inner), inner)
