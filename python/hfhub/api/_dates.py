"""Dates of the hub's answers."""

from __future__ import annotations

import datetime as dt
from typing import Any


def parse_datetime(text: Any) -> dt.datetime | None:
    """A date as the hub writes it (`2022-08-19T07:19:38.123Z`), in UTC.

    Args:
        text: the date; what is no text, or no date, gives None (a newer hub must not break a listing).
    """
    if not isinstance(text, str):
        return None
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
