"""`Dataset`: constructors and exports on top of rows and order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

from _crucible._native import Table
from _crucible._optional import require
from crucible_datasets.dataset._sources import SourcesMixin
from crucible_datasets.features import Features, decoder, encode_column, images_encoded, images_in_rows


class Dataset(SourcesMixin):
    """Rows in memory or in a memory-mapped file, with random access.

    Made by `load_dataset`, `from_list`, `from_dict` or `from_arrow`; not by its constructor.
    """

    @classmethod
    def from_list(
        cls, mapping: Sequence[dict[str, Any]], features: Features | None = None, split: str | None = None
    ) -> Self:
        """From rows.

        Args:
            mapping: dicts; the keys of the first are the columns, what a later one lacks is None.
            features: types to cast to; inferred when absent.
            split: name of the split.

        Raises:
            SchemaError: values that fit no common type, or not the features.
        """
        if features is None:
            encoded = images_in_rows(mapping)
            return cls(Table.from_rows(mapping), None, split) if encoded is None else cls._of_images(*encoded, split)
        columns = {name: [row.get(name) for row in mapping] for name in (mapping[0] if mapping else ())}
        return cls.from_dict(columns, features, split)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], features: Features | None = None, split: str | None = None) -> Self:
        """From columns.

        Args:
            mapping: names to lists, tuples or numpy arrays of equal length.
            features: types to cast to; inferred when absent.
            split: name of the split.

        Raises:
            SchemaError: columns of other lengths, values that fit no common type, or not the features.
        """
        columns = dict(mapping)
        if features is None:
            encoded = images_encoded(columns)
            return cls(Table.from_columns(columns), None, split) if encoded is None else cls._of_images(*encoded, split)
        for name, feature in features.items():
            if name in columns:
                columns[name] = encode_column(feature, columns[name])
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

    def to_list(self) -> list[dict[str, Any]]:
        """All rows as Python dicts."""
        rows: list[dict[str, Any]] = self._table.rows(0, len(self))
        return [self._decoded_row(row) for row in rows] if self._decoding() else rows

    def to_dict(self) -> dict[str, list[Any]]:
        """All columns as Python lists: what is stored (images as bytes and path), but JSON as what it says."""
        columns: dict[str, list[Any]] = self._table.batch(0, len(self))
        for name, feature in self._features.items():
            decode = decoder(feature, json_alone=True)
            if decode is not None:
                columns[name] = [decode(value) for value in columns[name]]
        return columns

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, by Arrow. Needs pandas and pyarrow."""
        require("pandas", extra="pandas", why="to_pandas")
        return require("pyarrow", extra="arrow", why="to_pandas").table(self._table).to_pandas()

    def to_polars(self) -> Any:
        """A `polars.DataFrame`, by Arrow. Needs polars."""
        return require("polars", extra="polars", why="to_polars").DataFrame(self._table)

    def to_parquet(self, path: str | os.PathLike[str], *, compression: str = "zstd") -> None:
        """Writes a Parquet file with the features in its metadata.

        Args:
            path: the file; it appears only when complete.
            compression: zstd, snappy, gzip, lz4, brotli or none.

        Raises:
            DataIOError: the file cannot be written.
        """
        self._table.with_features(self._features.to_text()).write_parquet(os.fspath(path), compression=compression)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes JSON lines.

        Args:
            path: the file; it appears only when complete.

        Raises:
            DataIOError: the file cannot be written.
        """
        self._table.write_jsonl(os.fspath(path))

    def cast(self, features: Features) -> Self:
        """The same rows in other features.

        Args:
            features: one for each column, same names.

        Raises:
            ValueError: other column names.
            SchemaError: a value that does not fit.
        """
        if sorted(features) != sorted(self.column_names):
            msg = f"The columns in features ({list(features)}) must be identical as the columns in the dataset: {self.column_names}"
            raise ValueError(msg)
        return self._with(self._table.with_features(features.to_text()), features)

    def cast_column(self, column: str, feature: Any) -> Self:
        """The same with one column in another feature; errors as `cast`."""
        self._checked(column)
        return self.cast(Features({**self._features, column: feature}))
