"""`load_dataset` and its relatives."""

from __future__ import annotations

from crucible_datasets.load._load import get_dataset_config_names, get_dataset_split_names, load_dataset

__all__ = ["get_dataset_config_names", "get_dataset_split_names", "load_dataset"]
