"""What the readers of formats get: a split to read as a table, or to stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crucible_datasets.features import Features
from crucible_datasets.io import LocalFile, StorePlace, is_archive, unpacked
from crucible_datasets.iterable import FileOrigin, LocalOrigin
from crucible_datasets.load._data_files import DataFile, file_origins, local_files


@dataclass(frozen=True)
class ReadJob:
    """What a format's reader gets.

    Attributes:
        files: files on this machine, archives unpacked, in order.
        split: the split that they are.
        format: the format's name.
        options: what the format's `reader_options` made of the user's options.
        features: types to cast to, None to infer.
        keep_in_memory: True keeps the table on the heap, False maps it from a file, None goes by its size.
        store: where decoded tables are kept.
    """

    files: Sequence[LocalFile]
    split: str
    format: str
    options: Mapping[str, Any]
    features: Features | None
    keep_in_memory: bool | None
    store: StorePlace = field(default_factory=StorePlace)


@dataclass(frozen=True)
class StreamJob:
    """What a format's stream gets.

    Attributes:
        files: the files of the split.
        heads: the files of the first split, of which the first one with content says what is not imposed.
        split: the split.
        format: the format's name.
        options: what the format's `reader_options` made of the user's options.
        features: types to cast to, None to infer.
        unpacks: whether archives are unpacked.
        store: where downloads and unpacked archives are kept.
    """

    files: Sequence[DataFile]
    heads: Sequence[DataFile]
    split: str
    format: str
    options: Mapping[str, Any]
    features: Features | None
    unpacks: bool
    store: StorePlace = field(default_factory=StorePlace)

    def has_archives(self, files: Sequence[DataFile]) -> bool:
        """Whether some must be brought here and unpacked."""
        return self.unpacks and any(is_archive(file.path) for file in files)

    def local(self, files: Sequence[DataFile]) -> list[LocalFile]:
        """The files on this machine, archives unpacked."""
        here = local_files(files, self.store)
        return unpacked(here, self.store) if self.unpacks else here

    def origins(self, files: Sequence[DataFile]) -> list[FileOrigin]:
        """The files to stream; archives are brought here and unpacked."""
        if not self.has_archives(files):
            return file_origins(files, self.store)
        return [LocalOrigin(file.path) for file in self.local(files)]
