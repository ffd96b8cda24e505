"""Progress bars: tqdm's, where there is a terminal, tqdm, and no wish against them.

    >>> from hfhub.progress import are_progress_bars_disabled, disable_progress_bars
    >>> with disable_progress_bars():
    ...     are_progress_bars_disabled()
    True

`HF_HUB_DISABLE_PROGRESS_BARS` decides where it is set (1: none, 0: all), else these functions do.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from _crucible._bars import Bar, tqdm_class
from _crucible._hub_settings import bar_settings

#: Called with bytes, bytes expected, files, files expected; 0 for what is not known.
Report = Callable[[int, int, int, int], object]

_EVERYTHING = ""
_switches: dict[str, bool] = {}


class disable_progress_bars:  # noqa: N801  # the official name; a function and a context manager in one
    """Hides progress bars from now on, or in a `with` block.

    Args:
        name: a group (`"hfhub.snapshot"`) and what is below it; all bars when absent.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name
        self._restore = False
        if bar_settings().switch is True:
            warnings.warn("HF_HUB_DISABLE_PROGRESS_BARS=0 is set and wins: bars stay on", stacklevel=2)
            return
        self._restore = not are_progress_bars_disabled(name)
        _switch(name, on=False)

    def __enter__(self) -> disable_progress_bars:
        """The bars are hidden already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shows the bars again if they were shown before."""
        if self._restore:
            enable_progress_bars(self.name)


def enable_progress_bars(name: str | None = None) -> None:
    """Shows progress bars again.

    Args:
        name: a group and what is below it; all bars when absent.
    """
    if bar_settings().switch is False:
        warnings.warn("HF_HUB_DISABLE_PROGRESS_BARS=1 is set and wins: bars stay off", stacklevel=2)
        return
    _switch(name, on=True)


def are_progress_bars_disabled(name: str | None = None) -> bool:
    """Whether progress bars are hidden.

    Args:
        name: a group; bars in general when absent.

    Returns:
        Whether the environment, or the nearest switch of the group and those above it, hides them.
    """
    if bar_settings().switch is False:
        return True
    group = name or _EVERYTHING
    while group:
        if group in _switches:
            return not _switches[group]
        group = group.rpartition(".")[0]
    return not _switches.get(_EVERYTHING, True)


def _switch(name: str | None, *, on: bool) -> None:
    if name is None:
        _switches.clear()
        _switches[_EVERYTHING] = on
        return
    for below in [key for key in _switches if key.startswith(f"{name}.")]:
        del _switches[below]
    _switches[name] = on


def _bar_class(name: str, given: Any) -> Any:
    """The class of bars to draw, None for none. A class that the caller gave decides for itself."""
    if given is not None:
        return given
    if not (sys.stderr.isatty() or bar_settings().everywhere) or are_progress_bars_disabled(name):
        return None
    return tqdm_class()


@contextmanager
def file_bar(path: str, tqdm_class: Any = None) -> Iterator[Report | None]:
    """The bar of one file's bytes."""
    make = _bar_class("hfhub.file", tqdm_class)
    if make is None:
        yield None
        return
    bar = Bar(make, desc=path, unit="B", unit_scale=True)
    try:
        yield lambda done, total, _files, _expected: bar.show(done, total)
    finally:
        bar.close()


@contextmanager
def snapshot_bars(tqdm_class: Any = None) -> Iterator[Report | None]:
    """The bars of a snapshot: its files, and their bytes."""
    make = _bar_class("hfhub.snapshot", tqdm_class)
    if make is None:
        yield None
        return
    bars: list[Bar] = []

    def report(done: int, total: int, files: int, expected: int) -> None:
        if expected and not bars:
            bars.append(Bar(make, desc=f"Fetching {expected} files"))
            bars.append(Bar(make, desc="Downloading bytes", unit="B", unit_scale=True))
        for bar, (at, end) in zip(bars, ((files, expected), (done, total)), strict=False):
            bar.show(at, end)

    try:
        yield report
    finally:
        for bar in reversed(bars):
            bar.close()


@contextmanager
def upload_bar() -> Iterator[Report | None]:
    """The bar of the bytes of files that are uploaded."""
    make = _bar_class("hfhub.upload", None)
    if make is None:
        yield None
        return
    bars: list[Bar] = []

    def report(done: int, total: int, _files: int, expected: int) -> None:
        if expected and not bars:
            bars.append(Bar(make, desc=f"Uploading {expected} files", unit="B", unit_scale=True))
        for bar in bars:
            bar.show(done, total)

    try:
        yield report
    finally:
        for bar in bars:
            bar.close()
