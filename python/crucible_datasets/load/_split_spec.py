"""Split expressions: `train`, `train[:10%]`, `train[5:10]+test`, `all`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TERM = re.compile(
    r"(?P<name>\w+(?:\.\w+)*)(?:\[(?:(?P<from>-?[\d_]+)(?P<from_pct>%)?)?:(?:(?P<to>-?[\d_]+)(?P<to_pct>%)?)?\])?"
    r"(?:\((?P<rounding>closest|pct1_dropremainder)\))?"
)


@dataclass(frozen=True)
class Part:
    """A range of a split; bounds in rows or per cent, None for the ends."""

    name: str
    start: int | None = None
    stop: int | None = None
    percent: bool = False
    drop_remainder: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is all of the split."""
        return self.start is None and self.stop is None

    def bounds(self, rows: int) -> tuple[int, int]:
        """First row and the row after the last, for a split of `rows` rows. Reversed bounds give no rows.

        Raises:
            ValueError: `pct1_dropremainder` with fewer than 100 rows.
        """
        if self.drop_remainder and self.percent and rows < 100:
            msg = 'Using "pct1_dropremainder" rounding on a split with less than 100 elements is forbidden: it always results in an empty dataset.'
            raise ValueError(msg)

        def position(bound: int | None, end: int) -> int:
            if bound is None:
                return end
            value = bound
            if self.percent:
                value = bound * (rows // 100) if self.drop_remainder else round(bound * rows / 100)
            return min(max(value + rows, 0) if value < 0 else value, rows)

        start, stop = position(self.start, 0), position(self.stop, rows)
        return start, max(start, stop)


def parse(spec: str) -> list[Part]:
    """The parts of an expression.

    Raises:
        ValueError: it cannot be read.
    """
    return [_part(term, spec) for term in str(spec).split("+")]


def _part(term: str, spec: str) -> Part:
    found = _TERM.fullmatch(term)
    if found is None:
        msg = f"Unrecognized split format: {spec!r}; expected for example 'train', 'train[:10%]' or 'train[5:10]+test'"
        raise ValueError(msg)
    percent = bool(found["from_pct"] or found["to_pct"])
    start, stop = (None if found[key] is None else int(found[key]) for key in ("from", "to"))
    if percent and any(bound is not None and abs(bound) > 100 for bound in (start, stop)):
        msg = f"Percent slice boundaries must be between -100% and 100%. Got: {spec!r}"
        raise ValueError(msg)
    drop = found["rounding"] == "pct1_dropremainder"
    return Part(found["name"], start, stop, percent, drop)


def expanded(parts: list[Part], names: list[str]) -> list[Part]:
    """`all` as the sum of all splits; every name checked.

    Raises:
        ValueError: an unknown split, with those that there are.
    """
    out: list[Part] = []
    for part in parts:
        if part.name == "all" and "all" not in names:
            out += [Part(name, part.start, part.stop, part.percent, part.drop_remainder) for name in names]
        elif part.name in names:
            out.append(part)
        else:
            msg = f'Unknown split "{part.name}". Should be one of {names}.'
            raise ValueError(msg)
    return out
