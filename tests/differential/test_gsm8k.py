"""GSM8K, laid out as on the Hub and served by our mirror: `datasets` and we load the same from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours

CARD = """---
license: mit
configs:
- config_name: main
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path: main/test-*
- config_name: socratic
  data_files:
  - split: test
    path: socratic/test-*
dataset_info:
- config_name: main
  features:
  - name: question
    dtype: string
  - name: answer
    dtype: string
  splits:
  - name: train
    num_examples: 7473
  - name: test
    num_examples: 1319
- config_name: socratic
  features:
  - name: question
    dtype: string
  - name: answer
    dtype: string
---
# GSM8K
"""

OFFICIAL = """
import json, sys
from datasets import load_dataset, get_dataset_config_names
train = load_dataset("openai/gsm8k", "main", split="train")
shuffled = train.shuffle(seed=42)
both = load_dataset("openai/gsm8k", "main")
slices = {s: load_dataset("openai/gsm8k", "main", split=s)["question"][:] for s in ["train[:1%]", "test[-5:]", "train[10:12]+test[:2]"]}
socratic = load_dataset("openai/gsm8k", "socratic", split="test")
stream = load_dataset("openai/gsm8k", "main", split="test", streaming=True)
chats = load_dataset("samples/chats", split="train")
with open(sys.argv[1], "w") as out:
    json.dump({
        "rows": train.to_list(), "features": train.features.to_dict(), "shuffled": shuffled[:200]["question"],
        "last": shuffled[-1]["question"], "lengths": {k: len(v) for k, v in both.items()}, "slices": slices,
        "configs": get_dataset_config_names("openai/gsm8k"), "socratic": socratic[0], "stream": list(stream.skip(3).take(3)),
        "chats": chats.to_list(), "chat_features": chats.features.to_dict(), "repr": repr(both),
    }, out)
print("0")
"""


@pytest.fixture
def official(shared: Path, hub_root: Path, tmp_path: Path, python: Callable[..., Any]) -> dict[str, Any]:
    repo = hub_root / "datasets" / "openai" / "gsm8k"
    for config, split, source in (
        ("main", "train", "train.jsonl"),
        ("main", "test", "test.jsonl"),
        ("socratic", "test", "test_socratic.jsonl"),
    ):
        rows = [json.loads(line) for line in (shared / "gsm8k" / source).read_text(encoding="utf-8").splitlines()]
        table = pa.table({key: [row[key] for row in rows] for key in ("question", "answer")})
        (repo / config).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, repo / config / f"{split}-00000-of-00001.parquet", compression="zstd")
    (repo / "README.md").write_text(CARD, encoding="utf-8")
    chats = hub_root / "datasets" / "samples" / "chats"
    chats.mkdir(parents=True)
    shutil.copy(shared / "gsm8k" / "test.jsonl", chats / "train.jsonl")
    out = tmp_path / "official.json"
    python(OFFICIAL, str(out))
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def test_gsm8k(official: dict[str, Any]) -> None:
    train = ours.load_dataset("openai/gsm8k", "main", split="train")
    assert len(train) == 7473
    assert train.to_list() == official["rows"]
    assert train.features.to_dict() == official["features"]
    shuffled = train.shuffle(seed=42)
    assert shuffled[:200]["question"] == official["shuffled"]
    assert shuffled[-1]["question"] == official["last"]
    assert [row["question"] for row in shuffled.select(range(200))] == official["shuffled"]
    both = ours.load_dataset("openai/gsm8k", "main")
    assert {k: len(v) for k, v in both.items()} == official["lengths"]
    assert repr(both) == official["repr"]
    for spec, questions in official["slices"].items():
        assert list(ours.load_dataset("openai/gsm8k", "main", split=spec)["question"]) == questions
    assert ours.get_dataset_config_names("openai/gsm8k") == official["configs"]
    assert ours.load_dataset("openai/gsm8k", "socratic", split="test")[0] == official["socratic"]
    stream = ours.load_dataset("openai/gsm8k", "main", split="test", streaming=True)
    assert list(stream.skip(3).take(3)) == official["stream"]
    chats = ours.load_dataset("samples/chats", split="train")
    assert chats.to_list() == official["chats"]
    assert chats.features.to_dict() == official["chat_features"]
    with pytest.raises(ValueError, match=r"(?s)Config name is missing.*main.*socratic"):
        ours.load_dataset("openai/gsm8k")
    with pytest.raises(ValueError, match=r"validation.*train.*test"):
        ours.load_dataset("openai/gsm8k", "main", split="validation")
    # pyarrow sees the same memory each time: the table's.
    addresses = {pa.table(train)["question"].chunk(0).buffers()[2].address for _ in range(2)}
    assert len(addresses) == 1
    assert np.asarray(train.select(range(3)).with_format("numpy")["question"]).tolist() == train[:3]["question"]
