"""Downloads into the cache or a folder, and look-ups in the cache, with the official names and arguments."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hfhub.download._file import hf_hub_download
from hfhub.download._lookup import _CACHED_NO_EXIST, try_to_load_from_cache
from hfhub.download._revision import ResolvedRevision, resolve_revision
from hfhub.download._snapshot import snapshot_download

if TYPE_CHECKING:
    from hfhub.download._assets import cached_assets_path
    from hfhub.download._plan import DryRunFileInfo

# These need `pathlib` and `dataclasses`, which take longer to import than all the rest.
_HOME = {"cached_assets_path": "hfhub.download._assets", "DryRunFileInfo": "hfhub.download._plan"}

__all__ = [
    "_CACHED_NO_EXIST",
    "DryRunFileInfo",
    "ResolvedRevision",
    "cached_assets_path",
    "hf_hub_download",
    "resolve_revision",
    "snapshot_download",
    "try_to_load_from_cache",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in _HOME:
        msg = f"module 'hfhub.download' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
