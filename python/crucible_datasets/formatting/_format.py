"""`Format`: the type of a format, its columns and options."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crucible_datasets.formatting._arrays import Arrays
from crucible_datasets.formatting._kinds import ARRAYS, arrays_of

_NAMES = {
    None: ("python",),
    "numpy": ("np",),
    "torch": ("pt", "pytorch"),
    "tensorflow": ("tf",),
    "jax": (),
    "pandas": ("pd",),
    "polars": ("pl",),
    "arrow": ("pa", "pyarrow"),
    "custom": (),
}
_ALIASES = {name: kind for kind, others in _NAMES.items() for name in (kind, *others)}
_NEEDS = {
    "torch": ("torch", "PyTorch needs to be installed to be able to return PyTorch tensors."),
    "tensorflow": ("tensorflow", "Tensorflow needs to be installed to be able to return Tensorflow tensors."),
    "jax": ("jax", "JAX needs to be installed to be able to return JAX arrays."),
    "polars": ("polars", "Polars needs to be installed to be able to return Polars dataframes."),
    "pandas": ("pandas", "Pandas needs to be installed to be able to return Pandas dataframes."),
    "arrow": ("pyarrow", "pyarrow needs to be installed to be able to return Arrow tables."),
}
TABLES = frozenset({"arrow", "pandas", "polars"})
"""Formats that show rows, batches and columns as tables."""


@dataclass(frozen=True)
class Format:
    """How values are shown.

    Attributes:
        type: None for Python objects, "numpy", "torch", "tensorflow", "jax", "pandas", "polars", "arrow" or "custom".
        columns: the columns shown, None for all.
        kwargs: options; `dtype` for arrays, `device` for torch and jax, `transform` for custom.
        output_all: whether the other columns are shown too, as Python objects.
    """

    type: str | None = None
    columns: tuple[str, ...] | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    output_all: bool = False

    @cached_property
    def arrays(self) -> Arrays | None:
        """What makes arrays of values; None for formats without."""
        return arrays_of(self.type, self.kwargs) if self.type in ARRAYS else None

    @property
    def transform(self) -> Callable[[dict[str, Any]], Any] | None:
        """The function of a custom format."""
        return self.kwargs.get("transform") if self.type == "custom" else None


def make_format(
    kind: str | None,
    columns: str | Iterable[str] | None,
    names: list[str],
    kwargs: dict[str, Any],
    *,
    output_all: bool = False,
) -> Format:
    """Checks a format.

    Raises:
        ValueError: an unknown format, one whose package is not installed, or an unknown column.
    """
    if kind not in _ALIASES:
        known = ["None (python)", *(repr(name) for name in _NAMES if name not in {None, "custom"})]
        msg = f"Format {kind!r} is unknown; the formats are {', '.join(known)}."
        raise ValueError(msg)
    chosen = _ALIASES[kind]
    needed = _NEEDS.get(chosen or "")
    if needed is not None and importlib.util.find_spec(needed[0]) is None:
        raise ValueError(needed[1])
    listed = None if columns is None else [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in listed or [] if name not in names]
    if unknown:
        msg = f"Columns {unknown} not in the dataset. Current columns in the dataset: {names}"
        raise ValueError(msg)
    shown = None if listed is None else tuple(dict.fromkeys(listed))
    made = Format(chosen, shown, dict(kwargs), output_all)
    _ = made.arrays  # options that do not fit are told now
    return made
