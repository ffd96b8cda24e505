"""What a function returned for a block, merged over the block's input columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from _crucible._native import LazyRow, Table, merge_rows
from _crucible._optional import require
from crucible_datasets.dataset._call import Block, Merged, loaded
from crucible_datasets.dataset._foreign import frame_values, series_values

if TYPE_CHECKING:
    from crucible_datasets.dataset._rows import RowsMixin

_WRONG = (
    "Provided `function` which is applied to all elements of table returns a variable of type {kind}. Make sure "
    "provided `function` returns a variable of type `dict` (or a pyarrow table) to update the dataset or `None` if "
    "you are only interested in side effects."
)
_WRONG_BATCH = (
    "Provided `function` which is applied to all elements of table returns a `dict` of types {kinds}. When using "
    "`batched=True`, make sure provided `function` returns a `dict` of types like `(list, numpy.ndarray, "
    "pandas.Series, polars.Series, torch.Tensor)`."
)
_ARRAYS = (
    ("pandas", "Series"),
    ("polars", "Series"),
    ("polars", "DataFrame"),
    ("torch", "Tensor"),
    ("tensorflow", "Tensor"),
    ("jax", "Array"),
)


def output_kind(results: list[Any], *, mappings: bool = False) -> str:
    """What a block's results are, with the mappings that are not among them: "none", "mapping" or "table".

    Raises:
        TypeError: something else.
        ValueError: None for some rows and values for others.
    """
    kinds = {_kind_of(kind) for kind in set(map(type, results))} | ({"mapping"} if mappings else set())
    if len(kinds) > 1:
        msg = f"The function returned {' and '.join(sorted(kinds))} results; it must return the same kind for every row"
        raise ValueError(msg)
    return kinds.pop() if kinds else "none"


def _kind_of(kind: type) -> str:
    if kind is dict or issubclass(kind, Mapping):
        return "mapping"
    if kind is type(None):
        return "none"
    if any(
        cls is not None and issubclass(kind, cls)
        for cls in (loaded("pyarrow", "Table"), loaded("pandas", "DataFrame"), loaded("polars", "DataFrame"))
    ):
        return "table"
    raise TypeError(_WRONG.format(kind=kind))


def tables_of(results: Sequence[Any], *, single: bool) -> Iterator[Table]:
    """Returned tables or data frames. Those that follow each other and have the same columns become one table.

    Args:
        results: what the function returned.
        single: whether each must be one row.

    Raises:
        ValueError: a table of more or fewer rows, where each must be one.
    """
    together: list[Any] = []
    for value in results:
        table = _as_arrow(value)
        if single and table.num_rows != 1:
            msg = f"Only single-row pyarrow tables are allowed but got table with {table.num_rows} rows."
            raise ValueError(msg)
        if together and not table.schema.equals(together[0].schema, check_metadata=True):
            yield _one_table(together)
            together = []
        together.append(table)
    if together:
        yield _one_table(together)


def _as_arrow(value: Any) -> Any:
    frame = loaded("pandas", "DataFrame")
    if frame is not None and isinstance(value, frame):
        return require("pyarrow", extra="arrow", why="map returned a pandas.DataFrame").Table.from_pandas(value)
    return value.to_arrow() if hasattr(value, "to_arrow") else value  # polars: its text as large_string


def _one_table(tables: list[Any]) -> Table:
    if len(tables) == 1:
        return Table.from_arrow(tables[0])
    return Table.from_arrow(require("pyarrow", extra="arrow", why="map returned tables").concat_tables(tables))


def merged_rows(source: RowsMixin, block: Block, remove: list[str]) -> Merged:
    """The columns of a block of rows."""
    if block.merged is not None:
        return block.merged
    inputs = block.inputs
    if inputs and isinstance(inputs[0], LazyRow):
        return merge_rows(inputs, block.results, set(remove))
    merges = inputs is None or isinstance(inputs[0], Mapping)
    table = source._table
    names = [name for name in table.column_names if name not in remove] if merges else []
    results = block.results
    found: dict[str, None] = {}
    for result in results:
        found.update(dict.fromkeys(result))
    columns: dict[str, Sequence[Any]] = {}
    for name in found:
        if name in names:
            stored = source._python_column(table.slice(block.start, block.stop), name)
            columns[name] = [r.get(name, old) for r, old in zip(results, stored, strict=True)]
        elif name in results[0]:
            columns[name] = [result[name] for result in results]
    return [name for name in names if name not in columns], columns


def merged_batch(source: RowsMixin, block: Block, remove: list[str]) -> Merged:
    """The columns of a batch."""
    batch, result = (block.inputs or [None])[0], block.results[0]
    names = source._table.column_names
    if not isinstance(batch, LazyRow):
        _check_values(result)
        merges = batch is None or isinstance(batch, Mapping)
        kept = [name for name in names if name not in remove and name not in result] if merges else []
        return kept, {name: _listed(value) for name, value in result.items()}
    seen, put, gone = batch.changes()
    if isinstance(result, LazyRow):
        seen, put, gone = result.changes()
        result = {}
    _check_values(result)
    kept, columns = [], {}
    for name in names:
        stays = name not in remove
        if name in result:
            value = result[name]
            if not (stays and name not in put and value is seen.get(name) and value == batch.original(name)):
                columns[name] = value
                continue
        elif not stays or name in gone:
            continue
        elif name in put:
            columns[name] = put[name]
            continue
        elif name in seen and (name in source._decoding() or seen[name] != batch.original(name)):
            columns[name] = seen[name]
            continue
        kept.append(name)
    for extra in (put, result):
        columns.update({name: value for name, value in extra.items() if name not in names})
    return kept, {name: _listed(value) for name, value in columns.items()}


def _check_values(result: Mapping[str, Any]) -> None:
    known: tuple[type, ...] = (list, np.ndarray)
    if all(isinstance(value, known) for value in result.values()):
        return
    known += tuple(cls for place in _ARRAYS if (cls := loaded(*place)) is not None)
    if not all(isinstance(value, known) for value in result.values()):
        raise TypeError(_WRONG_BATCH.format(kinds=[type(value) for value in result.values()]))


def _listed(value: Any) -> Any:
    """A column's values as what the object eater takes: lists and numpy arrays."""
    if isinstance(value, list | np.ndarray):
        return value
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if hasattr(value, "null_count") and hasattr(value, "to_arrow"):
        return series_values(value)
    if hasattr(value, "isna"):
        return frame_values(value)
    if hasattr(value, "to_list"):
        return value.to_list()
    return np.asarray(value)
