"""Datasets from generators, data frames and files."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from _crucible._native import Table
from _crucible._optional import require
from _crucible._settings import settings
from crucible_datasets.dataset._disk import DiskMixin
from crucible_datasets.dataset._generated import GeneratorJob, Source, generated, shards
from crucible_datasets.dataset._home import Home
from crucible_datasets.dataset._spark import spark_table
from crucible_datasets.dataset._spill import Grower
from crucible_datasets.errors import DatasetGenerationError
from crucible_datasets.features import Features
from crucible_datasets.fingerprint import validate_fingerprint
from crucible_datasets.info import DatasetInfo
from crucible_datasets.iterable import spark_split
from crucible_datasets.splits import Split

Paths = str | os.PathLike[str] | list[str | os.PathLike[str]]


class SourcesMixin(DiskMixin):
    """Constructors."""

    _loader: ClassVar[Callable[..., Any] | None] = None
    """`load_dataset`, which the room above sets when it is imported."""

    @classmethod
    def _gathered(cls, tables: Iterable[Table], features: Features | None, split: str | None) -> Self | None:
        """Tables of equal columns as one, above the memory budget in a file; None if there is none."""
        grower, first = Grower(settings().memory_budget), True
        for table in tables:
            grower.add(table)
            first = False
        return None if first else cls(grower.finish(), features, split)

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Iterable[Mapping[str, Any]]],
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        gen_kwargs: Mapping[str, Any] | None = None,
        num_proc: int | None = None,
        split: str | None = Split.TRAIN,
        fingerprint: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """From the rows of a generator function. The first 1000 rows fix columns and types.

        Args:
            generator: called with `gen_kwargs`; yields dicts.
            features: types to cast to; inferred when absent.
            cache_dir: folder of the rows; `HF_DATASETS_CACHE` when absent. The same function with the same arguments is
                not run again: its rows are kept there, as results of `map` are.
            keep_in_memory: whether the rows are copied into memory; else the file is mapped.
            gen_kwargs: keyword arguments for the generator.
            num_proc: number of processes: the lists in `gen_kwargs` are divided among them.
            split: name of the split.
            fingerprint: fingerprint of the dataset; the rows are kept under it, whatever the function is.
            **kwargs: accepted for compatibility.

        Raises:
            DatasetGenerationError: the generator failed (its exception is the cause), gave something that is no dict,
                or nothing.
            TypeError: `generator` is no function.
            ValueError: `num_proc` below 1.
            RuntimeError: `num_proc` and lists of several lengths.
        """
        del kwargs
        if not callable(generator):
            msg = f"generator must be callable, but got {type(generator).__name__}"
            raise TypeError(msg)
        jobs = [GeneratorJob(generator, part, features) for part in shards(gen_kwargs or {}, num_proc)]
        if fingerprint is not None:
            validate_fingerprint(fingerprint)
        made_by = [generator, dict(gen_kwargs or {}), len(jobs)] if fingerprint is None else fingerprint
        told = {"generator": made_by, "features": None if features is None else features.to_text()}
        source = Source.of("from_generator", told, cache_dir)
        label = f"Generating {split or 'train'} split"
        try:
            if source is None:
                found = generated(jobs, None, label)
            else:
                found = source.get(lambda kept: generated(jobs, kept, label))
        except Exception as error:
            msg = "An error occurred while generating the dataset"
            raise DatasetGenerationError(msg) from error
        if found is None:
            msg = "The generator gave no rows"
            raise DatasetGenerationError(msg)
        return cls._kept_rows(found, split, source, keep_in_memory=keep_in_memory)._named(fingerprint)

    @classmethod
    def _kept_rows(
        cls, found: tuple[Table, Features], split: str | None, source: Source | None, *, keep_in_memory: bool
    ) -> Self:
        """A dataset of rows that are kept, or of those that are not."""
        table, features = found
        if keep_in_memory and source is not None:
            table = Table.from_ipc(table.to_ipc())
        made = cls(table, features, split)
        if source is not None:
            made._home = source.home
            source.clean()
        return made

    @classmethod
    def from_pandas(
        cls,
        df: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
        preserve_index: bool | None = None,
    ) -> Self:
        """From a `pandas.DataFrame`. Needs pandas and pyarrow.

        Args:
            df: the data frame.
            features: types to cast to; those of the frame when absent.
            info: description and the like.
            split: name of the split.
            preserve_index: whether the index becomes a column; when absent, only one that is not a plain range.
        """
        arrow = require("pyarrow", extra="arrow", why="from_pandas")
        table = Table.from_arrow(arrow.Table.from_pandas(df, preserve_index=preserve_index))
        return cls._of_table(table, features, info, split)

    @classmethod
    def from_polars(
        cls,
        df: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
    ) -> Self:
        """From a `polars.DataFrame` or `LazyFrame` (which is collected). Needs polars and pyarrow.

        Args:
            df: the frame.
            features: types to cast to; those of the frame when absent.
            info: description and the like.
            split: name of the split.
        """
        frame = df.collect() if hasattr(df, "collect") else df
        return cls._of_table(Table.from_arrow(frame.to_arrow()), features, info, split)

    @classmethod
    def from_spark(
        cls,
        df: Any,
        split: str | None = None,
        features: Features | None = None,
        keep_in_memory: bool = False,
        cache_dir: str | None = None,
        working_dir: str | None = None,
        load_from_cache_file: bool = True,
        **kwargs: Any,
    ) -> Self:
        """From a DataFrame of Spark, whose rows all come to this process. Needs pyspark 4 and pyarrow.

        Args:
            df: the DataFrame.
            split: name of the split; "train" when absent.
            features: types to cast to; those of the DataFrame when absent.
            keep_in_memory: whether the rows stay in memory; else, above the memory budget, they go to a file until the
                process ends.
            cache_dir: taken for compatibility: nothing is kept, Spark is asked each time.
            working_dir: taken for compatibility: the workers write no files.
            load_from_cache_file: taken for compatibility.
            **kwargs: options of the official builder, without effect.

        Raises:
            TypeError: no DataFrame of Spark, or an unknown option.
            ValueError: `split` is no name.
            UnsupportedError: pyspark before 4, or columns of maps or intervals.
            KeyError: two columns of one name.
            SchemaError: other columns than the features', or values that cannot be cast.
        """
        del cache_dir, working_dir, load_from_cache_file
        name = spark_split(df, split, kwargs, "Dataset.from_spark")
        table, types = spark_table(df, features)
        if not keep_in_memory:
            grower = Grower(settings().memory_budget)
            grower.add(table)
            table = grower.finish()
        return cls(table, types, name)

    @classmethod
    def _of_table(cls, table: Table, features: Features | None, info: DatasetInfo | None, split: str | None) -> Self:
        if features is not None:
            table = table.with_features(features.to_text())
        made = cls(table, features, split)
        return made if info is None else made._of(info)

    @classmethod
    def from_file(
        cls,
        filename: str | os.PathLike[str],
        info: DatasetInfo | None = None,
        split: str | None = None,
        indices_filename: str | None = None,
        in_memory: bool = False,
    ) -> Self:
        """From an Arrow IPC stream in a file, memory-mapped.

        Args:
            filename: the file.
            info: description and the like.
            split: name of the split.
            indices_filename: a file of row numbers (the column `indices`).
            in_memory: whether to copy the data into memory.

        Raises:
            DataFileNotFoundError: no such file.
            DecodeError: a broken file.
        """
        table = Table.open_stream(Path(filename))
        if in_memory:
            table = Table.from_ipc(table.to_ipc())
        if indices_filename is not None:
            numbers = Table.open_stream(Path(indices_filename))
            table = table.select(numbers.column("indices", 0, numbers.num_rows))
        made = cls._of_table(table, None, info, split)
        if not in_memory:
            made._home = Home(settings().datasets_cache, table)
        return made

    @classmethod
    def from_buffer(
        cls,
        buffer: Any,
        info: DatasetInfo | None = None,
        split: str | None = None,
        indices_buffer: Any = None,
    ) -> Self:
        """From the bytes of an Arrow IPC stream.

        Args:
            buffer: bytes, or anything with the buffer protocol.
            info: description and the like.
            split: name of the split.
            indices_buffer: a stream of row numbers (the column `indices`).
        """
        table = Table.from_ipc(bytes(memoryview(buffer)))
        if indices_buffer is not None:
            numbers = Table.from_ipc(bytes(memoryview(indices_buffer)))
            table = table.select(numbers.column("indices", 0, numbers.num_rows))
        return cls._of_table(table, None, info, split)

    # ------------------------------------------------------------------------------------------------------ files

    @classmethod
    def _loaded(cls, kind: str, paths: Any, split: str | None, features: Features | None, options: Any) -> Any:
        if SourcesMixin._loader is None:
            importlib.import_module("crucible_datasets.load")  # the room above: it sets the loader
        load = SourcesMixin._loader
        if load is None:
            msg = "crucible_datasets.load did not register its loader"
            raise RuntimeError(msg)
        given = {key: value for key, value in options.items() if value is not None}
        if isinstance(paths, Mapping):  # as in `datasets`: the splits of the files, or one of them
            files = {str(name): _listed(listed) for name, listed in paths.items()}
            return load(kind, data_files=files, split=split, features=features, **given)
        name = "train" if split is None else str(split)
        return load(kind, data_files={name: _listed(paths)}, split=name, features=features, **given)

    @classmethod
    def from_csv(
        cls,
        path_or_paths: Paths,
        split: str | None = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """From CSV files.

        Args:
            path_or_paths: the files.
            split: name of the split; "train" when absent.
            features: types to cast to; inferred when absent.
            cache_dir: folder of decoded tables; `HF_DATASETS_CACHE` when absent.
            keep_in_memory: whether the table is on the heap whatever its size.
            num_proc: accepted for compatibility: threads do the work.
            **kwargs: options of `load_dataset("csv")`.
        """
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, "num_proc": num_proc, **kwargs}
        return cls._loaded("csv", path_or_paths, split, features, options)

    @classmethod
    def from_json(
        cls,
        path_or_paths: Paths,
        split: str | None = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        field: str | None = None,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """From JSON files; `field` is the member that holds the rows. Other arguments as `from_csv`."""
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, "num_proc": num_proc, **kwargs}
        return cls._loaded("json", path_or_paths, split, features, {**options, "field": field})

    @classmethod
    def from_parquet(
        cls,
        path_or_paths: Paths,
        split: str | None = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        columns: list[str] | None = None,
        num_proc: int | None = None,
        filters: Any = None,
        fragment_scan_options: Any = None,
        on_bad_files: str = "error",
        **kwargs: Any,
    ) -> Any:
        """From Parquet files.

        Args:
            path_or_paths: the files.
            split: name of the split; "train" when absent.
            features: types to cast to; the files' own when absent.
            cache_dir: folder of decoded tables; `HF_DATASETS_CACHE` when absent.
            keep_in_memory: whether the table is on the heap whatever its size.
            columns: the columns to read; all when absent.
            num_proc: accepted for compatibility: threads do the work.
            filters: rows to read: pyarrow's lists of tuples, or an expression.
            fragment_scan_options: accepted for compatibility: it says how pyarrow reads.
            on_bad_files: "error"; skipping broken files is not supported.
            **kwargs: other options of `load_dataset("parquet")`.

        Raises:
            ValueError: `on_bad_files` is something else.
        """
        del fragment_scan_options
        if on_bad_files != "error":
            msg = f"on_bad_files={on_bad_files!r} is not supported: a file that cannot be read is an error"
            raise ValueError(msg)
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, "num_proc": num_proc, **kwargs}
        options.update(columns=columns, filters=filters)
        return cls._loaded("parquet", path_or_paths, split, features, options)

    @classmethod
    def from_text(
        cls,
        path_or_paths: Paths,
        split: str | None = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        num_proc: int | None = None,
        keep_linebreaks: bool = False,
        sample_by: str = "line",
        **kwargs: Any,
    ) -> Any:
        """From text files.

        Args:
            path_or_paths: the files.
            split: name of the split; "train" when absent.
            features: types to cast to; text when absent.
            cache_dir: folder of decoded tables; `HF_DATASETS_CACHE` when absent.
            keep_in_memory: whether the table is on the heap whatever its size.
            num_proc: accepted for compatibility: threads do the work.
            keep_linebreaks: whether rows end with their line break.
            sample_by: what a row is: "line", "paragraph" or "document".
            **kwargs: other options of `load_dataset("text")`.
        """
        options = {"cache_dir": cache_dir, "keep_in_memory": keep_in_memory or None, "num_proc": num_proc, **kwargs}
        options.update(keep_linebreaks=keep_linebreaks, sample_by=sample_by)
        return cls._loaded("text", path_or_paths, split, features, options)


def _listed(paths: Paths) -> list[str]:
    return [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
