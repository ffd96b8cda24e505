"""The native client behind every call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from _crucible._native import HubClient
from _crucible.errors import HFValidationError
from hfhub.auth._sources import for_client

_KINDS = ("model", "dataset", "space", "")
_AGENT = f"python/{sys.version.split()[0]}"  # not `platform`: slow to import


def client(
    endpoint: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    offline: bool | None = None,
    user_agent: str | None = None,
    headers: Mapping[str, str] | None = None,
    etag_timeout: float | None = None,
) -> HubClient:
    """A native client.

    Args:
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none, None for the stored one if there is one.
        cache_dir: the cache folder; `HF_HUB_CACHE` when absent.
        offline: whether requests are forbidden; `HF_HUB_OFFLINE` when absent.
        user_agent: more text for the user agent.
        headers: more headers, for the endpoint only.
        etag_timeout: seconds to wait for an answer about a file; `HF_HUB_ETAG_TIMEOUT` wins.
    """
    return HubClient(
        endpoint=endpoint,
        token=for_client(token),
        cache_dir=None if cache_dir is None else os.fspath(cache_dir),
        offline=offline,
        user_agent=_AGENT if user_agent is None else f"{_AGENT}; {user_agent}",
        headers=headers,
        etag_timeout=etag_timeout,
    )


def kind(repo_type: str | None) -> str:
    """The native name of an official `repo_type` (None means model).

    Raises:
        HFValidationError: there is no such type.
    """
    if repo_type is not None and repo_type not in _KINDS:
        msg = f"repo_type={repo_type!r} must be 'model', 'dataset', 'space' or None (a model)"
        raise HFValidationError(msg)
    return repo_type or "model"
