"""`BlockWriter`: what a function returned, block by block, as one table. The first block fixes the types."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from _crucible._native import GrowingFile, Table
from _crucible._settings import settings
from crucible_datasets.dataset._foreign import known_values
from crucible_datasets.dataset._given import plain_arrow
from crucible_datasets.dataset._kept import KeptFile
from crucible_datasets.dataset._mixed import column_table
from crucible_datasets.dataset._spill import Segment
from crucible_datasets.errors import CastError, SchemaError
from crucible_datasets.features import ClassLabel, Feature, Features, Image, LargeList, List, Value, encode_column

_TINY = 256
"""Batches with fewer rows than this on average are put together at the end."""
_ROWS = 1000


class BlockWriter:
    """Collects blocks of equal columns.

    Args:
        source: features of the dataset that is mapped: a column of the same name keeps its type where its values fit.
        features: features of the result, if the caller declares them.
        try_original_type: whether columns of the source keep their types.
        on_mixed_types: "use_json" stores values of several types as JSON.
        keep_in_memory: whether results stay in memory whatever their size; else those above the memory budget go to a
            file.
        kept: the file that the result is for, with `write`.
    """

    def __init__(
        self,
        source: Features,
        features: Features | None,
        *,
        try_original_type: bool = True,
        on_mixed_types: str | None = "use_json",
        keep_in_memory: bool = False,
        kept: KeptFile | None = None,
    ) -> None:
        self._source = source
        self._file = kept
        self._declared = features
        self._try = try_original_type
        self._mixed = on_mixed_types
        self._fixed: Features | None = None
        self._target: tuple[Features, str] | None = None
        self._budget = None if keep_in_memory else settings().memory_budget
        self._segments: list[Segment] = []
        self._blocks = 0
        self._rows = 0
        self._bare = False
        self._texts: dict[str, tuple[Feature, str]] = {}

    @property
    def has_rows(self) -> bool:
        """Whether any rows were added."""
        return self._rows > 0

    def for_file(self, file: KeptFile | None) -> BlockWriter:
        """An empty writer of the same settings for another file."""
        made = copy.copy(self)
        made._file, made._segments = file, []
        return made

    def add(self, kept: Table, columns: Mapping[str, Sequence[Any]], rows: int) -> None:
        """Adds a block.

        Args:
            kept: columns of the source that stay as they are.
            columns: the others, by name.
            rows: rows of the block.

        Raises:
            KeyError: other columns than in the first block, or than the declared features.
            SchemaError: values that do not fit the types of the first block.
            CastError: the same, where the kinds of values differ.
        """
        if rows == 0:
            self._bare = self._bare or not (kept.column_names or columns)
            return
        names = [*kept.column_names, *columns]
        order = [name for name in self._source if name in names]
        order += [name for name in columns if name not in self._source]
        target = self._declared if self._declared is not None else self._fixed
        if target is not None:
            self._same_columns(order, target)
            if self._declared is not None:  # as in `datasets`: what nobody gives is null
                columns = {**columns, **{name: [None] * rows for name in target if name not in names}}
            order = list(target)
        fitted: dict[str, Feature] = {}
        tables = []
        for name, values in columns.items():
            table = self._eaten(name, values) if target is None else self._cast(name, values, target[name])
            fitted[name] = _feature(table, name) if target is None else target[name]
            tables.append(table)
        shared = None
        if kept.column_names and kept.num_rows != rows:
            msg = f"new columns have {rows} values for a block of {kept.num_rows} rows; remove the other columns"
            raise SchemaError(msg)
        if kept.column_names:
            kept, unchanged = self._kept(kept, target)
            if unchanged and kept.is_range:
                shared = kept
            else:
                tables.append(Table.side_by_side([kept]))
        if target is None:
            fitted.update({name: self._source[name] for name in kept.column_names})
            target = Features({name: fitted[name] for name in order})
        self._put(shared, tables, target, rows)

    def add_table(self, table: Table) -> None:
        """Adds a block of Arrow columns.

        Raises:
            KeyError: other columns than in the first block, or than the declared features.
            SchemaError: values that do not fit the types of the first block.
        """
        target = self._declared if self._declared is not None else self._fixed
        if target is None:
            found = Features.from_text(table.features)
            target = Features({name: self._named(name, feature) for name, feature in found.items()})
        self._same_columns(table.column_names, target)
        if table.num_rows:
            if self._target is None or self._target[0] is not target:
                self._target = (target, target.to_text())
            part = table.with_features(self._target[1])
            self._put(None, [part], target, table.num_rows)

    def finish(self) -> tuple[Table, Features] | None:
        """The table and its features; None if there was no block."""
        if self._fixed is None:
            return (Table.from_columns({}), Features()) if self._bare else None
        order = list(self._fixed)
        parts = [segment.finish() for segment in self._segments]
        parts = [part if part.column_names == order else part.select_columns(order) for part in parts]
        table = parts[0] if len(parts) == 1 else Table.concat(parts)
        return self._dense(table), self._fixed

    def write(self, file: KeptFile, source: Table) -> None:
        """Writes the result to the file that was named at the start. It is there when it is complete.

        Args:
            file: the file.
            source: the table that is mapped: the result if there was no block is none of its rows.
        """
        if self._fixed is None:
            features = Features() if self._bare else self._source
            names = [] if self._bare else source.column_names
            file.write(file.headed(Table.from_columns({}), names, names, features, 0))
            return
        order = list(self._fixed)
        if file.whole or len(self._segments) > 1:
            finished = self.finish()
            if finished is not None:
                table, features = finished
                file.write(file.headed(table.with_features(features.to_text()), order, [], features, None))
                file.forget(table)
            return
        [segment] = self._segments
        if segment.file is not None:
            file.put(segment.file)
            return
        new = segment.new()
        new = Table.from_columns({}) if new is None else self._dense(new)
        file.write(file.headed(new, order, segment.kept, self._fixed, self._rows))

    def _dense(self, table: Table) -> Table:
        few = self._rows < _TINY * self._blocks and table.path is None
        return table.coalesced(_ROWS) if few else table

    def _start(self) -> Callable[[Table], GrowingFile] | None:
        """What makes the file of a segment's columns: that of the whole result, as long as there is one segment."""
        file = self._file
        if file is None or file.whole or self._segments:
            return None

        def start(table: Table) -> GrowingFile:
            fixed, kept = self._fixed or Features(), self._segments[0].kept
            return file.growing(file.headed(table, list(fixed), kept, fixed, None))

        return start

    def _put(self, shared: Table | None, tables: list[Table], target: Features, rows: int) -> None:
        kept = [] if shared is None else shared.column_names
        if not self._segments or self._segments[-1].kept != kept:
            self._segments.append(Segment(kept, self._budget, self._start()))
        if tables and len(kept) < len(target):
            order = [name for name in target if name not in kept]
            new = tables[0] if len(tables) == 1 else Table.side_by_side(tables)
            tables = [new if new.column_names == order else new.select_columns(order)]
        self._fixed = target
        self._segments[-1].add(shared, tables)
        self._rows += rows
        self._blocks += 1

    def _same_columns(self, names: Sequence[str], target: Features) -> None:
        for name in names:
            if name not in target:
                raise KeyError(name)
        missing = [name for name in target if name not in names]
        if missing and self._declared is None:
            msg = f"the columns {missing} of the first block are missing in the block at row {self._rows}"
            raise SchemaError(msg)

    def _kept(self, kept: Table, target: Features | None) -> tuple[Table, bool]:
        """Columns of the source in the types of the result, and whether they are still the source's."""
        names = kept.column_names
        if target is None or all(_equal(target[name], self._source[name]) for name in names):
            return kept, True
        return kept.with_features(Features({name: target[name] for name in names}).to_text()), False

    def _eaten(self, name: str, values: Sequence[Any]) -> Table:
        """A column of the first block: the source's type if the values fit, else their own."""
        original = self._source.get(name) if self._try else None
        if original is not None and _encodes(original):
            try:
                fitting = _encoded(original, values)
                return Table.from_columns({name: fitting}, Features({name: original}).to_text())
            except (ValueError, TypeError, AttributeError):
                original = None  # no picture any more: the values' own type
        table = self._inferred(name, values, self._mixed if name not in self._source or not self._try else None)
        own = _feature(table, name)
        if original is not None and _may_become(own, original):
            try:
                return table.with_features(Features({name: original}).to_text())
            except SchemaError:
                if isinstance(original, ClassLabel) and own == Value("string"):
                    raise
        return table.with_features(Features({name: self._named(name, own)}).to_text())

    def _named(self, name: str, feature: Feature) -> Feature:
        """The source's feature where the stored type is the same."""
        original = self._source.get(name)
        return original if original is not None and _stored(original) == _stored(feature) else feature

    def _inferred(self, name: str, values: Sequence[Any], mixed: str | None) -> Table:
        first = next((value for value in values if value is not None), None)
        if _is_picture(first):
            feature: Feature = Image()
            return Table.from_columns({name: _encoded(feature, values)}, Features({name: feature}).to_text())
        return column_table(name, values, mixed)

    def _cast(self, name: str, values: Sequence[Any], feature: Feature) -> Table:
        """A column of a later block, or of declared features."""
        known, text = self._texts.get(name, (None, ""))
        if known is not feature:
            text = Features({name: feature}).to_text()
            self._texts[name] = (feature, text)
        values = plain_arrow(known_values(values))
        if _encodes(feature):
            return Table.from_columns({name: _encoded(feature, values)}, text)
        table = Table.from_columns({name: values})
        if table.features == text:
            return table.with_features(text)
        own = _feature(table, name)
        if feature == Value("null") and own != feature:
            msg = (
                f"Couldn't write column '{name}': its type is null, because the first {self._rows} values were all "
                f"None. Set the type of '{name}' with features=, or make sure that the first block has a value."
            )
            raise CastError(msg)
        try:
            return table.with_features(text)
        except SchemaError as error:
            if value_kind(own) != value_kind(feature) or value_kind(own) in {"struct", "list"}:
                msg = f"Couldn't cast column '{name}' of {own} to {feature}: {error}"
                raise CastError(msg) from error
            raise


def _equal(a: Feature, b: Feature) -> bool:
    return a is b or a == b


def _feature(table: Table, name: str) -> Feature:
    return Features.from_text(table.features)[name]


def value_kind(feature: Feature) -> str:
    """Whether values are structs, lists or neither."""
    if isinstance(feature, dict):
        return "struct"
    if isinstance(feature, List | LargeList):
        return "list"
    return "leaf"


def _is_picture(value: Any) -> bool:
    return any(base.__module__ == "PIL.Image" for base in type(value).__mro__)


def _encodes(feature: Feature) -> bool:
    """Whether values have another stored form that only the feature knows."""
    if isinstance(feature, List | LargeList):
        return _encodes(feature.feature)
    if isinstance(feature, dict):
        return any(_encodes(inner) for inner in feature.values())
    return not isinstance(feature, Value | ClassLabel)


def _encoded(feature: Feature, values: Sequence[Any]) -> Any:
    return encode_column(feature, values)


def _stored(feature: Feature) -> Feature:
    """The feature of the stored values."""
    if isinstance(feature, ClassLabel):
        return Value("int64")
    if isinstance(feature, Image):
        return {"bytes": Value("binary"), "path": Value("string")}
    if isinstance(feature, List):
        return List(_stored(feature.feature), feature.length)
    if isinstance(feature, LargeList):
        return LargeList(_stored(feature.feature))
    if isinstance(feature, dict):
        return {name: _stored(inner) for name, inner in feature.items()}
    return feature


def _may_become(own: Feature, original: Feature) -> bool:
    """Whether values of a type may be tried in the source's: a number does not become text on its own."""
    if isinstance(own, Value) and isinstance(original, Value):
        text = original.dtype in {"string", "large_string"}
        return not text or own.dtype in {"string", "large_string", "null", "binary"}
    if isinstance(own, List | LargeList) and isinstance(original, List | LargeList):
        return _may_become(own.feature, original.feature)
    if isinstance(own, dict) and isinstance(original, dict):
        return set(own) <= set(original) and all(_may_become(inner, original[name]) for name, inner in own.items())
    return True
