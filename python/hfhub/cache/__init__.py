"""The cache: look-ups, scan, deletion, pruning, statistics, verification, extraction.

Requests are made for repairs and for `verify_repo_checksums` alone.
"""

from __future__ import annotations

from hfhub.cache._checksums import FolderVerification, Mismatch, verify_repo_checksums
from hfhub.cache._delete import DeleteCacheStrategy
from hfhub.cache._extract import extract, extract_archive
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
from hfhub.cache._verify import BadFile, VerifyReport, verify_cache
from hfhub.errors import CacheNotFound, CorruptedCacheException

__all__ = [
    "BadFile",
    "CacheNotFound",
    "CacheStats",
    "CachedFileInfo",
    "CachedIncompleteFileInfo",
    "CachedRepoInfo",
    "CachedRevisionInfo",
    "CorruptedCacheException",
    "DeleteCacheStrategy",
    "FolderVerification",
    "HFCacheInfo",
    "Mismatch",
    "PruneReport",
    "VerifyReport",
    "cache_stats",
    "extract",
    "extract_archive",
    "prune",
    "scan_cache_dir",
    "try_to_load_from_cache",
    "verify_cache",
    "verify_repo_checksums",
]
