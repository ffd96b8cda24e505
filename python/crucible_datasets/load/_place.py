"""Where data files live: a folder, a hub repository, the web. Each lists paths and hands out files."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from _crucible.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from crucible_datasets.errors import DatasetNotFoundError, DatasetUnreachableError
from crucible_datasets.io import LocalFile, RemoteFiles, StorePlace, WebFile
from crucible_datasets.iterable import FileOrigin, HubOrigin, LocalOrigin, WebOrigin

E = TypeVar("E", bound=BaseException)


class Place(Protocol):
    """What loading needs to know of a place."""

    name: str

    def paths(self) -> list[str]:
        """All files."""

    def text(self, path: str) -> str | None:
        """A small text file, None if there is none."""

    def shown(self, path: str) -> str:
        """A file's full path or address."""

    def files(self, paths: list[str], store: StorePlace, *, force: bool = False) -> list[LocalFile]:
        """Files on this machine."""

    def origins(self, paths: list[str], store: StorePlace) -> list[FileOrigin]:
        """Files to stream."""


def _listed(root: str) -> list[str]:
    """All files below a folder, relative to it; folders that are links are not entered."""
    out: list[str] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder) if folder else root) as entries:  # noqa: PTH118  # every load lists
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file():
                    out.append(path)
    return sorted(out)


class Folder:
    """A local folder. Paths are relative to it."""

    def __init__(self, root: str | Path) -> None:
        self.root = os.path.abspath(os.path.expanduser(root))  # noqa: PTH100, PTH111  # links stay as they are
        self.name = str(root)

    @cached_property
    def _paths(self) -> list[str]:
        return _listed(self.root) if os.path.isdir(self.root) else []  # noqa: PTH112

    def paths(self) -> list[str]:
        """All files below the folder; folders that are links are not entered."""
        return self._paths

    def text(self, path: str) -> str | None:
        """A small text file, None if there is none."""
        try:
            with open(self.shown(path), encoding="utf-8", newline="") as file:  # noqa: PTH123
                return file.read()
        except (FileNotFoundError, IsADirectoryError):
            return None

    def shown(self, path: str) -> str:
        """The full path."""
        return os.path.join(self.root, path)  # noqa: PTH118

    def files(self, paths: list[str], store: StorePlace, *, force: bool = False) -> list[LocalFile]:  # noqa: ARG002
        """The files."""
        return [LocalFile.of(self.shown(path)) for path in paths]

    def origins(self, paths: list[str], store: StorePlace) -> list[FileOrigin]:  # noqa: ARG002
        """The files, to stream."""
        return [LocalOrigin(self.shown(path)) for path in paths]


class Web:
    """Files at `http(s)://` addresses. A path is an address."""

    name = "the web"

    def __init__(self, token: str | bool | None) -> None:
        self._token = token

    def paths(self) -> list[str]:
        """Addresses cannot be listed."""
        return []

    def text(self, path: str) -> str | None:  # noqa: ARG002
        """Nothing is known of the web."""
        return None

    def shown(self, path: str) -> str:
        """The address."""
        return path

    def files(self, paths: list[str], store: StorePlace, *, force: bool = False) -> list[LocalFile]:
        """Downloads the files."""
        return [WebFile(path, self._token).download(store, force=force) for path in paths]

    def origins(self, paths: list[str], store: StorePlace) -> list[FileOrigin]:
        """The files, to stream."""
        return [WebOrigin(WebFile(path, self._token), store) for path in paths]


class Repository:
    """A hub dataset at one commit.

    Raises:
        DatasetNotFoundError: no such repository or revision, or no right to see it.
        DatasetUnreachableError: no network (or offline mode), and the cache does not have it.
    """

    def __init__(self, repo_id: str, revision: str | None, token: str | bool | None) -> None:
        self.name = repo_id
        self.revision = revision
        try:
            self._remote = RemoteFiles(repo_id, revision, token)
        except LocalEntryNotFoundError as error:
            msg = f"Couldn't reach '{repo_id}' on the Hub: {error}"
            raise _noted(DatasetUnreachableError(msg), error) from error
        except GatedRepoError as error:
            raise self._gated(error) from error
        except RevisionNotFoundError as error:
            raise _not_found(
                f"Revision '{revision}' doesn't exist for dataset '{repo_id}' on the Hub: {error}", error
            ) from error
        except RepositoryNotFoundError as error:
            raise _not_found(
                f"Dataset '{repo_id}' doesn't exist on the Hub or cannot be seen: {error}", error
            ) from error

    @property
    def commit(self) -> str:
        """The commit."""
        return self._remote.commit

    @cached_property
    def _paths(self) -> list[str]:
        return sorted(self._remote.paths())

    def paths(self) -> list[str]:
        """All files."""
        return self._paths

    def text(self, path: str) -> str | None:
        """A small text file, None if there is none."""
        try:
            return self._remote.text(path)
        except GatedRepoError as error:
            raise self._gated(error) from error

    def shown(self, path: str) -> str:
        """The file's `hf://` address with the commit."""
        return f"hf://datasets/{self.name}@{self.commit}/{path}"

    def files(self, paths: list[str], store: StorePlace, *, force: bool = False) -> list[LocalFile]:  # noqa: ARG002
        """Downloads the files."""
        try:
            return self._remote.download(paths, force=force)
        except GatedRepoError as error:
            raise self._gated(error) from error

    def origins(self, paths: list[str], store: StorePlace) -> list[FileOrigin]:
        """The files, to stream."""
        remote, keep = self._remote, store.stream_cache
        facts = remote.facts
        client = remote.client if store.stream_hashes else remote.client.without_stream_hashes()
        return [HubOrigin(client, remote.repo_id, remote.commit, path, *facts[path], keep) for path in paths]

    def _gated(self, error: GatedRepoError) -> DatasetNotFoundError:
        return _not_found(f"Dataset '{self.name}' is a gated dataset on the Hub: {error}", error)


def _not_found(message: str, cause: BaseException) -> DatasetNotFoundError:
    return _noted(DatasetNotFoundError(message), cause)


def _noted(error: E, cause: BaseException) -> E:
    """The error with the hints of its cause."""
    for note in getattr(cause, "__notes__", []):
        error.add_note(note)
    return error
