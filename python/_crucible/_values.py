"""Python values that the stable C ABI cannot build: dates, times, durations, decimals. Called by the extension."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from _crucible._optional import require
from _crucible.errors import SchemaError

_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_DAY_MS = 86_400_000


def date(value: int, unit: str, _zone: str | None) -> dt.date:
    """The date of a day count (`unit` "d") or of milliseconds (`unit` "ms") since 1970-01-01."""
    days = value if unit == "d" else value // _DAY_MS
    return dt.date.fromordinal(_EPOCH_DAY + days)


def timestamp(value: int, unit: str, zone: str | None) -> Any:
    """The datetime of `value` units since 1970-01-01; nanoseconds need pandas (`pd.Timestamp`), as in `datasets`."""
    if unit == "ns":
        pandas = require("pandas", extra="pandas", why="timestamp[ns] values are pandas.Timestamp")
        return pandas.Timestamp(value, unit="ns", tz=zone)
    try:
        naive = _EPOCH + dt.timedelta(microseconds=value * _MICROSECONDS[unit])
    except OverflowError as error:
        msg = f"the timestamp {value} {unit} since 1970 is outside the years 1 to 9999 of Python's datetime"
        raise SchemaError(msg) from error
    if zone is None:
        return naive
    return naive.replace(tzinfo=dt.UTC).astimezone(_zone(zone))


def duration(value: int, unit: str, _zone: str | None) -> Any:
    """The timedelta of `value` units; nanoseconds need pandas (`pd.Timedelta`)."""
    if unit == "ns":
        pandas = require("pandas", extra="pandas", why="duration[ns] values are pandas.Timedelta")
        return pandas.Timedelta(value, unit="ns")
    return dt.timedelta(microseconds=value * _MICROSECONDS[unit])


def time(value: int, unit: str, _zone: str | None) -> dt.time:
    """The time of day of `value` units since midnight; nanoseconds are cut to microseconds."""
    micros = value // 1_000 if unit == "ns" else value * _MICROSECONDS[unit]
    return (dt.datetime.min + dt.timedelta(microseconds=micros % 86_400_000_000)).time()


def decimal(text: str) -> Decimal:
    """The decimal of its text."""
    return Decimal(text)


@lru_cache(maxsize=64)
def _zone(name: str) -> dt.tzinfo:
    if name[:1] in "+-":
        hours, _, minutes = name[1:].partition(":")
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes or 0))
        return dt.timezone(-offset if name[0] == "-" else offset)
    return ZoneInfo(name)


def store(value: object) -> tuple[str, int, str | None] | None:
    """What the object eater stores for a rarer value.

    Returns:
        (kind, integer, extra): days for "date"; microseconds for "timestamp" (extra: zone), "duration" and "time";
        for "decimal" the text is the extra. None when the type has no Arrow type.
    """
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            return ("timestamp", _micros(value - _EPOCH), None)
        return ("timestamp", _micros(value - _EPOCH.replace(tzinfo=dt.UTC)), _zone_name(value.tzinfo))
    if isinstance(value, dt.date):
        return ("date", value.toordinal() - _EPOCH_DAY, None)
    if isinstance(value, dt.timedelta):
        return ("duration", _micros(value), None)
    if isinstance(value, dt.time):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return ("time", seconds * 1_000_000 + value.microsecond, None)
    if isinstance(value, Decimal) and value.is_finite():
        return ("decimal", 0, format(value, "f"))
    return None


def _micros(delta: dt.timedelta) -> int:
    return delta // dt.timedelta(microseconds=1)


def _zone_name(zone: dt.tzinfo) -> str:
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    offset = zone.utcoffset(None)
    if offset is None or not offset:
        return "UTC"
    minutes = offset // dt.timedelta(minutes=1)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
