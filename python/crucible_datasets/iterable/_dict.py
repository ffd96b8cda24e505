"""`IterableDatasetDict`: streams by split."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from crucible_datasets.features import Feature, Features
from crucible_datasets.iterable._dataset import IterableDataset
from crucible_datasets.push import PushDictMixin


class IterableDatasetDict(PushDictMixin[IterableDataset]):
    """Streams by split. A method does the same to each."""

    _holds = IterableDataset

    def _each(self, change: Callable[[IterableDataset], IterableDataset]) -> IterableDatasetDict:
        for name, dataset in self.items():
            if not isinstance(dataset, IterableDataset):
                msg = f"Values in `IterableDatasetDict` should be of type `IterableDataset` but got type '{type(dataset)}' for {name!r}"
                raise TypeError(msg)
        return IterableDatasetDict({name: change(dataset) for name, dataset in self.items()})

    def __repr__(self) -> str:
        parts = "\n".join(f"{name}: {dataset!r}" for name, dataset in self.items())
        body = "\n".join("    " + line for line in parts.split("\n"))
        return f"IterableDatasetDict({{\n{body}\n}})"

    @property
    def num_columns(self) -> dict[str, int | None]:
        """Number of columns by split."""
        return {name: dataset.num_columns for name, dataset in self.items()}

    @property
    def column_names(self) -> dict[str, list[str] | None]:
        """Names of the columns by split."""
        return {name: dataset.column_names for name, dataset in self.items()}

    def with_format(self, type: str | None = None) -> IterableDatasetDict:
        """See `IterableDataset.with_format`."""
        return self._each(lambda dataset: dataset.with_format(type))

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_split: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
    ) -> IterableDatasetDict:
        """See `IterableDataset.map`; `with_split` passes the split's name as the last positional argument."""
        made = {}
        for name, dataset in self._each(lambda each: each).items():
            chosen = _with_split(function, name) if with_split and function is not None else function
            made[name] = dataset.map(
                chosen,
                with_indices,
                input_columns,
                batched,
                batch_size,
                drop_last_batch,
                remove_columns,
                fn_kwargs=fn_kwargs,
            )
        return IterableDatasetDict(made)

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        fn_kwargs: Mapping[str, Any] | None = None,
    ) -> IterableDatasetDict:
        """See `IterableDataset.filter`."""
        return self._each(
            lambda dataset: dataset.filter(function, with_indices, input_columns, batched, batch_size, fn_kwargs)
        )

    def shuffle(
        self,
        seed: Any = None,
        generator: np.random.Generator | None = None,
        buffer_size: int = 1000,
        max_buffer_input_shards: int = 10,
    ) -> IterableDatasetDict:
        """See `IterableDataset.shuffle`."""
        return self._each(lambda dataset: dataset.shuffle(seed, generator, buffer_size, max_buffer_input_shards))

    def rename_column(self, original_column_name: str, new_column_name: str) -> IterableDatasetDict:
        """See `IterableDataset.rename_column`."""
        return self._each(lambda dataset: dataset.rename_column(original_column_name, new_column_name))

    def rename_columns(self, column_mapping: Mapping[str, str]) -> IterableDatasetDict:
        """See `IterableDataset.rename_columns`."""
        return self._each(lambda dataset: dataset.rename_columns(column_mapping))

    def remove_columns(self, column_names: str | list[str]) -> IterableDatasetDict:
        """See `IterableDataset.remove_columns`."""
        return self._each(lambda dataset: dataset.remove_columns(column_names))

    def select_columns(self, column_names: str | list[str]) -> IterableDatasetDict:
        """See `IterableDataset.select_columns`."""
        return self._each(lambda dataset: dataset.select_columns(column_names))

    def cast_column(self, column: str, feature: Feature) -> IterableDatasetDict:
        """See `IterableDataset.cast_column`."""
        return self._each(lambda dataset: dataset.cast_column(column, feature))

    def cast(self, features: Features) -> IterableDatasetDict:
        """See `IterableDataset.cast`."""
        return self._each(lambda dataset: dataset.cast(features))


def _with_split(function: Callable[..., Any], split: str) -> Callable[..., Any]:
    """A function that also gets the split's name."""
    called = _called_async if inspect.iscoroutinefunction(function) else _called
    return partial(called, function, split)


def _called(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return function(*args, split, **kwargs)


async def _called_async(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return await function(*args, split, **kwargs)
