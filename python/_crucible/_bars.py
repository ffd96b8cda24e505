"""Progress bars of tqdm, for `hfhub` and `crucible_datasets`."""

from __future__ import annotations

import time
from typing import Any

from _crucible._optional import require


def tqdm_class(module: str = "tqdm") -> Any:
    """The class of bars, None where tqdm is not installed.

    Args:
        module: "tqdm" for a terminal, "tqdm.auto" where a notebook may be.
    """
    try:
        return require(module, extra="progress", why="progress bars").tqdm
    except ImportError:
        return None


class Bar:
    """A bar that is made when its total is known, and never goes back.

    Args:
        make: the class of bars.
        began: `time.monotonic()` when the work began, if the bar comes later: speeds count from there.
        **look: arguments of the class.
    """

    def __init__(self, make: Any, began: float | None = None, **look: Any) -> None:
        self._make = make
        self._began = began
        self._look = look
        self._bar: Any = None
        self._shown = 0

    def show(self, done: int, total: int) -> None:
        """Moves the bar; without a total it waits."""
        if total == 0:
            return
        if self._bar is None:
            self._bar = self._make(total=total, initial=0, **self._look)
            if self._began is not None and hasattr(self._bar, "start_t"):
                self._bar.start_t -= time.monotonic() - self._began
        elif getattr(self._bar, "total", total) != total:
            self._bar.total = total
        done = min(done, total)
        if done > self._shown:  # what comes again after a failure was counted before
            self._bar.update(done - self._shown)
            self._shown = done

    def describe(self, desc: str) -> None:
        """Changes the label."""
        if desc == self._look.get("desc"):
            return
        self._look["desc"] = desc
        change = getattr(self._bar, "set_description", None)
        if change is not None:
            change(desc)

    def close(self) -> None:
        """Ends the bar."""
        close = getattr(self._bar, "close", None)
        if close is not None:
            close()
