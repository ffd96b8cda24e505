"""Exceptions of `datasets` that nothing here raises: code that catches them must still be able to name them."""

from __future__ import annotations

from crucible_datasets.errors import DatasetGenerationError, DatasetsError


class DefunctDatasetError(DatasetsError):
    """The dataset was withdrawn."""


class ManualDownloadError(DatasetsError):
    """The files must be fetched by hand."""


class FileFormatError(DatasetsError):
    """A file is not of its format."""


class DatasetGenerationCastError(DatasetGenerationError):
    """A file has other columns than the first; here columns are brought together."""


class ChecksumVerificationError(DatasetsError):
    """Downloaded files are not what was recorded."""


class ExpectedMoreDownloadedFilesError(ChecksumVerificationError):
    """Recorded files were not downloaded."""


class UnexpectedDownloadedFileError(ChecksumVerificationError):
    """Downloaded files were not recorded."""


class NonMatchingChecksumError(ChecksumVerificationError):
    """A checksum differs."""
