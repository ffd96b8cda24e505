"""Rows that tests of operations share."""

from __future__ import annotations

from typing import Any

import datasets as theirs

import crucible_datasets as ours

LABELS = {"l": {"names": ["neg", "pos", "neutral"], "_type": "ClassLabel"}, "t": {"dtype": "string", "_type": "Value"}}


def library(dataset: Any) -> Any:
    return ours if isinstance(dataset, ours.Dataset | ours.DatasetDict) else theirs


def rows(n: int) -> list[dict[str, Any]]:
    return [{"i": k, "f": k / 4, "s": f"t{k % 3}", "l": [k] * (k % 3), "o": {"p": k, "q": f"q{k}"}} for k in range(n)]
