"""Exceptions of the dataset library, under their official names."""

from __future__ import annotations

from _crucible.errors import (
    CastError,
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


class NoDataError(DataFilesNotFoundError, DatasetGenerationError):
    """The patterns of a split name no file."""


class DatasetScriptError(DatasetsError, RuntimeError):
    """The repository is a loading script, which is not run."""


class SampleError(DatasetsError, ValueError):
    """The first samples of a WebDataset archive do not say what columns there are."""


class UnknownOptionError(DatasetsError, TypeError, ValueError):
    """An option that the format does not have."""


class InvalidConfigName(DatasetsError, ValueError):  # noqa: N818  # the official name
    """A config's name with characters that no folder may have."""


class SplitsNotFoundError(DatasetsError, ValueError):
    """The names of the splits cannot be told."""


class SplitsVerificationError(DatasetsError):
    """The splits are not what the card says. `verification_mode="no_checks"` loads them all the same."""


class UnexpectedSplitsError(SplitsVerificationError):
    """Splits that the card does not name."""


class ExpectedMoreSplitsError(SplitsVerificationError):
    """The card names splits that are not there."""


class NonMatchingSplitsSizesError(SplitsVerificationError):
    """A split has another number of rows than the card says."""


class OfficialImportedError(DatasetsError, ImportError):
    """`datasets` is already imported and is not this library (`crucible_datasets.compat`)."""


class NotOfferedError(ImportError, CrucibleError):
    """Something of `datasets` that this library does not offer (`crucible_datasets.compat`)."""


__all__ = [
    "CastError",
    "CrucibleError",
    "DataError",
    "DataFileNotFoundError",
    "DataFilesNotFoundError",
    "DatasetBuildError",
    "DatasetGenerationError",
    "DatasetScriptError",
    "DatasetNotFoundError",
    "DatasetUnreachableError",
    "DatasetsError",
    "DecodeError",
    "EmptyDatasetError",
    "ExpectedMoreSplitsError",
    "FileNotFoundDatasetsError",
    "InternalError",
    "InvalidConfigName",
    "LimitError",
    "LocalEntryNotFoundError",
    "MissingColumnError",
    "NoDataError",
    "NonMatchingSplitsSizesError",
    "NotOfferedError",
    "OfficialImportedError",
    "OutOfBoundsError",
    "SampleError",
    "SchemaError",
    "SplitsNotFoundError",
    "SplitsVerificationError",
    "UnexpectedSplitsError",
    "UnknownOptionError",
    "UnsupportedError",
]
