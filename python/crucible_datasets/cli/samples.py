"""Sample repositories, made on the spot: text splits as Parquet, chats as JSON lines, a few images."""

from __future__ import annotations

import random
from pathlib import Path

from _crucible import _native
from crucible_datasets.dataset import Dataset
from crucible_datasets.features import Features, Image, Value

_WORDS = [
    "the",
    "a",
    "model",
    "reads",
    "small",
    "rows",
    "of",
    "text",
    "and",
    "learns",
    "to",
    "answer",
    "what",
    "comes",
    "next",
    "in",
    "every",
    "batch",
]


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(5, 20)))


def make_samples(root: Path, rows: int = 20_000) -> None:
    """Writes `datasets/samples/{text,chat,images}` below a folder.

    Args:
        root: the folder to serve.
        rows: rows of the text and chat train splits.
    """
    rng = random.Random(0)
    base = root / "datasets" / "samples"
    text = base / "text"
    (text / "data").mkdir(parents=True)
    for split, count in (("train", rows), ("test", rows // 10)):
        data = Dataset.from_list([{"id": i, "text": _sentence(rng), "score": rng.random()} for i in range(count)])
        data.to_parquet(text / "data" / f"{split}-00000-of-00001.parquet")
    (text / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Sample text\n", encoding="utf-8")

    chat = base / "chat"
    chat.mkdir()
    turns = [
        {"messages": [{"role": role, "content": _sentence(rng)} for role in ("user", "assistant")]} for _ in range(rows)
    ]
    Dataset.from_list(turns).to_json(chat / "train.jsonl")

    images = base / "images"
    images.mkdir()
    pictures = []
    for index in range(8):
        pixels = bytes((x * (index + 1) + y * 3 + c * 80) % 256 for y in range(48) for x in range(64) for c in range(3))
        png = _native.encode_png(pixels, 64, 48, "RGB")
        pictures.append({"image": {"bytes": png, "path": f"{index}.png"}, "label": index % 2})
    features = Features({"image": Image(), "label": Value("int64")})
    Dataset.from_list(pictures, features).to_parquet(images / "train-00000-of-00001.parquet")
