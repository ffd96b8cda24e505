"""Steps on columns: some of them, without some of them, other names. They work on tables and on rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from crucible_datasets.features import Features
from crucible_datasets.iterable._plan import Plan, Row, Run, Wrap, WrapRun

if TYPE_CHECKING:
    from _crucible._native import Table


@dataclass(frozen=True, eq=False)
class _Columns(Wrap):
    official_rows: bool = True
    """Whether the official library makes rows here."""
    row_by_row: ClassVar[bool] = True

    @property
    def by_tables(self) -> bool:
        return self.before.by_tables and not self.official_rows

    @property
    def told(self) -> Features | None:
        return None

    def by_rows(self) -> Plan:
        return self  # `map` in the official library: what is before it was settled when it came

    def changed(self, features: Features) -> Features:
        """Features of the columns after the step."""
        raise NotImplementedError

    @property
    def features(self) -> Features | None:
        before = self.before.features
        return None if before is None else self.changed(before)

    def read_features(self) -> Features | None:
        before = self.before.read_features()
        return None if before is None else self.changed(before)


@dataclass(frozen=True, eq=False)
class Select(_Columns):
    """Some columns, in an order."""

    names: tuple[str, ...] = ()

    @property
    def told(self) -> Features | None:
        return self.before.told

    def by_rows(self) -> Plan:
        return self._over(self.before.by_rows())

    def changed(self, features: Features) -> Features:
        return Features({name: features[name] for name in self.names if name in features})

    def as_given(self, features: Features) -> Plan:
        before = self.before.as_given(features)
        return self if before is self.before else self._over(before)

    def projected(self, names: list[str]) -> Plan | None:
        return self.before.projected(names) if set(names) <= set(self.names) else None

    def open(self) -> Run:
        return _SelectRun(self.before.open(), self.names)


class _SelectRun(WrapRun):
    def __init__(self, before: Run, names: tuple[str, ...]) -> None:
        super().__init__(before)
        self._names = names

    def rows(self) -> Iterator[Row]:
        names = self._names
        for row in self._before.rows():
            yield {name: row[name] for name in names}

    def pull(self, most: int) -> Table | None:
        table = self._before.pull(most)
        return None if table is None else table.select_columns(list(self._names))


@dataclass(frozen=True, eq=False)
class Drop(_Columns):
    """Without some columns, as far as they are there."""

    names: frozenset[str] = frozenset()

    def changed(self, features: Features) -> Features:
        return Features({name: feature for name, feature in features.items() if name not in self.names})

    def open(self) -> Run:
        return _DropRun(self.before.open(), self.names)


class _DropRun(WrapRun):
    def __init__(self, before: Run, names: frozenset[str]) -> None:
        super().__init__(before)
        self._names = names

    def rows(self) -> Iterator[Row]:
        names = self._names
        for row in self._before.rows():
            yield {name: value for name, value in row.items() if name not in names}

    def pull(self, most: int) -> Table | None:
        table = self._before.pull(most)
        if table is None:
            return None
        return table.select_columns([name for name in table.column_names if name not in self._names])


@dataclass(frozen=True, eq=False)
class Rename(_Columns):
    """Other names for some columns, in their places."""

    mapping: tuple[tuple[str, str], ...] = ()

    def changed(self, features: Features) -> Features:
        names = dict(self.mapping)
        return Features({names.get(name, name): feature for name, feature in features.items()})

    def open(self) -> Run:
        return _RenameRun(self.before.open(), dict(self.mapping))


def renamed(names: list[str], mapping: dict[str, str]) -> list[str]:
    """The names after a renaming.

    Raises:
        ValueError: a column that is not there, or a new name that is taken.
    """
    missing = [name for name in mapping if name not in names]
    if missing:
        msg = f"Error when renaming {list(mapping)} to {list(mapping.values())}: columns {missing} are not in the dataset. Current columns: {names}"
        raise ValueError(msg)
    made = [mapping.get(name, name) for name in names]
    twice = sorted({name for name in made if made.count(name) > 1} | (set(mapping.values()) & set(names)))
    if twice:
        msg = f"Error when renaming {list(mapping)} to {list(mapping.values())}: columns {twice} are already in the dataset."
        raise ValueError(msg)
    return made


class _RenameRun(WrapRun):
    def __init__(self, before: Run, mapping: dict[str, str]) -> None:
        super().__init__(before)
        self._mapping = mapping

    def rows(self) -> Iterator[Row]:
        known: list[str] = []
        made: list[str] = []
        for row in self._before.rows():
            if list(row) != known:
                known = list(row)
                made = renamed(known, self._mapping)
            yield dict(zip(made, row.values(), strict=True))

    def pull(self, most: int) -> Table | None:
        table = self._before.pull(most)
        return None if table is None else table.rename_columns(renamed(table.column_names, self._mapping))
