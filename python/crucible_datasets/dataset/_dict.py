"""`DatasetDict`: datasets by split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crucible_datasets.dataset._dataset import Dataset


class DatasetDict(dict[str, Dataset]):
    """A dict of splits; methods apply to each."""

    def __getitem__(self, key: Any) -> Dataset:
        """A split.

        Raises:
            KeyError: no such split, with those that there are.
        """
        if key in self:
            return super().__getitem__(key)
        if isinstance(key, str):
            msg = f"{key!r} is no split; there are {list(self)}"
        else:
            first = next(iter(self), "train")
            msg = f"Invalid key: {key}. Please first select a split. For example: `my_dataset_dictionary['{first}'][{key}]`. Available splits: {sorted(self)}"
        raise KeyError(msg)

    def _each(self, work: Callable[[Dataset], Any]) -> DatasetDict:
        return type(self)({name: work(dataset) for name, dataset in self.items()})

    @property
    def num_rows(self) -> dict[str, int]:
        """Rows by split."""
        return {name: dataset.num_rows for name, dataset in self.items()}

    @property
    def num_columns(self) -> dict[str, int]:
        """Columns by split."""
        return {name: dataset.num_columns for name, dataset in self.items()}

    @property
    def column_names(self) -> dict[str, list[str]]:
        """Column names by split."""
        return {name: dataset.column_names for name, dataset in self.items()}

    @property
    def shape(self) -> dict[str, tuple[int, int]]:
        """(rows, columns) by split."""
        return {name: dataset.shape for name, dataset in self.items()}

    def shuffle(
        self,
        seeds: dict[str, int | None] | None = None,
        seed: int | None = None,
        generators: dict[str, np.random.Generator] | None = None,
    ) -> DatasetDict:
        """`Dataset.shuffle` of each split: with `seed`, or with the seed or generator of the split.

        Raises:
            ValueError: both `seed` and `seeds` are given.
        """
        if seed is not None and seeds is not None:
            msg = "Please specify seed or seeds, but not both"
            raise ValueError(msg)
        return type(self)(
            {
                name: dataset.shuffle(
                    seed if seeds is None else seeds.get(name), None if generators is None else generators.get(name)
                )
                for name, dataset in self.items()
            }
        )

    def select_columns(self, column_names: str | list[str]) -> DatasetDict:
        """`Dataset.select_columns` of each split."""
        return self._each(lambda dataset: dataset.select_columns(column_names))

    def remove_columns(self, column_names: str | list[str]) -> DatasetDict:
        """`Dataset.remove_columns` of each split."""
        return self._each(lambda dataset: dataset.remove_columns(column_names))

    def rename_column(self, original_column_name: str, new_column_name: str) -> DatasetDict:
        """`Dataset.rename_column` of each split."""
        return self._each(lambda dataset: dataset.rename_column(original_column_name, new_column_name))

    def rename_columns(self, column_mapping: dict[str, str]) -> DatasetDict:
        """`Dataset.rename_columns` of each split."""
        return self._each(lambda dataset: dataset.rename_columns(column_mapping))

    def with_format(
        self, type: str | None = None, columns: list[str] | None = None, **format_kwargs: Any
    ) -> DatasetDict:
        """`Dataset.with_format` of each split."""
        return self._each(lambda dataset: dataset.with_format(type, columns, **format_kwargs))

    def set_format(self, type: str | None = None, columns: list[str] | None = None, **format_kwargs: Any) -> None:
        """`Dataset.set_format` of each split, in place."""
        for dataset in self.values():
            dataset.set_format(type, columns, **format_kwargs)

    def __repr__(self) -> str:
        parts = "\n".join(f"{name}: {dataset!r}" for name, dataset in self.items())
        body = "\n".join("    " + line for line in parts.split("\n"))
        return f"DatasetDict({{\n{body}\n}})"
