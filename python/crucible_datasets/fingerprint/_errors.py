"""What hashing raises."""

from __future__ import annotations


class UnhashableError(TypeError):
    """An object whose state cannot be told: a generator, an open file, a connection."""
