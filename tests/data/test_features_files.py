"""Features in the metadata of Parquet and Arrow files: the official library reads ours, we read theirs."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import datasets as theirs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crucible_datasets as ours
from data.features_of_every_kind import kinds
from data.test_features_rows import VALUES, official, same

NOT_IN_PARQUET = {"time32[s]", "timestamp[s]", "timestamp[s, tz=+02:00]", "date64"}
"""Kinds that Parquet has no type for: the file says them beside the data, and the writers differ in how."""


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind not in NOT_IN_PARQUET])
def test_parquet_both_ways(tmp_path: Path, kind: str) -> None:
    b = official(kind, VALUES[kind])
    pq.write_table(b.data.table, tmp_path / "theirs.parquet")
    a = ours.load_dataset("parquet", data_files=str(tmp_path / "theirs.parquet"), split="train", keep_in_memory=True)
    assert repr(a.features) == repr(b.features)
    assert same(list(a), list(b))
    a.to_parquet(tmp_path / "ours.parquet")
    table = pq.read_table(tmp_path / "ours.parquet")
    back = theirs.Dataset(table)
    assert repr(back.features) == repr(b.features)
    assert same(list(back), list(b))
    assert table.schema.field("c").type == b.data.table.schema.field("c").type


@pytest.mark.parametrize("kind", list(VALUES))
def test_arrow_both_ways(kind: str) -> None:
    b = official(kind, VALUES[kind])
    a = ours.Dataset.from_arrow(b.data.table)
    assert a.with_format("arrow")[:].schema.equals(b.with_format("arrow")[:].schema, check_metadata=False)
    assert repr(theirs.Dataset(pa.table(a)).features) == repr(b.features)
    bare = b.data.table.replace_schema_metadata(None)
    assert repr(ours.Dataset.from_arrow(bare).features) == repr(theirs.Dataset(bare).features)


@pytest.mark.parametrize("kind", list(kinds(ours)))
def test_schemas(kind: str) -> None:
    a, b = (d.Features({"c": kinds(d)[kind]}) for d in (ours, theirs))
    assert a.arrow_schema.equals(b.arrow_schema, check_metadata=False)
    assert json.loads(a.arrow_schema.metadata[b"huggingface"]) == json.loads(b.arrow_schema.metadata[b"huggingface"])
    assert a.type == b.type
    assert repr(ours.Features.from_arrow_schema(b.arrow_schema)) == repr(b)
    bare = b.arrow_schema.remove_metadata()
    assert repr(ours.Features.from_arrow_schema(bare)) == repr(theirs.Features.from_arrow_schema(bare))


def values(depth: int = 2) -> st.SearchStrategy[tuple[Any, st.SearchStrategy[Any]]]:
    """Pairs of a feature and a strategy for its values."""
    leaves = st.sampled_from(
        [
            (ours.Value("int64"), st.integers(-(2**63), 2**63 - 1)),
            (ours.Value("uint8"), st.integers(0, 255)),
            (ours.Value("float64"), st.floats(allow_nan=False)),
            (ours.Value("string"), st.text(st.characters(exclude_categories=["Cs"]))),
            (ours.Value("binary"), st.binary()),
            (ours.Value("bool"), st.booleans()),
            (ours.Value("timestamp[us]"), st.datetimes()),
            (ours.Value("date32"), st.dates()),
            (ours.Value("time64[us]"), st.times()),
            (
                ours.Value("duration[us]"),
                st.timedeltas(datetime.timedelta(-100_000_000), datetime.timedelta(100_000_000)),
            ),
            (ours.Value("decimal128(20, 3)"), st.decimals(-(10**15), 10**15, places=3)),
            (ours.ClassLabel(names=["a", "b"]), st.sampled_from([0, 1])),
        ]
    )
    if depth == 0:
        return leaves
    inner = values(depth - 1)

    def nested(pair: tuple[Any, st.SearchStrategy[Any]]) -> list[tuple[Any, st.SearchStrategy[Any]]]:
        feature, made = pair
        made = st.none() | made
        return [
            (ours.List(feature), st.lists(made, max_size=3)),
            (ours.LargeList(feature), st.lists(made, max_size=3)),
            (ours.List(feature, length=2), st.lists(made, min_size=2, max_size=2)),
            ({"x": feature, "y": feature}, st.fixed_dictionaries({"x": made, "y": made})),
        ]

    return leaves | inner.flatmap(lambda pair: st.sampled_from(nested(pair)))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_rows_survive_every_way(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    feature, made = data.draw(values())
    column = data.draw(st.lists(st.none() | made, min_size=1, max_size=6))
    features = ours.Features({"c": feature})
    ds = ours.Dataset.from_dict({"c": column}, features)
    assert ds["c"][:] == column
    folder = tmp_path_factory.mktemp("ways")
    ds.to_parquet(folder / "a.parquet")
    again = ours.load_dataset("parquet", data_files=str(folder / "a.parquet"), split="train", keep_in_memory=True)
    assert again.features == features
    assert again["c"][:] == column
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, pa.table(ds).schema) as writer:
        writer.write_table(pa.table(ds))
    again = ours.load_dataset("arrow", data_files=str(folder / "a.arrow"), split="train", keep_in_memory=True)
    assert again.features == features
    assert again["c"][:] == column
