"""A file of the hub without a file: as chunks, or by ranges."""

from __future__ import annotations

from collections.abc import Iterator

from _crucible._native import RemoteFile
from hfhub._client import client, kind


class Chunks(Iterator[bytes]):
    """Chunks of a file. Closing it, or leaving its `with`, closes the connection.

    Attributes:
        file: the file that is read.
        start: first byte.
        end: the byte after the last.
    """

    def __init__(self, file: RemoteFile, start: int, end: int, chunk_size: int) -> None:
        self.file, self.start, self.end = file, start, end
        self._stream = file.stream(start, end)
        self._size = chunk_size

    def __next__(self) -> bytes:
        chunk = self._stream.read(self._size)
        if not chunk:
            raise StopIteration
        return chunk

    def __enter__(self) -> Chunks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Going on after it is a RuntimeError."""
        self._stream.close()


def open_range(
    repo_id: str,
    filename: str,
    *,
    subfolder: str | None = None,
    repo_type: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> RemoteFile:
    """Opens a file for reading by ranges: one request, which pins the commit and finds the address of the bytes.

    Args:
        repo_id: `namespace/name`.
        filename: path in the repository.
        subfolder: folder put before `filename`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        token: a token, True for the stored one, False for none.
        endpoint: address of the hub.

    Returns:
        An object with `len()`, `size`, `etag`, `commit`, `read(start, end)` and `read_ranges([(start, end), …])`;
        ranges are clamped to the file, close ones fetched as one, long ones in parts side by side. It pickles.

    Raises:
        RepositoryNotFoundError, GatedRepoError, RevisionNotFoundError, RemoteEntryNotFoundError: what is missing.
        HubConnectionError: no answer.
    """
    path = f"{subfolder}/{filename}" if subfolder else filename
    return RemoteFile.hub(client(endpoint, token), kind(repo_type), repo_id, path, revision)


def download_stream(
    repo_id: str,
    filename: str,
    *,
    start: int = 0,
    end: int | None = None,
    chunk_size: int = 1 << 20,
    subfolder: str | None = None,
    repo_type: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> Chunks:
    """A file as it comes, in constant memory; nothing is written to the disk.

    Continued after cuts without losing or repeating a byte. A whole file is verified: its last chunk comes only if the
    hash of all is right.

    Args:
        repo_id: `namespace/name`.
        filename: path in the repository.
        start: first byte.
        end: the byte after the last; the file's end when absent.
        chunk_size: bytes of a chunk; the last may be shorter.
        subfolder: folder put before `filename`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        token: a token, True for the stored one, False for none.
        endpoint: address of the hub.

    Returns:
        An iterator of bytes; also a context manager.

    Raises:
        ValueError: a negative position, or a chunk size below 1.
        IntegrityError: (while iterating) the hash is wrong, or the file changed.
        As `open_range` otherwise.
    """
    if start < 0 or chunk_size < 1 or (end is not None and end < 0):
        msg = f"start, end and chunk_size must not be negative: {start}, {end}, {chunk_size}"
        raise ValueError(msg)
    file = open_range(
        repo_id,
        filename,
        subfolder=subfolder,
        repo_type=repo_type,
        revision=revision,
        token=token,
        endpoint=endpoint,
    )
    size = len(file)
    return Chunks(file, start, size if end is None else min(end, size), chunk_size)
