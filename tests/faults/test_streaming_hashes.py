"""Files that a stream reads from start to end have their hash compared, unless the caller wants no checks."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import pytest

from crucible_datasets import load_dataset
from faulthub import FaultHub, faults
from hfhub.errors import IntegrityError
from streamed import MAKERS, numbers, rows_of

ID = "org/stream"
ROWS = 300


@pytest.fixture(params=["jsonl", "csv", "txt"])
def kind(request: pytest.FixtureRequest, fault_hub: FaultHub, fault_env: Path) -> str:
    """A dataset of one such file, of which a byte comes wrong."""
    if request.param == "txt":
        data = "".join(f"line {n}\n" for n in range(ROWS)).encode()
    elif request.param == "csv":
        data = ("i,s\n" + "".join(f"{n},abcdefgh\n" for n in range(ROWS))).encode()
    else:
        data = MAKERS["jsonl"](rows_of(0, ROWS, 20))
    name = f"0.{request.param}"
    fault_hub.repo("dataset", ID).commit({name: data, "other.md": b""}, lfs=("*",))
    at = data.rindex(b"e", 0, len(data) - 200) if request.param != "csv" else data.rindex(b"d", 0, len(data) - 200)
    fault_hub.fault(name, faults.flip(at), statuses=(200, 206))
    return str(request.param)


@pytest.mark.parametrize("mode", [None, "basic_checks", "all_checks"])
def test_a_wrong_byte_is_found(kind: str, mode: str | None) -> None:
    with pytest.raises(IntegrityError):  # of short JSON when its types are looked at, in loading
        list(load_dataset(ID, split="train", streaming=True, verification_mode=mode))


def test_no_checks_takes_what_comes(kind: str) -> None:
    stream: Any = load_dataset(ID, split="train", streaming=True, verification_mode="no_checks")
    assert len(list(stream)) == ROWS
    assert len(list(pickle.loads(pickle.dumps(stream)))) == ROWS
    if kind == "jsonl":
        assert numbers(stream) == list(range(ROWS))


def test_what_is_kept_is_compared_all_the_same(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    """A file whose bytes are wrong gets no name in the cache, whatever was wanted."""
    with contextlib.suppress(IntegrityError):
        list(load_dataset(ID, split="train", streaming=True, verification_mode="no_checks", cache=True))
    blobs = [p for p in (fault_env / "hub").rglob("blobs/*") if len(p.name) == 64]
    assert not blobs


def test_an_unknown_mode(fault_hub: FaultHub, fault_env: Path) -> None:
    fault_hub.repo("dataset", ID).commit({"0.csv": b"a\n1\n"})
    with pytest.raises(ValueError, match="some_checks"):
        load_dataset(ID, split="train", streaming=True, verification_mode="some_checks")
