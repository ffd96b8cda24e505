"""Arguments that the download functions share."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from _crucible._native import HubClient, default_config
from _crucible.errors import HFValidationError
from hfhub._client import client

if TYPE_CHECKING:
    from hfhub.download._plan import DryRunFileInfo

Function = TypeVar("Function", bound=Callable[..., Any])

_REMOVED = {
    "proxies": "set HTTP_PROXY or HTTPS_PROXY",
    "resume_download": "downloads always continue where they can",
    "force_filename": "files have the names of the hub",
    "local_dir_use_symlinks": "files in local_dir are never links",
}


def takes_removed_arguments(function: Function) -> Function:
    """Accepts arguments that old versions of the official client had: ignored, with a warning."""

    @wraps(function)
    def with_removed(*positional: Any, **named: Any) -> Any:
        for name in [n for n in named if n in _REMOVED]:
            if named.pop(name) is not None:
                text = f"{function.__name__}: the argument {name!r} is ignored: {_REMOVED[name]}"
                warnings.warn(text, FutureWarning if name == "resume_download" else UserWarning, stacklevel=2)
        return function(*positional, **named)

    return cast("Function", with_removed)


def agent(library_name: str | None, library_version: str | None, more: Mapping[str, Any] | str | None) -> str | None:
    """The text that a caller adds to the user agent."""
    parts = [f"{library_name}/{library_version or 'None'}"] if library_name else []
    if isinstance(more, Mapping):
        parts += [f"{key}/{value}" for key, value in more.items()]
    elif more:
        parts.append(more)
    return "; ".join(parts) or None


def folder(path: str | os.PathLike[str]) -> str:
    """A folder as the official client takes it: `~` expanded, links resolved."""
    return os.path.realpath(os.path.expanduser(path))  # noqa: PTH111  # asked for often: no Path


def downloader(
    *,
    endpoint: str | None,
    token: str | bool | None,
    cache_dir: str | os.PathLike[str] | None,
    library_name: str | None = None,
    library_version: str | None = None,
    user_agent: Mapping[str, Any] | str | None = None,
    headers: Mapping[str, str] | None = None,
    etag_timeout: float | None = None,
) -> HubClient:
    """The native client of a download."""
    more = {"X-HF-Download-Counter": "1", **(headers or {})}
    return client(
        endpoint,
        token,
        folder(cache_dir if cache_dir is not None else default_config()["cache_dir"]),
        user_agent=agent(library_name, library_version, user_agent),
        headers=more,
        etag_timeout=etag_timeout,
    )


def planned(*facts: Any) -> DryRunFileInfo:
    """What a dry run says of a file. Few want it, and `dataclasses` is slow to import."""
    made: DryRunFileInfo = importlib.import_module("hfhub.download._plan").DryRunFileInfo(*facts)
    return made


def listed(patterns: list[str] | str | None) -> list[str] | None:
    """Patterns as a list, `/` between parts as on the hub."""
    if patterns is None:
        return None
    given = [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in given:
        if not isinstance(pattern, str):
            msg = f"a pattern must be a text, not {type(pattern).__name__}: {pattern!r}"
            raise HFValidationError(msg)
    return [pattern.replace("\\", "/") for pattern in given]
