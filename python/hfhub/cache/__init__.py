"""The cache: look-ups, scan, deletion, pruning, statistics. Nothing here makes a request, except a repair."""

from __future__ import annotations

from hfhub.cache._delete import DeleteCacheStrategy
from hfhub.cache._lookup import try_to_load_from_cache
from hfhub.cache._prune import PruneReport, prune
from hfhub.cache._scan import scan_cache_dir
from hfhub.cache._stats import CacheStats, cache_stats
from hfhub.cache._types import (
    CachedFileInfo,
    CachedIncompleteFileInfo,
    CachedRepoInfo,
    CachedRevisionInfo,
    HFCacheInfo,
)
from hfhub.errors import CacheNotFound, CorruptedCacheException

__all__ = [
    "CacheNotFound",
    "CacheStats",
    "CachedFileInfo",
    "CachedIncompleteFileInfo",
    "CachedRepoInfo",
    "CachedRevisionInfo",
    "CorruptedCacheException",
    "DeleteCacheStrategy",
    "HFCacheInfo",
    "PruneReport",
    "cache_stats",
    "prune",
    "scan_cache_dir",
    "try_to_load_from_cache",
]
