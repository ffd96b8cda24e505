"""The JSON text of a value of any type, as the `Json` feature stores it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def json_text(value: Any) -> str:
    """The JSON text of a value; what JSON has no word for is as in `datasets`.

    NaN and infinities are null, times milliseconds since 1970 (those of a day: text), decimals text, bytes the text
    that they are.

    Raises:
        TypeError: a value that has no JSON form.
        ValueError: bytes that are no UTF-8, a value that contains itself.
    """
    try:
        return _dumped(value)
    except (TypeError, ValueError):  # numbers that are not finite, values that are not JSON's
        pass
    try:
        return _dumped(_plain(value))
    except RecursionError as error:
        msg = "a value that contains itself has no JSON text"
        raise ValueError(msg) from error


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _of_numpy(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray):
        return value.decode()
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    return _of_time(value)


def _key(key: Any) -> Any:
    return key.item() if isinstance(key, np.generic) else key


def _of_numpy(value: Any) -> Any:
    if value.dtype.kind in "mM" and value.ndim == 0:
        return None if np.isnat(value) else int(value.astype(f"{value.dtype.kind}8[ms]").astype(np.int64))
    return _plain(value.tolist() if value.dtype.kind not in "mM" else list(value))


def _of_time(value: Any) -> Any:
    if isinstance(value, datetime):
        return ((value if value.tzinfo is not None else value.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    if isinstance(value, date):
        return (datetime(value.year, value.month, value.day, tzinfo=UTC) - _EPOCH) // _MILLISECOND
    if isinstance(value, timedelta):
        return value // _MILLISECOND
    if isinstance(value, time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
