"""`map` and `filter`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from crucible_datasets.dataset._call import Block, Call, batch_blocks, row_blocks, true_rows
from crucible_datasets.dataset._jobs import SUFFIX, FilterJob, MapJob, filter_result, map_result
from crucible_datasets.dataset._keep import KeepMixin
from crucible_datasets.dataset._merge import merged_batch, merged_rows, output_kind, tables_of
from crucible_datasets.dataset._writer import BlockWriter
from crucible_datasets.features import Feature, Features, Image, LargeList, List, Value
from crucible_datasets.fingerprint import is_caching_enabled, validate_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 1000
_MEDIA_ROWS = 100
"""Rows of a block when nothing is said, as in `datasets`: fewer where values are large."""


class MapMixin(KeepMixin):
    """`map` and `filter`."""

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = _ROWS,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = _ROWS,
        features: Features | None = None,
        disable_nullable: bool = False,
        fn_kwargs: Mapping[str, Any] | None = None,
        num_proc: int | None = None,
        suffix_template: str = SUFFIX,
        new_fingerprint: str | None = None,
        desc: str | None = None,
        try_original_type: bool | None = True,
        on_mixed_types: str | None = "use_json",
    ) -> Self:
        """A function on each row, or on batches of rows; what it returns is merged over its input.

        The first block of results (1000 rows, or the first batch) fixes the types of the new columns; later blocks
        are cast to them. A column that exists keeps its type where the values fit it.

        Args:
            function: called with the row (a mapping), or with a batch (a mapping of lists); then with the index if
                `with_indices`, and with the rank if `with_rank`. Returns a mapping, a pyarrow table, a pandas or
                polars data frame, or None for every row (then the dataset is returned unchanged). May be `async`:
                up to 1000 calls run at once. None changes nothing.
            with_indices: whether to pass the row number, or the list of row numbers.
            with_rank: whether to pass the number of the process; None without processes.
            input_columns: columns passed one by one instead of the row.
            batched: whether the function gets batches. It may then return another number of rows.
            batch_size: rows of a batch; None or 0 for all.
            drop_last_batch: whether a shorter last batch is left out.
            remove_columns: columns dropped from the input before the result is merged over it.
            keep_in_memory: whether the result must stay in memory.
            load_from_cache_file: whether a kept result is used; as `enable_caching` and `disable_caching` say when
                absent.
            cache_file_name: a file for the result, in the form that `datasets` reads, wherever the dataset came from.
            writer_batch_size: rows of a block when not batched.
            features: types of all columns of the result; inferred when absent.
            disable_nullable: accepted for compatibility: fields are always nullable.
            fn_kwargs: more keyword arguments for the function.
            num_proc: number of processes; parts of the rows in order. More than rows are not started.
            suffix_template: what the names of the files of the processes' results have before their suffix; must name
                `rank` and `num_proc`.
            new_fingerprint: fingerprint of the result, in place of the one of the function and its arguments: a result
                that was kept under it is used, whatever made it.
            desc: label of the progress bar.
            try_original_type: whether columns that exist keep their types where possible; only when batched.
            on_mixed_types: "use_json" stores new columns of values of several types as JSON; None refuses them.

        Raises:
            ValueError: unknown columns, results of no common shape, results for some rows only.
            TypeError: the function returned something that is no row, or later values of another kind than the first.
            SchemaError: values that do not fit the column's type.
            KeyError: a column that is missing in a later result.
        """
        del disable_nullable
        _check_arguments(num_proc, suffix_template, keep_in_memory=keep_in_memory, cache_file_name=cache_file_name)
        if new_fingerprint is not None:
            validate_fingerprint(new_fingerprint)
        if len(self) == 0:
            return self.remove_columns(remove_columns) if remove_columns else self
        inputs = self._known(input_columns, "Input column {names} not in the dataset.")
        remove = self._known(remove_columns, "Column to remove {names} not in the dataset.") or []
        if function is None:
            return self.remove_columns(remove) if remove else self._with(self._table)
        size = len(self) if batch_size is None or batch_size <= 0 else batch_size
        call = Call(function, with_indices, with_rank, inputs, batched, size, drop_last_batch, fn_kwargs or {})
        processes = min(num_proc or 1, len(self))
        types = {"features": None if features is None else features.to_text(), "mixed": on_mixed_types}
        types["try"] = str(bool(try_original_type) or not batched)
        kept = self._kept_file(
            "map",
            {**call.told(processes), "remove": remove, "rows": writer_batch_size, **types},
            cache_file_name,
            new_fingerprint,
            keep_in_memory=keep_in_memory,
        )
        writer = BlockWriter(
            self._features,
            features,
            try_original_type=bool(try_original_type) or not batched,
            on_mixed_types=on_mixed_types,
            keep_in_memory=keep_in_memory,
            kept=kept,
        )
        job = MapJob(self, call, writer, remove, writer_batch_size, kept)
        load = is_caching_enabled() if load_from_cache_file is None else load_from_cache_file
        found = map_result(job, processes, suffix_template, desc or "Map", load=load)
        if found is None:
            return self
        made = self._with(*found)
        made._made_by(kept, new_fingerprint, suffix_template)
        return made

    def _parts(self, number: int) -> list[tuple[Self, int]]:
        """Contiguous parts of nearly equal length, and where each starts."""
        made, start = [], 0
        for index in range(number):
            part = self.shard(number, index)
            made.append((part, start))
            start += len(part)
        return made

    def _filled(self, call: Call, writer: BlockWriter, remove: list[str], writer_rows: int | None) -> bool:
        """Gives the function's results to the writer; says whether there were any: not None for every row."""
        block_rows = writer_rows if writer_rows and writer_rows > 0 else _block_rows(self._features)
        blocks = (
            batch_blocks(self, call, what="map")
            if call.batched
            else row_blocks(self, call, block_rows, what="map", remove=remove)
        )
        kind = None
        for block in blocks:
            found = output_kind(block.results, mappings=block.mappings)
            if kind not in {None, found}:
                msg = f"The function returned {kind} results before and {found} results from row {block.start} on"
                raise ValueError(msg)
            kind = found
            if kind == "table":
                self._write_tables(writer, block, single=not call.batched)
            elif kind == "mapping":
                self._write_columns(writer, block, remove, batched=call.batched)
        return kind not in {None, "none"}

    def _write_tables(self, writer: BlockWriter, block: Block, *, single: bool) -> None:
        for table in tables_of(block.results, single=single):
            writer.add_table(table)

    def _write_columns(self, writer: BlockWriter, block: Block, remove: list[str], *, batched: bool) -> None:
        merge = merged_batch if batched else merged_rows
        kept, columns = merge(self, block, remove)
        part = self._table.slice(block.start, block.stop).select_columns(kept)
        rows = len(next(iter(columns.values()))) if columns else (block.stop - block.start if kept else 0)
        writer.add(part, columns, rows)

    def _known(self, names: str | list[str] | None, message: str) -> list[str] | None:
        if names is None:
            return None
        listed = [names] if isinstance(names, str) else list(names)
        unknown = [name for name in listed if name not in self._features]
        if unknown:
            msg = f"{message.format(names=unknown)} Current columns in the dataset: {self.column_names}"
            raise ValueError(msg)
        return listed

    # ----------------------------------------------------------------------------------------------------- filter

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = _ROWS,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = _ROWS,
        fn_kwargs: Mapping[str, Any] | None = None,
        num_proc: int | None = None,
        suffix_template: str = SUFFIX,
        new_fingerprint: str | None = None,
        desc: str | None = None,
    ) -> Self:
        """The rows for which a function is true, in their order. No row is copied.

        Args:
            function: called as in `map`; returns whether the row stays, or a list or array of that for a batch. None
                keeps all rows.
            with_indices: whether to pass the row number, or the list of row numbers.
            with_rank: whether to pass the number of the process; None without processes.
            input_columns: columns passed one by one instead of the row.
            batched: whether the function gets batches.
            batch_size: rows of a batch; None or 0 for all.
            keep_in_memory: whether the row numbers are not kept in a file.
            load_from_cache_file: as for `map`.
            cache_file_name: a file for the row numbers.
            writer_batch_size: accepted for compatibility.
            fn_kwargs: more keyword arguments for the function.
            num_proc: number of processes; parts of the rows in order. More than rows are not started.
            suffix_template: as for `map`.
            new_fingerprint: as for `map`.
            desc: label of the progress bar.

        Raises:
            ValueError: unknown columns, or a mask of another length than its batch.
            TypeError: a batched function returned no mask.
        """
        del writer_batch_size
        _check_arguments(num_proc, suffix_template, keep_in_memory=keep_in_memory, cache_file_name=cache_file_name)
        if new_fingerprint is not None:
            validate_fingerprint(new_fingerprint)
        if len(self) == 0:
            return self
        inputs = self._known(input_columns, "Input column {names} not in the dataset.")
        if function is None:
            return self._with(self._table)
        size = len(self) if batch_size is None or batch_size <= 0 else batch_size
        call = Call(function, with_indices, with_rank, inputs, batched, size, fn_kwargs=fn_kwargs or {})
        processes = min(num_proc or 1, len(self))
        kept = self._kept_file(
            "filter", call.told(processes), cache_file_name, new_fingerprint, keep_in_memory=keep_in_memory
        )
        load = is_caching_enabled() if load_from_cache_file is None else load_from_cache_file
        rows = filter_result(FilterJob(self, call, kept), processes, suffix_template, desc or "Filter", load=load)
        made = self._with(self._table.select(rows))
        made._made_by(kept, new_fingerprint, suffix_template)
        return made

    def _chosen(self, call: Call) -> np.ndarray[Any, Any]:
        """The row numbers that a function keeps."""
        if not call.batched:
            return true_rows(self, call, _ROWS, what="filter")
        parts = [np.flatnonzero(mask) + start for start, mask in self._masks(call)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _masks(self, call: Call) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
        for block in batch_blocks(self, call, what="filter"):
            result = block.results[0]
            mask = [bool(keep) for keep in (result.to_pylist() if hasattr(result, "to_pylist") else result)]
            if len(mask) != block.stop - block.start:
                msg = (
                    f"filter: the function returned a mask of {len(mask)} values for rows {block.start} to "
                    f"{block.stop - 1}"
                )
                raise ValueError(msg)
            yield block.start, np.array(mask, dtype=bool)


def _check_arguments(
    num_proc: int | None, suffix_template: str, *, keep_in_memory: bool, cache_file_name: str | None
) -> None:
    if keep_in_memory and cache_file_name is not None:
        msg = "Please use either `keep_in_memory` or `cache_file_name` but not both."
        raise ValueError(msg)
    if num_proc is not None and num_proc < 0:
        msg = "num_proc must be >= 0 or None."
        raise ValueError(msg)
    fields = {name for _, name, _, _ in Formatter().parse(suffix_template) if name}
    if fields != {"rank", "num_proc"}:
        msg = f"suffix_template must contain exactly the fields 'rank' and 'num_proc', got: {fields}"
        raise ValueError(msg)


def _block_rows(features: Features) -> int:
    return _MEDIA_ROWS if any(_is_large(feature) for feature in features.values()) else _ROWS


def _is_large(feature: Feature) -> bool:
    if isinstance(feature, dict):
        return any(_is_large(inner) for inner in feature.values())
    if isinstance(feature, List | LargeList):
        return _is_large(feature.feature)
    return isinstance(feature, Image) or (isinstance(feature, Value) and feature.dtype == "binary")
