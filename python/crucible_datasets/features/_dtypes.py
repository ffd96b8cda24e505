"""Names of scalar types: which there are, and what is wrong with the others."""

from __future__ import annotations

import re

_PLAIN = frozenset(
    [
        "null",
        "bool",
        "bool_",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "date32",
        "date64",
        "string",
        "utf8",
        "large_string",
        "large_utf8",
        "string_view",
        "binary",
        "large_binary",
        "binary_view",
    ]
)
_BARE = frozenset({"timestamp", "duration", "time32", "time64", "decimal128", "decimal256", "list_", "list", "struct"})
_UNITS = {
    "timestamp": ("s", "ms", "us", "ns"),
    "duration": ("s", "ms", "us", "ns"),
    "time32": ("s", "ms"),
    "time64": ("us", "ns"),
}
_UNIT = re.compile(r"(timestamp|duration|time32|time64)\[([a-z]+)\]")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns),\s*tz=[a-zA-Z0-9/_+\-:]*\]")
_DECIMAL = re.compile(r"decimal(128|256)\((\d+),\s*(-?\d+)\)")
_FIXED = re.compile(r"fixed_size_binary\[(\d+)\]")
_DIGITS = {"128": 38, "256": 76}
_RENAMED = {"double": "float64", "float": "float32"}


def checked_dtype(dtype: str) -> str:
    """The name of a scalar type in its usual form.

    Raises:
        ValueError: no such type.
        TypeError: a type that lacks its unit or size.
    """
    dtype = _RENAMED.get(dtype, dtype)
    if dtype in _PLAIN or _ZONED.fullmatch(dtype) or _FIXED.fullmatch(dtype):
        return dtype
    if dtype in _BARE:
        msg = f"{dtype!r} needs its unit or size, like 'timestamp[us]', 'time64[us]' or 'decimal128(10, 2)'"
        raise TypeError(msg)
    if dtype == "json":
        msg = "'json' is not a valid dtype, use the Json() feature instead"
        raise ValueError(msg)
    if found := _UNIT.fullmatch(dtype):
        name, unit = found.groups()
        if unit in _UNITS[name]:
            return dtype
        msg = f"{dtype!r} is not a valid dtype: the units of {name} are {', '.join(_UNITS[name])}"
        raise ValueError(msg)
    if found := _DECIMAL.fullmatch(dtype):
        bits, precision, _ = found.groups()
        if 1 <= int(precision) <= _DIGITS[bits]:
            return dtype
        msg = f"{dtype!r} is not a valid dtype: precision must be between 1 and {_DIGITS[bits]}"
        raise ValueError(msg)
    msg = (
        f"{dtype!r} is not a valid dtype. Valid ones are {', '.join(sorted(_PLAIN))}, timestamp[s|ms|us|ns], "
        "timestamp[unit, tz=zone], time32[s|ms], time64[us|ns], duration[s|ms|us|ns], decimal128(precision, scale), "
        "decimal256(precision, scale) and fixed_size_binary[bytes]."
    )
    raise ValueError(msg)
