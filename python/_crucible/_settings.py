"""Settings: read from the environment here and in `_hub_settings`, and nowhere else in Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from _crucible._hub_settings import TRUE

_DEFAULT_BUDGET = 2 << 20
_STREAM_CACHE = 32 << 30
_START_METHODS = frozenset({"fork", "spawn", "forkserver"})


@dataclass(frozen=True)
class Settings:
    """Values of one moment.

    Attributes:
        memory_budget: bytes of decoded Arrow data up to which a table stays on the heap; above it the table is written
            once as Arrow IPC in the cache and memory-mapped (`CRUCIBLE_MEMORY_BUDGET`).
        store_limit: bytes that those files may have together, None for no limit (`CRUCIBLE_STORE_LIMIT`).
        stream_cache: bytes that files which streams keep may have together (`CRUCIBLE_STREAM_CACHE_LIMIT`).
        datasets_cache: folder of those files (`HF_DATASETS_CACHE`, else `$HF_HOME/datasets`).
        assets_cache: folder of what other libraries keep (`HF_ASSETS_CACHE`, else `$HF_HOME/assets`).
        start_method: how processes of `num_proc` start: fork, spawn or forkserver (`CRUCIBLE_START_METHOD`); None for
            fork on Linux and spawn elsewhere.
    """

    memory_budget: int
    store_limit: int | None
    stream_cache: int
    datasets_cache: Path
    assets_cache: Path
    start_method: str | None


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
    try:
        limit = max(0, int(env["CRUCIBLE_STORE_LIMIT"]))
    except (KeyError, ValueError):
        limit = None
    try:
        stream_cache = max(0, int(env.get("CRUCIBLE_STREAM_CACHE_LIMIT", _STREAM_CACHE)))
    except ValueError:
        stream_cache = _STREAM_CACHE
    assets = Path(env.get("HF_ASSETS_CACHE") or env.get("HUGGINGFACE_ASSETS_CACHE") or home / "assets").expanduser()
    method = env.get("CRUCIBLE_START_METHOD")
    return Settings(
        memory_budget=budget,
        store_limit=limit,
        stream_cache=stream_cache,
        datasets_cache=cache,
        assets_cache=assets,
        start_method=method if method in _START_METHODS else None,
    )


def limits_of_environment() -> list[tuple[str, str]]:
    """The limits that the environment sets (`CRUCIBLE_MAX_...`): the extension asks once, and checks them."""
    prefix = "CRUCIBLE_MAX_"
    return [(key.removeprefix("CRUCIBLE_").lower(), said) for key, said in os.environ.items() if key.startswith(prefix)]


def hf_home() -> Path:
    """The folder of everything that is kept (`HF_HOME`, else `$XDG_CACHE_HOME/huggingface`, else under `~/.cache`)."""
    env = os.environ
    return Path(env.get("HF_HOME") or Path(env.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface").expanduser()


def datasets_offline() -> bool | None:
    """Whether loading datasets may ask nothing (`HF_DATASETS_OFFLINE`); None leaves it to `HF_HUB_OFFLINE`."""
    value = os.environ.get("HF_DATASETS_OFFLINE")
    return None if value is None else value.upper() in TRUE


@dataclass(frozen=True)
class TerminalSettings:
    """How to speak to people.

    Attributes:
        color: whether escape codes may be used (`NO_COLOR` unset, `TERM` not "dumb").
        debug: whether tracebacks are shown (`HF_DEBUG`).
    """

    color: bool
    debug: bool


def terminal_settings() -> TerminalSettings:
    """Reads the settings of the command line from the environment."""
    env = os.environ
    return TerminalSettings(
        color=not env.get("NO_COLOR") and env.get("TERM") != "dumb",
        debug=env.get("HF_DEBUG", "").upper() in TRUE,
    )


def dataset_verbosity() -> str | None:
    """The level of log messages that `DATASETS_VERBOSITY` names."""
    return os.environ.get("DATASETS_VERBOSITY") or None
