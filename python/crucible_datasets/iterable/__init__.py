"""`IterableDataset`: rows that are read while they are iterated."""

from __future__ import annotations

from crucible_datasets.iterable._column import IterableColumn
from crucible_datasets.iterable._combine import concatenate_streams, interleave_streams
from crucible_datasets.iterable._dataset import IterableDataset, split_stream_by_node
from crucible_datasets.iterable._dict import IterableDatasetDict
from crucible_datasets.iterable._filtered import FILTERED
from crucible_datasets.iterable._formats import head_features
from crucible_datasets.iterable._source import (
    FileOrigin,
    HubOrigin,
    LocalOrigin,
    MemoryOrigin,
    WebOrigin,
    read_features,
)
from crucible_datasets.iterable._spark import spark_split
from crucible_datasets.iterable._units import AS_GIVEN, EXAMPLES, READERS, Position, Reading, UnitReader

__all__ = [
    "AS_GIVEN",
    "EXAMPLES",
    "FILTERED",
    "READERS",
    "FileOrigin",
    "HubOrigin",
    "IterableColumn",
    "IterableDataset",
    "IterableDatasetDict",
    "LocalOrigin",
    "MemoryOrigin",
    "Position",
    "Reading",
    "UnitReader",
    "WebOrigin",
    "concatenate_streams",
    "head_features",
    "interleave_streams",
    "read_features",
    "spark_split",
    "split_stream_by_node",
]
