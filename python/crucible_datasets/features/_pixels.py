"""Decoded images as arrays, told from other arrays: formats leave their dtype alone, and torch wants channels first."""

from __future__ import annotations

from typing import Any

import numpy as np


class Pixels(np.ndarray[Any, Any]):
    """Pixels of an image, `(height, width)` or `(height, width, channels)`."""


def pixels(array: Any) -> Any:
    """An array marked as an image; None stays None."""
    return None if array is None else np.asarray(array).view(Pixels)
