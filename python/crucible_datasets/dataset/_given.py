"""Tables that a user gives to `Dataset(…)`."""

from __future__ import annotations

from typing import Any

from _crucible._native import Table
from crucible_datasets.features import Features


def given_table(arrow_table: Any, declared: Features | None, indices_table: Any) -> tuple[Table, Features]:
    """The native table of an Arrow table, in the order of row numbers, and its features.

    Args:
        arrow_table: anything with `__arrow_c_stream__`.
        declared: features that the table must have; fields of structs may stand in another order.
        indices_table: a table whose first column are row numbers, None for all rows.

    Raises:
        TypeError: no table.
        KeyError: two columns of one name.
        ValueError: features of other types than the table's, row numbers that are not unsigned.
    """
    table = _native(arrow_table)
    names = table.column_names
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        msg = f"The table can't have duplicated columns but columns {twice} are duplicated."
        raise KeyError(msg)  # as the official library
    own = Features.from_text(table.features)
    features = own
    if declared is not None:
        try:
            features = declared.reorder_fields_as(own)
        except ValueError as error:
            msg = f"{error}\nThe 'source' features come from dataset_info.json, and the 'target' ones are those of the dataset arrow file."
            raise ValueError(msg) from error
        if features.type != own.type:
            msg = f"External features info don't match the dataset:\nGot\n{features}\nwith type\n{features.type}\n\nbut expected something like\n{own}\nwith type\n{own.type}"
            raise ValueError(msg)
    table = table.with_features(features.to_text())
    if indices_table is not None:
        numbers = _native(indices_table)
        first = numbers.column_names[0]
        kind = str(Features.from_text(numbers.features)[first])
        if "uint" not in kind:
            msg = f"indices must be an Arrow table of unsigned integers, current type is {kind}"
            raise ValueError(msg)
        table = table.select(numbers.column(first, 0, numbers.num_rows))
    return table, features


def _native(table: Any) -> Table:
    if isinstance(table, Table):
        return table
    if not hasattr(table, "__arrow_c_stream__"):
        msg = f"Expected a pyarrow.Table, or an object with __arrow_c_stream__, but got {type(table).__name__}."
        raise TypeError(msg)
    return Table.from_arrow(table)


def plain_arrow(values: Any) -> Any:
    """Arrays of pyarrow as lists; other values as they are."""
    return values.to_pylist() if type(values).__module__.startswith("pyarrow") else values
