"""What a place is a place of."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

from crucible_datasets.iterable._plan import Plan
from crucible_datasets.iterable._shard import Shard
from crucible_datasets.iterable._steps import Take

_COUNTS = ("buffer", "chunk", "count", "inputs", "offset", "order", "size", "step")
"""Numbers of plans that a place depends on."""
_SOURCES = ("before", "parts", "shards", "tables")
"""What plans read."""


def place_of(plan: Plan) -> str:
    """A short name of what a plan's places are places in: its files and their parts, and the numbers of its steps.

    Columns, functions and random numbers are not in it. Files are told by their names without folders, so that they may
    move.
    """
    return hashlib.blake2b(repr(_described(plan)).encode(), digest_size=6).hexdigest()


def _described(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_described(inner) for inner in value]
    if isinstance(value, Shard):
        return value.named()
    if not isinstance(value, Plan):
        return value.num_rows  # of a table
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Take):
        del named["count"]  # who takes more goes on where less was taken
    counts = [(name, named[name]) for name in _COUNTS if name in named]
    sources = [_described(named[name]) for name in _SOURCES if name in named]
    return sources[0] if len(sources) == 1 and not counts else sources + counts
