"""`RangeFile`: a file object over byte ranges, with read-ahead that grows as long as reads follow each other."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

from _crucible._native import RemoteFile, RemoteStream
from hfhub.fs.live import Reader

_LEAST = 64 << 10
"""Smallest fetch: a request costs more than these bytes. Also the tail that a read near the end brings (footers)."""
_MOST = 16 << 20
"""Largest read-ahead window (HUB_PROTOCOL 5.3). Reads this long go straight to the server, in parts side by side."""
_CHUNK = 1 << 20
"""What is taken from an open connection at a time."""
_KEPT = 16 << 20
"""Bytes of blocks kept besides the tail; the newest block is kept unless it alone is larger."""
_BLOCKS = 8


class Owner(Protocol):
    """The filesystem that a file came from."""

    def url(self, path: str) -> str:
        """The web address of a path."""
        ...


class RangeFile(io.BufferedIOBase):
    """A read-only file over a reader of known size.

    A read that follows the one before doubles the window, then keeps one connection open; a read elsewhere fetches what
    was asked and no more (64 KiB at least). The last 64 KiB come with the first read in them.

    Args:
        reader: gives bytes by position.
        size: length in bytes.
        path: name of the file for its filesystem.
        fs: the filesystem.
        block_size: bytes fetched at least; 64 KiB when absent or 0.
        details: what `info` said.
        check: called with the content when one read brings the whole file; raises if it is wrong.
    """

    mode = "rb"

    def __init__(
        self,
        reader: Reader,
        size: int,
        *,
        path: str = "",
        fs: Any = None,
        block_size: int | None = None,
        details: dict[str, Any] | None = None,
        check: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__()
        self._reader = reader
        self.size = size
        self.path = path
        self.fs = fs
        self.blocksize = block_size or _LEAST
        self.details = details or {"name": path, "size": size, "type": "file"}
        self.loc = 0
        self.cache: Any = None
        """Set by fsspec's `blockcache`: reads go through it instead."""
        self._whole_check = check
        self._start_anew()

    def _start_anew(self) -> None:
        """Drops everything that a fork or a pickle must not carry."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._blocks: list[tuple[int, bytes]] = []
        self._tail: tuple[int, bytes] | None = None
        self._stream: RemoteStream | None = None
        self._after = -1  # where the last fetch ended
        self._window = 0
        self._streak = 0

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def full_name(self) -> str:
        """The address with its protocol."""
        protocol = getattr(self.fs, "protocol", "")
        first = protocol if isinstance(protocol, str) else next(iter(protocol), "")
        return f"{first}://{self.path}" if first and "://" not in self.path else self.path

    def info(self) -> dict[str, Any]:
        """What the filesystem said about the file."""
        return self.details

    def url(self) -> str:
        """The web address."""
        owner: Owner = self.fs
        return owner.url(self.path)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Position."""
        return self.loc

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Moves the position; no request is made.

        Raises:
            ValueError: the position would be negative, or `whence` is none of 0, 1, 2.
        """
        self._check()
        base = {0: 0, 1: self.loc, 2: self.size}.get(whence)
        if base is None:
            msg = f"whence must be 0, 1 or 2, got {whence}"
            raise ValueError(msg)
        if base + offset < 0:
            msg = f"cannot seek to {base + offset}"
            raise ValueError(msg)
        self.loc = base + offset
        return self.loc

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, or the rest.

        Raises:
            IntegrityError: the file is another than the one that was opened.
            HubConnectionError, HfHubHTTPError: the server cannot be read from.
        """
        self._check()
        with self._lock:
            end = self.size if size is None or size < 0 else min(self.size, self.loc + size)
            if self.loc >= end:
                return b""
            data = self._get(self.loc, end)
            if len(data) == self.size and self._whole_check is not None:
                self._whole_check(data)
            self.loc += len(data)
            return data

    def read1(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes: what is there, else one fetch."""
        self._check()
        with self._lock:
            if self.loc >= self.size or size == 0:
                return b""
            most = self.blocksize if size < 0 else size
            block = self._held(self.loc) or self._fetch(self.loc, min(self.size, self.loc + most))
            from_ = self.loc - block[0]
            data = block[1][from_ : from_ + most]
            self.loc += len(data)
            return data

    def readinto(self, buffer: Any, /) -> int:
        """Reads into a buffer."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def peek(self, size: int = 0, /) -> bytes:
        """Some bytes from the position on, without moving it."""
        self._check()
        with self._lock:
            if self.loc >= self.size:
                return b""
            least = max(1, size)
            block = self._held(self.loc) or self._fetch(self.loc, min(self.size, self.loc + least))
            return block[1][self.loc - block[0] :]

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return super().closed

    @closed.setter
    def closed(self, value: bool) -> None:
        """The way in which fsspec's `blockcache` closes files."""
        if value:
            self.close()

    def close(self) -> None:
        """Closes the connection and forgets what was read."""
        if not self.closed:
            if self._stream is not None:
                self._stream.close()
            self._start_anew()
            self.cache = None
        super().close()

    def _check(self) -> None:
        if self.closed:
            msg = "I/O operation on closed file."
            raise ValueError(msg)
        if self._pid != os.getpid():
            self._start_anew()

    def _fetch_range(self, start: int, end: int) -> bytes:
        """Bytes from the server, as fsspec's caches ask for them."""
        return self._read(start, min(end, self.size))

    def _get(self, start: int, end: int) -> bytes:
        if self.cache is not None:
            cached: bytes = self.cache._fetch(start, end)
            return cached
        pieces = []
        while start < end:
            block = self._held(start) or self._fetch(start, end)
            piece = block[1][start - block[0] : end - block[0]]
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _held(self, at: int) -> tuple[int, bytes] | None:
        for block in (*reversed(self._blocks), self._tail):
            if block is not None and block[0] <= at < block[0] + len(block[1]):
                return block
        return None

    def _fetch(self, start: int, end: int) -> tuple[int, bytes]:
        """A block that begins at `start` (or holds it), at least one byte long."""
        wanted = end - start
        if self._stream is not None and start == self._after:
            return self._from_stream(start, max(wanted, _CHUNK))
        self._drop_stream()
        tail = max(0, self.size - _LEAST)
        if start >= tail and self._after != start:
            self._tail = (tail, self._read(tail, self.size))
            return self._tail
        if start != self._after:  # somewhere else: what is asked, and no guess
            self._streak = 0
            self._window = max(wanted, self.blocksize)
        elif wanted < _MOST:
            self._streak += 1
            self._window = min(_MOST, max(2 * self._window, wanted))
            if self._streak >= 2 and isinstance(self._reader, RemoteFile):
                # First one large window, then the rest of the file: three fetches in a row are no accident.
                self._window = _MOST
                stop = self.size if self._streak > 2 else min(self.size, start + _MOST)
                self._stream = self._reader.stream(start, stop)
                return self._from_stream(start, max(wanted, _CHUNK))
        stop = min(self.size, start + max(wanted, self._window if wanted < _MOST else 0))
        return self._keep(start, self._read(start, stop))

    def _from_stream(self, start: int, size: int) -> tuple[int, bytes]:
        if self._stream is None:  # closed meanwhile
            return self._keep(start, self._read(start, min(self.size, start + size)))
        data = self._stream.read(size)
        if not data:  # the window is used up
            self._drop_stream()
            return self._fetch(start, min(self.size, start + size))
        return self._keep(start, data)

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _read(self, start: int, end: int) -> bytes:
        data = self._reader.read(start, end)
        if len(data) != end - start:
            msg = f"{self.path}: {end - start} bytes at {start} were asked, {len(data)} came: the file has changed"
            raise OSError(msg)
        return data

    def _keep(self, start: int, data: bytes) -> tuple[int, bytes]:
        self._after = start + len(data)
        block = (start, data)
        blocks = [*self._blocks, block]
        while sum(len(kept) for _, kept in blocks) > _KEPT or len(blocks) > _BLOCKS:
            del blocks[0]
        self._blocks = blocks
        return block

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "path": self.path,
            "fs": self.fs,
            "block_size": self.blocksize,
            "details": self.details,
            "check": self._whole_check,
        }
        return _reopened, (self._reader, self.size, options, self.loc)


def _reopened(reader: Reader, size: int, options: dict[str, Any], loc: int) -> RangeFile:
    file = RangeFile(reader, size, **options)
    file.loc = loc
    return file
