"""Exact comparison of Arrow data: what differs are bits, not how Python shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

Leaf = tuple[str, str, list[Any]]


def leaves(array: pa.Array, name: str) -> Iterator[Leaf]:
    """Everything that an array says, as (path, what, values): validity, lengths of lists, leaf values with their type.

    Maps are lists of (key, value) structures, dictionaries their values; floats are their hex text (a NaN equals a NaN,
    0.0 does not equal -0.0), moments their count since 1970 (years past 9999 have no Python value).
    """
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from leaves(array.storage, name)
    elif pa.types.is_dictionary(kind):
        yield from leaves(array.dictionary_decode(), name)
    elif pa.types.is_map(kind):
        yield name, "valid", array.is_valid().to_pylist()
        yield name, "length", pa.array([None if row is None else len(row) for row in array.to_pylist()]).to_pylist()
        yield from leaves(array.keys, f"{name}[].key")
        yield from leaves(array.items, f"{name}[].value")
    elif pa.types.is_struct(kind):
        yield name, "valid", array.is_valid().to_pylist()
        for field, child in zip(kind, array.flatten(), strict=True):
            yield from leaves(child, f"{name}.{field.name}")
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield name, "valid", array.is_valid().to_pylist()
        yield name, "length", array.value_lengths().to_pylist()
        items = array.flatten()
        if pa.types.is_struct(items.type) and {f.name for f in items.type} == {"key", "value"}:
            items = pa.array(items)
            yield from leaves(items.field("key"), f"{name}[].key")
            yield from leaves(items.field("value"), f"{name}[].value")
        else:
            yield from leaves(items, f"{name}[]")
    elif (
        pa.types.is_timestamp(kind)
        or pa.types.is_date64(kind)
        or pa.types.is_time64(kind)
        or pa.types.is_duration(kind)
    ):
        yield name, str(kind), array.cast(pa.int64()).to_pylist()
    elif pa.types.is_date32(kind) or pa.types.is_time32(kind):
        yield name, str(kind), array.cast(pa.int32()).to_pylist()
    elif pa.types.is_floating(kind):
        values = array.cast(pa.float64()).to_pylist()
        yield name, str(kind), [None if value is None else value.hex() for value in values]
    else:
        yield name, str(kind).replace("_view", ""), array.to_pylist()


def contents(table: pa.Table) -> list[Leaf]:
    """The leaves of all columns of a table."""
    found: list[Leaf] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        found += leaves(pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type), name)
    return found
