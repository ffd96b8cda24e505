"""`datasets.config`: the values that count here, and those that people look up."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _crucible._hub_settings import TRUE
from _crucible._settings import datasets_offline, hf_home, settings
from crucible_datasets.compat._names import API_VERSION

_PACKAGES = {
    "TORCH_AVAILABLE": "torch",
    "TF_AVAILABLE": "tensorflow",
    "JAX_AVAILABLE": "jax",
    "POLARS_AVAILABLE": "polars",
    "DUCKDB_AVAILABLE": "duckdb",
    "SQLALCHEMY_AVAILABLE": "sqlalchemy",
    "PIL_AVAILABLE": "PIL",
    "TORCHCODEC_AVAILABLE": "torchcodec",
    "TORCHVISION_AVAILABLE": "torchvision",
}


def _offline() -> bool:
    own = datasets_offline()
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in TRUE if own is None else own


_VALUES: dict[str, Callable[[], Any]] = {
    "HF_DATASETS_CACHE": lambda: settings().datasets_cache,
    "HF_CACHE_HOME": hf_home,
    "HF_ENDPOINT": lambda: os.environ.get("HF_ENDPOINT", "https://huggingface.co"),
    "HF_DATASETS_OFFLINE": _offline,
    "HF_HUB_OFFLINE": _offline,
    "DOWNLOADED_DATASETS_PATH": lambda: settings().datasets_cache / "downloads",
    "IN_MEMORY_MAX_SIZE": lambda: settings().memory_budget,
    "DEFAULT_MAX_BATCH_SIZE": lambda: 1000,
    "MAX_SHARD_SIZE": lambda: "500MB",
    "DATASET_INFO_FILENAME": lambda: "dataset_info.json",
    "DATASET_STATE_JSON_FILENAME": lambda: "state.json",
    "DATASETDICT_JSON_FILENAME": lambda: "dataset_dict.json",
    "DATASET_ARROW_FILENAME": lambda: "dataset.arrow",
    "LICENSE_FILENAME": lambda: "LICENSE",
    "REPOCARD_FILENAME": lambda: "README.md",
    "DATASETS_VERSION": lambda: API_VERSION,
}
_VARIABLES = {
    "HF_DATASETS_CACHE": "HF_DATASETS_CACHE",
    "HF_ENDPOINT": "HF_ENDPOINT",
    "HF_DATASETS_OFFLINE": "HF_DATASETS_OFFLINE",
    "HF_HUB_OFFLINE": "HF_HUB_OFFLINE",
    "IN_MEMORY_MAX_SIZE": "CRUCIBLE_MEMORY_BUDGET",
}


def settings_names() -> list[str]:
    """The names that have a value."""
    return sorted([*_VALUES, *_PACKAGES])


def setting(name: str) -> Any:
    """A value of this moment.

    Raises:
        KeyError: none of that name.
    """
    if name in _PACKAGES:
        return importlib.util.find_spec(_PACKAGES[name]) is not None
    return _VALUES[name]()


def set_setting(name: str, value: Any) -> bool:
    """Sets what counts here by its environment variable; warns where setting changes nothing.

    Returns:
        Whether the value lives in the environment now.
    """
    variable = _VARIABLES.get(name)
    if variable is None:
        warnings.warn(f"setting datasets.config.{name} changes nothing in crucible_datasets", UserWarning, stacklevel=3)
        return False
    if isinstance(value, bool):
        value = int(value)
    os.environ[variable] = str(Path(value)) if isinstance(value, Path) else str(value)
    return True
