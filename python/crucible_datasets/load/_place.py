"""Where a dataset lives: a folder, or a hub repository. Both list paths, read small texts, and hand out files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

from _crucible.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from crucible_datasets.errors import DatasetNotFoundError, DatasetUnreachableError
from crucible_datasets.io import LocalFile, RemoteFiles
from crucible_datasets.iterable import FileOrigin, HubOrigin, LocalOrigin

E = TypeVar("E", bound=BaseException)


class Place(Protocol):
    """What loading needs to know of a place."""

    name: str

    def paths(self) -> list[str]:
        """All files."""

    def card(self) -> str | None:
        """The text of README.md."""

    def files(self, paths: list[str]) -> list[LocalFile]:
        """Files on this machine."""

    def origins(self, paths: list[str]) -> list[FileOrigin]:
        """Files to stream."""


class Folder:
    """A local folder. Paths are relative to it; absolute ones are taken as they are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def paths(self) -> list[str]:
        """All files below the folder; folders that are links are not entered."""
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())

    def card(self) -> str | None:
        """The text of README.md."""
        readme = self.root / "README.md"
        return readme.read_text(encoding="utf-8") if readme.is_file() else None

    def files(self, paths: list[str]) -> list[LocalFile]:
        """The files."""
        return [LocalFile.of(self.root / path) for path in paths]

    def origins(self, paths: list[str]) -> list[FileOrigin]:
        """The files, to stream."""
        return [LocalOrigin(str(self.root / path)) for path in paths]


class Repository:
    """A hub dataset at one commit.

    Raises:
        DatasetNotFoundError: no such repository or revision, or no right to see it.
        DatasetUnreachableError: no network (or offline mode), and the cache does not have it.
    """

    def __init__(self, repo_id: str, revision: str | None, token: str | bool | None) -> None:
        self.name = repo_id
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

    def paths(self) -> list[str]:
        """All files."""
        return sorted(self._remote.paths())

    def card(self) -> str | None:
        """The text of README.md."""
        try:
            return self._remote.text("README.md")
        except GatedRepoError as error:
            raise self._gated(error) from error

    def files(self, paths: list[str]) -> list[LocalFile]:
        """Downloads the files."""
        try:
            return self._remote.download(paths)
        except GatedRepoError as error:
            raise self._gated(error) from error

    def origins(self, paths: list[str]) -> list[FileOrigin]:
        """The files, to stream."""
        remote = self._remote
        return [HubOrigin(remote.client, remote.repo_id, remote.commit, path) for path in paths]

    def _gated(self, error: GatedRepoError) -> DatasetNotFoundError:
        return _not_found(f"Dataset '{self.name}' is a gated dataset on the Hub: {error}", error)


def _not_found(message: str, cause: BaseException) -> DatasetNotFoundError:
    return _noted(DatasetNotFoundError(message), cause)


def _noted(error: E, cause: BaseException) -> E:
    """The error with the hints of its cause."""
    for note in getattr(cause, "__notes__", []):
        error.add_note(note)
    return error
