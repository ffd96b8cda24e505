"""Splits from files, and what `DatasetDict` does not have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from crucible_datasets.dataset._data import ArrowData
from crucible_datasets.dataset._dataset import Dataset
from crucible_datasets.dataset._missing import told
from crucible_datasets.features import Features
from crucible_datasets.push import PushDictMixin

Paths = dict[str, str | os.PathLike[str] | list[str | os.PathLike[str]]]


class DictSourcesMixin(PushDictMixin[Dataset]):
    """Constructors of `DatasetDict`."""

    _holds = Dataset

    @classmethod
    def _loaded(cls, kind: str, paths: Any, features: Features | None, options: dict[str, Any]) -> Any:
        if not isinstance(paths, Mapping):
            return Dataset._loaded(kind, paths, None, features, options)  # as in `datasets`: no dict of splits
        return cls({name: Dataset._loaded(kind, files, name, features, options) for name, files in paths.items()})

    @classmethod
    def from_csv(
        cls,
        path_or_paths: Paths,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """From CSV files by split; other arguments as `Dataset.from_csv`."""
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, **kwargs}
        return cls._loaded("csv", path_or_paths, features, options)

    @classmethod
    def from_json(
        cls,
        path_or_paths: Paths,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """From JSON files by split; other arguments as `Dataset.from_json`."""
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, **kwargs}
        return cls._loaded("json", path_or_paths, features, options)

    @classmethod
    def from_parquet(
        cls,
        path_or_paths: Paths,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        columns: list[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """From Parquet files by split; other arguments as `Dataset.from_parquet`."""
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, "columns": columns, **kwargs}
        return cls._loaded("parquet", path_or_paths, features, options)

    @classmethod
    def from_text(
        cls,
        path_or_paths: Paths,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """From text files by split; other arguments as `Dataset.from_text`."""
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, **kwargs}
        return cls._loaded("text", path_or_paths, features, options)

    @property
    def data(self) -> dict[str, ArrowData]:
        """`Dataset.data` by split."""
        return {name: dataset.data for name, dataset in self.items()}

    def __getattr__(self, name: str) -> Any:
        """What there is not: an AttributeError that says what to do instead."""
        raise AttributeError(told(type(self).__name__, name), name=name, obj=self)
