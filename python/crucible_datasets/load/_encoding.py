"""The `encoding` and `encoding_errors` of text formats."""

from __future__ import annotations

import codecs
from typing import Any


def encoding_options(encoding: str | None, errors: str | None) -> dict[str, Any]:
    """How files must be decoded before they are read; nothing for UTF-8, which the readers take as it is.

    Args:
        encoding: a codec of Python; UTF-8 when absent.
        errors: what to do with bytes that are no text: "strict", "ignore", "replace" or another handler of Python.

    Raises:
        LookupError: an unknown codec or handler.
    """
    codec = codecs.lookup(encoding or "utf-8").name
    codecs.lookup_error(errors or "strict")
    if codec == "utf-8" and errors in (None, "strict"):
        return {}
    return {"encoding": codec, "encoding_errors": errors or "strict"}
