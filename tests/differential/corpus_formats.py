"""Rows of a few shapes, and files of every format that hold them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

Rows = list[dict[str, Any]]


# -------------------------------------------------------------------------------------------------------------- rows


def flat_rows(rng: random.Random, count: int) -> Rows:
    words = ["one", "two words", "três", "日本", 'a "quoted" one', "x,y"]
    return [
        {
            "i": rng.randrange(-99, 99),
            "x": rng.randrange(-50, 50) / 4 + 0.125,
            "s": rng.choice(words),
            "b": rng.random() < 0.5,
        }
        for _ in range(count)
    ]


def nested_rows(rng: random.Random, count: int) -> Rows:
    def turn(role: str) -> dict[str, str]:
        return {"role": role, "content": f"says {rng.randrange(999)}"}

    return [
        {
            "id": f"r{rng.randrange(999)}",
            "messages": [turn(role) for role in ("user", "assistant")[: rng.randrange(1, 3)]],
            "tags": [rng.choice("abc") for _ in range(rng.randrange(3))],
            "meta": {"n": rng.randrange(9), "ok": None if rng.random() < 0.3 else rng.randrange(99) / 8},
        }
        for _ in range(count)
    ] + [{"id": "last", "messages": [turn("user")], "tags": ["z"], "meta": {"n": 1, "ok": 0.5}}]


def labelled_rows(rng: random.Random, count: int) -> Rows:
    return [
        {"text": f"t{rng.randrange(999)}", "label": rng.randrange(2), "score": rng.randrange(9)} for _ in range(count)
    ]


# ------------------------------------------------------------------------------------------------------------ formats


def parquet_bytes(rows: Rows) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def arrow_bytes(rows: Rows) -> bytes:
    table, out = pa.Table.from_pylist(rows), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def lines_bytes(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def array_bytes(rows: Rows) -> bytes:
    return json.dumps(rows, indent=1).encode()


def csv_bytes(rows: Rows, delimiter: str = ",") -> bytes:
    out = io.BytesIO()
    pc.write_csv(pa.Table.from_pylist(rows), out, pc.WriteOptions(delimiter=delimiter))
    return out.getvalue()


def text_bytes(rows: Rows) -> bytes:
    return "".join(f"{next(iter(row.values()))} line\n" for row in rows).encode()


def tar_bytes(rows: Rows) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number, row in enumerate(rows):
            for name, data in ((f"d/{number}.json", json.dumps(row).encode()), (f"d/{number}.cls", b"%d" % number)):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


Writer = Callable[[Rows], bytes]
FORMATS: dict[str, Writer] = {
    ".parquet": parquet_bytes,
    ".jsonl": lines_bytes,
    ".json": array_bytes,
    ".csv": csv_bytes,
    ".tsv": lambda rows: csv_bytes(rows, "\t"),
    ".txt": text_bytes,
    ".arrow": arrow_bytes,
    ".jsonl.gz": lambda rows: gzip.compress(lines_bytes(rows)),
    ".csv.gz": lambda rows: gzip.compress(csv_bytes(rows)),
    ".json.xz": lambda rows: lzma.compress(array_bytes(rows)),
    ".tar": tar_bytes,
    ".tar.gz": lambda rows: gzip.compress(tar_bytes(rows)),
    ".txt.bz2": lambda rows: bz2.compress(text_bytes(rows)),
}
NESTED = {".parquet", ".jsonl", ".json", ".arrow", ".jsonl.gz", ".json.xz", ".tar", ".tar.gz"}


def zip_bytes(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()
