"""Permutations of numpy's generators, drawn by Rust where there are many rows: the same numbers, about three times as fast."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from _crucible import _native

# Below, numpy takes less than a millisecond. Above, numpy draws 64 bits for a row.
_MANY = range(1 << 16, 1 << 32)


def permutation(generator: np.random.Generator, rows: int) -> Any:
    """`generator.permutation(rows)`, as an array or as `RowNumbers`. The generator is advanced as by numpy.

    Args:
        generator: what draws.
        rows: how many row numbers.
    """
    if rows in _MANY and type(generator) is np.random.Generator and _as_numpy():
        return _drawn(generator, rows)
    return generator.permutation(rows)


def as_array(numbers: Any) -> np.ndarray[Any, Any]:
    """Row numbers as an array of int64."""
    return np.asarray(numbers.buffer() if isinstance(numbers, _native.RowNumbers) else numbers)


def _drawn(generator: np.random.Generator, rows: int) -> _native.RowNumbers:
    bits: Any = generator.bit_generator
    with bits.lock:
        return _native.permutation(bits.capsule, rows)


@cache
def _as_numpy() -> bool:
    """Whether this numpy shuffles as Rust does: it may change with any version (NEP 19)."""
    ours, numpys = np.random.default_rng(0), np.random.default_rng(0)
    same = np.array_equal(as_array(_drawn(ours, 5000)), numpys.permutation(5000))
    return same and ours.bit_generator.state == numpys.bit_generator.state
