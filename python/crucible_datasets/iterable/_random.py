"""Random generators: their state as plain data, and the seeds that epochs and workers shift."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """The state of a generator, made for JSON."""
    plain: dict[str, Any] = _plain(rng.bit_generator.state)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return int(value) if isinstance(value, np.integer) else value


def with_state(rng: np.random.Generator, state: dict[str, Any]) -> np.random.Generator:
    """A generator of the same kind in a state.

    Raises:
        ValueError: the state of another kind of generator.
    """
    made = copy.deepcopy(rng)
    made.bit_generator.state = _arrays(state, made.bit_generator.state)
    return made


def _arrays(value: Any, like: Any) -> Any:
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: _arrays(inner, like.get(name)) for name, inner in value.items()}
    return np.array(value, dtype=like.dtype) if isinstance(like, np.ndarray) else value


def shifted(rng: np.random.Generator, value: int) -> np.random.Generator:
    """The generator of an epoch or a worker: seeded with the first draw of a copy, less the number."""
    return np.random.default_rng(copy.deepcopy(rng).integers(0, 1 << 63) - value)
