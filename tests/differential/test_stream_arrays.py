"""What functions get and give in the array formats of streams, as in `datasets`: kinds of values and their dtypes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets as official
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours

COLUMNS = {
    "small": pa.array([1, 2, 3], pa.int32()),
    "wide": pa.array([2**63, 1, 2], pa.uint64()),
    "half": pa.array([1.5, 2.5, 3.5], pa.float64()),
    "flag": pa.array([True, False, True]),
    "list": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int16())),
    "text": pa.array(["a", "b", "c"]),
}
CHAINS: dict[str, Any] = {
    "rows": lambda ds: ds,
    "map": lambda ds: ds.map(lambda row: {"new": 1.5, "more": [1.5, 2.5]}),
    "map keeps": lambda ds: ds.map(lambda row: row),
    "map without columns": lambda ds: ds.map(lambda row: {"new": row["half"]}, remove_columns=["small", "text"]),
    "map batched": lambda ds: ds.map(lambda batch: {"new": batch["small"] * 2}, batched=True, batch_size=2),
    "filter": lambda ds: ds.filter(lambda row: row["small"] > 1),
    "filter batched": lambda ds: ds.filter(lambda batch: batch["small"] > 1, batched=True),
    "map twice": lambda ds: ds.map(lambda row: {"a": row["half"]}).map(lambda row: {"b": row["a"]}),
}


def sources(module: Any, file: Path, kind: str) -> Any:
    if kind == "file":
        return module.load_dataset("parquet", data_files=str(file), split="train", streaming=True)
    if kind == "memory":
        return module.Dataset.from_parquet(
            str(file), cache_dir=str(file.parent / module.__name__)
        ).to_iterable_dataset()
    return module.IterableDataset.from_generator(lambda: iter(pq.read_table(file).to_pylist()))


def shown(value: Any) -> Any:
    return type(value).__name__, str(getattr(value, "dtype", "")), np.asarray(value).tolist()


@pytest.mark.parametrize("kind", ["file", "memory", "generator"])
@pytest.mark.parametrize("chain", CHAINS)
def test_numpy(tmp_path: Path, kind: str, chain: str) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table(COLUMNS), file)
    told = []
    for module in (official, ours):
        seen: list[Any] = []

        def look(row: Any, seen: list[Any] = seen) -> Any:
            seen.append({name: shown(value) for name, value in row.items()})
            return row

        stream = CHAINS[chain](sources(module, file, kind).with_format("numpy").map(look))
        rows = [{name: shown(value) for name, value in row.items()} for row in stream]
        told.append((seen, rows))
    for theirs, mine in zip(told[0], told[1], strict=True):
        assert [list(row) for row in mine] == [list(row) for row in theirs]
        for row, wanted in zip(mine, theirs, strict=True):
            assert {name: value for name, value in row.items() if value != wanted[name]} == {}, wanted
