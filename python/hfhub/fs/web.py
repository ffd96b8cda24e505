"""Web servers as a filesystem of the uniform API: ranges where the server knows them, a temporary file where not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import IO
from urllib.parse import urljoin, urlsplit, urlunsplit

from _crucible._native import RemoteFile
from hfhub._client import client as make_client
from hfhub.fs.base import Files, Info, clamped, ranged
from hfhub.fs.file import RangeFile

_SPOOL = 8 << 20
"""Bytes of a file without ranges that are kept in memory; more go to a temporary file."""
_MAX_PAGE = 16 << 20
"""Largest index page that is read."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


class WebFiles(Files):
    """Files of web servers by `http://` and `https://` addresses.

    A folder is an address that ends in `/`; what is in it are the links of its page that lead below it. The token goes
    to the hub's own origin only.

    Args:
        endpoint: address of the hub, for the token's rule; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none.
    """

    protocol = "https"

    def __init__(self, endpoint: str | None = None, token: str | bool | None = None) -> None:
        self.client = make_client(endpoint, token)

    def remote(self, path: str) -> RemoteFile:
        """Opens an address: one request.

        Raises:
            FileNotFoundError: 404 or 410. HfHubHTTPError: another refusal. HubConnectionError: no answer.
        """
        return RemoteFile.web(self.client, path)

    def info(self, path: str) -> Info:
        """Facts of an address: `name`, `size` (None where the server does not say), `type`, `mimetype`, `ETag`."""
        return _info(path, self.remote(path))

    def entries(self, path: str) -> list[Info]:
        """Links of a page that lead below it, as names with `size` None; a file is its own only entry."""
        file = self.remote(path)
        if "html" not in (file.content_type or ""):
            return [_info(path, file)]
        page = b"".join(_chunks(file, _MAX_PAGE))
        links = _Links()
        links.feed(page.decode("utf-8", "replace"))
        base = path if path.endswith("/") else path + "/"
        names: set[str] = set()
        for link in links.found:
            parts = urlsplit(urljoin(base, link))
            name = urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))
            if name.startswith(base) and name != base and not parts.path.endswith("/.."):
                first, slash, _ = name[len(base) :].partition("/")
                names.add(base + first + slash)
        return [{"name": n, "size": None, "type": "directory" if n.endswith("/") else "file"} for n in sorted(names)]

    def open_binary(self, path: str, block_size: int | None = None) -> IO[bytes] | RangeFile:
        """A file object that can seek: by ranges, or over a temporary copy where the server knows none."""
        file = self.remote(path)
        size = file.size
        if size is not None and (file.accepts_ranges or size == 0):
            return RangeFile(file, size, path=path, fs=self, block_size=block_size, details=_info(path, file))
        spool = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115  # the caller closes it
        for chunk in _chunks(file):
            spool.write(chunk)
        spool.seek(0)
        return spool

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Bytes `start` to `end` of a file, as Python slices count."""
        file = self.remote(path)
        if file.size is None or not file.accepts_ranges:
            return b"".join(_chunks(file))[start:end]
        return file.read(*clamped(start, end, file.size))

    def cat_ranges(
        self, paths: Sequence[str], starts: Sequence[int] | int | None, ends: Sequence[int] | int | None
    ) -> list[bytes]:
        """One range per address, in their order; those of one address are fetched together, close ones as one."""
        asked: dict[str, list[tuple[int, int | None, int | None]]] = {}
        for index, (path, start, end) in enumerate(ranged(paths, starts, ends)):
            asked.setdefault(path, []).append((index, start, end))
        found = [b""] * len(paths)
        for path, wanted in asked.items():
            file = self.remote(path)
            size = file.size
            if size is None or not file.accepts_ranges:
                whole = b"".join(_chunks(file))
                cuts = [whole[start:end] for _, start, end in wanted]
            else:
                cuts = file.read_ranges([clamped(start, end, size) for _, start, end in wanted])
            for (index, _, _), cut in zip(wanted, cuts, strict=True):
                found[index] = cut
        return found

    def url(self, path: str) -> str:
        """The address itself."""
        return path


def _info(path: str, file: RemoteFile) -> Info:
    page = path.endswith("/") and "html" in (file.content_type or "")
    return {
        "name": path,
        "size": file.size,
        "type": "directory" if page else "file",
        "mimetype": file.content_type,
        "ETag": file.etag,
        "last_modified": file.last_modified,
    }


def _chunks(file: RemoteFile, most: int | None = None) -> Iterator[bytes]:
    stream = file.stream()
    came = 0
    try:
        while chunk := stream.read(1 << 20):
            came += len(chunk)
            if most is not None and came > most:
                msg = f"{file.name}: the page is larger than {most} bytes"
                raise OSError(msg)
            yield chunk
    finally:
        stream.close()
