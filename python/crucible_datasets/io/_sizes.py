"""Sizes as users write them: `500MB`."""

from __future__ import annotations

SHARD_BYTES = "500MB"
"""Size of a file of a dataset at most, where nobody says it: as `datasets.config.MAX_SHARD_SIZE`."""
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip


def size_in_bytes(size: str | int) -> int:
    """A size as a number of bytes, at least 1.

    Raises:
        ValueError: a text that is no number and unit.
    """
    if isinstance(size, int):
        return max(1, size)
    text = size.strip().upper()
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text:
            try:
                return max(1, int(float(number) * _UNITS[unit]))
            except ValueError:
                break
    msg = f"size={size!r} is not in a valid format. Use an integer followed by the unit, e.g. '500MB'."
    raise ValueError(msg)
