"""Progress bars and logging, as in `datasets.utils`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _crucible._optional import require
from crucible_datasets.utils import logging
from crucible_datasets.utils._bars import (
    Meter,
    are_progress_bars_disabled,
    disable_progress_bar,
    disable_progress_bars,
    enable_progress_bar,
    enable_progress_bars,
    is_progress_bar_enabled,
    progress,
)

if TYPE_CHECKING:
    tqdm: Any

__all__ = [
    "Meter",
    "are_progress_bars_disabled",
    "disable_progress_bar",
    "disable_progress_bars",
    "enable_progress_bar",
    "enable_progress_bars",
    "is_progress_bar_enabled",
    "logging",
    "progress",
    "tqdm",
]


def __getattr__(name: str) -> Any:
    """`tqdm`: the class of bars, which the switches hide."""
    if name != "tqdm":
        msg = f"module 'crucible_datasets.utils' has no attribute {name!r}"
        raise AttributeError(msg)
    base = require("tqdm.auto", extra="progress", why="crucible_datasets.utils.tqdm").tqdm

    class tqdm(base):  # type: ignore[misc, valid-type]  # noqa: N801  # the official name
        """A bar of tqdm that is hidden where progress bars are disabled."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if are_progress_bars_disabled():
                kwargs["disable"] = True
            super().__init__(*args, **kwargs)

    globals()["tqdm"] = tqdm
    return tqdm
