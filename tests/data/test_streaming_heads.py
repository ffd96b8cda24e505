"""The first rows of a large row group come before its others; footers cost what they are long."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.iterable import IterableDataset
from hfhub import HubServer

ROWS, GROUP = 7000, 3500


@pytest.fixture(params=["hub", "local"])
def opened(request: pytest.FixtureRequest, hub_root: Path, hf_env: Path) -> IterableDataset:
    """Two row groups of 3,500 rows."""
    folder = hub_root / "datasets" / "org" / "heads"
    folder.mkdir()
    table = pa.table({"i": list(range(ROWS)), "t": [f"row {i}" * 5 for i in range(ROWS)]})
    pq.write_table(table, folder / "a.parquet", row_group_size=GROUP)
    made = (
        ours.load_dataset("org/heads", split="train", streaming=True)
        if request.param == "hub"
        else ours.load_dataset("parquet", data_files=str(folder / "a.parquet"), split="train", streaming=True)
    )
    assert isinstance(made, IterableDataset)
    return made


def test_rows_and_tables(opened: IterableDataset) -> None:
    assert [row["i"] for row in opened] == list(range(ROWS))
    batches = list(opened.with_format("arrow").iter(batch_size=999))
    assert [batch.num_rows for batch in batches] == [999] * 7 + [7]
    assert pa.concat_tables(batches)["i"].to_pylist() == list(range(ROWS))
    assert [row["t"] for row in opened.select_columns(["t"]).skip(1000).take(100)] == [
        f"row {i}" * 5 for i in range(1000, 1100)
    ]


@pytest.mark.parametrize("place", [1, 1023, 1024, 1025, 2500, GROUP - 1, GROUP, GROUP + 1024, ROWS - 1])
def test_a_state_holds_where_first_and_other_rows_meet(opened: IterableDataset, place: int) -> None:
    rows = iter(opened)
    assert [next(rows)["i"] for _ in range(place)] == list(range(place))
    state = json.loads(json.dumps(opened.state_dict()))
    opened.load_state_dict(state)
    assert [row["i"] for row in opened] == list(range(place, ROWS))
    assert [row["i"] for row in rows] == list(range(place, ROWS))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_reads_the_rows_that_were_on_their_way(opened: IterableDataset) -> None:
    rows = iter(opened)
    next(rows)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if [row["i"] for row in rows] == list(range(1, ROWS)) else 1)
        except BaseException:  # noqa: BLE001  # no test framework in the child
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [row["i"] for row in rows] == list(range(1, ROWS))


def test_first_rows_cost_no_request_of_their_own(hub_root: Path, hub: HubServer, hf_env: Path) -> None:
    rng = random.Random(6)
    path = hub_root / "datasets" / "org" / "heads" / "a.parquet"
    path.parent.mkdir()
    table = pa.table({"i": list(range(ROWS)), "t": [rng.randbytes(300) for _ in range(ROWS)]})
    pq.write_table(table, path, row_group_size=GROUP, compression="none", use_dictionary=False)
    rows = iter(ours.load_dataset("org/heads", split="train", streaming=True))
    hub.clear_requests()
    next(rows)
    sent = [answer[4] for answer in hub.answers() if answer[2] == 206]
    assert len(sent) <= 2
    group = pq.read_metadata(path).row_group(0)
    chunks = sum(group.column(c).total_compressed_size for c in range(2))
    assert sum(sent) <= chunks + (16 << 10)
    assert len(list(rows)) == ROWS - 1
    assert len([answer for answer in hub.answers() if answer[2] == 206]) == 3  # the footer, two row groups


def test_a_long_footer_is_read_once(hub_root: Path, hub: HubServer, hf_env: Path) -> None:
    """What the first request did not bring is asked for, and no more."""
    path = hub_root / "datasets" / "org" / "heads" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({f"column {c}": list(range(60)) for c in range(40)}), path, row_group_size=5)
    footer = pq.read_metadata(path).serialized_size + 8
    assert footer > 40 << 10
    stream = ours.load_dataset("org/heads", split="train", streaming=True)
    assert isinstance(stream, IterableDataset)
    hub.clear_requests()
    assert stream.num_rows == 60
    sent = [answer[4] for answer in hub.answers() if answer[2] == 206]
    assert len(sent) == 2
    assert sum(sent) == footer
