"""Which rows, in which order; which columns, under which names. Nothing is copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np

from crucible_datasets.dataset._index_files import IndexFile, state_of
from crucible_datasets.dataset._numbers import as_numbers
from crucible_datasets.dataset._permutation import as_array, permutation
from crucible_datasets.dataset._rows import RowsMixin
from crucible_datasets.features import Features


def legacy_seed() -> int:
    """The seed that `shuffle()` without one takes from numpy's global state, which it advances."""
    state: Any = np.random.get_state(legacy=False)
    key, position = state["state"]["key"], state["state"]["pos"]
    seed = int(key[position] if position < 624 else key[0])
    np.random.random()
    return seed


class OrderMixin(RowsMixin):
    """`select`, `shuffle` and the like."""

    def select(
        self,
        indices: Iterable[int],
        keep_in_memory: bool = False,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Self:
        """The rows of some numbers, in that order.

        Args:
            indices: row numbers: range, list, array or any iterable.
            keep_in_memory: whether no file is written: row numbers are always in memory.
            indices_cache_file_name: a file for the row numbers, in the form of `datasets`; neighbours need none.
            writer_batch_size: accepted for compatibility.
            new_fingerprint: fingerprint of the result.

        Raises:
            IndexError: a number out of range, or a float.
            TypeError: something that is no integer; a mask of booleans too.
            ValueError: a file and `keep_in_memory`.
        """
        del writer_batch_size
        if keep_in_memory and indices_cache_file_name is not None:
            msg = "Please use either `keep_in_memory` or `indices_cache_file_name` but not both."
            raise ValueError(msg)
        rows: Any = indices
        if not isinstance(rows, range | np.ndarray):
            rows = list(rows)
        size = len(self)
        if isinstance(rows, range) and rows.step == 1:
            if rows and not 0 <= rows[0] <= rows[-1] < size:
                bad = rows[0] if rows[0] < 0 else rows[-1]
                msg = f"Index {bad} out of range for dataset of size {size}."
                raise IndexError(msg)
            return self._with(self._view(rows))._named(new_fingerprint)
        if isinstance(rows, range):
            rows = np.arange(rows.start, rows.stop, rows.step, dtype=np.int64)
        numbers = as_numbers(rows, f"Index {{}} out of range for dataset of size {size}.", lenient=False)
        if len(numbers) and not (-size <= numbers.min() and numbers.max() < size):
            bad = int(numbers.max() if numbers.max() >= size else numbers.min())
            msg = f"Index {bad} out of range for dataset of size {size}."
            raise IndexError(msg)
        numbers = np.where(numbers < 0, numbers + size, numbers)
        file = self._index_file(indices_cache_file_name, "select", {"indices": numbers}, new_fingerprint)
        return self._ordered(numbers, file, new_fingerprint)

    def _index_file(
        self,
        name: str | None,
        transform: str,
        arguments: Mapping[str, Any],
        fingerprint: str | None,
        *,
        keep_in_memory: bool = False,
        load: bool | None = None,
    ) -> IndexFile | None:
        return IndexFile.of(self, name, transform, arguments, fingerprint, keep_in_memory=keep_in_memory, load=load)

    def _ordered(self, numbers: Any, file: IndexFile | None, fingerprint: str | None) -> Self:
        """The rows of checked numbers, which go to a file if there is one for them."""
        written = file is not None and file.write(self._table, as_array(numbers))
        made = self._with(self._table.select(numbers))
        return (
            made._named(fingerprint, str(file.kept.path)) if file is not None and written else made._named(fingerprint)
        )

    def _ordered_before(self, file: IndexFile | None, fingerprint: str | None) -> Self | None:
        """The rows of the numbers that a file has."""
        found = None if file is None else file.read(self._table)
        return None if found is None or file is None else self._with(found)._named(fingerprint, str(file.kept.path))

    def shuffle(
        self,
        seed: int | None = None,
        generator: np.random.Generator | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Self:
        """The rows in a random order, the same as `datasets` gives for the same seed.

        Args:
            seed: seed of `numpy.random.default_rng`; taken from numpy's global state when absent.
            generator: a generator to draw from instead; it is advanced.
            keep_in_memory: whether no file is written: row numbers are always in memory.
            load_from_cache_file: whether a file that is there is used; as `enable_caching` and `disable_caching` say when
                absent.
            indices_cache_file_name: a file for the row numbers, in the form of `datasets`.
            writer_batch_size: accepted for compatibility.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: both are given, a file and `keep_in_memory`, or `generator` is not a numpy Generator.
        """
        del writer_batch_size
        if seed is not None and generator is not None:
            msg = "Both `seed` and `generator` were provided. Please specify just one of them."
            raise ValueError(msg)
        if generator is not None and not isinstance(generator, np.random.Generator):
            msg = "The provided generator must be an instance of numpy.random.Generator"
            raise ValueError(msg)
        if len(self) == 0:
            return self
        order = None
        if generator is None:
            seed = legacy_seed() if seed is None else seed
            drawn: Any = seed
            generator = np.random.default_rng(seed)
        else:
            drawn = state_of(generator) if indices_cache_file_name is not None else None
            order = permutation(generator, len(self))  # also where a file is used: the caller's generator goes on
        file = self._index_file(
            indices_cache_file_name,
            "shuffle",
            {"drawn": drawn},
            new_fingerprint,
            keep_in_memory=keep_in_memory,
            load=load_from_cache_file,
        )
        found = self._ordered_before(file, new_fingerprint)
        if found is not None:
            return found
        return self._ordered(permutation(generator, len(self)) if order is None else order, file, new_fingerprint)

    def take(self, n: int) -> Self:
        """The first `n` rows, or all if there are fewer."""
        return self.select(range(max(0, min(n, len(self)))))

    def skip(self, n: int) -> Self:
        """The rows after the first `n`.

        Raises:
            IndexError: `n` is negative.
        """
        if n < 0:
            msg = f"Index {n} out of range for dataset of size {len(self)}."
            raise IndexError(msg)
        return self.select(range(max(0, min(n, len(self))), len(self)))

    def shard(
        self,
        num_shards: int,
        index: int,
        contiguous: bool = True,
        keep_in_memory: bool = False,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
    ) -> Self:
        """Part `index` of `num_shards` parts of nearly equal length.

        Args:
            num_shards: number of parts.
            index: the part, from 0.
            contiguous: whether a part is a range of rows; else every `num_shards`-th row.
            keep_in_memory: as for `select`.
            indices_cache_file_name: the same.
            writer_batch_size: accepted for compatibility.

        Raises:
            ValueError: `index` is not in `[0, num_shards)`.
        """
        del writer_batch_size
        if not 0 <= index < num_shards:
            msg = "index should be in [0, num_shards-1]"
            raise ValueError(msg)
        if not contiguous:
            return self.select(np.arange(index, len(self), num_shards), keep_in_memory, indices_cache_file_name)
        div, mod = divmod(len(self), num_shards)
        start = div * index + min(index, mod)
        return self.select(range(start, start + div + (1 if index < mod else 0)))

    # ---------------------------------------------------------------------------------------------------- columns

    def _checked(self, names: str | list[str]) -> list[str]:
        listed = [names] if isinstance(names, str) else list(names)
        unknown = [name for name in listed if name not in self._features]
        if unknown:
            msg = f"Column name {unknown} not in the dataset. Current columns in the dataset: {self.column_names}"
            raise ValueError(msg)
        return listed

    def _of_columns(self, names: list[str]) -> Self:
        features = Features({name: self._features[name] for name in names})
        table = self._table.select_columns(names)
        made = self._with(table if names else table.slice(0, 0), features)  # no columns, no rows: as in `datasets`
        if self._format.columns is not None:
            kept = sorted(name for name in self._format.columns if name in features)
            made._format = replace(self._format, columns=tuple(kept))
        return made

    def select_columns(self, column_names: str | list[str], new_fingerprint: str | None = None) -> Self:
        """Some columns.

        Args:
            column_names: their names.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: an unknown column.
        """
        return self._of_columns(self._checked(column_names))._named(new_fingerprint)

    def remove_columns(self, column_names: str | list[str], new_fingerprint: str | None = None) -> Self:
        """All columns but some.

        Args:
            column_names: their names.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: an unknown column.
        """
        gone = set(self._checked(column_names))
        return self._of_columns([name for name in self.column_names if name not in gone])._named(new_fingerprint)

    def rename_column(
        self, original_column_name: str, new_column_name: str, new_fingerprint: str | None = None
    ) -> Self:
        """The same with one column under another name.

        Args:
            original_column_name: its name so far.
            new_column_name: its name from now on.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: an unknown column, or a name that is taken.
        """
        if original_column_name in self.column_names and new_column_name in self.column_names:
            msg = f"New column name {new_column_name} already in the dataset. Please choose a column name which is not already in the dataset. Current columns in the dataset: {self.column_names}"
            raise ValueError(msg)  # as the official library
        return self.rename_columns({original_column_name: new_column_name}, new_fingerprint)

    def rename_columns(self, column_mapping: dict[str, str], new_fingerprint: str | None = None) -> Self:
        """The same with columns under other names.

        Args:
            column_mapping: old names to new names.
            new_fingerprint: fingerprint of the result.

        Raises:
            ValueError: an unknown column, an empty name, or a name that comes twice.
        """
        self._checked(list(column_mapping.keys()))
        names = [column_mapping.get(name, name) for name in self.column_names]
        if len(set(names)) < len(names) or not all(names):
            msg = f"New column names must be distinct and not empty, got {names}"
            raise ValueError(msg)
        features = Features(zip(names, self._features.values(), strict=True))
        made = self._with(self._table.rename_columns(names), features)
        if self._format.columns is not None:
            kept = tuple(column_mapping.get(name, name) for name in self._format.columns)
            made._format = replace(self._format, columns=kept)
        return made._named(new_fingerprint)
