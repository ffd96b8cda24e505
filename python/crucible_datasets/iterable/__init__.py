"""`IterableDataset`: rows that are read while they are iterated."""

from __future__ import annotations

from crucible_datasets.iterable._dataset import IterableDataset, IterableDatasetDict
from crucible_datasets.iterable._source import FileOrigin, HubOrigin, LocalOrigin, read_features

__all__ = ["FileOrigin", "HubOrigin", "IterableDataset", "IterableDatasetDict", "LocalOrigin", "read_features"]
