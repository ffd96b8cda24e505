"""Whether results of transforms are kept."""

from __future__ import annotations

_state = {"enabled": True}


def enable_caching() -> None:
    """Results of `map` and `filter` are kept, and used again when they are asked for once more."""
    _state["enabled"] = True


def disable_caching() -> None:
    """Functions run each time, and results are gone when the process ends."""
    _state["enabled"] = False


def is_caching_enabled() -> bool:
    """Whether results of `map` and `filter` are kept and used again."""
    return _state["enabled"]
