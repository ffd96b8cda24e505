"""`ReadInstruction`: which rows of which splits, as an object or as text (`train[:10%]+test[5:]`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crucible_datasets.splits._names import SPLIT_NAME

_TERM = re.compile(
    rf"(?P<name>{SPLIT_NAME})(?P<slice>\[(?:(?P<from>-?[\d_]+)(?P<from_pct>%)?)?:(?:(?P<to>-?[\d_]+)(?P<to_pct>%)?)?\])?"
    r"(?:\((?P<rounding>[^)]*)\))?"
)
_PLUS = re.compile(r"\s*\+\s*")
_ROUNDINGS = ("closest", "pct1_dropremainder")
_HUNDRED = 100


@dataclass(frozen=True)
class AbsoluteInstruction:
    """Rows `from_` to `to` (exclusive) of a split."""

    splitname: str
    from_: int
    to: int


@dataclass(frozen=True)
class Part:
    """A range of one split: bounds in rows or per cent, None for the ends."""

    splitname: str
    from_: float | None = None
    to: float | None = None
    unit: str | None = None
    rounding: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in (None, "%", "abs"):
            msg = f"unit must be either '%' or 'abs', got {self.unit!r}"
            raise ValueError(msg)
        if self.rounding not in (None, *_ROUNDINGS):
            msg = f"rounding must be either 'closest' or 'pct1_dropremainder', got {self.rounding!r}"
            raise ValueError(msg)
        if self.unit != "%" and self.rounding is not None:
            msg = "It is forbidden to specify rounding if not using percent slicing."
            raise ValueError(msg)
        if self.unit == "%":
            if any(bound is not None and abs(bound) > _HUNDRED for bound in (self.from_, self.to)):
                msg = f"Percent slice boundaries must be between -100% and 100%, got {self.from_} and {self.to}."
                raise ValueError(msg)
            object.__setattr__(self, "rounding", self.rounding or "closest")

    @property
    def whole(self) -> bool:
        """Whether it is all of the split."""
        return self.from_ is None and self.to is None

    def absolute(self, rows: int) -> AbsoluteInstruction:
        """The range in a split of `rows` rows. Reversed bounds stay reversed.

        Raises:
            ValueError: `pct1_dropremainder` with fewer than 100 rows.
        """

        def position(bound: float | None, end: int) -> int:
            if bound is None:
                return end
            if self.unit != "%":
                value = int(bound)
            elif self.rounding == "closest":
                value = round(bound * rows / _HUNDRED)
            elif rows < _HUNDRED:
                msg = 'Using "pct1_dropremainder" rounding on a split with less than 100 elements is forbidden: it always results in an empty dataset.'
                raise ValueError(msg)
            else:
                value = int(bound * (rows // _HUNDRED))
            return min(max(value + rows, 0) if value < 0 else value, rows)

        return AbsoluteInstruction(self.splitname, position(self.from_, 0), position(self.to, rows))

    def spec(self) -> str:
        """As text."""
        if self.whole:
            return self.splitname
        unit = "%" if self.unit == "%" else ""
        start, stop = ("" if bound is None else f"{bound}{unit}" for bound in (self.from_, self.to))
        rounding = f"({self.rounding})" if self.rounding not in (None, "closest") else ""
        return f"{self.splitname}[{start}:{stop}]{rounding}"


class ReadInstruction:
    """Rows of a split, or of several one after the other (`+`).

    Args:
        split_name: the split.
        rounding: of percentages: "closest" (the default; half to even) or "pct1_dropremainder" (multiples of a
            hundredth of the split, rounded down).
        from_: first row or per cent; negative counts from the end; None for the start.
        to: the end of the range, exclusive; None for the end.
        unit: "%" or "abs" (the default).

    Raises:
        ValueError: an unknown unit or rounding, a rounding without percentages, percentages over 100.
    """

    def __init__(
        self,
        split_name: str,
        rounding: str | None = None,
        from_: float | None = None,
        to: float | None = None,
        unit: str | None = None,
    ) -> None:
        self._parts: tuple[Part, ...] = (Part(split_name, from_, to, unit, rounding),)

    @classmethod
    def _of(cls, parts: tuple[Part, ...]) -> ReadInstruction:
        made = cls.__new__(cls)
        made._parts = parts
        return made

    @classmethod
    def from_spec(cls, spec: str) -> ReadInstruction:
        """From text such as `train[:10%]+test[5:10]`.

        Raises:
            ValueError: it cannot be read.
        """
        made = None
        for term in _PLUS.split(str(spec)):
            one = cls._of((_part(term, str(spec)),))
            made = one if made is None else made + one
        if made is None:
            msg = f"No instructions could be built out of {spec!r}"
            raise ValueError(msg)
        return made

    @property
    def parts(self) -> tuple[Part, ...]:
        """The ranges, in order."""
        return self._parts

    def to_spec(self) -> str:
        """As text; `from_spec` reads it."""
        return "+".join(part.spec() for part in self._parts)

    def to_absolute(self, name2len: Mapping[str, int]) -> list[AbsoluteInstruction]:
        """The ranges in rows.

        Args:
            name2len: number of rows by split.

        Raises:
            ValueError: an unknown split, with those that there are.
        """
        out = []
        for part in self._parts:
            if part.splitname not in name2len:
                msg = f'Unknown split "{part.splitname}". Should be one of {list(name2len)}.'
                raise ValueError(msg)
            out.append(part.absolute(name2len[part.splitname]))
        return out

    def __add__(self, other: Any) -> ReadInstruction:
        """This one, then the other.

        Raises:
            TypeError: it is no ReadInstruction.
            ValueError: percentages of different roundings.
        """
        if not isinstance(other, ReadInstruction):
            msg = "ReadInstruction can only be added to another ReadInstruction obj."
            raise TypeError(msg)
        mine, theirs = self._parts[0], other._parts[0]
        if mine.unit != "abs" and theirs.unit != "abs" and mine.rounding != theirs.rounding:
            msg = "It is forbidden to sum ReadInstruction instances with different rounding values."
            raise ValueError(msg)
        return self._of(self._parts + other._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadInstruction) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __str__(self) -> str:
        """As `to_spec`."""
        return self.to_spec()

    def __repr__(self) -> str:
        return f"ReadInstruction.from_spec({self.to_spec()!r})"


def _part(term: str, spec: str) -> Part:
    found = _TERM.fullmatch(term)
    if found is None:
        msg = f"Unrecognized instruction format: {spec!r}; a split is for example 'train', 'train[:10%]' or 'train[5:10]+test'"
        raise ValueError(msg)
    start, stop = (None if found[key] is None else int(found[key]) for key in ("from", "to"))
    unit = "%" if found["from_pct"] or found["to_pct"] else "abs"
    return Part(found["name"], start, stop, unit, found["rounding"])
