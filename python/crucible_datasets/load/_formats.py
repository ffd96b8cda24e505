"""The formats that are read: their options, and how files become a table. A new reader is registered here.

To add a format, `register(Format(...))`: its suffixes are in `_extensions.py` already, discovery, cards, archives and
errors need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from _crucible._native import Table
from crucible_datasets.errors import UnknownOptionError, UnsupportedError
from crucible_datasets.features import Features
from crucible_datasets.io import read_table
from crucible_datasets.load import _csv as csv
from crucible_datasets.load import _imagefolder as folder
from crucible_datasets.load import _json as json
from crucible_datasets.load import _parquet as parquet
from crucible_datasets.load import _streams as streams
from crucible_datasets.load import _text as text
from crucible_datasets.load import _webdataset as webdataset
from crucible_datasets.load._folderstream import stream_folder
from crucible_datasets.load._jobs import ReadJob, StreamJob
from crucible_datasets.load._streams import Stream


def _native(job: ReadJob) -> Table:
    """Reads with the native reader of that name."""
    return read_table(
        job.files,
        job.format,
        job.features,
        keep_in_memory=job.keep_in_memory,
        options=job.options,
        store=job.store,
    )


def _all_columns(features: Features | None, options: Mapping[str, Any]) -> Features | None:  # noqa: ARG001
    return features


def _as_given(options: dict[str, Any]) -> dict[str, Any]:
    return options


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: its name in `load_dataset`.
        options: options that it reads, by their names in `datasets`, with their defaults.
        refused: options that `datasets` has and that are not read here, with the values that change nothing.
        reader_options: makes the options of `ReadJob` of those that were given.
        read: makes the table.
        typed: makes the features of the columns that are read of those that are known, and the options of `ReadJob`.
        stream: makes the files and the reading of an `IterableDataset`.
        unpacks: whether archives among its files are unpacked (not where the archive is the data).
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, Any] = field(default_factory=dict)
    reader_options: Callable[[dict[str, Any]], dict[str, Any]] = _as_given
    read: Callable[[ReadJob], Table] = _native
    typed: Callable[[Features | None, Mapping[str, Any]], Features | None] = _all_columns
    stream: Callable[[StreamJob], Stream] = streams.stream_files
    unpacks: bool = True

    def __reduce__(self) -> tuple[Callable[[str], Format], tuple[str]]:
        return reader_of, (self.name,)

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options that differ from what is read anyway.

        Raises:
            UnknownOptionError: an option that the format does not have, with those that it has.
            UnsupportedError: an option that `datasets` has and that is not read here.
        """
        kept = {}
        for name, value in given.items():
            if name in self.options:
                kept[name] = value
            elif name not in self.refused and name not in _COMMON:
                known = sorted({*self.options, *self.refused})
                msg = f"BuilderConfig of format {self.name!r} doesn't have a '{name}' key. Its options are {known}."
                raise UnknownOptionError(msg)
            elif name in self.refused and value not in (None, self.refused[name]):
                msg = f"The option {name}={value!r} of format {self.name!r} is not read. Options that are: {sorted(self.options)}"
                raise UnsupportedError(msg)
        return kept

    def has(self, name: str) -> bool:
        """Whether `datasets` has an option of this name for the format."""
        return name in self.options or name in self.refused or name in _COMMON


_COMMON = {"version", "description"}
"""Of every config; they tell nothing about reading."""
REGISTRY: dict[str, Format] = {}


def register(format: Format) -> None:
    """Makes a format known to `load_dataset`."""
    REGISTRY[format.name] = format


def reader_of(name: str) -> Format:
    """A format by its name.

    Raises:
        UnsupportedError: it is not read, with those that are.
    """
    if name not in REGISTRY:
        msg = f"The data files are of format {name!r}, which is not read yet; the formats are {sorted(REGISTRY)}."
        raise UnsupportedError(msg)
    return REGISTRY[name]


def _none(options: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Nothing but how to read was given."""
    return {}


def _parquet(job: ReadJob) -> Table:
    return parquet.read_parquet(job.files, job.features, job.options, job.keep_in_memory, job.store)


register(
    Format(
        "parquet",
        options={"columns": None, "filters": None, "batch_size": None, "fragment_scan_options": None},
        refused={"on_bad_files": "error"},
        reader_options=parquet.parquet_options,
        read=_parquet,
        typed=parquet.restricted,
        stream=streams.stream_parquet,
    )
)
register(Format("json", options=dict.fromkeys(json.NAMES), reader_options=json.json_options))
register(Format("csv", options=dict.fromkeys(csv.NAMES), reader_options=csv.csv_options))
register(Format("text", options=dict.fromkeys(text.NAMES), reader_options=text.text_options))
register(Format("arrow"))
for _name in folder.COLUMNS:
    register(
        Format(_name, options=folder.OPTIONS, refused=folder.REFUSED, read=folder.read_folder, stream=stream_folder)
    )
register(Format("webdataset", read=webdataset.read_webdataset, stream=streams.stream_samples, unpacks=False))
