"""What a commit does: add, delete and copy files."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, cast

# What tools keep beside the files of a repository; the hub refuses them.
_FORBIDDEN = (".git", ".cache")
# A file object with more bytes is copied to a file of its own, so that it is not in memory.
_IN_MEMORY = 32 << 20


def _path_in_repo(path: str) -> str:
    """A path as the hub takes it.

    Raises:
        ValueError: it is empty, has an empty part, would leave the repository, or is below a folder that the hub refuses.
    """
    path = path.removeprefix("/")
    parts = path.split("/")
    if path == "." or ".." in parts or "" in (parts[:-1] if len(parts) > 1 else parts):
        msg = f"Invalid `path_in_repo` in CommitOperation: '{path}'"
        raise ValueError(msg)
    forbidden = next((part for part in parts if part in _FORBIDDEN), None)
    if forbidden is not None:
        msg = (
            f"Invalid `path_in_repo` in CommitOperation: cannot update files under a '{forbidden}/' folder "
            f"(path: '{path}')."
        )
        raise ValueError(msg)
    return path.removeprefix("./")


@dataclass
class UploadInfo:
    """Facts of the bytes of an addition.

    Attributes:
        sha256: their hash.
        size: their number.
        sample: the first 512 of them.
    """

    sha256: bytes
    size: int
    sample: bytes


@dataclass
class CommitOperationDelete:
    """A file or folder that goes.

    Args:
        path_in_repo: its path; one that ends in `/` is a folder's.
        is_folder: whether it is a folder, "auto" to see it from the path.

    Raises:
        ValueError: a path that cannot be one, or another `is_folder`.
    """

    path_in_repo: str
    is_folder: bool | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        self.path_in_repo = _path_in_repo(self.path_in_repo)
        if self.is_folder == "auto":
            self.is_folder = self.path_in_repo.endswith("/")
        if not isinstance(self.is_folder, bool):
            msg = f"Wrong value for `is_folder`. Must be one of [`True`, `False`, `'auto'`]. Got '{self.is_folder}'."
            raise ValueError(msg)  # as in huggingface_hub


@dataclass
class CommitOperationCopy:
    """A file of the repository that gets a second place.

    Args:
        src_path_in_repo: where it is.
        path_in_repo: where it shall be too.
        src_revision: the revision to take it from; the one that is committed to when absent.

    Raises:
        ValueError: a path that cannot be one.
    """

    src_path_in_repo: str
    path_in_repo: str
    src_revision: str | None = None

    def __post_init__(self) -> None:
        self.src_path_in_repo = _path_in_repo(self.src_path_in_repo)
        self.path_in_repo = _path_in_repo(self.path_in_repo)


@dataclass
class CommitOperationAdd:
    """A file that comes, or takes the place of one.

    Args:
        path_in_repo: where it shall be.
        path_or_fileobj: its bytes: `bytes`, the path of a local file, or a binary file object with `seek` and `tell`,
            which is read from where it stands.

    Raises:
        ValueError: no such file, something else than these, or a path that cannot be one.
    """

    path_in_repo: str
    path_or_fileobj: str | Path | bytes | BinaryIO
    _spool: Any = field(init=False, repr=False, compare=False, default=None)
    _mode: Literal["lfs", "regular"] | None = field(init=False, repr=False, compare=False, default=None)
    _ignored: bool = field(init=False, repr=False, compare=False, default=False)
    _present: str | None = field(init=False, repr=False, compare=False, default=None)
    _hash: str = field(init=False, repr=False, compare=False, default="")
    _size: int = field(init=False, repr=False, compare=False, default=0)
    _uploaded: bool = field(init=False, repr=False, compare=False, default=False)
    _committed: bool = field(init=False, repr=False, compare=False, default=False)

    def __post_init__(self) -> None:
        self.path_in_repo = _path_in_repo(self.path_in_repo)
        given = self.path_or_fileobj
        if isinstance(given, str | os.PathLike):
            self.path_or_fileobj = os.path.normpath(Path(given).expanduser())
            if not Path(self.path_or_fileobj).is_file():
                msg = f"Provided path: '{self.path_or_fileobj}' is not a file on the local file system"
                raise ValueError(msg)
        elif isinstance(given, io.BufferedIOBase):
            try:
                given.seek(0, os.SEEK_CUR)
            except (OSError, AttributeError) as error:
                msg = "path_or_fileobj is a file-like object but does not implement seek() and tell()"
                raise ValueError(msg) from error
        elif not isinstance(given, bytes):
            msg = (
                "path_or_fileobj must be either an instance of str, bytes or io.BufferedIOBase. If you passed a "
                "file-like object, make sure it is in binary mode."
            )
            raise ValueError(msg)  # as in huggingface_hub

    @contextmanager
    def as_file(self) -> Iterator[BinaryIO]:
        """The bytes as a file."""
        given = self.path_or_fileobj
        if isinstance(given, bytes):
            yield io.BytesIO(given)
        elif isinstance(given, str | Path):
            with Path(given).open("rb") as file:
                yield file
        else:
            place = given.tell()
            try:
                yield given
            finally:
                given.seek(place)

    @cached_property
    def upload_info(self) -> UploadInfo:
        """Hash, size and first bytes.

        Raises:
            OSError: the file cannot be read.
        """
        with self.as_file() as file:
            sample = file.read(512)
            file.seek(-len(sample), os.SEEK_CUR)
            hashed, size = hashlib.sha256(), 0
            while block := file.read(1 << 20):
                hashed.update(block)
                size += len(block)
        return UploadInfo(hashed.digest(), size, sample)

    def _content(self) -> str | bytes:
        """The bytes, or the path of a file that has them."""
        given = self.path_or_fileobj
        if isinstance(given, bytes | str):
            return given
        if self._spool is None:
            self._spool = _read(cast("BinaryIO", given))
        return self._spool if isinstance(self._spool, bytes) else str(self._spool.name)

    def _planned(self, large: bool, ignored: bool, size: int, hashed: str, present: str | None) -> None:
        """Takes what the hub said of it and what was found out while it was uploaded."""
        self._mode = "lfs" if large else "regular"
        self._ignored, self._present = ignored, present
        self._hash, self._size, self._uploaded = hashed, size, True

    @property
    def in_store(self) -> bool:
        """Whether its bytes have been uploaded, so that they are not needed any more."""
        return self._uploaded and self._mode == "lfs"

    def found(self, present: str | None) -> None:
        """Takes what the commit that is built upon has at this path.

        Args:
            present: sha256 of a large file, the git id of another; None for nothing. It decides whether the addition is
                left out of the commit since it changes nothing.
        """
        self._present = present

    @property
    def _unchanged(self) -> bool:
        return self._present is not None and self._present == self._hash


def _read(file: BinaryIO) -> Any:
    """The rest of a file: bytes, or a temporary file where they are many."""
    place = file.tell()
    try:
        first = file.read(_IN_MEMORY)
        block = file.read(_IN_MEMORY) if len(first) == _IN_MEMORY else b""
        if not block:
            return first
        copy = tempfile.NamedTemporaryFile(prefix="hfhub-upload-")  # noqa: SIM115  # lives as long as the operation
        copy.write(first)
        while block:
            copy.write(block)
            block = file.read(_IN_MEMORY)
        copy.flush()
        return copy
    finally:
        file.seek(place)


CommitOperation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete


def warn_of_overwriting(operations: Sequence[CommitOperation]) -> None:
    """Warns when a commit adds a file twice, or deletes what it added."""
    added: Counter[str] = Counter()
    for operation in operations:
        path = PurePosixPath(operation.path_in_repo)
        if isinstance(operation, CommitOperationAdd):
            if added[str(path)]:
                warnings.warn(
                    f"About to update multiple times the same file in the same commit: '{path}'. "
                    "This can cause undesired inconsistencies in your repo.",
                    stacklevel=4,
                )
            added.update([str(path), *(str(parent) for parent in path.parents)])
        elif isinstance(operation, CommitOperationDelete) and added[str(path)]:
            what = "a folder containing files that have" if operation.is_folder else "a file that have"
            warnings.warn(
                f"About to delete {what} just been updated within the same commit: '{operation.path_in_repo}'. "
                "This can cause undesired inconsistencies in your repo.",
                stacklevel=4,
            )
