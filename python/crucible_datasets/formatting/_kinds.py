"""Array formats by their names."""

from __future__ import annotations

from typing import Any

from crucible_datasets.formatting._arrays import Arrays, NumpyArrays
from crucible_datasets.formatting._tensorflow import TensorFlowArrays
from crucible_datasets.formatting._tensors import JaxArrays, TorchArrays

_KINDS: dict[str, type[Arrays]] = {
    "numpy": NumpyArrays,
    "torch": TorchArrays,
    "tensorflow": TensorFlowArrays,
    "jax": JaxArrays,
}
ARRAYS = frozenset(_KINDS)
"""Formats that show values as arrays."""


def arrays_of(kind: str, kwargs: dict[str, Any]) -> Arrays:
    """The array format of a name.

    Args:
        kind: "numpy", "torch", "tensorflow" or "jax".
        kwargs: options of the format.
    """
    return _KINDS[kind](kwargs)
