"""`Dataset`, `DatasetDict` and the lazy `Column`."""

from __future__ import annotations

from crucible_datasets.dataset._column import Column
from crucible_datasets.dataset._dataset import Dataset
from crucible_datasets.dataset._dict import DatasetDict, load_from_disk
from crucible_datasets.iterable import IterableDataset

Dataset._dict_type = DatasetDict
IterableDataset._map_style = Dataset

__all__ = ["Column", "Dataset", "DatasetDict", "load_from_disk"]
