"""Images and the like that are stored by path: their bytes in place of it, for files that are read elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _crucible._native import Table
from crucible_datasets.features import Feature, Features, LargeList, List, require_storage_embed

_EMBED_ROWS = 100
_LOOKED_AT = 1000
"""Rows whose files are looked at to tell how large those of all rows are, as in `datasets`."""


def embedded(table: Table, features: Features) -> Table:
    """The table with the files that images and the like point to stored as bytes, under their base names."""
    names = [name for name, feature in features.items() if require_storage_embed(feature)]
    if not names or not table.num_rows:
        return table
    others = [name for name in features if name not in names]
    parts = []
    for start in range(0, table.num_rows, _EMBED_ROWS):
        part = table.slice(start, min(start + _EMBED_ROWS, table.num_rows))
        pieces = [part.select_columns(others)] if others else []
        for name in names:
            stored = part.column(name, 0, part.num_rows)
            values = [_embed(value, features[name]) for value in stored]
            if all(new is old for new, old in zip(values, stored, strict=True)):
                pieces.append(part.select_columns([name]))
                continue
            text = Features({name: features[name]}).to_text()
            pieces.append(Table.from_columns({name: values}, text))
        parts.append(Table.side_by_side(pieces).select_columns(list(features)).with_features(features.to_text()))
    return Table.concat(parts)


def _embed(value: Any, feature: Feature) -> Any:
    """The stored value with bytes in place of a path; the same object if there is nothing to do."""
    if value is None:
        return None
    if not isinstance(feature, dict | List | LargeList) and require_storage_embed(feature):
        path = value.get("path")
        if value.get("bytes") is not None or path is None or not Path(path).is_file():
            return value
        return {"bytes": Path(path).read_bytes(), "path": Path(path).name}
    if isinstance(feature, dict):
        fields = {name: _embed(inner, feature[name]) for name, inner in value.items()}
        return value if all(fields[name] is value[name] for name in fields) else fields
    if isinstance(feature, List | LargeList):
        items = [_embed(item, feature.feature) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def outside_bytes(table: Table, features: Features) -> int:
    """About how many bytes the files have that its rows point to."""
    names = [name for name, feature in features.items() if require_storage_embed(feature)]
    rows = min(table.num_rows, _LOOKED_AT)
    if not names or not rows:
        return 0
    found = 0
    for name in names:
        for value in table.column(name, 0, rows):
            found += sum(path.stat().st_size for path in _outside(value, features[name]))
    return found * table.num_rows // rows


def _outside(value: Any, feature: Feature) -> Iterator[Path]:
    if value is None:
        return
    if not isinstance(feature, dict | List | LargeList) and require_storage_embed(feature):
        path = value.get("path")
        if value.get("bytes") is None and path is not None and Path(path).is_file():
            yield Path(path)
    elif isinstance(feature, dict):
        for name, inner in value.items():
            yield from _outside(inner, feature[name])
    elif isinstance(feature, List | LargeList):
        for item in value:
            yield from _outside(item, feature.feature)
