"""Progress bars of `map`, `filter`, loading and saving: drawn beside the work, which is not slowed down by them.

`HF_DATASETS_DISABLE_PROGRESS_BARS` decides where it is set (1: none, 0: all), else the functions here do.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator, Sized
from contextlib import contextmanager

from _crucible._bars import Bar, tqdm_class
from _crucible._hub_settings import bar_settings

_VARIABLE = "HF_DATASETS_DISABLE_PROGRESS_BARS"
_AFTER = 0.1
"""Seconds until a bar appears: shorter work has none."""
_EVERY = 0.1
_state = {"disabled": False}


def disable_progress_bars() -> None:
    """Hides progress bars."""
    if bar_settings(_VARIABLE).switch is True:
        warnings.warn(f"{_VARIABLE}=0 is set and wins: bars stay on", stacklevel=2)
        return
    _state["disabled"] = True


def enable_progress_bars() -> None:
    """Shows progress bars again."""
    if bar_settings(_VARIABLE).switch is False:
        warnings.warn(f"{_VARIABLE}=1 is set and wins: bars stay off", stacklevel=2)
        return
    _state["disabled"] = False


def are_progress_bars_disabled() -> bool:
    """Whether progress bars are hidden."""
    switch = bar_settings(_VARIABLE).switch
    return _state["disabled"] if switch is None else not switch


disable_progress_bar = disable_progress_bars
enable_progress_bar = enable_progress_bars


def is_progress_bar_enabled() -> bool:
    """Whether progress bars are shown."""
    return not are_progress_bars_disabled()


class Meter:
    """How far some work is. The work counts here; a bar looks at it ten times a second.

    Attributes:
        done: what is done for certain.
        live: a list that grows by one with each further row.
        desc: label of the bar, if it changes.
    """

    def __init__(self) -> None:
        self.desc: str | None = None
        self.done = 0
        self.live: Sized = ()

    def reached(self, done: int) -> None:
        """Says what is done for certain."""
        self.live = ()
        self.done = done

    def count(self) -> int:
        """What is done by now."""
        return self.done + len(self.live)


@contextmanager
def progress(desc: str, total: int | None, unit: str = "examples") -> Iterator[Meter]:
    """A meter, and a bar that shows it if the work takes long enough.

    Args:
        desc: label of the bar.
        total: what there is to do, if it is known.
        unit: what is counted.
    """
    meter = Meter()
    if are_progress_bars_disabled():
        yield meter
        return
    view = _Drawn(meter, desc, total, unit)
    view.start()
    try:
        yield meter
    finally:
        view.stop()


class _Drawn:
    """Draws a meter from a thread of its own. tqdm is imported when a bar appears: that takes longer than a warm load."""

    def __init__(self, meter: Meter, desc: str, total: int | None, unit: str) -> None:
        self._meter = meter
        self._total = total
        self._began = time.monotonic()
        self._look = {"desc": desc, "unit": f" {unit}", "mininterval": 0.05}
        self._bar: Bar | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="crucible-progress", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _draw(self) -> None:
        if self._ended.wait(_AFTER):
            return
        while not self._ended.wait(_EVERY):
            self._show()

    def _show(self) -> None:
        if self._bar is None:
            make = tqdm_class("tqdm.auto")
            if make is None:
                return  # not installed
            self._bar = Bar(make, self._began, **self._look)
        if self._meter.desc is not None:
            self._bar.describe(self._meter.desc)
        done = self._meter.count()
        self._bar.show(done, self._total if self._total is not None else max(done, 1))

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        if time.monotonic() - self._began >= _AFTER:
            self._show()
        if self._bar is not None:
            self._bar.close()
