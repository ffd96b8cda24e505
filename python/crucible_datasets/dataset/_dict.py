"""`DatasetDict`: datasets by split."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Self

import numpy as np

from crucible_datasets.dataset._dataset import Dataset
from crucible_datasets.dataset._dict_sources import DictSourcesMixin
from crucible_datasets.dataset._disk import DICT, INFO, STATE
from crucible_datasets.dataset._folders import fetched, is_address, local_folder, uploaded
from crucible_datasets.features import Features
from crucible_datasets.splits import check_split_name


class DatasetDict(DictSourcesMixin):
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Lets go of the tables, as `Dataset` does."""
        for dataset in self.values():
            dataset.__exit__(*exc_info)

    def _check_values(self) -> None:
        for dataset in self.values():
            if not isinstance(dataset, Dataset):
                msg = f"Values in `DatasetDict` should be of type `Dataset` but got type '{type(dataset)}'"
                raise TypeError(msg)  # as the official library

    def _each(self, work: Callable[[Dataset], Any]) -> DatasetDict:
        self._check_values()
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
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
    ) -> DatasetDict:
        """`Dataset.shuffle` of each split: with `seed`, or with the seed or generator of the split.

        Args:
            seeds: a seed for each split.
            seed: one seed for all.
            generators: a generator for each split.
            keep_in_memory: as for `Dataset.shuffle`.
            load_from_cache_file: the same.
            indices_cache_file_names: the file of each split.
            writer_batch_size: accepted for compatibility.

        Raises:
            ValueError: both `seed` and `seeds` are given.
            KeyError: a split without seed or generator.
        """
        del writer_batch_size
        files = indices_cache_file_names or {}
        if seed is not None and seeds is not None:
            msg = "Please specify seed or seeds, but not both"
            raise ValueError(msg)
        if isinstance(seeds, int):
            seed, seeds = seeds, None
        return type(self)(
            {
                name: dataset.shuffle(
                    seed if seeds is None else seeds[name],
                    None if generators is None else generators[name],
                    keep_in_memory,
                    load_from_cache_file,
                    files.get(name),
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

    def cast(self, features: Features) -> DatasetDict:
        """`Dataset.cast` of each split."""
        return self._each(lambda dataset: dataset.cast(features))

    def cast_column(self, column: str, feature: Any) -> DatasetDict:
        """`Dataset.cast_column` of each split."""
        return self._each(lambda dataset: dataset.cast_column(column, feature))

    def class_encode_column(self, column: str, include_nulls: bool = False) -> DatasetDict:
        """`Dataset.class_encode_column` of each split."""
        return self._each(lambda dataset: dataset.class_encode_column(column, include_nulls))

    def align_labels_with_mapping(self, label2id: Mapping[str, int], label_column: str) -> DatasetDict:
        """`Dataset.align_labels_with_mapping` of each split."""
        return self._each(lambda dataset: dataset.align_labels_with_mapping(label2id, label_column))

    def flatten(self, max_depth: int = 16) -> DatasetDict:
        """`Dataset.flatten` of each split."""
        return self._each(lambda dataset: dataset.flatten(max_depth=max_depth))

    def flatten_indices(
        self,
        keep_in_memory: bool = False,
        cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> DatasetDict:
        """`Dataset.flatten_indices` of each split; arguments as there, `cache_file_names` by split."""
        files = cache_file_names or {}
        return type(self)(
            {
                name: dataset.flatten_indices(
                    keep_in_memory,
                    files.get(name),
                    writer_batch_size,
                    features,
                    disable_nullable,
                    num_proc,
                    new_fingerprint,
                )
                for name, dataset in self.items()
            }
        )

    def sort(
        self,
        column_names: str | Sequence[str],
        reverse: bool | Sequence[bool] = False,
        null_placement: str = "at_end",
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_names: dict[str, str | None] | None = None,
        writer_batch_size: int | None = 1000,
    ) -> DatasetDict:
        """`Dataset.sort` of each split; arguments as there, `indices_cache_file_names` by split."""
        del writer_batch_size
        files = indices_cache_file_names or {}
        return type(self)(
            {
                name: dataset.sort(
                    column_names, reverse, null_placement, keep_in_memory, load_from_cache_file, files.get(name)
                )
                for name, dataset in self.items()
            }
        )

    def unique(self, column: str) -> dict[str, list[Any]]:
        """`Dataset.unique` by split."""
        return {name: dataset.unique(column) for name, dataset in self.items()}

    @property
    def cache_files(self) -> dict[str, list[dict[str, str]]]:
        """`Dataset.cache_files` by split."""
        return {name: dataset.cache_files for name, dataset in self.items()}

    def cleanup_cache_files(self) -> dict[str, int]:
        """`Dataset.cleanup_cache_files` by split."""
        return {name: dataset.cleanup_cache_files() for name, dataset in self.items()}

    def with_format(
        self,
        type: str | None = None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> DatasetDict:
        """`Dataset.with_format` of each split."""
        return self._each(lambda dataset: dataset.with_format(type, columns, output_all_columns, **format_kwargs))

    def set_format(
        self,
        type: str | None = None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> None:
        """`Dataset.set_format` of each split, in place."""
        for dataset in self.values():
            dataset.set_format(type, columns, output_all_columns, **format_kwargs)

    def reset_format(self) -> None:
        """`Dataset.reset_format` of each split, in place."""
        for dataset in self.values():
            dataset.reset_format()

    def with_transform(
        self,
        transform: Callable[[dict[str, Any]], Any] | None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
    ) -> DatasetDict:
        """`Dataset.with_transform` of each split."""
        return self._each(lambda dataset: dataset.with_transform(transform, columns, output_all_columns))

    def set_transform(
        self,
        transform: Callable[[dict[str, Any]], Any] | None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
    ) -> None:
        """`Dataset.set_transform` of each split, in place."""
        for dataset in self.values():
            dataset.set_transform(transform, columns, output_all_columns)

    @contextmanager
    def formatted_as(
        self,
        type: str | None = None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Iterator[None]:
        """A format of each split for the length of a `with` block."""
        with ExitStack() as stack:
            for dataset in self.values():
                stack.enter_context(dataset.formatted_as(type, columns, output_all_columns, **format_kwargs))
            yield

    def save_to_disk(
        self,
        dataset_dict_path: str | os.PathLike[str],
        max_shard_size: str | int | None = None,
        num_shards: dict[str, int] | None = None,
        num_proc: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """A folder with one folder a split; arguments as `Dataset.save_to_disk`, `num_shards` by split.

        Raises:
            ValueError: `num_shards` is no dict of all splits.
        """
        if is_address(dataset_dict_path):
            with uploaded(dataset_dict_path, storage_options) as made:
                self.save_to_disk(made, max_shard_size, num_shards, num_proc)
            return
        folder = local_folder(dataset_dict_path, storage_options)
        if num_shards is not None and (not isinstance(num_shards, dict) or set(num_shards) != set(self)):
            msg = (
                "Please provide one `num_shards` per dataset in the dataset dictionary, e.g. {'train': 128, 'test': 4}"
            )
            raise ValueError(msg)
        for name in self:
            check_split_name(str(name))  # it becomes a folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DICT).write_text(json.dumps({"splits": [str(name) for name in self]}), encoding="utf-8")
        for name, dataset in self.items():
            shards = None if num_shards is None else num_shards[name]
            dataset.save_to_disk(folder / str(name), max_shard_size, shards, num_proc)

    @classmethod
    def load_from_disk(
        cls,
        dataset_dict_path: str | os.PathLike[str],
        keep_in_memory: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> DatasetDict:
        """The splits of a folder that `save_to_disk` wrote, here or in `datasets`.

        Raises:
            FileNotFoundError: no such folder, or one of another kind.
        """
        folder = fetched(dataset_dict_path, storage_options)
        if not (folder / DICT).is_file():
            msg = f"No such file: '{folder / DICT}'. Expected to load a DatasetDict object."
            raise FileNotFoundError(msg)
        splits = json.loads((folder / DICT).read_text(encoding="utf-8"))["splits"]
        for name in splits:
            check_split_name(name)  # a name of a stranger: it must stay inside the folder
        return cls({name: Dataset.load_from_disk(folder / name, keep_in_memory) for name in splits})

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
        self._check_values()
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
        self._check_values()
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


def load_from_disk(
    dataset_path: str | os.PathLike[str],
    keep_in_memory: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Dataset | DatasetDict:
    """The dataset, or the splits, of a folder that `save_to_disk` wrote, here or in `datasets`.

    Args:
        dataset_path: the folder, or an address that fsspec knows.
        keep_in_memory: whether to copy the data into memory; else the files are mapped.
        storage_options: options of the file system of an address.

    Raises:
        FileNotFoundError: no such folder, or nothing of this kind in it.
    """
    folder = fetched(dataset_path, storage_options)
    if not folder.exists():
        msg = f"Directory {folder} not found"
        raise FileNotFoundError(msg)
    if (folder / STATE).is_file() and (folder / INFO).is_file():
        return Dataset.load_from_disk(folder, keep_in_memory)
    if (folder / DICT).is_file():
        return DatasetDict.load_from_disk(folder, keep_in_memory)
    msg = f"Directory {folder} is neither a `Dataset` directory nor a `DatasetDict` directory."
    raise FileNotFoundError(msg)
