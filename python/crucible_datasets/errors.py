"""Exceptions of the dataset library, under their official names."""

from __future__ import annotations

from _crucible.errors import (
    CrucibleError,
    DataError,
    DataFileNotFoundError,
    DecodeError,
    InternalError,
    LimitError,
    LocalEntryNotFoundError,
    MissingColumnError,
    OutOfBoundsError,
    SchemaError,
    UnsupportedError,
)


class DatasetsError(CrucibleError):
    """Base of the errors of loading."""


class FileNotFoundDatasetsError(DatasetsError, FileNotFoundError):
    """Something that was to be loaded is not there."""

    def __str__(self) -> str:
        """The text alone."""
        return str(self.args[0]) if self.args else ""


class DatasetNotFoundError(FileNotFoundDatasetsError):
    """No such dataset, revision, or no right to see it."""


class DatasetUnreachableError(DatasetsError, LocalEntryNotFoundError, ConnectionError):
    """The hub cannot be reached (or offline mode forbids it), and the cache does not have the dataset."""


class DataFilesNotFoundError(FileNotFoundDatasetsError):
    """The dataset has no data files of a known format."""


class EmptyDatasetError(FileNotFoundDatasetsError):
    """The folder has no files at all."""


class DatasetBuildError(DatasetsError):
    """The data files could not be turned into a dataset."""


class DatasetGenerationError(DatasetBuildError):
    """A data file could not be read; the cause says which and where."""


__all__ = [
    "CrucibleError",
    "DataError",
    "DataFileNotFoundError",
    "DataFilesNotFoundError",
    "DatasetBuildError",
    "DatasetGenerationError",
    "DatasetNotFoundError",
    "DatasetUnreachableError",
    "DatasetsError",
    "DecodeError",
    "EmptyDatasetError",
    "FileNotFoundDatasetsError",
    "InternalError",
    "LimitError",
    "LocalEntryNotFoundError",
    "MissingColumnError",
    "OutOfBoundsError",
    "SchemaError",
    "UnsupportedError",
]
