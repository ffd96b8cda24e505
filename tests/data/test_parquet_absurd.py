"""Parquet files that announce absurd sizes: a typed error that says where, in little memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from badinput.handmade import CODECS, file

HUGE = 2**31 - 1
MEMORY = 2 << 30
READ = """
import json, resource, sys
from _crucible._native import Table
from _crucible.errors import DataError
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
said = {}
for path in sys.argv[2:]:
    try:
        said[path] = ["rows", Table.read([path], "parquet").num_rows]
    except DataError as error:
        said[path] = [type(error).__name__, str(error)]
print(json.dumps(said))
"""


def compressed(codec: str) -> bytes:
    if codec == "gzip":
        return gzip.compress(bytes(80))
    found: bytes = pa.compress(bytes(80), codec=codec, asbytes=True)
    return found


def test_by_hand_is_parquet(tmp_path: Path) -> None:
    """What the other tests spoil is a file that both read."""
    for codec in CODECS:
        path = tmp_path / f"{codec}.parquet"
        path.write_bytes(file(codec, body=bytes(80) if codec == "none" else compressed(codec)))
        assert pq.read_table(path)["a"].to_pylist() == [0] * 10
        assert pa.table(Table.read([str(path)], "parquet"))["a"].to_pylist() == [0] * 10


def test_absurd_sizes(tmp_path: Path) -> None:
    files = {
        f"page of {codec}": file(codec, unpacked=HUGE, body=compressed(codec)) for codec in CODECS if codec != "none"
    }
    files |= {
        "page longer than its chunk": file("snappy", packed=HUGE, body=compressed("snappy")),
        "negative page": file("snappy", unpacked=-5, body=compressed("snappy")),
        "no page": file("snappy", body=compressed("snappy")).replace(b"PAR1", b"PAR1" + b"\xff" * 3, 1),
        "values": file(values=HUGE),
        "rows": file(rows=2**50),
        "rows and values": file(values=HUGE, rows=HUGE),
        "negative rows": file(rows=-1),
        "row groups": file(groups=HUGE),
        "children": file(children=HUGE),
        "negative children": file(children=-3),
        "footer": file(footer=2**32 - 1),
        "footer of the limit": file(footer=500 << 20),
    }
    paths = {}
    for name, content in files.items():
        paths[name] = tmp_path / f"{name}.parquet"
        paths[name].write_bytes(content)
    command = [sys.executable, "-c", READ, str(MEMORY), *map(str, paths.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    for name, path in paths.items():
        error, text = said[str(path)]
        assert error in ("DecodeError", "LimitError"), (name, error, text)
        assert path.name in text, (name, text)
        if name.startswith(("page", "negative page", "values", "rows")):
            assert "row group 0" in text or "rows" in text, (name, text)
    assert "max_page_bytes" in said[str(paths["page of brotli"])][1]
    assert said[str(paths["footer"])][0] == "LimitError"


@pytest.mark.parametrize("codec", ["snappy", "zstd", "gzip", "brotli", "lz4"])
def test_pages_that_shrink_much(tmp_path: Path, codec: str) -> None:
    """What is large and honest is read: 24 MB of zeros in a page."""
    path = tmp_path / "z.parquet"
    table = pa.table({"z": pa.array([bytes(24 << 20), b"x"], pa.binary())})
    pq.write_table(table, path, compression=codec, use_dictionary=False)
    assert pa.table(Table.read([str(path)], "parquet")).equals(table)
