"""Exports of streams: bounded memory, and nothing left of one that fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crucible_datasets import Features, Value
from crucible_datasets.iterable import IterableDataset

FEATURES = Features({"i": Value("int64"), "t": Value("string")})


def failing() -> Iterator[dict[str, Any]]:
    for i in range(3000):
        if i == 2500:
            msg = "the source broke"
            raise RuntimeError(msg)
        yield {"i": i, "t": "x" * 100}


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_stream_that_fails_leaves_no_file(kind: str, tmp_path: Path, hf_env: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    stream = IterableDataset.from_generator(failing, features=FEATURES)
    with pytest.raises(Exception, match="the source broke"):
        getattr(stream, f"to_{kind}")(str(target / f"a.{kind}"))
    assert list(target.iterdir()) == []
    (target / f"b.{kind}").write_bytes(b"before")
    with pytest.raises(Exception, match="the source broke"):
        getattr(stream, f"to_{kind}")(str(target / f"b.{kind}"))
    assert (target / f"b.{kind}").read_bytes() == b"before"
    assert len(list(target.iterdir())) == 1


BOUNDED = """
import resource, sys
from pathlib import Path
import crucible_datasets as ours

def gen(rows):
    for i in range(rows):
        yield {"i": i, "t": str(i) * 2000}

features = ours.Features({"i": ours.Value("int64"), "t": ours.Value("string")})
def export(rows, name):
    made = ours.IterableDataset.from_generator(gen, features=features, gen_kwargs={"rows": rows})
    made.to_parquet(str(Path(sys.argv[1]) / name))
export(2000, "few.parquet")
status = Path("/proc/self/status").read_text().splitlines()
data = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (data + (200 << 20),) * 2)
export(40000, "many.parquet")
print("true")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what is not of a file")
def test_memory_is_bounded(tmp_path: Path, hf_env: Path, python: Callable[..., Any]) -> None:
    """400 MB of text, twenty times as much as was exported before, with 200 MB more than that took."""
    assert python(BOUNDED, tmp_path)
    assert pq.read_metadata(tmp_path / "many.parquet").num_rows == 40000
