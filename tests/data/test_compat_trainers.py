"""Trainers of TRL and transformers on this library and on `datasets`: the same losses, step by step.

Skipped where `trl` is not installed (`pip install torch transformers trl`): it is no test dependency.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="trl is not installed"),
    pytest.mark.timeout(300),
]

MODEL = """
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

words = ["<pad>", "<eos>", "<unk>", "user", "assistant", ":", *(f"w{i}" for i in range(200))]
made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
tokenizer.chat_template = (
    "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }} <eos> {% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)
tokenizer.save_pretrained("model")
torch.manual_seed(0)
config = GPT2Config(vocab_size=len(words), n_positions=128, n_embd=32, n_layer=2, n_head=2)
GPT2LMHeadModel(config).save_pretrained("model")
"""

LANGUAGE = """
import json, sys
import trl
from datasets import load_dataset

trainer, data, streaming, options = sys.argv[1], sys.argv[2], sys.argv[3] == "stream", json.loads(sys.argv[4])
rows = load_dataset("json", data_files=data, split="train", streaming=streaming)
if streaming:
    rows = rows.shuffle(seed=5, buffer_size=20)
common = dict(output_dir="out", per_device_train_batch_size=4, logging_steps=1, report_to=[], use_cpu=True)
arguments = getattr(trl, f"{trainer}Config")(**common, save_strategy="no", seed=3, max_steps=5, **options)
more = {}
if trainer == "GRPO":
    more["reward_funcs"] = lambda completions, **_: [float(len(set(text))) for text in completions]
made = getattr(trl, f"{trainer}Trainer")(model="model", args=arguments, train_dataset=rows, **more)
made.train()
print(json.dumps([[line["loss"], line.get("reward")] for line in made.state.log_history if "loss" in line]))
"""

VISION = """
import json, sys
import numpy as np
import torch
from datasets import load_dataset
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification


def pixels(batch):
    made = [np.asarray(image.convert("RGB").resize((16, 16))).copy() for image in batch["image"]]
    return {"pixel_values": [torch.from_numpy(i).permute(2, 0, 1).float() / 255 for i in made], "labels": batch["label"]}


how = sys.argv[1]
rows = load_dataset("imagefolder", data_dir="pictures", split="train", streaming=how == "stream")
labels = rows.features["label"].names
if how == "stream":
    rows = rows.shuffle(seed=1, buffer_size=10)
if how == "transform":
    rows = rows.with_transform(pixels)
else:
    rows = rows.map(pixels, batched=True, remove_columns=["image", "label"]).with_format("torch")
torch.manual_seed(0)
sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
model = ViTForImageClassification(ViTConfig(**sizes, image_size=16, patch_size=8, num_labels=len(labels)))
common = dict(per_device_train_batch_size=4, max_steps=5, logging_steps=1, report_to=[], use_cpu=True, seed=3)
arguments = TrainingArguments("out", **common, save_strategy="no", remove_unused_columns=False)
trainer = Trainer(model, arguments, train_dataset=rows)
trainer.train()
print(json.dumps([line["loss"] for line in trainer.state.log_history if "loss" in line]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model, chats, preferences, prompts and pictures."""
    folder = tmp_path_factory.mktemp("trainers")
    rng = random.Random(0)

    def words() -> str:
        return " ".join(f"w{rng.randrange(200)}" for _ in range(rng.randrange(3, 12)))

    def says(role: str) -> dict[str, str]:
        return {"role": role, "content": words()}

    chats = [{"messages": [says("user"), says("assistant")]} for _ in range(64)]
    pairs = [
        {"prompt": [says("user")], "chosen": [says("assistant")], "rejected": [says("assistant")]} for _ in range(32)
    ]
    prompts = [{"prompt": words(), "n": i} for i in range(40)]
    for name, rows in (("chats", chats), ("pairs", pairs), ("prompts", prompts)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for i in range(24):
        path = folder / "pictures" / "train" / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colors = np.random.default_rng(i).integers(0, 255, (20 + i, 18, 3), dtype=np.uint8)
        PIL.Image.fromarray(colors).save(path)
    (folder / "model.py").write_text(MODEL)
    (folder / "language.py").write_text(LANGUAGE)
    (folder / "vision.py").write_text(VISION)
    _run(folder, "model.py")
    return folder


def _run(folder: Path, *command: str, cache: str = "cache") -> str:
    environment = {
        **os.environ,
        "HF_HOME": str(folder / cache),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def losses(folder: Path, *command: str) -> list[Any]:
    """What both libraries give, which must be the same."""
    ours, official = (
        json.loads(_run(folder, *start, *command, cache=cache).strip().splitlines()[-1])
        for start, cache in ((("-m", "crucible_datasets", "run"), "ours"), ((), "official"))
    )
    assert ours == official
    return list(ours)


BOTH: list[tuple[str, str, dict[str, Any]]] = [
    ("SFT", "chats", {"max_length": 64}),
    ("SFT", "chats", {"max_length": 64, "packing": True}),
    ("DPO", "pairs", {"max_length": 64}),
    ("Reward", "pairs", {"max_length": 64}),
    ("GRPO", "prompts", {"max_completion_length": 8, "num_generations": 4}),
]
WHOLE: list[tuple[str, str, dict[str, Any]]] = [
    ("SFT", "chats", {"max_length": 64, "dataset_num_proc": 2}),
    ("DPO", "pairs", {"max_length": 64, "precompute_ref_log_probs": True}),
]
"""Of which TRL does not take streams."""


@pytest.mark.parametrize(
    ("streaming", "trainer", "data", "options"),
    [("whole", *case) for case in BOTH + WHOLE] + [("stream", *case) for case in BOTH],
)
def test_trl(place: Path, streaming: str, trainer: str, data: str, options: dict[str, Any]) -> None:
    assert len(losses(place, "language.py", trainer, f"{data}.jsonl", streaming, json.dumps(options))) == 5


@pytest.mark.parametrize("how", ["transform", "map", "stream"])
def test_pictures(place: Path, how: str) -> None:
    assert len(losses(place, "vision.py", how)) == 5
