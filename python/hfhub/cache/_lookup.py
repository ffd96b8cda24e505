"""Look-ups in the cache, without requests."""

from __future__ import annotations

import os

from hfhub._client import client, kind


def try_to_load_from_cache(
    repo_id: str,
    filename: str,
    cache_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    repo_type: str | None = None,
) -> str | None:
    """The path of a cached file.

    Args:
        repo_id: `namespace/name`.
        filename: path in the repository.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        revision: branch, tag or commit; `main` when absent.
        repo_type: "model" (when absent), "dataset" or "space".

    Returns:
        The path in the snapshot, or None if it is not cached.
    """
    return client(token=False, cache_dir=cache_dir).cached_path(kind(repo_type), repo_id, filename, revision)
