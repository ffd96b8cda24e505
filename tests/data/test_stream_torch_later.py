"""Streams made before torch is imported: they become torch's iterable datasets when it is. A stand-in plays torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import crucible_datasets as ours

LATER = """
import sys
from crucible_datasets import Dataset

stream = Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset()
assert "torch" not in sys.modules
import torch
import torch.utils.data

assert isinstance(stream, torch.utils.data.IterableDataset)
assert isinstance(stream.take(2), torch.utils.data.IterableDataset)
assert type(stream).__mro__.count(torch.utils.data.IterableDataset) == 1
assert not any("crucible" in type(finder).__module__ for finder in sys.meta_path)
import importlib
importlib.reload(torch.utils.data)  # another class of that name: later streams are of it, too
assert isinstance(stream.skip(1), torch.utils.data.IterableDataset)
print(list(stream))
"""


def test_streams_made_before_torch_is_imported(tmp_path: Path) -> None:
    package = tmp_path / "torch" / "utils"
    package.mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "data.py").write_text("class IterableDataset: pass\ndef get_worker_info(): return None\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", LATER],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[{'a': 1}, {'a': 2}, {'a': 3}]\n"


def test_names_that_trl_asks(tmp_path: Path) -> None:
    rows = ours.Dataset.from_dict({"a": [1]})
    assert rows.to_iterable_dataset()._formatting is None
    formatting = rows.to_iterable_dataset().with_format("numpy")._formatting
    assert formatting is not None
    assert formatting.format_type == "numpy"
    rows.to_json(tmp_path / "a.jsonl")
    loaded = ours.load_dataset("json", data_files=str(tmp_path / "a.jsonl"), split="train", cache_dir=str(tmp_path))
    kept = Path(loaded._get_cache_file_path("abc"))
    assert kept == Path(loaded._get_cache_file_path("abc"))
    assert kept.parent.is_dir()
    assert kept.is_relative_to(tmp_path)
    in_memory = [Path(rows._get_cache_file_path("abc")) for _ in range(2)]
    assert in_memory[0] != in_memory[1]
    rows.to_parquet(in_memory[0])
