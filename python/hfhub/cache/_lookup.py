"""Look-ups in the cache, without requests."""

from __future__ import annotations

from hfhub.download import _CACHED_NO_EXIST, try_to_load_from_cache

__all__ = ["_CACHED_NO_EXIST", "try_to_load_from_cache"]
