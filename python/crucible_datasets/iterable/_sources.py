"""Streams of data in memory and of files, and streams written out. `Dataset`, in the room above, does the work."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from _crucible._native import Table
from crucible_datasets.errors import UnsupportedError
from crucible_datasets.features import Features
from crucible_datasets.info import DatasetInfo
from crucible_datasets.iterable._memory import TablesPlan
from crucible_datasets.iterable._plan import part_of
from crucible_datasets.iterable._spark import SparkPlan, spark_split
from crucible_datasets.iterable._transforms import TransformsMixin

_ROWS = 1000
"""Rows of a batch where all of them are wanted."""


class SourcesMixin(TransformsMixin):
    """Constructors and exports."""

    _map_style: ClassVar[Any] = None
    """`Dataset`, which the room above sets when it is imported."""
    _loader: ClassVar[Callable[..., Any] | None] = None
    """`load_dataset`, likewise."""

    @classmethod
    def _dataset_class(cls) -> Any:
        if cls._map_style is None:
            importlib.import_module("crucible_datasets.dataset")  # the room above: it sets the class
        return cls._map_style

    @classmethod
    def _of_dataset(cls, dataset: Any, num_shards: int | None = 1) -> Self:
        """A stream over a dataset's rows, in contiguous shards; nothing is copied.

        Raises:
            ValueError: more shards than rows.
        """
        shards = 1 if num_shards is None else num_shards
        rows = len(dataset)
        if not 0 < shards <= max(rows, 1):
            msg = f"Unable to shard a dataset of size {rows} into {shards} shards (the number of shards exceeds the number of samples)."
            raise ValueError(msg)
        parts = [part_of(rows, shards, index) for index in range(shards)]
        tables = tuple(dataset._table.slice(part.start, part.stop) for part in parts)
        return cls(TablesPlan(tables, dataset.features), dataset._info, dataset.split)

    @classmethod
    def from_dict(
        cls,
        mapping: Mapping[str, Any],
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
        num_shards: int | None = 1,
    ) -> Self:
        """From lists by column.

        Args:
            mapping: the columns.
            features: types to cast to; inferred when absent.
            info: description and the like.
            split: name of the split.
            num_shards: contiguous parts that can be given to different readers.

        Raises:
            ValueError: more shards than rows.
        """
        made = cls._dataset_class().from_dict(mapping, features=features, split=split)
        return cls._of_dataset(made, num_shards)._of(info)

    @classmethod
    def from_list(
        cls,
        mapping: list[dict[str, Any]],
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
        num_shards: int | None = 1,
    ) -> Self:
        """From rows; arguments as `from_dict`."""
        made = cls._dataset_class().from_list(mapping, features=features, split=split)
        return cls._of_dataset(made, num_shards)._of(info)

    @classmethod
    def from_pandas(
        cls,
        df: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
        preserve_index: bool | None = None,
        num_shards: int | None = 1,
    ) -> Self:
        """From a `pandas.DataFrame`; `preserve_index` says whether the index becomes a column. Else as `from_dict`."""
        made = cls._dataset_class().from_pandas(df, features, info, split, preserve_index)
        return cls._of_dataset(made, num_shards)

    @classmethod
    def from_polars(
        cls, df: Any, features: Features | None = None, info: DatasetInfo | None = None, split: str | None = None
    ) -> Self:
        """From a `polars.DataFrame` or `LazyFrame` (which is collected); arguments as `from_dict`."""
        return cls._of_dataset(cls._dataset_class().from_polars(df, features, info, split))

    @classmethod
    def from_spark(cls, df: Any, split: str | None = None, features: Features | None = None, **kwargs: Any) -> Self:
        """From a DataFrame of Spark. Its partitions are the shards; each is fetched by a job of its own when it is read.

        Args:
            df: the DataFrame, of a session of this process.
            split: name of the split; "train" when absent.
            features: features of the rows; missing columns are None then, others dropped.
            **kwargs: taken for compatibility (`cache_dir`, `working_dir`, …): streams keep nothing.

        Raises:
            TypeError: no DataFrame of Spark, or an unknown option.
            ValueError: `split` is no name.
            UnsupportedError: a DataFrame of Spark Connect.
        """
        name = spark_split(df, split, kwargs, "IterableDataset.from_spark")
        return cls(SparkPlan.of(df), None, name, features=features)

    @classmethod
    def from_file(cls, filename: str) -> Self:
        """From an Arrow IPC stream in a file, memory-mapped."""
        return cls._of_dataset(cls._dataset_class().from_file(filename))

    # ------------------------------------------------------------------------------------------------------ files

    @classmethod
    def _loaded(cls, kind: str, paths: Any, split: str | None, features: Features | None, options: Any) -> Any:
        if cls._loader is None:
            importlib.import_module("crucible_datasets.load")  # the room above: it sets the loader
        load = cls._loader
        if load is None:
            msg = "crucible_datasets.load did not register its loader"
            raise RuntimeError(msg)
        listed = [paths] if isinstance(paths, str) or hasattr(paths, "__fspath__") else list(paths)
        name = "train" if split is None else str(split)
        files = {name: [str(path) for path in listed]}
        given = {key: value for key, value in options.items() if value is not None}
        return load(kind, data_files=files, split=name, features=features, streaming=True, **given)

    @classmethod
    def from_parquet(
        cls,
        path_or_paths: Any,
        split: str | None = None,
        features: Features | None = None,
        keep_in_memory: bool = False,
        columns: list[str] | None = None,
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
            keep_in_memory: taken for compatibility: streams keep nothing.
            columns: the columns that are read.
            filters: as in `load_dataset("parquet")`.
            fragment_scan_options: taken for compatibility, without effect.
            on_bad_files: only "error".
            **kwargs: options of `load_dataset("parquet")`.

        Raises:
            UnsupportedError: another `on_bad_files`.
        """
        del keep_in_memory, fragment_scan_options
        if on_bad_files != "error":
            msg = f"on_bad_files={on_bad_files!r} is not built: a bad file is an error"
            raise UnsupportedError(msg)
        options = {"columns": columns, "filters": filters, **kwargs}
        return cls._loaded("parquet", path_or_paths, split, features, options)

    @classmethod
    def from_json(
        cls,
        path_or_paths: Any,
        split: str | None = None,
        features: Features | None = None,
        keep_in_memory: bool = False,
        field: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """From JSON files; `field` is the member that holds the rows. Arguments as `from_parquet`."""
        del keep_in_memory
        return cls._loaded("json", path_or_paths, split, features, {"field": field, **kwargs})

    @classmethod
    def from_csv(
        cls,
        path_or_paths: Any,
        split: str | None = None,
        features: Features | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Any:
        """From CSV files; arguments as `from_parquet`."""
        del keep_in_memory
        return cls._loaded("csv", path_or_paths, split, features, kwargs)

    @classmethod
    def from_text(
        cls,
        path_or_paths: Any,
        split: str | None = None,
        features: Features | None = None,
        keep_in_memory: bool = False,
        keep_linebreaks: bool = False,
        sample_by: str = "line",
        **kwargs: Any,
    ) -> Any:
        """From text files, a row a line (or "paragraph", "document" with `sample_by`); else as `from_parquet`."""
        del keep_in_memory
        options = {"keep_linebreaks": keep_linebreaks or None, "sample_by": sample_by, **kwargs}
        return cls._loaded("text", path_or_paths, split, features, options)

    # ------------------------------------------------------------------------------------------------------- export

    def _whole(self) -> Any:
        """All rows as a `Dataset`: above the memory budget in a file of the cache, until the process ends."""
        made = self._dataset_class()
        rows = made._gathered(self._native_tables(_ROWS), self._known(), self._split)
        if rows is not None:
            return rows
        features = self.features or Features()
        empty = Table.from_columns({name: [] for name in features}, features.to_text())
        return made(empty, features, self._split)

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """All columns as Python lists, or an iterator of such dicts.

        Args:
            batch_size: rows of a dict with `batched`.
            batched: whether to give dicts one after the other.
        """
        if not batched:
            return self._whole().to_dict()
        made = self._dataset_class()
        return (made(table).to_dict() for table in self._native_tables(batch_size or _ROWS))

    def to_list(self) -> list[dict[str, Any]]:
        """All rows as Python dicts."""
        rows: list[dict[str, Any]] = self._whole().to_list()
        return rows

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """A `pandas.DataFrame`, or an iterator of them; arguments as `to_dict`."""
        if not batched:
            return self._whole().to_pandas()
        made = self._dataset_class()
        return (made(table, self._known()).to_pandas() for table in self._native_tables(batch_size or _ROWS))

    def to_polars(
        self,
        batch_size: int | None = None,
        batched: bool = False,
        schema_overrides: dict[str, Any] | None = None,
        rechunk: bool = True,
    ) -> Any:
        """A `polars.DataFrame`, or an iterator of them.

        Args:
            batch_size: rows of a frame with `batched`.
            batched: whether to give frames one after the other.
            schema_overrides: polars types by column.
            rechunk: whether the memory of each column is made one piece.
        """

        def frame(dataset: Any) -> Any:
            made = dataset.to_polars()
            made = made.cast(schema_overrides) if schema_overrides else made
            return made.rechunk() if rechunk else made

        if not batched:
            return frame(self._whole())
        made = self._dataset_class()
        return (frame(made(table)) for table in self._native_tables(batch_size or _ROWS))

    def to_csv(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        **to_csv_kwargs: Any,
    ) -> Any:
        """As `Dataset.to_csv`, of all rows. They are gathered first: above the memory budget in a file of the cache."""
        options = _given(batch_size=batch_size, storage_options=storage_options)
        return self._whole().to_csv(path_or_buf, **options, **to_csv_kwargs)

    def to_json(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        **to_json_kwargs: Any,
    ) -> Any:
        """As `Dataset.to_json`, of all rows. They are gathered first: above the memory budget in a file of the cache."""
        options = _given(batch_size=batch_size, storage_options=storage_options)
        return self._whole().to_json(path_or_buf, **options, **to_json_kwargs)

    def to_parquet(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        **parquet_writer_kwargs: Any,
    ) -> Any:
        """As `Dataset.to_parquet`, of all rows. They are gathered first: above the memory budget in a file of the cache."""
        options = _given(batch_size=batch_size, storage_options=storage_options)
        return self._whole().to_parquet(path_or_buf, **options, **parquet_writer_kwargs)

    def to_sql(self, name: str, con: Any, batch_size: int | None = None, **sql_writer_kwargs: Any) -> Any:
        """As `Dataset.to_sql`, of all rows. They are gathered first: above the memory budget in a file of the cache."""
        return self._whole().to_sql(name, con, **_given(batch_size=batch_size), **sql_writer_kwargs)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
