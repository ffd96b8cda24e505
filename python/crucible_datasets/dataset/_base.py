"""State of a dataset: a native table view, features, a format, a split."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from crucible_datasets.features import Features, decoder
from crucible_datasets.fingerprint import fingerprint_of, validate_fingerprint
from crucible_datasets.formatting import ARRAYS, Format, Slices
from crucible_datasets.info import DatasetInfo, InfoMixin

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.dataset._home import Home


class Base(InfoMixin):
    """What every part of `Dataset` stands on. Immutable but for the format (`set_format`)."""

    _home: Home | None = None
    """Where results of transforms are kept; None for data that came from no file."""
    _given: str | None = None
    """A fingerprint that was given, or that of the transform that made the dataset."""
    _used: tuple[str, ...] = ()
    """Files of the cache that the dataset was made of and that its memory does not show."""
    _identity: str | None = None

    def __init__(self, table: Table, features: Features | None = None, split: str | None = None) -> None:
        self._table = table
        self._features = Features.from_text(table.features) if features is None else features
        self._split = split
        self._format = Format()
        self._decoders: dict[str, Any] | None = None
        self._sliced: Slices | None = None

    def _with(self, table: Table, features: Features | None = None) -> Self:
        """The same dataset over another view; features are kept unless given."""
        made = type(self)(table, self._features if features is None else features, self._split)
        made._format = self._format
        if self._format.columns is not None:
            hidden = set(self._features) - set(self._format.columns)
            made._format = replace(self._format, columns=tuple(sorted(set(made._features) - hidden)))
        made._info = copy.copy(self._info) if self._info_is_own else self._info
        if self._home is not None:
            made._home = self._home
        if self._used:
            made._used = self._used
        return made

    def _told(self) -> list[Any]:
        """What a hash of the dataset is made of: rows, features, format."""
        if self._identity is None:
            self._identity = self._table.identity()
        shown = self._format
        format = None if shown == Format() else [shown.type, shown.columns, shown.kwargs, shown.output_all]
        return [self._identity, self._features.to_text(), format]

    @property
    def _fingerprint(self) -> str:
        """16 hex digits: the same in every process for the same rows, features and format."""
        return self._given if self._given is not None else fingerprint_of("dataset", {"": self._told()})[0]

    @_fingerprint.setter
    def _fingerprint(self, fingerprint: str) -> None:
        self._given = fingerprint

    def _named(self, fingerprint: str | None, *files: str) -> Self:
        """Takes down a fingerprint that was given, and files of row numbers."""
        if fingerprint is not None:
            validate_fingerprint(fingerprint)
            self._given = fingerprint
        if files:
            self._used = (*self._used, *files)
        return self

    def _of(self, info: DatasetInfo | None) -> Self:
        """Takes down what is known of it."""
        self._info = info
        return self

    def _current_features(self) -> Features:
        return self.features

    def _decoding(self) -> dict[str, Any]:
        """Columns whose shown value is not the stored one."""
        if self._decoders is None:
            numpy = self._format.type in ARRAYS
            found = {name: decoder(feature, numpy=numpy) for name, feature in self._features.items()}
            self._decoders = {name: decode for name, decode in found.items() if decode is not None}
        return self._decoders

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_decoders": None, "_identity": None, "_sliced": None}

    def __len__(self) -> int:
        return self._table.num_rows

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self._table.num_rows

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self._features)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (self.num_rows, self.num_columns)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self._features)

    @property
    def features(self) -> Features:
        """Features of the columns: a copy."""
        return self._features.copy()

    @property
    def split(self) -> str | None:
        """The split that was loaded."""
        return self._split

    @property
    def cache_files(self) -> list[dict[str, str]]:
        """The files behind the dataset: those that its memory is mapped from, then those of kept row numbers."""
        return [{"filename": path} for path in dict.fromkeys((*self._table.files(), *self._used))]

    @property
    def nbytes(self) -> int:
        """Bytes of Arrow data behind the dataset, before any selection."""
        return self._table.nbytes

    def __repr__(self) -> str:
        return f"Dataset({{\n    features: {self.column_names},\n    num_rows: {self.num_rows}\n}})"
