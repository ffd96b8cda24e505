"""Downloads into the cache or a folder, and look-ups in the cache, with the official names and arguments."""

from __future__ import annotations

from hfhub.download._assets import cached_assets_path
from hfhub.download._file import hf_hub_download
from hfhub.download._lookup import _CACHED_NO_EXIST, try_to_load_from_cache
from hfhub.download._plan import DryRunFileInfo
from hfhub.download._revision import ResolvedRevision, resolve_revision
from hfhub.download._snapshot import snapshot_download

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
