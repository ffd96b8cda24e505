"""Random generators: their state as plain data, and the seeds that epochs and workers shift."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from crucible_datasets.iterable._plan import StateError


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
        StateError: the state of another kind of generator, or of none.
    """
    made = copy.deepcopy(rng)
    try:
        made.bit_generator.state = _arrays(state, made.bit_generator.state)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        msg = f"the state does not fit the stream: no state of a {type(made.bit_generator).__name__} generator: {state!r:.200}"
        raise StateError(msg) from error
    return made


def _arrays(value: Any, like: Any) -> Any:
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: _arrays(inner, like.get(name)) for name, inner in value.items()}
    if isinstance(like, np.ndarray):
        return np.array(value, dtype=like.dtype)
    if type(value) is not type(like):
        msg = f"{value!r:.50} where a generator has {like!r:.50}"
        raise TypeError(msg)
    return value


def shifted(rng: np.random.Generator, value: int) -> np.random.Generator:
    """The generator of an epoch or a worker: seeded with the first draw of a copy, less the number."""
    return np.random.default_rng(copy.deepcopy(rng).integers(0, 1 << 63) - value)
