"""Discovery, configs, split expressions, formats and errors of `load_dataset`."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

import datasets as theirs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import (
    DataFilesNotFoundError,
    DatasetGenerationError,
    DatasetNotFoundError,
    DecodeError,
    EmptyDatasetError,
)
from crucible_datasets.load._patterns import discover, matching
from crucible_datasets.splits import ReadInstruction, Split
from hfhub import HubServer
from hfhub.errors import LocalEntryNotFoundError

S = "-00000-of-00001"
VECTORS = {
    "train.jsonl test.jsonl": {"train": "train.jsonl", "test": "test.jsonl"},
    "training.jsonl dev.jsonl eval.jsonl": {"train": "training.jsonl", "validation": "dev.jsonl", "test": "eval.jsonl"},
    "train/0.jsonl train/1.jsonl test/0.jsonl": {"train": "train/0.jsonl train/1.jsonl", "test": "test/0.jsonl"},
    "my_train_file.jsonl my_test_file.jsonl": {"train": "my_train_file.jsonl", "test": "my_test_file.jsonl"},
    "mytrain.jsonl mytest.jsonl": {"train": "mytest.jsonl mytrain.jsonl"},
    "Train.jsonl TEST.jsonl": {"train": "TEST.jsonl Train.jsonl"},
    "train.jsonl extra.jsonl": {"train": "train.jsonl"},
    "train/a.jsonl test.jsonl": {"train": "train/a.jsonl"},
    f"data/train{S}.parquet data/random{S}.parquet data/abc{S}.parquet": {
        "train": f"data/train{S}.parquet", "abc": f"data/abc{S}.parquet", "random": f"data/random{S}.parquet",
    },
    f"train{S}.parquet test{S}.parquet": {"train": f"train{S}.parquet", "test": f"test{S}.parquet"},
    f"main/train{S}.parquet main/test{S}.parquet socratic/train{S}.parquet": {
        "train": f"main/train{S}.parquet socratic/train{S}.parquet", "test": f"main/test{S}.parquet",
    },
    ".hidden.jsonl a.jsonl": {"train": "a.jsonl"},
    "__pycache__/a.jsonl b.jsonl": {"train": "b.jsonl"},
    "config.json dataset_infos.json a.jsonl": {"train": "a.jsonl"},
    "pretrain/a.jsonl": {"train": "pretrain/a.jsonl"},
    "pre-train/a.jsonl x-test-y/b.jsonl": {"train": "pre-train/a.jsonl", "test": "x-test-y/b.jsonl"},
    "train_test.jsonl": {"train": "train_test.jsonl", "test": "train_test.jsonl"},
    "train_train.jsonl": {"train": "train_train.jsonl train_train.jsonl"},
    "train/10.jsonl train/2.jsonl train_b/1.jsonl data/train/0.jsonl": {
        "train": "data/train/0.jsonl train/10.jsonl train/2.jsonl train_b/1.jsonl",
    },
    "b10.jsonl b2.jsonl a/z.jsonl Z.jsonl": {"train": "Z.jsonl a/z.jsonl b10.jsonl b2.jsonl"},
    "h-base/train.jsonl.gz h-base/test.jsonl.gz red-team/red_team.jsonl.gz": {
        "train": "h-base/train.jsonl.gz", "test": "h-base/test.jsonl.gz",
    },
}  # fmt: skip


@pytest.mark.parametrize("paths", VECTORS)
def test_discovery(paths: str) -> None:
    found = discover(sorted(paths.split()))
    assert {k: " ".join(v) for k, v in found.items()} == VECTORS[paths]
    assert list(found) == list(VECTORS[paths])


def test_globs() -> None:
    paths = [
        "a.csv",
        "a10.csv",
        "b.csv",
        "B.CSV",
        ".h.csv",
        "x[1].csv",
        "sub/c.csv",
        "sub/deep/d.csv",
        "sub/.hid/e.csv",
        "sub/__q__/g.csv",
        "__p__/f.csv",
        "README.md",
    ]
    assert matching("*.csv", paths) == ["a.csv", "a10.csv", "b.csv", "x[1].csv"]
    assert matching("sub/**", paths) == ["sub/c.csv", "sub/deep/d.csv"]
    assert matching("**/c.csv", paths) == ["sub/c.csv"]
    assert matching("?.csv", paths) == ["a.csv", "b.csv"]
    assert matching("[!a].csv", paths) == ["b.csv"]
    assert matching(".*", paths) == [".h.csv"]
    assert matching("__*/*", paths) == ["__p__/f.csv"]
    assert matching("**/README.md", paths) == ["README.md"]
    assert matching("x[[]1].csv", paths) == ["x[1].csv"]


@pytest.mark.parametrize(
    ("spec", "rows", "bounds"),
    [("a[:10%]", 7, (0, 1)), ("a[:10%]", 101, (0, 10)), ("a[:50%]", 101, (0, 50)), ("a[33%:66%]", 10, (3, 7)), ("a[-10%:]", 101, (91, 101)),
     ("a[:-10%]", 7, (0, 6)), ("a[25%:75%]", 101, (25, 76)), ("a[:3]", 10, (0, 3)), ("a[-3:]", 10, (7, 10)), ("a[:1000]", 10, (0, 10)),
     ("a[3:2]", 10, (3, 3)), ("a[:10%](pct1_dropremainder)", 101, (0, 10)), ("a", 10, (0, 10))],
)  # fmt: skip
def test_split_bounds(spec: str, rows: int, bounds: tuple[int, int]) -> None:
    [found] = ReadInstruction.from_spec(spec).to_absolute({"a": rows})
    assert (found.from_, max(found.from_, found.to)) == bounds


@pytest.mark.parametrize(
    "spec", ["train[3]", "train[1:8:2]", "train[:12.5%]", "train[:110%]", "train[:2", " train", "a + b", "", "train+"]
)
def test_wrong_split_expressions(spec: str) -> None:
    with pytest.raises(ValueError, match=r"[Ss]plit|boundaries|format"):
        ReadInstruction.from_spec(Split(spec))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "local"
    root.mkdir()
    for split, rows in (("train", 10), ("test", 3)):
        (root / f"{split}.jsonl").write_text("".join(json.dumps({"i": i}) + "\n" for i in range(rows)))
    return root


@pytest.mark.usefixtures("hf_env")
def test_folders_and_files(folder: Path) -> None:
    both = ours.load_dataset(str(folder))
    assert {k: len(v) for k, v in both.items()} == {"train": 10, "test": 3}
    assert list(ours.load_dataset(str(folder), split="train[2:4]+test[:1]")["i"]) == [2, 3, 0]
    assert len(ours.load_dataset(str(folder), split="all")) == 13
    first, second = ours.load_dataset(str(folder), split=["train[:50%]", "test"])
    assert (len(first), len(second)) == (5, 3)
    assert len(ours.load_dataset("json", data_files=str(folder / "train.jsonl"), split="train")) == 10
    assert len(ours.load_dataset("json", data_files={"x": [str(folder / "*.jsonl")]}, split="x")) == 13
    assert ours.get_dataset_split_names(str(folder)) == ["train", "test"]
    assert ours.load_dataset(str(folder), split="train").split == "train"


@pytest.mark.usefixtures("hf_env")
def test_errors(folder: Path, tmp_path: Path, hub: HubServer) -> None:
    with pytest.raises(ValueError, match=r"valid.*\['train', 'test'\]"):
        ours.load_dataset(str(folder), split="valid")
    with pytest.raises(ValueError, match=r"nope.*\['default'\]"):
        ours.load_dataset(str(folder), "nope")
    with pytest.raises(ValueError, match="no data"):
        ours.load_dataset(str(folder), split="train[:0]")
    with pytest.raises(DatasetNotFoundError) as missing:
        ours.load_dataset("org/none")
    assert isinstance(missing.value, FileNotFoundError)
    with pytest.raises(DatasetNotFoundError, match="v9"):
        ours.load_dataset("org/small", revision="v9")
    with pytest.raises(DatasetNotFoundError, match="org/secret"):
        ours.load_dataset("org/secret")
    with pytest.raises(FileNotFoundError):
        ours.load_dataset(str(tmp_path / "no" / "such" / "folder"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(EmptyDatasetError):
        ours.load_dataset(str(empty))
    (empty / "x.xyz").write_text("?")
    with pytest.raises(DataFilesNotFoundError):
        ours.load_dataset(str(empty))
    with pytest.raises(FileNotFoundError):
        ours.load_dataset("json", data_files=str(empty / "none.jsonl"))


def test_gated_datasets_say_so(hub: HubServer, hub_root: Path, hf_env: Path) -> None:
    gated = hub_root / "datasets" / "org" / "gated"
    gated.mkdir()
    (gated / "train.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(DatasetNotFoundError, match="gated"):
        ours.load_dataset("org/gated", split="train")
    assert len(ours.load_dataset("org/gated", split="train", token="hf_good")) == 1


def test_offline(hub: HubServer, hf_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConnectionError) as caught:
        ours.load_dataset("org/small", split="train")
    assert isinstance(caught.value, LocalEntryNotFoundError)
    assert any("HF_HUB_OFFLINE" in note for note in caught.value.__notes__)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    rows = ours.load_dataset("org/small", split="train").to_list()
    hub.clear_requests()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert ours.load_dataset("org/small", split="train").to_list() == rows
    assert hub.requests() == []


def test_no_network(hf_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rows = ours.load_dataset("org/small", split="train").to_list()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(ConnectionError, match="refused"):
        ours.load_dataset("org/other", split="train")
    with pytest.warns(UserWarning, match="may be old"):
        assert ours.load_dataset("org/small", split="train").to_list() == rows


def test_a_format_without_files_takes_its_own_in_the_folder(folder: Path, hf_env: Path) -> None:
    (folder / "notes.bin").write_bytes(b"\x00")
    assert {k: len(v) for k, v in ours.load_dataset("json", data_dir=str(folder)).items()} == {"train": 10, "test": 3}


def test_a_warm_load_costs_one_request_or_none(hub: HubServer, hf_env: Path) -> None:
    ours.load_dataset("org/small", split="train")
    hub.clear_requests()
    ours.load_dataset("org/small", split="train")
    [(method, path, status)] = hub.requests()
    assert (method, status) == ("GET", 200)
    assert "/revision/main" in path
    commit = next((hf_env / "hub").glob("*/snapshots/*")).name
    hub.clear_requests()
    ours.load_dataset("org/small", split="train", revision=commit)
    assert hub.requests() == []


@pytest.mark.usefixtures("hf_env")
def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    bad = tmp_path / "bad" / "train.jsonl"
    bad.write_text('{"a": 1}\n{"a": 2}\n{"a": oops}\n')
    with pytest.raises(DatasetGenerationError, match=r"train\.jsonl.*line 3") as caught:
        ours.load_dataset(str(tmp_path / "bad"))
    cause = caught.value.__cause__
    assert isinstance(cause, DecodeError)
    assert isinstance(cause, ValueError)
    assert (cause.path, cause.line) == (str(bad), 3)


@pytest.mark.usefixtures("hf_env")
def test_corrupted_parquet_never_crashes(tmp_path: Path) -> None:
    path = tmp_path / "p" / "train.parquet"
    path.parent.mkdir()
    pq.write_table(
        pa.table({"a": list(range(500)), "s": [str(i) for i in range(500)], "l": [[i] for i in range(500)]}), path
    )
    good = path.read_bytes()
    rng = random.Random(0)
    outcomes = set()
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))]
        path.write_bytes(bytes(data))
        try:
            ours.load_dataset("parquet", data_files=str(path), split="train", keep_in_memory=True).to_list()
            outcomes.add("rows")
        except DatasetGenerationError as error:
            assert "train.parquet" in str(error)
            outcomes.add("error")
    assert "error" in outcomes


@pytest.mark.usefixtures("hf_env")
def test_large_tables_are_mapped(folder: Path, hf_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", "10")
    first = ours.load_dataset(str(folder), split="train")
    assert first.cache_files
    again = ours.load_dataset(str(folder), split="train")
    assert again.cache_files == first.cache_files
    assert again.to_list() == first.to_list()
    assert not [p for p in (hf_env / "datasets" / "crucible").iterdir() if p.suffix not in (".arrow", ".lock")]
    (folder / "train.jsonl").write_text('{"i": 77}\n')
    assert ours.load_dataset(str(folder), split="train").to_list() == [{"i": 77}]
    assert not ours.load_dataset(str(folder), split="train", keep_in_memory=True).cache_files


CARD = """---
configs:
- config_name: one
  data_files:
  - split: train
    path: one/train.parquet
- config_name: two
  data_files: two/*.parquet
dataset_info:
- config_name: one
  features:
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
  - name: items
    sequence: int64
---
# A card
"""


@pytest.mark.usefixtures("hf_env")
def test_cards(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)
        pq.write_table(pa.table({"label": [0, 1], "items": [[1], [2, 3]]}), root / name / "train.parquet")
    (root / "README.md").write_text(CARD)
    assert ours.get_dataset_config_names(str(root)) == theirs.get_dataset_config_names(str(root)) == ["one", "two"]
    # The only info names the default where the configs do not.
    assert ours.get_dataset_default_config_name(str(root)) == theirs.get_dataset_default_config_name(str(root)) == "one"
    with pytest.raises(ValueError, match=r"three.*one.*two"):
        ours.load_dataset(str(root), "three")
    a, b = ours.load_dataset(str(root), "one", split="train"), theirs.load_dataset(str(root), "one", split="train")
    assert a.features.to_dict() == b.features.to_dict()
    assert a.to_list() == b.to_list()
    assert ours.load_dataset(str(root), "two", split="train").to_list() == a.to_list()
