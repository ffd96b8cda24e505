"""One API for `hf://`, local paths and the web."""

from __future__ import annotations

import os
from typing import Any

from hfhub.fs.base import Files
from hfhub.fs.hub import HubFiles
from hfhub.fs.local import LocalFiles
from hfhub.fs.web import WebFiles


def filesystem(
    url: str | os.PathLike[str],
    *,
    endpoint: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Files:
    """The filesystem of an address.

    It has `info`, `ls`, `exists`, `open`, `cat_file`, `cat_ranges`, `get`, `walk`, `find` and `glob`, all of which take
    whole addresses. fsspec is not needed.

    Args:
        url: `hf://…`, `http(s)://…`, `file://…` or a local path.
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: for the hub: a token, True for the stored one, False for none.
        cache_dir: the hub's cache folder; `HF_HUB_CACHE` when absent.

    Raises:
        ValueError: another kind of address.
    """
    text = os.fspath(url)
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme == "hf":
        return HubFiles(endpoint, token, cache_dir)
    if scheme in {"http", "https"}:
        return WebFiles(endpoint, token)
    if scheme in {"", "file"}:
        return LocalFiles()
    msg = f"{scheme}:// is not read here; hf://, http://, https://, file:// and local paths are"
    raise ValueError(msg)


def open_file(
    url: str | os.PathLike[str],
    mode: str = "rb",
    *,
    block_size: int | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    endpoint: str | None = None,
    token: str | bool | None = None,
) -> Any:
    """Opens a file of the hub, of the local disk or of the web for reading; it can seek.

    Args:
        url: `hf://…`, `http(s)://…`, `file://…` or a local path.
        mode: "rb", or "r" for text.
        block_size: bytes fetched at least.
        encoding: of text; UTF-8 when absent.
        errors: as for the builtin `open`.
        newline: as for the builtin `open`.
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: for the hub: a token, True for the stored one, False for none.

    Raises:
        FileNotFoundError: there is none.
        ReadOnlyError: the mode writes.
    """
    files = filesystem(url, endpoint=endpoint, token=token)
    return files.open(os.fspath(url), mode, block_size=block_size, encoding=encoding, errors=errors, newline=newline)
