"""`Dataset`: constructors and exports on top of rows and order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from _crucible._native import Table
from crucible_datasets.dataset._foreign import known_column
from crucible_datasets.dataset._given import given_table, plain_arrow
from crucible_datasets.dataset._hub import HubMixin
from crucible_datasets.dataset._mixed import columns_table
from crucible_datasets.features import Features, decoder, encode_column, images_encoded, images_in_rows
from crucible_datasets.info import DatasetInfo
from crucible_datasets.iterable import IterableDataset


class Dataset(HubMixin):
    """Rows in memory or in a memory-mapped file, with random access.

    Usually made by `load_dataset`, `from_list`, `from_dict` and the like.

    Args:
        arrow_table: a `pyarrow.Table`, or anything with `__arrow_c_stream__`; the memory is shared.
        info: description and the like; its features must have the table's types.
        split: name of the split.
        indices_table: a table whose first column are row numbers: the rows of the dataset, in that order.
        fingerprint: its fingerprint, in place of its own.

    Raises:
        TypeError: no table.
        KeyError: two columns of one name.
        ValueError: features of other types than the table's, row numbers that are not unsigned.
    """

    def __init__(
        self,
        arrow_table: Any,
        info: DatasetInfo | Features | None = None,
        split: str | None = None,
        indices_table: Any = None,
        fingerprint: str | None = None,
    ) -> None:
        if isinstance(arrow_table, Table) and (info is None or isinstance(info, Features)):
            super().__init__(arrow_table, info, split)
            return
        declared = info if isinstance(info, Features) else None if info is None else info.features
        super().__init__(*given_table(arrow_table, declared, indices_table), split)
        if isinstance(info, DatasetInfo):
            self._of(info.copy())
        if fingerprint is not None:
            self._fingerprint = fingerprint

    @classmethod
    def from_list(
        cls,
        mapping: Sequence[dict[str, Any]],
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
        on_mixed_types: str | None = None,
    ) -> Self:
        """From rows.

        Args:
            mapping: dicts; the keys of the first are the columns, what a later one lacks is None.
            features: types to cast to; inferred when absent.
            info: description and the like.
            split: name of the split.
            on_mixed_types: "use_json" makes `Json` of values of several types, and of dicts with different keys.

        Raises:
            SchemaError: values that fit no common type, or not the features.
        """
        if features is None and info is None and on_mixed_types is None:
            encoded = images_in_rows(mapping)
            return cls(Table.from_rows(mapping), None, split) if encoded is None else cls._of_images(*encoded, split)
        columns = {name: [row.get(name) for row in mapping] for name in (mapping[0] if mapping else ())}
        return cls.from_dict(columns, features, info, split, on_mixed_types)

    @classmethod
    def from_dict(
        cls,
        mapping: Mapping[str, Any],
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: str | None = None,
        on_mixed_types: str | None = None,
    ) -> Self:
        """From columns.

        Args:
            mapping: names to lists, tuples, numpy arrays, arrays of pyarrow, or Series of pandas or polars, of equal
                length.
            features: types to cast to; inferred when absent.
            info: description and the like.
            split: name of the split.
            on_mixed_types: "use_json" makes `Json` of values of several types, and of dicts with different keys.

        Raises:
            SchemaError: columns of other lengths, values that fit no common type, or not the features.
            ValueError: `info` has other features than `features`.
        """
        if info is not None and features is not None and info.features != features:
            msg = (
                f"Features specified in `features` and `info.features` can't be different:\n{features}\n{info.features}"
            )
            raise ValueError(msg)
        if features is None and info is not None:
            features = info.features
        made = cls._of_columns_given(dict(mapping), features, split, on_mixed_types)
        return made if info is None else made._of(info.copy())

    @classmethod
    def _of_columns_given(
        cls, columns: dict[str, Any], features: Features | None, split: str | None, on_mixed_types: str | None
    ) -> Self:
        columns = {name: known_column(values) for name, values in columns.items()}
        if features is None:
            encoded = images_encoded(columns)
            if encoded is not None:
                return cls._of_images(*encoded, split)
            return cls(columns_table(columns, on_mixed_types), None, split)
        for name, feature in features.items():
            if name in columns:
                columns[name] = encode_column(feature, plain_arrow(columns[name]))
        return cls(Table.from_columns(columns, features.to_text()), features, split)

    @classmethod
    def _of_images(cls, columns: dict[str, Any], images: dict[str, Any], split: str | None) -> Self:
        """From columns of which some are images already stored as such."""
        made = cls(Table.from_columns(columns), None, split)
        return made.cast(Features({**made._features, **images}))

    @classmethod
    def from_arrow(cls, data: Any, split: str | None = None) -> Self:
        """From anything with `__arrow_c_stream__` or `__arrow_c_array__` (pyarrow, polars, pandas, duckdb).

        The memory is shared.
        """
        return cls(Table.from_arrow(data), None, split)

    def to_iterable_dataset(self, num_shards: int | None = 1) -> IterableDataset:
        """The rows as a stream, in contiguous shards; nothing is copied.

        Args:
            num_shards: parts that can be given to different readers, and that `shuffle` puts in another order.

        Raises:
            ValueError: more shards than rows.
            NotImplementedError: a format of some columns, or with options.
        """
        if self._format.columns is not None or self._format.kwargs:
            msg = "a stream has formats without columns and options; call reset_format() first"
            raise NotImplementedError(msg)
        made = IterableDataset._of_dataset(self, num_shards)
        return made if self._format.type is None else made.with_format(self._format.type)

    def to_list(self) -> list[dict[str, Any]]:
        """All rows as Python dicts: what is stored (images as bytes and path), but JSON as what it says."""
        rows: list[dict[str, Any]] = self._table.rows(0, len(self))
        found = {name: decoder(feature, json_alone=True) for name, feature in self._features.items()}
        for name, decode in found.items():
            if decode is not None:
                for row in rows:
                    row[name] = decode(row[name])
        return rows

    def cast(
        self,
        features: Features,
        batch_size: int | None = 1000,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        num_proc: int | None = None,
    ) -> Self:
        """The same rows in other features.

        Args:
            features: one for each column, same names.
            batch_size: accepted for compatibility.
            keep_in_memory: accepted for compatibility.
            load_from_cache_file: accepted for compatibility.
            cache_file_name: accepted for compatibility.
            writer_batch_size: accepted for compatibility.
            num_proc: accepted for compatibility.

        Raises:
            ValueError: other column names.
            SchemaError: a value that does not fit.
        """
        del batch_size, keep_in_memory, load_from_cache_file, cache_file_name, writer_batch_size, num_proc
        if sorted(features) != sorted(self.column_names):
            msg = f"The columns in features ({list(features)}) must be identical as the columns in the dataset: {self.column_names}"
            raise ValueError(msg)
        return self._with(self._table.with_features(features.to_text()), features)

    def cast_column(self, column: str, feature: Any, new_fingerprint: str | None = None) -> Self:
        """The same with one column in another feature; errors as `cast`."""
        self._checked(column)
        return self.cast(Features({**self._features, column: feature}))._named(new_fingerprint)
