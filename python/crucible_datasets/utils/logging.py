"""How much the library says. Names and levels of `datasets.utils.logging`.

The logger is `crucible_datasets`; `DATASETS_VERBOSITY` (debug, info, warning, error, critical) sets its first level.
"""

from __future__ import annotations

import logging
import sys
from logging import CRITICAL, DEBUG, ERROR, FATAL, INFO, NOTSET, WARN, WARNING
from typing import Any

from _crucible._settings import dataset_verbosity
from crucible_datasets.utils._bars import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

__all__ = [
    "CRITICAL",
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "NOTSET",
    "WARN",
    "WARNING",
    "disable_progress_bar",
    "disable_propagation",
    "enable_progress_bar",
    "enable_propagation",
    "get_logger",
    "get_verbosity",
    "is_progress_bar_enabled",
    "log_levels",
    "set_verbosity",
    "set_verbosity_debug",
    "set_verbosity_error",
    "set_verbosity_info",
    "set_verbosity_warning",
]

log_levels = {"debug": DEBUG, "info": INFO, "warning": WARNING, "error": ERROR, "critical": CRITICAL}
_NAME = "crucible_datasets"


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what `sys.stderr` is at that moment: notebooks and tests replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        del value


def get_logger(name: str | None = None) -> logging.Logger:
    """A logger; the library's own when no name is given."""
    return logging.getLogger(_NAME if name is None else name)


def get_verbosity() -> int:
    """The level from which on messages are shown."""
    return get_logger().getEffectiveLevel()


def set_verbosity(verbosity: int) -> None:
    """Sets the level from which on messages are shown.

    Args:
        verbosity: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    """
    get_logger().setLevel(verbosity)


def set_verbosity_debug() -> None:
    """Shows everything."""
    set_verbosity(DEBUG)


def set_verbosity_info() -> None:
    """Shows also what is done, such as the use of kept results."""
    set_verbosity(INFO)


def set_verbosity_warning() -> None:
    """Shows warnings and errors: the default."""
    set_verbosity(WARNING)


def set_verbosity_error() -> None:
    """Shows errors only."""
    set_verbosity(ERROR)


def disable_propagation() -> None:
    """Messages go to the library's own handler alone."""
    get_logger().propagate = False


def enable_propagation() -> None:
    """Messages go to the handlers of the root logger too."""
    get_logger().propagate = True


def _configure() -> None:
    logger = get_logger()
    if any(isinstance(handler, _Stderr) for handler in logger.handlers):
        return
    logger.addHandler(_Stderr())
    named = dataset_verbosity()
    if named is not None and named not in log_levels:
        logging.getLogger().warning(
            "Unknown option DATASETS_VERBOSITY=%s, has to be one of: %s", named, ", ".join(log_levels)
        )
    logger.setLevel(log_levels.get(named or "", WARNING))


_configure()
