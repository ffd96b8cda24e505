"""`Format`: the type of a format, its columns and options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_ALIASES = {
    None: None,
    "python": None,
    "numpy": "numpy",
    "np": "numpy",
    "arrow": "arrow",
    "pa": "arrow",
    "pyarrow": "arrow",
}
_LATER = {"torch", "pt", "pytorch", "tensorflow", "tf", "jax", "pandas", "pd", "polars", "pl", "custom"}


@dataclass(frozen=True)
class Format:
    """How values are shown.

    Attributes:
        type: None for Python objects, "numpy" or "arrow".
        columns: the columns shown, None for all.
        kwargs: options; `dtype` for numpy.
    """

    type: str | None = None
    columns: tuple[str, ...] | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)


def make_format(kind: str | None, columns: list[str] | None, names: list[str], kwargs: dict[str, Any]) -> Format:
    """Checks a format.

    Raises:
        ValueError: an unknown format, one that is not built, or an unknown column.
    """
    if kind not in _ALIASES:
        why = "is not built yet" if kind in _LATER else "is unknown"
        msg = f"Format {kind!r} {why}; the formats are None (python), 'numpy' and 'arrow'."
        raise ValueError(msg)
    if isinstance(columns, str):
        columns = [columns]
    unknown = [name for name in columns or [] if name not in names]
    if unknown:
        msg = f"Columns {unknown} not in the dataset. Current columns in the dataset: {names}"
        raise ValueError(msg)
    chosen = None if columns is None else tuple(name for name in names if name in columns)
    return Format(_ALIASES[kind], chosen, dict(kwargs))
