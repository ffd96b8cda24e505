"""Columns and rows added, split up and grouped; labels."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from _crucible._native import Table
from _crucible._optional import require
from crucible_datasets.dataset._align import joined
from crucible_datasets.dataset._arrange import ArrangeMixin
from crucible_datasets.dataset._foreign import known_column
from crucible_datasets.dataset._mixed import columns_table
from crucible_datasets.dataset._writer import value_kind
from crucible_datasets.errors import CastError, UnsupportedError
from crucible_datasets.features import ClassLabel, Feature, Features, Image, LargeList, List, Value

if TYPE_CHECKING:
    from collections.abc import Iterable


class EditMixin(ArrangeMixin):
    """Other columns and rows."""

    def _replaced(self, name: str, table: Table, feature: Feature) -> Self:
        """The same with the column `name` taken from a table of as many rows, at its place or at the end."""
        others = [column for column in self.column_names if column != name]
        parts = [self._table.select_columns(others), table] if others else [table]
        order = self.column_names if name in self._features else [*self.column_names, name]
        both = Table.side_by_side(parts).select_columns(order)
        return self._with(both, Features({**self._features, name: feature}))

    def add_column(
        self, name: str, column: Any, new_fingerprint: str | None = None, feature: Feature | None = None
    ) -> Self:
        """The same with one more column at the end. Rows that do not lie together are copied.

        Args:
            name: its name.
            column: a value for each row: list, numpy array, Arrow array, Series, or `Column`.
            new_fingerprint: fingerprint of the result.
            feature: its feature; inferred when absent.

        Raises:
            ValueError: the name is taken, another number of values than of rows.
            SchemaError: values that fit no common type, or not the feature.
        """
        if name in self._features:
            msg = f"The table can't have duplicated columns but columns {[name]} are duplicated."
            raise ValueError(msg)
        values: Any = known_column(column)
        if feature is None and type(column).__module__.partition(".")[0] in {"pandas", "pyarrow"}:
            arrow = require("pyarrow", extra="arrow", why="add_column with an array of another package")
            values = arrow.array(column) if hasattr(column, "isna") else column  # missing values are null
        elif hasattr(values, "to_pylist"):
            values = values.to_pylist()
        elif not isinstance(values, list | np.ndarray):
            values = list(values)
        if self.column_names and len(values) != len(self):
            msg = f"The column {name!r} has {len(values)} values, the dataset {len(self)} rows"
            raise ValueError(msg)
        text = None if feature is None else Features({name: feature}).to_text()
        table = columns_table({name: values}, None) if text is None else Table.from_columns({name: values}, text)
        found = Features.from_text(table.features)[name] if feature is None else feature
        return self._replaced(name, table, found)._named(new_fingerprint)

    def add_item(self, item: Mapping[str, Any], new_fingerprint: str | None = None) -> Self:
        """The same with one more row.

        Args:
            item: the row. Columns that it lacks are null there; its new columns are null in the other rows.
            new_fingerprint: fingerprint of the result.

        Raises:
            SchemaError: a value that does not fit its column.
            CastError: the same, where the kinds differ (a number for a list).
        """
        table = Table.from_columns({name: [value] for name, value in item.items()})
        given = Features.from_text(table.features)
        features = joined([self._features, given])
        for name, feature in given.items():
            if feature != Value("null") and value_kind(feature) != value_kind(features[name]):
                msg = f"add_item: a value of {feature} does not fit the column {name!r} of {features[name]}"
                raise CastError(msg)
        text = features.to_text()
        both = Table.concat([self._table.with_features(text), table.with_features(text)])
        return self._with(both, features)._named(new_fingerprint)

    def flatten(self, new_fingerprint: str | None = None, max_depth: int = 16) -> Self:
        """The same with struct columns replaced by their fields (`answers.text`), repeatedly; nothing is copied.

        Args:
            new_fingerprint: fingerprint of the result.
            max_depth: how deep at most.
        """
        table, features = self._table, self._features
        for _ in range(1, max_depth):
            structs = [name for name, feature in features.items() if _fields(feature) is not None]
            if not structs:
                break
            flat: dict[str, Feature] = {}
            for name, feature in features.items():
                parts = _fields(feature)
                flat.update({name: feature} if parts is None else {f"{name}.{k}": v for k, v in parts.items()})
            features = Features(flat)
            table = table.flattened(structs)
        if features is self._features:
            return self._with(self._table)._named(new_fingerprint)
        made = self._with(table.with_features(features.to_text()), features)
        made._format = self._format
        return made._named(new_fingerprint)

    def unique(self, column: str) -> list[Any]:
        """The distinct values of a column, in order of first appearance; null and NaN once.

        Raises:
            ValueError: an unknown column.
            UnsupportedError: a column of lists or structs.
        """
        if column not in self.column_names:
            msg = f"Column ({column}) not in table columns ({self.column_names})."
            raise ValueError(msg)
        if isinstance(self._features[column], List | LargeList | dict | Image):
            msg = f"unique: the column {column!r} holds lists or structs, which cannot be compared"
            raise UnsupportedError(msg)
        texts = self._table.distinct(column)
        return _distinct(self._table.column(column, 0, len(self))) if texts is None else texts

    def class_encode_column(self, column: str, include_nulls: bool = False) -> Self:
        """The same with a column of values as class labels: the names are the sorted texts of the values.

        Args:
            column: a column of scalars.
            include_nulls: whether null becomes the class "None"; else it stays null.

        Raises:
            ValueError: an unknown column, or one that holds no scalars.
        """
        if column not in self.column_names:
            msg = f"Column ({column}) not in table columns ({self.column_names})."
            raise ValueError(msg)
        source = self._features[column]
        if not isinstance(source, Value):
            msg = f"Class encoding is only supported for {Value.__name__} column, and column {column} is {type(source).__name__}."
            raise ValueError(msg)  # as the official library
        values = self._table.column(column, 0, len(self))
        wanted = [value for value in _distinct(values) if include_nulls or value is not None]
        names = sorted({str(value) for value in wanted})
        if not names and values:
            msg = f"class_encode_column: the column {column!r} has no values to make classes of"
            raise ValueError(msg)
        label = ClassLabel(names=names)
        number = {name: i for i, name in enumerate(names)}
        ids = [None if value is None and not include_nulls else number[str(value)] for value in values]
        return self._relabelled(column, ids, label)

    def _relabelled(self, column: str, values: list[Any], feature: Feature) -> Self:
        if not values:
            return self
        table = Table.from_columns({column: values}, Features({column: feature}).to_text())
        return self._replaced(column, table, feature)

    def align_labels_with_mapping(self, label2id: Mapping[str, int], label_column: str) -> Self:
        """The same with class numbers of another mapping; names are compared without case.

        Args:
            label2id: names to numbers 0 to k - 1.
            label_column: a column of class labels, or of lists of them.

        Raises:
            ValueError: an unknown column, one without labels, numbers that are not 0 to k - 1.
            KeyError: a label of the data that the mapping lacks.
        """
        if label_column not in self.column_names:
            msg = f"Column ({label_column}) not in table columns ({self.column_names})."
            raise ValueError(msg)
        feature = self._features[label_column]
        label = feature.feature if isinstance(feature, List) else feature
        if not isinstance(label, ClassLabel):
            msg = f"Aligning labels with a mapping is only supported for {ClassLabel.__name__} column or {List.__name__} column with the inner type {ClassLabel.__name__}, and column {label_column} is {feature}."
            raise ValueError(msg)  # as the official library
        ordered = sorted(label2id, key=lambda name: label2id[name])
        if sorted(label2id.values()) != list(range(len(label2id))):
            msg = f"The numbers of a label mapping must be 0 to {len(label2id) - 1}, got {sorted(label2id.values())}"
            raise ValueError(msg)
        lowered = {name.lower(): number for name, number in label2id.items()}

        def moved(value: Any) -> Any:
            if value is None:
                return None
            if isinstance(value, list):
                return [moved(item) for item in value]
            return lowered[label.int2str(value).lower()]

        values = [moved(value) for value in self._table.column(label_column, 0, len(self))]
        target = ClassLabel(names=ordered)
        return self._relabelled(label_column, values, List(target) if isinstance(feature, List) else target)

    def batch(
        self,
        batch_size: int | None = None,
        by_column: str | list[str] | None = None,
        drop_last_batch: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Self:
        """Rows of lists: each row holds the values of several neighbouring rows.

        Args:
            batch_size: rows of a list.
            by_column: a column, or several: neighbours with equal values there become one row.
            drop_last_batch: whether a shorter last row is left out (with `batch_size`).
            num_proc: accepted for compatibility: the lists are made by all cores.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: neither is given.
            TypeError: `batch_size` is no integer.
            NotImplementedError: `by_column` with `num_proc`.
        """
        if batch_size is None and by_column is None:
            msg = "batch() needs `batch_size` or `by_column`."
            raise ValueError(msg)
        rows = len(self)
        if by_column is not None:
            if num_proc:
                msg = "Batching by column is not split over processes"
                raise NotImplementedError(msg)
            ends = self._group_ends([by_column] if isinstance(by_column, str) else list(by_column))
        else:
            size = max(rows, 1) if batch_size is None else operator.index(batch_size)
            size = size if size > 0 else max(rows, 1)
            ends = np.arange(size, rows + 1, size, dtype=np.int64)
            if rows % size and not drop_last_batch:
                ends = np.append(ends, rows)
        if rows == 0:
            return self
        features = Features({name: List(feature) for name, feature in self._features.items()})
        table = self._table.grouped(ends).with_features(features.to_text())
        return self._with(table, features)._named(new_fingerprint)

    def _group_ends(self, columns: list[str]) -> np.ndarray[Any, Any]:
        self._checked(columns)
        values = [self._table.column(name, 0, len(self)) for name in columns]
        keys = list(zip(*values, strict=True))
        ends = [index for index in range(1, len(keys)) if keys[index] != keys[index - 1]]
        return np.array([*ends, len(keys)], dtype=np.int64)


def _fields(feature: Feature) -> dict[str, Feature] | None:
    """The fields of a struct, None for anything else."""
    parts = feature if isinstance(feature, dict) or not hasattr(feature, "flatten") else feature.flatten()
    return parts if isinstance(parts, dict) else None


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: dict[Any, None] = {}
    nan = False
    for value in values:
        if isinstance(value, float) and math.isnan(value):
            if nan:
                continue
            nan = True
        found[value] = None
    return list(found)
