"""A table as a batch in a format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crucible_datasets.features import Features, Image, decoder
from crucible_datasets.formatting._format import TABLES, Format
from crucible_datasets.formatting._numpy import to_numpy_batch, to_numpy_column
from crucible_datasets.formatting._tables import to_table_format
from crucible_datasets.formatting._torch import channels_first, to_torch

if TYPE_CHECKING:
    from _crucible._native import Table

_STORED = {"dtype": None}
"""Options of the numpy format that keep the stored dtypes."""


def format_batch(table: Table, features: Features, format: Format) -> Any:
    """All rows of a table in a format.

    Args:
        table: the rows.
        features: its features.
        format: the format; its `columns` are not looked at.
    """
    numpy = format.type in {"numpy", "torch"}
    found = {name: decoder(feature, numpy=numpy) for name, feature in features.items()}
    decoders: dict[str, Any] = {name: decode for name, decode in found.items() if decode is not None}
    if format.type in TABLES:
        return to_table_format(table, format.type, decoders)
    if format.type == "numpy":
        return to_numpy_batch(table, features, 0, table.num_rows, format.kwargs)
    if format.type == "torch":
        return {name: _tensor(table, name, features, decoders, format.kwargs) for name in features}
    batch = table.batch(0, table.num_rows)
    for name, decode in decoders.items():
        batch[name] = [decode(value) for value in batch[name]]
    return batch


def _tensor(table: Table, name: str, features: Features, decoders: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    feature = features[name]
    if isinstance(feature, Image) and feature.decode:
        values = [decoders[name](value) for value in table.column(name, 0, table.num_rows)]
        return to_torch([None if value is None else channels_first(value) for value in values], kwargs)
    array = to_numpy_column(table, name, feature, 0, table.num_rows, _STORED)
    return to_torch(array if array.flags.writeable else array.copy(), kwargs)
