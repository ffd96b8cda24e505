"""What can be done to a stream. Every method gives a new one; nothing runs before somebody iterates."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np

from crucible_datasets.features import Feature, Features, List
from crucible_datasets.formatting import TABLES, Format, make_format
from crucible_datasets.iterable._base import Base
from crucible_datasets.iterable._call import Call
from crucible_datasets.iterable._columns import Drop, Rename, Select, renamed
from crucible_datasets.iterable._map import BatchRows, FilterRows, GroupRows, MapBatches, MapRows
from crucible_datasets.iterable._map_tables import BatchTables, MapTables
from crucible_datasets.iterable._plan import OrderFrozenError, Plan
from crucible_datasets.iterable._rows import Tables, TypedRows, decoding, table_of
from crucible_datasets.iterable._shuffle import Shuffle
from crucible_datasets.iterable._steps import Repeat, Skip, Take

_HEAD = 5
"""Rows that features are inferred from."""


def _listed(columns: str | Sequence[str] | None) -> list[str]:
    return [] if columns is None else [columns] if isinstance(columns, str) else list(columns)


def _unchanged(value: Any) -> Any:
    return value


def _with_value(row: Any, index: int, name: str, column: Any) -> dict[str, Any]:
    if name in row:
        msg = f"Error when adding {name}: column {name} is already in the dataset."
        raise ValueError(msg)
    return {name: column[index]}


class TransformsMixin(Base):
    """`map`, `filter`, `shuffle` and the rest."""

    def _by_tables(self) -> bool:
        return self._format is not None and self._format.type in TABLES

    def _before_call(self, format: Format | None) -> Plan:
        """Rows for a function."""
        return self._in_rows(self._settled(self._plan), format, for_calls=True)

    def _settled(self, plan: Plan) -> Plan:
        """A plan in the order that it has below a function."""
        return plan.by_rows() if self._by_rows() else plan

    def _with_columns(self, plan: Plan) -> Plan:
        """A plan with all columns of the features: streams that were put together have not all of them in each row."""
        if plan.arrow or self._features is None or plan.features == self._features:
            return plan
        return TypedRows(plan, self._features)

    # --------------------------------------------------------------------------------------------------- functions

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        features: Features | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """A function on each row, or on batches, when they are iterated; what it returns is merged over its input.

        Args:
            function: called with the row (or a dict of lists), `input_columns` instead of it, the index (or list of
                indices) if `with_indices`, and `fn_kwargs`. Returns a mapping. In the arrow, pandas and polars formats
                it gets and returns tables. May be `async`: up to 1000 calls run at once. None changes nothing.
            with_indices: whether to pass the index: the number of the row in what this reader reads.
            input_columns: columns to pass one by one.
            batched: whether it gets batches; it may then return another number of rows.
            batch_size: rows a batch; None or 0 for all.
            drop_last_batch: whether a shorter last batch is left out.
            remove_columns: columns dropped from the input before the result is merged over it.
            features: features of the result; unknown when absent. They are not checked against the values.
            fn_kwargs: more keyword arguments.

        Raises:
            TypeError: while iterating: the function returned something that is no mapping, or no table.
            ValueError: while iterating: columns of other lengths in a batch.
        """
        call = Call(
            _unchanged if function is None else function,
            with_indices and function is not None,
            None if input_columns is None or function is None else tuple(_listed(input_columns)),
            frozenset(_listed(remove_columns)),
            dict(fn_kwargs or {}),
        )
        size = None if batch_size is None or batch_size <= 0 else batch_size
        plan: Plan
        if self._by_tables():
            plan = self._map_tables(call, size if batched else 1, drop_last_batch, features, batched=batched)
        elif not batched:
            plan = MapRows(self._before_call(self._format), call, features)
        else:
            known, shown = self._known(), self._format or Format()
            settled = self._settled(self._plan)
            direct = settled.arrow and (known is not None or settled.typed) and shown.type is None
            before = settled if direct else self._before_call(self._format)
            plan = MapBatches(before, call, features, size=size, drop_last=drop_last_batch, shown=known, format=shown)
        return self._with(plan, features=None)

    def _map_tables(
        self,
        call: Call,
        size: int | None,
        drop_last: bool,
        features: Features | None,
        *,
        batched: bool,
        filters: bool = False,
    ) -> Plan:
        known = self._known()
        plan = self._plan if self._plan.arrow else Tables(self._in_rows(self._plan, None), known)
        return MapTables(plan, call, self._format or Format(), size, drop_last, known, features, filters, batched)

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        fn_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """The rows for which a function is true.

        Args:
            function: called as in `map`; returns whether the row stays, or a list or array of that for a batch. None
                keeps all rows.
            with_indices: whether to pass the index.
            input_columns: columns to pass one by one.
            batched: whether it gets batches.
            batch_size: rows a batch; None or 0 for all.
            fn_kwargs: more keyword arguments.

        Raises:
            ValueError: while iterating: a mask of another length than its batch.
        """
        if function is None:
            return self._with()
        inputs = None if input_columns is None else tuple(_listed(input_columns))
        call = Call(function, with_indices, inputs, kwargs=dict(fn_kwargs or {}))
        size = None if batch_size is None or batch_size <= 0 else batch_size
        if self._by_tables():
            known = self._known()
            return self._with(
                self._map_tables(call, size if batched else 1, False, known, batched=batched, filters=True)
            )
        before = self._before_call(self._format)
        return self._with(FilterRows(before, call, batched, size, self._format or Format()))

    def batch(
        self,
        batch_size: int | None = None,
        by_column: str | list[str] | None = None,
        drop_last_batch: bool = False,
    ) -> Self:
        """Rows of lists: of `batch_size` rows, or of neighbouring rows with equal values.

        Args:
            batch_size: rows of a batch.
            by_column: columns whose values end a batch where they change.
            drop_last_batch: whether a shorter last batch is left out; only with `batch_size` alone.

        Raises:
            ValueError: neither of both, or `batch_size` below 1.
        """
        if batch_size is None and by_column is None:
            msg = "IterableDataset.batch() misses `batch_size` or `by_column` argument."
            raise ValueError(msg)
        if batch_size is not None and batch_size < 1:
            msg = f"batch_size must be at least 1, got {batch_size}"
            raise ValueError(msg)
        features = self.features
        lists = None if features is None else Features({name: List(feature) for name, feature in features.items()})
        if by_column is not None or batch_size is None:
            rows = self._in_rows(self._plan, None, for_calls=True)
            groups = GroupRows(rows, lists, tuple(_listed(by_column)))
            return self._with(groups, features=None, formatting=self._format or Format())
        if self._plan.arrow and features is not None and lists is not None:
            made = BatchTables(self._plan, batch_size, drop_last_batch, features, lists, self._format is None)
            return self._with(made, features=None)
        return self._with(BatchRows(self._before_call(self._format), lists, batch_size, drop_last_batch), features=None)

    # -------------------------------------------------------------------------------------------------------- order

    def shuffle(
        self,
        seed: Any = None,
        generator: np.random.Generator | None = None,
        buffer_size: int = 1000,
        max_buffer_input_shards: int = 10,
        strategy: str = "shards",
    ) -> Self:
        """Shards in a random order, then rows mixed by a buffer: the order that `datasets` gives for the same seed.

        Args:
            seed: seed of `numpy.random.default_rng`; fresh entropy when absent, drawn now.
            generator: a generator instead; a copy is used.
            buffer_size: rows in the buffer; 0 and 1 do not mix.
            max_buffer_input_shards: parts of the shards that fill the buffer in turns.
            strategy: "shards" is the order of `datasets`. "row_groups" mixes better where files are few and large: the
                row groups of all files are put in a random order, and so many of them fill the buffer at a time. Each
                reader asks its files for their footers when it starts.

        Raises:
            ValueError: `buffer_size` below 0, an unknown strategy, or "row_groups" after `take` or `skip`.
        """
        if strategy not in {"shards", "row_groups"}:
            msg = f"strategy must be 'shards' or 'row_groups', got {strategy!r}"
            raise ValueError(msg)
        if buffer_size < 0:
            msg = f"buffer_size must not be negative, got {buffer_size}"
            raise ValueError(msg)
        rng = np.random.default_rng(seed) if generator is None else copy.deepcopy(generator)
        inputs = max_buffer_input_shards
        plan = self._plan
        try:
            plan = plan.shuffled(rng)
        except OrderFrozenError:
            if strategy != "shards":
                msg = "shuffle(strategy='row_groups') must come before take and skip: they fix the order of the shards"
                raise ValueError(msg) from None
            inputs = 1
        made = Shuffle(plan, buffer_size, inputs, rng, max(1, buffer_size // max(1, inputs)), strategy == "row_groups")
        return self._with(made if plan.by_tables else made.by_rows())

    def take(self, n: int) -> Self:
        """The first `n` rows. Fixes the order of the shards.

        Args:
            n: how many; none for 0 and below.
        """
        return self._with(Take(self._plan, max(n, 0), self._distributed is None))

    def skip(self, n: int) -> Self:
        """All but the first `n` rows. Parquet files are not read for it. Fixes the order of the shards.

        Args:
            n: how many; none for 0 and below.
        """
        return self._with(Skip(self._plan, max(n, 0), self._distributed is None))

    def repeat(self, num_times: int | None) -> Self:
        """The rows `num_times` times, each pass in the same order.

        Args:
            num_times: how often; for ever if None, never for 0 and below.
        """
        return self._with(Repeat(self._plan, num_times))

    def shard(self, num_shards: int, index: int, contiguous: bool = True) -> Self:
        """One of `num_shards` parts of the shards.

        Args:
            num_shards: number of parts.
            index: which part, from 0.
            contiguous: whether a part has neighbouring shards; else every `num_shards`-th one.

        Raises:
            ValueError: no such part.
            IndexError: no shard left for the part.
        """
        if not 0 <= index < num_shards:
            msg = f"index should be in [0, num_shards-1], got {index} of {num_shards}"
            raise ValueError(msg)
        plan = self._plan.sharded(num_shards, index, contiguous)
        if index >= self._plan.num_shards:
            msg = f"part {index} of {num_shards} is empty: the stream has {self._plan.num_shards} shards; try reshard()"
            raise IndexError(msg)
        return self._with(plan)

    def reshard(self) -> Self:
        """More shards where files have parts: row groups of Parquet files. Reads their footers."""
        return self._with(self._plan.resharded())

    # ------------------------------------------------------------------------------------------------------ columns

    def _unknown(self, names: list[str], known: Features | None) -> None:
        missing = [name for name in names if known is not None and name not in known]
        if missing:
            msg = f"Column name {missing} not in the dataset. Columns in the dataset: {list(known or ())}."
            raise ValueError(msg)

    def select_columns(self, column_names: str | list[str]) -> Self:
        """Some columns, in this order. Only they are read where the format allows (Parquet).

        Args:
            column_names: the columns.

        Raises:
            ValueError: a column that is not there, where they are known without reading.
        """
        names = list(dict.fromkeys(_listed(column_names)))
        known = self._known()
        self._unknown(names, known)
        plan = self._plan.projected(names) if known is None or self._features is None else None
        features = None if self._features is None else Features({name: self._features[name] for name in names})
        return self._with(plan or Select(self._with_columns(self._plan), False, tuple(names)), features=features)

    def remove_columns(self, column_names: str | list[str]) -> Self:
        """Without some columns; those that are not there are passed over.

        Args:
            column_names: the columns.
        """
        gone = frozenset(_listed(column_names))
        known = self._known()
        plan = None
        if known is not None and self._features is None:
            plan = self._plan.projected([name for name in known if name not in gone])
        features = None
        if self._features is not None:
            features = Features({name: value for name, value in self._features.items() if name not in gone})
        return self._with(
            Drop(self._with_columns(self._settled(plan or self._plan)), not self._by_tables(), gone), features=features
        )

    def rename_column(self, original_column_name: str, new_column_name: str) -> Self:
        """Another name for a column; errors as `rename_columns`."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: Mapping[str, str]) -> Self:
        """Other names for columns.

        Args:
            column_mapping: new names by old ones.

        Raises:
            ValueError: a column that is not there, or a name that is taken; while iterating, where the columns are
                not known before.
        """
        mapping = dict(column_mapping)
        known = self._known()
        if known is not None:
            renamed(list(known), mapping)
        features = None
        if self._features is not None:
            features = Features({mapping.get(name, name): value for name, value in self._features.items()})
        return self._with(
            Rename(self._with_columns(self._settled(self._plan)), not self._by_tables(), tuple(mapping.items())),
            features=features,
        )

    def add_column(self, name: str, column: Any) -> Self:
        """A column more, its values by position.

        Args:
            name: its name.
            column: a list or array.

        Raises:
            ValueError, IndexError: while iterating: the name is taken, or there are more rows than values.
        """
        return self.map(partial(_with_value, name=name, column=column), with_indices=True)

    def cast(self, features: Features) -> Self:
        """Other features; values are cast when they are read.

        Args:
            features: all columns.
        """
        known = Features(features)
        return self._with(self._plan.as_given(known), features=known)

    def cast_column(self, column: str, feature: Feature) -> Self:
        """Another feature for a column.

        Args:
            column: the column.
            feature: its feature.

        Raises:
            TypeError: the features are not known: `cast` declares them all.
        """
        features = self.features
        if features is None:
            msg = f"the features are unknown, so {column!r} alone cannot be cast; declare all of them with cast()"
            raise TypeError(msg)
        return self.cast(Features({**features, column: feature}))

    def decode(self, enable: bool = True, num_threads: int | None = None) -> Self:
        """Whether media columns are decoded; else they are dicts of bytes and path.

        Args:
            enable: whether.
            num_threads: taken for compatibility: rows are decoded when they are made.

        Raises:
            ValueError: the features are not known.
        """
        del num_threads
        features = self.features
        if features is None:
            msg = "Features decoding is only available for datasets with known features. Declare them with `cast(features)`."
            raise ValueError(msg)
        return self.cast(Features({name: decoding(feature, enable) for name, feature in features.items()}))

    def with_format(self, type: str | None = None) -> Self:
        """The rows in another format.

        Args:
            type: None (Python objects), "numpy", "torch", "tensorflow", "jax", "arrow", "pandas" or "polars".

        Raises:
            ValueError: an unknown format, or one whose package is not installed.
        """
        return self._with(formatting=make_format(type, None, [], {}))

    def _resolve_features(self) -> Self:
        """The same stream with features that are known: its own, or those that its first rows have."""
        if self.features is not None:
            return self if self._known() is not None else self._with(features=self.features)
        rows = list(self.with_format(None).take(_HEAD))
        return self._with(features=Features.from_text(table_of(rows).features))
