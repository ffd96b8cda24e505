"""Benchmark data, made once with a seed: chats as Parquet and JSON lines, and hub repositories of both."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
GSM8K = HERE.parents[1] / "shared" / "data" / "gsm8k"


def first_load(load_dataset: Callable[..., object]) -> None:
    """Loads one row, for what a library imports with its first load: imports are not timed."""
    with tempfile.TemporaryDirectory(prefix="crucible-first-") as folder:
        file = Path(folder, "one.jsonl")
        file.write_text('{"row": 1}\n')
        load_dataset("json", data_files=str(file), split="train", cache_dir=folder)


def chats(rows: int) -> list[dict[str, object]]:
    rng = random.Random(7)
    words = [
        "".join(rng.choices("etaoinshrdlucmfwypvbgkjqxz", weights=range(26, 0, -1), k=rng.randint(2, 10)))
        for _ in range(5000)
    ]

    def text(low: int, high: int) -> str:
        return " ".join(rng.choices(words, k=rng.randint(low, high)))

    return [
        {
            "id": f"chat-{i:08}",
            "source": rng.choice(["web", "books", "code"]),
            "score": rng.random(),
            "turns": 4,
            "messages": [
                {"role": role, "content": text(20, 160)} for role in ("user", "assistant", "user", "assistant")
            ],
        }
        for i in range(rows)
    ]


def make_data(rows: int) -> Path:
    """The folder of the data of this size; made if it is not there."""
    folder = HERE / ".data" / str(rows)
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = chats(rows)
    table = pa.Table.from_pylist(data)
    for codec in ("zstd", "snappy"):
        pq.write_table(table, folder / f"chat-{codec}.parquet", compression=codec, row_group_size=10_000)
    with (folder / "chat.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in data)
    chat = folder / "hub" / "datasets" / "bench" / "chat" / "data"
    chat.mkdir(parents=True)
    shutil.copy(folder / "chat-zstd.parquet", chat / "train-00000-of-00001.parquet")
    gsm8k = folder / "hub" / "datasets" / "bench" / "gsm8k" / "main"
    gsm8k.mkdir(parents=True)
    lines = (GSM8K / "train.jsonl").read_text(encoding="utf-8").splitlines() if GSM8K.is_dir() else []
    small = [json.loads(line) for line in lines] or [
        {"question": str(row["id"]), "answer": str(row["source"]) * 60} for row in data[:7473]
    ]
    pq.write_table(pa.Table.from_pylist(small), gsm8k / "train-00000-of-00001.parquet", compression="zstd")
    (folder / "done").touch()
    return folder
