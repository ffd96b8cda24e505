"""Look-ups in the cache, without requests."""

from __future__ import annotations

import os
from typing import Any

from hfhub._client import client, kind
from hfhub.download._revision import pinned

#: What `try_to_load_from_cache` returns for a file that the repository is known not to have.
_CACHED_NO_EXIST: Any = object()


def try_to_load_from_cache(
    repo_id: str,
    filename: str,
    cache_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    repo_type: str | None = None,
) -> str | Any | None:
    """The path of a cached file.

    Args:
        repo_id: `namespace/name`.
        filename: path in the repository.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        revision: branch, tag or commit; `main` when absent.
        repo_type: "model" (when absent), "dataset" or "space".

    Returns:
        The path in the snapshot; `_CACHED_NO_EXIST` if the cache remembers that the repository has no such file; None
        if it does not know.

    Raises:
        HFValidationError: a repository id that cannot be one.
    """
    native = client(token=False, cache_dir=cache_dir)
    asked = (kind(repo_type), repo_id, filename, pinned(revision, repo_id, repo_type))
    return _CACHED_NO_EXIST if native.known_absent(*asked) else native.cached_path(*asked)
