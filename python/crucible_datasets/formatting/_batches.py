"""A table as a batch in a format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crucible_datasets.features import Features, decoder
from crucible_datasets.formatting._format import TABLES, Format
from crucible_datasets.formatting._tables import to_table_format

if TYPE_CHECKING:
    from _crucible._native import Table


def format_batch(table: Table, features: Features, format: Format) -> Any:
    """All rows of a table in a format.

    Args:
        table: the rows.
        features: its features.
        format: the format; its `columns` are not looked at.
    """
    arrays = format.arrays
    if arrays is not None:
        return {name: arrays.fresh(table, name, feature) for name, feature in features.items()}
    found = {name: decoder(feature) for name, feature in features.items()}
    decoders: dict[str, Any] = {name: decode for name, decode in found.items() if decode is not None}
    if format.type in TABLES:
        return to_table_format(table, format.type, decoders)
    batch = table.batch(0, table.num_rows)
    for name, decode in decoders.items():
        batch[name] = [decode(value) for value in batch[name]]
    return batch
