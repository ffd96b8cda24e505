"""Where the bytes of a stream's files come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from _crucible._native import HubClient, Opening, Source
from crucible_datasets.features import Features
from crucible_datasets.io import StorePlace, WebFile
from crucible_datasets.iterable._units import READERS, Reading, TypedReader


class FileOrigin(Protocol):
    """Something that opens a file: in the process that iterates, when it is its turn."""

    def open(self) -> Source:
        """The file's bytes."""

    def named(self) -> str:
        """Its name without the folders of a machine, and its content where that has a name."""

    def content(self) -> str | None:
        """What tells it from a file of the same name with other bytes, where that costs no request."""

    def whole(self) -> Source | tuple[HubClient, str] | None:
        """What `FilesAhead` reads whole: named without a request. None where opening it takes one."""


@dataclass(frozen=True)
class LocalOrigin:
    """A local file."""

    path: str

    def __str__(self) -> str:
        return self.path

    def open(self) -> Source:
        """The file's bytes."""
        return Source.local(self.path)

    def named(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(os.sep)[2]

    def content(self) -> str | None:
        """Its length; None where it is not there."""
        try:
            return str(Path(self.path).stat().st_size)
        except OSError:
            return None

    def whole(self) -> Source:
        """The file."""
        return self.open()


@dataclass(frozen=True)
class HubOrigin:
    """A file of a hub dataset at a commit.

    Attributes:
        client, repo_id, commit, path: what names it.
        size, etag: its length and the name of its content, as the listing of the commit has them.
        keep: bytes that all files which streams keep may have together; None keeps nothing of this one.
    """

    client: HubClient
    repo_id: str
    commit: str
    path: str
    size: int | None = None
    etag: str | None = None
    keep: int | None = None

    def __str__(self) -> str:
        return f"hf://datasets/{self.repo_id}@{self.commit}/{self.path}"

    def open(self) -> Source:
        """The file's bytes, by range requests; those that are kept come from the cache."""
        if self.keep is not None and self.size is not None and self.etag is not None:
            named = (self.client, "dataset", self.repo_id, self.path, self.commit)
            return Source.hub_kept(*named, self.size, self.etag, self.keep)
        return Source.hub(self.client, "dataset", self.repo_id, self.path, self.commit, self.size, self.etag)

    def begin(self, head: int | None = None) -> Opening | None:
        """Begins to open the file; None where a stream keeps what it reads: then opening takes no request.

        Args:
            head: how many of its first bytes are fetched; its footer when absent.
        """
        if self.keep is not None:
            return None
        return Opening.hub(self.client, "dataset", self.repo_id, self.path, self.commit, self.size, self.etag, head)

    def named(self) -> str:
        """Its path in the repository, and its hash."""
        return f"{self.path}@{self.content()}"

    def content(self) -> str | None:
        """The beginning of its hash."""
        return None if self.etag is None else self.etag[:16]

    def whole(self) -> Source | None:
        """The file at its commit, where the listing has its size."""
        if self.size is None:
            return None
        if self.keep is not None and self.etag is not None:
            return self.open()
        return Source.hub_listed(self.client, "dataset", self.repo_id, self.path, self.commit, self.size, self.etag)


@dataclass(frozen=True)
class WebOrigin:
    """A file of a web server."""

    file: WebFile
    store: StorePlace

    @property
    def size(self) -> int | None:
        """Its length: only the server knows it."""
        return None

    def open(self) -> Source:
        """The file's bytes: by range requests where the server knows them, else downloaded into the cache."""
        return self.file.source(self.store)

    def begin(self, head: int | None = None) -> Opening:
        """Begins to open the file, as that of the hub."""
        return Opening.web(self.file.client(), self.file.url, head)

    def named(self) -> str:
        """Its address without what is signed in it."""
        return self.file.url.partition("?")[0]

    def content(self) -> str | None:
        """Nothing is known of it."""
        return None

    def whole(self) -> tuple[HubClient, str]:
        """Its address."""
        return self.file.client(), self.file.url


@dataclass(frozen=True)
class MemoryOrigin:
    """A shard without a file: its rows are among the options of the `Reading`.

    Attributes:
        name: for messages.
        told: what tells its rows from others.
    """

    name: str
    told: str

    def open(self) -> Source:
        """No bytes."""
        return Source.memory(self.name, b"")

    def named(self) -> str:
        """Its name, and what tells its rows."""
        return f"{self.name}@{self.told}"

    def content(self) -> str | None:
        """What tells its rows."""
        return self.told

    def whole(self) -> Source:
        """No bytes."""
        return self.open()


def read_features(origin: FileOrigin, format: str) -> Features | None:
    """Features of a file as the file itself gives them; None for formats where only the rows tell."""
    reader = READERS[format](origin.open(), Reading(format))
    return reader.features if isinstance(reader, TypedReader) else None
