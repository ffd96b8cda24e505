"""Tables of a stream in its format, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crucible_datasets.features import Features
from crucible_datasets.formatting import TABLES, Format, Slices, format_batch
from crucible_datasets.iterable._rows import decoders_of, in_features

if TYPE_CHECKING:
    from _crucible._native import Table


class InFormat:
    """Shows tables in a format. Tables that follow each other are mostly slices of one, which crosses into pyarrow once."""

    def __init__(self, features: Features | None, format: Format) -> None:
        """What shows tables.

        Args:
            features: the declared features; those of each table when None.
            format: the format; its `columns` are not looked at.
        """
        self._declared = features
        self._format = format
        self._text = self._said = None if features is None else features.to_text()
        self._known = features or Features()
        self._whole: Table | None = None
        self._slices: Slices | None = None

    def __call__(self, table: Table) -> Any:
        """A table in the format.

        Args:
            table: the next rows.
        """
        if self._format.type not in TABLES or not table.is_range:
            return self._apart(table)
        start = None if self._whole is None else table.start_in(self._whole)
        if start is None:
            self._whole = whole = table.whole()
            start = table.start_in(whole)
            shown = in_features(table, self._declared, self._text)
            decoders = decoders_of(self._features_of(shown), self._format)
            self._slices = Slices(whole, self._format, decoders, onward=True) if shown is table else None
        if self._slices is None or start is None:
            return self._apart(table)
        return self._slices.rows(start, start + table.num_rows)

    def _apart(self, table: Table) -> Any:
        shown = in_features(table, self._declared, self._text)
        return format_batch(shown, self._features_of(shown), self._format)

    def _features_of(self, table: Table) -> Features:
        if self._declared is None and table.features != self._said:  # parsed once, not for every table
            self._said = table.features
            self._known = Features.from_text(self._said)
        return self._known
