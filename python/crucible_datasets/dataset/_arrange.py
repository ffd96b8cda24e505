"""`sort`, `repeat`, `flatten_indices`, `train_test_split`: other orders of the rows."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from _crucible._native import Table
from crucible_datasets.dataset._index_files import state_of
from crucible_datasets.dataset._jobs import SUFFIX
from crucible_datasets.dataset._map import MapMixin
from crucible_datasets.dataset._order import legacy_seed
from crucible_datasets.dataset._stratify import stratified
from crucible_datasets.errors import SchemaError
from crucible_datasets.features import ClassLabel, Feature, Features, Value
from crucible_datasets.fingerprint import is_caching_enabled
from crucible_datasets.store import file_lock

_PLACES = {"at_start": True, "first": True, "at_end": False, "last": False}


class ArrangeMixin(MapMixin):
    """Other orders of the rows."""

    _dict_type: ClassVar[Callable[[dict[str, Any]], Any]]
    """`DatasetDict`, set where both classes are known."""

    def sort(
        self,
        column_names: str | Sequence[str],
        reverse: bool | Sequence[bool] = False,
        null_placement: str = "at_end",
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Self:
        """The rows in the order of columns; rows that compare equal keep their order. No row is copied.

        Nulls and NaN stand on one side whatever the direction. Text is compared by its UTF-8 bytes.

        Args:
            column_names: the column, or several: later ones decide where earlier ones are equal.
            reverse: whether large values come first: for all columns, or one for each.
            null_placement: "at_end" (or "last") or "at_start" (or "first").
            keep_in_memory: as for `shuffle`.
            load_from_cache_file: the same.
            indices_cache_file_name: the same.
            writer_batch_size: accepted for compatibility.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: a file and `keep_in_memory`, unknown columns, another number of `reverse` than of columns, an unknown placement.
            TypeError: columns of lists, images and the like. Structs are sorted by their fields.
        """
        del writer_batch_size
        if len(self) == 0:
            return self
        names = [column_names] if isinstance(column_names, str) else list(column_names)
        if not isinstance(reverse, bool) and len(reverse) != len(names):
            msg = "Parameter 'reverse' should be either a boolean or a list of booleans with the same length as 'column_names'."
            raise ValueError(msg)
        directions = [reverse] * len(names) if isinstance(reverse, bool) else list(reverse)
        self._checked(names)
        if not names:
            msg = "sort needs at least one column"
            raise ValueError(msg)
        if null_placement not in _PLACES:
            msg = f"null_placement must be one of {list(_PLACES)}, got {null_placement!r}"
            raise ValueError(msg)
        keys = [(name, bool(down)) for name, down in zip(names, directions, strict=True)]
        file = self._index_file(
            indices_cache_file_name,
            "sort",
            {"keys": keys, "nulls first": _PLACES[null_placement]},
            new_fingerprint,
            keep_in_memory=keep_in_memory,
            load=load_from_cache_file,
        )
        found = self._ordered_before(file, new_fingerprint)
        if found is not None:
            return found
        table, keys = self._flat_keys(keys)
        return self._ordered(table.sort_indices(keys, _PLACES[null_placement]), file, new_fingerprint)

    def _flat_keys(self, keys: list[tuple[str, bool]]) -> tuple[Table, list[tuple[str, bool]]]:
        """The keys, structs replaced by their fields, and a table that has them."""
        features: dict[str, Feature] = {name: self._features[name] for name, _ in keys}
        table = self._table.select_columns(list(features))
        while structs := [name for name, feature in features.items() if isinstance(feature, dict)]:
            fields = {name: list(features[name]) for name in structs}
            table = table.flattened(structs)
            for name in structs:
                features.update({f"{name}.{field}": inner for field, inner in features.pop(name).items()})
            keys = [(part, down) for name, down in keys for part in _parts(name, fields)]
        for name, feature in features.items():
            if not isinstance(feature, Value | ClassLabel):
                msg = f"sort: the column {name!r} holds {feature!r}, which has no order"
                raise TypeError(msg)
        return table, keys

    def repeat(self, num_times: int) -> Self:
        """The rows `num_times` times, one pass after the other; none for 0 and below.

        Raises:
            ValueError: `num_times` is None.
            TypeError: `num_times` is no integer.
        """
        if num_times is None:
            msg = "Map style datasets do not support indefinite repetition."
            raise ValueError(msg)
        num_times = operator.index(num_times)
        if num_times <= 0:
            return self.select(range(0))
        return self if num_times == 1 else self._with(Table.concat([self._table] * num_times))

    def flatten_indices(
        self,
        keep_in_memory: bool = False,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Self:
        """The rows copied in their order, so that neighbours lie together in memory.

        Args:
            keep_in_memory: whether no file is written.
            cache_file_name: a file for the rows, in the form that `datasets` reads. One that is there is used if it was
                made of the same rows, or not by this library.
            writer_batch_size: accepted for compatibility.
            features: features to cast to.
            disable_nullable: accepted for compatibility.
            num_proc: accepted for compatibility: the copy is made by all cores.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: `keep_in_memory` and a file, or a name without a suffix.
        """
        del writer_batch_size, disable_nullable, num_proc
        if cache_file_name is not None:
            if keep_in_memory:
                msg = "Please use either `keep_in_memory` or `cache_file_name` but not both."
                raise ValueError(msg)
            return self._flattened_to(cache_file_name, features, new_fingerprint)
        made = self._with(Table.side_by_side([self._table]) if self.column_names else self._table)
        return (made if features is None else made._recast(features))._named(new_fingerprint)

    def _flattened_to(self, name: str, features: Features | None, fingerprint: str | None) -> Self:
        wanted = self._features if features is None else features
        told = {"features": wanted.to_text()}
        kept = self._kept_file("flatten_indices", told, name, fingerprint, keep_in_memory=False)
        if kept is None:  # a file that is named is always kept
            return self._recast(wanted)
        with file_lock(kept.path):
            found = kept.read_map(self._table) if is_caching_enabled() else None
            if found is None:
                table = self._table.with_features(wanted.to_text())
                kept.write(kept.headed(table, list(wanted), [], wanted, None))
                found = kept.read_map(self._table)
        if found is None:
            msg = f"{kept.path}: the file was written and cannot be read"
            raise OSError(msg)
        made = self._with(*found)
        made._made_by(kept, fingerprint, SUFFIX)
        return made

    def _recast(self, features: Features) -> Self:
        return self._with(self._table.with_features(features.to_text()), features)

    def train_test_split(
        self,
        test_size: float | None = None,
        train_size: float | None = None,
        shuffle: bool = True,
        stratify_by_column: str | None = None,
        seed: int | None = None,
        generator: np.random.Generator | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        train_indices_cache_file_name: str | None = None,
        test_indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        train_new_fingerprint: str | None = None,
        test_new_fingerprint: str | None = None,
    ) -> Any:
        """Two parts of the rows, "train" and "test"; the same rows as `datasets` gives for the same seed.

        Args:
            test_size: a number of rows (int) or a fraction (float); 0.25 if neither size is given.
            train_size: the same for the other part; what is left when absent.
            shuffle: whether rows are drawn at random; else the first ones are the train part.
            stratify_by_column: a ClassLabel column whose shares are kept in both parts.
            seed: seed of `numpy.random.default_rng`; taken from numpy's global state when absent.
            generator: a generator to draw from instead.
            keep_in_memory: whether no file is written.
            load_from_cache_file: whether files that are there, both of them, are used; as for `shuffle`.
            train_indices_cache_file_name: a file for the row numbers of the train part, as for `shuffle`.
            test_indices_cache_file_name: the same for the test part.
            writer_batch_size: accepted for compatibility.
            train_new_fingerprint: fingerprint of the train part.
            test_new_fingerprint: that of the test part.

        Returns:
            A `DatasetDict`.

        Raises:
            ValueError: sizes out of range, a column that cannot be stratified by.
        """
        del writer_batch_size
        rows = len(self)
        if rows == 0:
            return type(self)._dict_type({"train": self, "test": self})
        n_train, n_test = split_sizes(rows, test_size, train_size)
        drawn: Any
        if generator is not None:
            drawn = state_of(generator)
        else:
            drawn = legacy_seed() if seed is None and shuffle else seed
            generator = np.random.default_rng(drawn)
        names = {"train": train_indices_cache_file_name, "test": test_indices_cache_file_name}
        given = {"train": train_new_fingerprint, "test": test_new_fingerprint}
        told = [n_train, n_test, shuffle, stratify_by_column, drawn]
        files = {
            part: self._index_file(
                name,
                f"train_test_split {part}",
                {"told": told},
                given[part],
                keep_in_memory=keep_in_memory,
                load=load_from_cache_file,
            )
            for part, name in names.items()
        }
        found = {part: self._ordered_before(files[part], given[part]) for part in files if all(files.values())}
        if found and all(made is not None for made in found.values()):
            return type(self)._dict_type(found)
        if not shuffle:
            if stratify_by_column is not None:
                msg = "Stratified train/test split is not implemented for `shuffle=False`"
                raise ValueError(msg)
            train: Any = range(n_train)
            test: Any = range(n_train, n_train + n_test)
        elif stratify_by_column is None:
            order = generator.permutation(rows)
            test, train = order[:n_test], order[n_test : n_test + n_train]
        else:
            train, test = self._stratified(stratify_by_column, n_train, n_test, generator)
        parts = {
            part: self.select(numbers)._named(given[part])
            if files[part] is None
            else self._ordered(np.asarray(numbers), files[part], given[part])
            for part, numbers in (("train", train), ("test", test))
        }
        return type(self)._dict_type(parts)

    def _stratified(self, column: str, n_train: int, n_test: int, generator: np.random.Generator) -> tuple[Any, Any]:
        if column not in self._features:
            msg = f"Key {column} not found in {list(self._features)}"
            raise ValueError(msg)
        if not isinstance(self._features[column], ClassLabel):
            msg = f"Stratifying by column is only supported for ClassLabel column, and column {column} is {type(self._features[column]).__name__}."
            raise ValueError(msg)
        labels = np.array(self._table.column(column, 0, len(self)), dtype=object)
        if any(label is None for label in labels):
            msg = f"the column {column!r} has nulls and cannot be stratified by"
            raise SchemaError(msg)
        return stratified(labels.astype(np.int64), n_train, n_test, generator)


def split_sizes(rows: int, test_size: float | None, train_size: float | None) -> tuple[int, int]:
    """Rows of the train and test parts.

    Raises:
        ValueError: sizes out of range, or of another type than int and float.
    """
    if test_size is None and train_size is None:
        test_size = 0.25
    for name, size in (("test_size", test_size), ("train_size", train_size)):
        _check_size(name, size, rows)
    if isinstance(test_size, float) and isinstance(train_size, float) and test_size + train_size > 1:
        msg = f"The sum of test_size and train_size = {train_size + test_size}, should be in the (0, 1) range. Reduce test_size and/or train_size."
        raise ValueError(msg)
    n_test = _count(test_size, rows, np.ceil)
    n_train = _count(train_size, rows, np.floor)
    if n_train is None:
        n_train = rows - (n_test or 0)
    elif n_test is None:
        n_test = rows - n_train
    n_test = n_test or 0
    if n_train + n_test > rows:
        msg = f"The sum of train_size and test_size = {n_train + n_test}, should be smaller than the number of samples {rows}. Reduce test_size and/or train_size."
        raise ValueError(msg)
    if n_train == 0:
        msg = f"With n_samples={rows}, test_size={test_size} and train_size={train_size}, the resulting train set will be empty. Adjust any of the aforementioned parameters."
        raise ValueError(msg)
    return n_train, n_test


def _check_size(name: str, size: float | None, rows: int) -> None:
    if size is None:
        return
    if not isinstance(size, int | float):
        msg = f"Invalid value for {name}: {size} of type {type(size)}"
        raise ValueError(msg)  # as the official library
    if (isinstance(size, int) and not 0 < size < rows) or (isinstance(size, float) and not 0 < size < 1):
        msg = f"{name}={size} should be either positive and smaller than the number of samples {rows} or a float in the (0, 1) range"
        raise ValueError(msg)


def _count(size: float | None, rows: int, rounding: Callable[[float], Any]) -> int | None:
    return None if size is None else int(rounding(size * rows)) if isinstance(size, float) else int(size)


def _parts(name: str, fields: dict[str, list[str]]) -> list[str]:
    return [f"{name}.{field}" for field in fields[name]] if name in fields else [name]
