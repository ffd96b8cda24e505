"""Values of several types in one column: what JSON has no word for, and what is no number."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import datasets as theirs
import numpy as np
import pandas as pd
import pytest

import crucible_datasets as ours
from crucible_datasets.features import Json
from oracle_pair import both, equal, pair

NAN = float("nan")
MIXED: list[list[Any]] = [
    [1.5, NAN, "a"],
    [{"x": NAN}, 3],
    [{"x": [1.0, float("-inf")]}, 3],
    [np.float32(1.5), "a"],
    [1, np.int64(3), "a"],
    [np.True_, "a"],
    [{"x": np.arange(2)}, 3],
    [{"x": np.float32(1.5)}, 3],
    [{"x": {1, 2}}, 3],
    [{"x": ((1, 2), [3])}, 3],
    [1, b"a"],
    [{"x": b"q"}, 3],
    [{"x": decimal.Decimal("1.5")}, 3],
    [{"x": pd.NA}, 3],
    [{"x": datetime.datetime(2020, 1, 2, 3, 4, 5, 678000)}, 3],
    [{"x": datetime.datetime(1960, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))}, 3],
    ["a", datetime.date(2020, 1, 2)],
    ["a", datetime.timedelta(days=1)],
    [{"x": datetime.time(1, 2, 3)}, 3],
    ["a", pd.Timestamp("2020-01-02")],
    [{1: 2}, 3],
    [1, None, "a"],
    [(1, "a"), ("b",)],
]


@pytest.mark.parametrize("values", MIXED, ids=repr)
def test_values_as_json(values: list[Any]) -> None:
    theirs.disable_progress_bars()
    a, b = pair({"i": list(range(len(values)))})
    both(a, b, lambda ds: ds.map(lambda row: {"z": values[row["i"]]}))
    made = ours.Dataset.from_dict({"z": values}, on_mixed_types="use_json")
    expected = theirs.Dataset.from_dict({"z": values}, on_mixed_types="use_json")
    assert made.features.to_dict() == expected.features.to_dict()
    assert equal(made["z"][:], expected["z"][:])


def test_text_of_values() -> None:
    feature = Json()
    assert feature.encode_example(NAN) is None
    assert feature.encode_example("NaN") == theirs.Json().encode_example("NaN")
    assert feature.encode_example({"a": [NAN, 1]}) == '{"a":[null,1]}'
    assert feature.encode_example([np.datetime64("1970-01-02"), np.datetime64("NaT")]) == "[86400000,null]"
    with pytest.raises(TypeError):
        feature.encode_example({"a": object()})
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(ValueError, match="itself"):
        feature.encode_example(ring)


def test_splits() -> None:
    a, b = (
        library.DatasetDict({"x": rows, "y": rows.select([0])})
        for library, rows in zip((ours, theirs), pair({"a": [1, 2]}), strict=True)
    )
    both(a, b, lambda splits: splits.shuffle(seeds={"x": 1}))
    both(a, b, lambda splits: splits.shuffle(generators={"x": np.random.default_rng(1)}))
    both(a, b, lambda splits: splits.rename_column("a", "a"))
    both(a, b, lambda splits: type(splits)({"x": 1}).map(lambda row: row))
    with a as entered:
        assert entered["x"][0] == {"a": 1}
    with pytest.raises(AttributeError):
        a["x"][0]
