"""Options of JSON files, as `datasets` takes them."""

from __future__ import annotations

import json
import warnings
from typing import Any

from crucible_datasets.load._encoding import encoding_options

NAMES = {
    "field", "encoding", "encoding_errors", "chunksize", "block_size", "use_threads", "newlines_in_values",
    "on_mixed_types", "parse_agent_traces",
}  # fmt: skip
"""Options that `datasets` has for JSON."""

_CHUNK = 10 << 20


def json_options(given: dict[str, Any]) -> dict[str, Any]:
    """The reader's form of JSON options. `parse_agent_traces` has no effect: rows are read as they are.

    Args:
        given: options by their names in `datasets`; unknown ones were refused before.

    Raises:
        ValueError: a value that is not taken.
        LookupError: an unknown encoding.
    """
    if given.get("newlines_in_values") is not None:
        msg = "The JSON loader parameter `newlines_in_values` is no longer supported"
        raise ValueError(msg)
    if given.get("block_size") is not None:
        warnings.warn("block_size is deprecated; use chunksize", FutureWarning, stacklevel=4)
    field, mixed = given.get("field"), given.get("on_mixed_types", "use_json")
    if not (field is None or isinstance(field, str)):
        msg = f"field must be the name of a member, got {field!r}"
        raise ValueError(msg)
    if mixed not in (None, "use_json"):
        msg = f"on_mixed_types must be 'use_json' or None, got {mixed!r}"
        raise ValueError(msg)
    head = given.get("block_size") or given.get("chunksize", _CHUNK)
    if not isinstance(head, int) or head < 1:
        msg = f"chunksize must be a number of bytes, got {head!r}"
        raise ValueError(msg)
    native: dict[str, Any] = {"field": field, "mixed": mixed is not None, "head": head}
    plain = {"field": None, "mixed": True, "head": _CHUNK}
    recoding = encoding_options(given.get("encoding"), given.get("encoding_errors"))
    return {**({} if native == plain else {"json": json.dumps(native)}), **recoding}
