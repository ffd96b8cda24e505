"""Sizes and ages as people write and read them, in the official client's forms."""

from __future__ import annotations

import math
import re
import time

# Name, seconds, and the largest count before the next step takes over.
_STEPS: tuple[tuple[str, int, float], ...] = (
    ("second", 1, 59),
    ("minute", 60, 59),
    ("hour", 3600, 23),
    ("day", 86_400, 6),
    ("week", 604_800, 6),
    ("month", 2_592_000, 11),
    ("year", 31_536_000, math.inf),
)
_SIZES = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_592_000, "y": 31_536_000}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def size_text(size: float) -> str:
    """Bytes in decimal units, one digit after the point: `42.2K`."""
    number = float(size)
    for unit in ("", "K", "M", "G", "T", "P", "E", "Z"):
        if abs(number) < 1000:
            return f"{number:3.1f}{unit}"
        number /= 1000
    return f"{number:.1f}Y"


def age_text(moment: float) -> str:
    """How long ago a moment was: `2 weeks ago`."""
    age = time.time() - moment
    if age < 20:
        return "a few seconds ago"
    name, seconds = next((name, seconds) for name, seconds, most in _STEPS if round(age / seconds) <= most)
    count = round(age / seconds)
    return f"{count} {name}{'s' if count > 1 else ''} ago"


def _parse(text: str, units: dict[str, int], what: str, example: str) -> float:
    match = _NUMBER.fullmatch(text)
    unit = match[2].lower() if match else ""
    if match is None or unit not in units:
        msg = f"{text!r} is not {what}; write it like {example}"
        raise ValueError(msg)
    return float(match[1]) * units[unit]


def parse_size(text: str | int) -> int:
    """Bytes of `10GB`, `500M`, `1GiB` or a plain number; K, M, G are powers of 1000, Ki, Mi, Gi of 1024.

    Raises:
        ValueError: not a size.
    """
    if isinstance(text, int):
        return text
    units = {**_SIZES, **{f"{u}b": n for u, n in _SIZES.items() if u not in ("", "b")}}
    units |= {**_BINARY, **{f"{u}b": n for u, n in _BINARY.items()}}
    return int(_parse(text, units, "a size", "10GB, 500M or 1GiB"))


def parse_duration(text: str | float) -> float:
    """Seconds of `7d`, `12h`, `3mo` or a plain number.

    Raises:
        ValueError: not a duration.
    """
    if isinstance(text, int | float):
        return float(text)
    return _parse(text, _TIMES, "a duration", "30m, 12h, 7d, 2w, 3mo or 1y")
