"""Settings of the data packages: read from the environment here and nowhere else in Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TRUE = {"1", "ON", "YES", "TRUE"}
_DEFAULT_BUDGET = 2 << 20


@dataclass(frozen=True)
class Settings:
    """Values of one moment.

    Attributes:
        memory_budget: bytes of decoded Arrow data up to which a table stays on the heap; above it the table is written
            once as Arrow IPC in the cache and memory-mapped (`CRUCIBLE_MEMORY_BUDGET`).
        datasets_cache: folder of those files (`HF_DATASETS_CACHE`, else `$HF_HOME/datasets`).
        progress_bars: whether bars may be drawn (`HF_HUB_DISABLE_PROGRESS_BARS` unset).
    """

    memory_budget: int
    datasets_cache: Path
    progress_bars: bool


def settings() -> Settings:
    """Reads the settings from the environment."""
    env = os.environ
    cache_home = Path(env.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(env.get("HF_HOME") or cache_home / "huggingface")
    cache = Path(env.get("HF_DATASETS_CACHE") or home / "datasets").expanduser()
    try:
        budget = max(0, int(env.get("CRUCIBLE_MEMORY_BUDGET", _DEFAULT_BUDGET)))
    except ValueError:
        budget = _DEFAULT_BUDGET
    bars = env.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() not in _TRUE
    return Settings(memory_budget=budget, datasets_cache=cache, progress_bars=bars)
