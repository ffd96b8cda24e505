"""`load_dataset` and its relatives."""

from __future__ import annotations

from crucible_datasets.dataset._sources import SourcesMixin
from crucible_datasets.iterable import IterableDataset
from crucible_datasets.load._builder import DatasetBuilder
from crucible_datasets.load._config import BuilderConfig
from crucible_datasets.load._inspect import (
    get_dataset_config_info,
    get_dataset_config_names,
    get_dataset_default_config_name,
    get_dataset_infos,
    get_dataset_split_names,
)
from crucible_datasets.load._load import load_dataset, load_dataset_builder
from crucible_datasets.load._modes import DownloadConfig, DownloadMode, VerificationMode

SourcesMixin._loader = staticmethod(load_dataset)  # `Dataset.from_csv` and the like
IterableDataset._loader = staticmethod(load_dataset)

__all__ = [
    "BuilderConfig",
    "DatasetBuilder",
    "DownloadConfig",
    "DownloadMode",
    "VerificationMode",
    "get_dataset_config_info",
    "get_dataset_config_names",
    "get_dataset_default_config_name",
    "get_dataset_infos",
    "get_dataset_split_names",
    "load_dataset",
    "load_dataset_builder",
]
