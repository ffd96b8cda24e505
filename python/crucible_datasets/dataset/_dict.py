"""`DatasetDict`: datasets by split."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from crucible_datasets.dataset._dataset import Dataset
from crucible_datasets.features import Features


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

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        with_split: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        fn_kwargs: Mapping[str, Any] | None = None,
        num_proc: int | None = None,
        desc: str | None = None,
        try_original_type: bool | None = True,
        on_mixed_types: str | None = None,
    ) -> DatasetDict:
        """`Dataset.map` of each split.

        Args:
            function: as in `Dataset.map`.
            with_indices: as in `Dataset.map`.
            with_rank: as in `Dataset.map`.
            with_split: whether the name of the split is passed as the last positional argument.
            input_columns: as in `Dataset.map`.
            batched: as in `Dataset.map`.
            batch_size: as in `Dataset.map`.
            drop_last_batch: as in `Dataset.map`.
            remove_columns: as in `Dataset.map`.
            keep_in_memory: as in `Dataset.map`.
            load_from_cache_file: as in `Dataset.map`.
            cache_file_names: by split, as `cache_file_name` of `Dataset.map`.
            writer_batch_size: as in `Dataset.map`.
            features: as in `Dataset.map`.
            disable_nullable: as in `Dataset.map`.
            fn_kwargs: as in `Dataset.map`.
            num_proc: as in `Dataset.map`.
            desc: as in `Dataset.map`.
            try_original_type: as in `Dataset.map`.
            on_mixed_types: as in `Dataset.map`; here None is the default.
        """
        names = cache_file_names or {}
        made = {}
        for split, dataset in self.items():
            called = partial(_with_split, function, split) if with_split and function is not None else function
            if with_split and inspect.iscoroutinefunction(function):
                called = partial(_with_split_async, function, split)
            made[split] = dataset.map(
                called,
                with_indices=with_indices,
                with_rank=with_rank,
                input_columns=input_columns,
                batched=batched,
                batch_size=batch_size,
                drop_last_batch=drop_last_batch,
                remove_columns=remove_columns,
                keep_in_memory=keep_in_memory,
                load_from_cache_file=load_from_cache_file,
                cache_file_name=names.get(split),
                writer_batch_size=writer_batch_size,
                features=features,
                disable_nullable=disable_nullable,
                fn_kwargs=fn_kwargs,
                num_proc=num_proc,
                desc=desc,
                try_original_type=try_original_type,
                on_mixed_types=on_mixed_types,
            )
        return type(self)(made)

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
        fn_kwargs: Mapping[str, Any] | None = None,
        num_proc: int | None = None,
        desc: str | None = None,
    ) -> DatasetDict:
        """`Dataset.filter` of each split; arguments as there, `cache_file_names` by split."""
        names = cache_file_names or {}
        return type(self)(
            {
                split: dataset.filter(
                    function,
                    with_indices=with_indices,
                    with_rank=with_rank,
                    input_columns=input_columns,
                    batched=batched,
                    batch_size=batch_size,
                    keep_in_memory=keep_in_memory,
                    load_from_cache_file=load_from_cache_file,
                    cache_file_name=names.get(split),
                    writer_batch_size=writer_batch_size,
                    fn_kwargs=fn_kwargs,
                    num_proc=num_proc,
                    desc=desc,
                )
                for split, dataset in self.items()
            }
        )

    def __repr__(self) -> str:
        parts = "\n".join(f"{name}: {dataset!r}" for name, dataset in self.items())
        body = "\n".join("    " + line for line in parts.split("\n"))
        return f"DatasetDict({{\n{body}\n}})"


def _with_split(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return function(*args, split, **kwargs)


async def _with_split_async(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return await function(*args, split, **kwargs)
