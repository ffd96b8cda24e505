"""Options of text files, as `datasets` takes them."""

from __future__ import annotations

from typing import Any

from crucible_datasets.load._encoding import encoding_options

NAMES = {"sample_by", "keep_linebreaks", "encoding", "encoding_errors", "chunksize"}
"""Options that `datasets` has for text."""


def text_options(given: dict[str, Any]) -> dict[str, Any]:
    """The reader's form of text options. `chunksize` has no effect.

    Raises:
        LookupError: an unknown encoding.
    """
    kept: dict[str, Any] = {name: given[name] for name in ("sample_by", "keep_linebreaks") if name in given}
    return {**kept, **encoding_options(given.get("encoding"), given.get("encoding_errors"))}
