"""Where data files come from, arguments of `load_dataset`, builders, and what is known without data."""

from __future__ import annotations

import functools
import http.server
import io
import json
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import datasets as theirs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import (
    DataFilesNotFoundError,
    DatasetGenerationError,
    DatasetScriptError,
    ExpectedMoreSplitsError,
    NonMatchingSplitsSizesError,
    SplitsVerificationError,
    UnexpectedSplitsError,
    UnsupportedError,
)
from hfhub import HubServer

pytestmark = pytest.mark.usefixtures("hf_env")


def lines(path: Path, *numbers: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"i": number}) + "\n" for number in numbers))
    return path


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a plain web server."""
    root = tmp_path / "web"
    root.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", root
        server.shutdown()
        thread.join()


def test_files_of_the_web(web: tuple[str, Path], tmp_path: Path) -> None:
    url, root = web
    lines(root / "a.jsonl", 1, 2)
    found = ours.load_dataset("json", data_files={"x": f"{url}/a.jsonl"}, split="x", cache_dir=str(tmp_path / "c"))
    assert found["i"][:] == [1, 2]
    assert [path.name.endswith("a.jsonl") for path in (tmp_path / "c" / "downloads").iterdir()] == [True]
    lines(root / "a.jsonl", 3, 4, 5)  # another length: the server says that it changed
    assert ours.load_dataset("json", data_files=f"{url}/a.jsonl", split="train")["i"][:] == [3, 4, 5]
    stream = ours.load_dataset("json", data_files=f"{url}/a.jsonl", split="train", streaming=True)
    assert [row["i"] for row in stream] == [3, 4, 5]
    with pytest.raises(FileNotFoundError):
        ours.load_dataset("json", data_files=f"{url}/none.jsonl")


def test_files_of_hub_repositories(hub_root: Path) -> None:
    repo = hub_root / "datasets" / "org" / "other"
    lines(repo / "en" / "a.jsonl", 1)
    lines(repo / "en" / "b.jsonl", 2)
    for pattern in ("en/a.jsonl", "en/*.jsonl", "**"):
        named = ours.load_dataset("json", data_files=f"hf://datasets/org/other/{pattern}", split="train")
        within = ours.load_dataset("org/other", data_files=pattern, split="train")
        assert named.to_list() == within.to_list()
    mixed = ours.load_dataset(
        "json",
        data_files=["hf://datasets/org/other@main/en/b.jsonl", "hf://datasets/org/small/data/train.jsonl"],
        split="train",
    )
    assert mixed[0] == {"i": 2, "a": None, "t": None}
    assert len(mixed) == 51
    with pytest.raises(FileNotFoundError):
        ours.load_dataset("json", data_files="hf://datasets/org/other/none.jsonl")
    for outside in (
        "../x.jsonl",
        "/etc/x.jsonl",
        "hf://datasets/org/small/data/train.jsonl",
        "http://127.0.0.1:9/x.jsonl",
    ):
        (repo / "README.md").write_text(f"---\nconfigs:\n- config_name: a\n  data_files: {outside}\n---\n")
        with pytest.raises(ValueError, match="belong"):
            ours.load_dataset("org/other")
        with pytest.raises(ValueError, match="belong"):
            ours.load_dataset("org/other", data_files=outside)
    for pattern in ("s3://b/x.jsonl", "zip://a.jsonl::x.zip", "hf://org/model/x.jsonl"):
        with pytest.raises(UnsupportedError):
            ours.load_dataset("json", data_files=pattern)


def test_the_hub_prefix_passes_a_folder_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(tmp_path / "org" / "small" / "train.jsonl", 1)
    monkeypatch.chdir(tmp_path)
    assert len(ours.load_dataset("org/small", split="train")) == 1
    assert len(ours.load_dataset("hf://datasets/org/small", split="train")) == 50


def test_local_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(tmp_path / "in" / "train.jsonl", 1)
    lines(tmp_path / "beside" / "x.jsonl", 2)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "beside")
    monkeypatch.chdir(tmp_path / "in")

    def numbers(path: str, **call: object) -> list[int]:
        return [row["i"] for row in ours.load_dataset(path, split="train", **call).to_list()]

    assert numbers(".") == [1]
    assert numbers("json", data_files="../beside/*.jsonl") == [2]
    assert numbers(str(tmp_path / "in"), data_files="../beside/x.jsonl") == [2]
    assert numbers(str(tmp_path / "in"), data_files=str(tmp_path / "*" / "*.jsonl")) == [2, 1]
    assert numbers(str(tmp_path / "in"), data_files="link/*") == [2]
    assert numbers(str(tmp_path / "in"), data_files=tmp_path / "beside" / "x.jsonl") == [2]
    assert numbers("json", data_dir=str(tmp_path / "beside")) == [2]
    assert numbers("json", data_dir=str(tmp_path / "beside"), data_files="x.jsonl") == [2]
    with pytest.raises(ValueError, match="data_dir"):
        ours.load_dataset(str(tmp_path / "in"), data_dir=str(tmp_path / "beside"))
    with pytest.raises(DataFilesNotFoundError) as nothing:
        ours.load_dataset("json", data_files="zz*")
    assert isinstance(nothing.value, DatasetGenerationError)  # what `datasets` raises


def test_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("b.csv", "a\n2\n")
        archive.writestr("d/c.csv", "a\n3\n")
        archive.writestr("a.csv", "a\n1\n")
        archive.writestr("__MACOSX/x.csv", "a\n9\n")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as tar:
        data = b"a\n7\n"
        member = tarfile.TarInfo("x.csv")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    both = ours.load_dataset("csv", data_files=[str(tmp_path / "z.zip"), str(tmp_path / "t.tar.gz")], split="train")
    assert both["a"][:] == [1, 2, 3, 7]
    with zipfile.ZipFile(tmp_path / "j.zip", "w") as archive:
        archive.writestr("x.jsonl", '{"i": 1}\n{"i": 2}\n')
    assert list(ours.load_dataset("json", data_files=str(tmp_path / "j.zip"), split="train", streaming=True)) == [
        {"i": 1},
        {"i": 2},
    ]


def test_scripts_are_not_run(hub_root: Path) -> None:
    repo = hub_root / "datasets" / "org" / "scripted"
    lines(repo / "train.jsonl", 1)
    (repo / "scripted.py").write_text("raise SystemExit")
    with pytest.raises(DatasetScriptError, match=r"refs/convert/parquet") as caught:
        ours.load_dataset("org/scripted")
    assert isinstance(caught.value, RuntimeError)
    with pytest.raises(RuntimeError, match=r"x\.py"):
        ours.load_dataset("x.py")


def test_arguments(tmp_path: Path) -> None:
    lines(tmp_path / "d" / "train.jsonl", 1, 2)
    path = str(tmp_path / "d")
    for mode in ("force_redownload", ours.DownloadMode.REUSE_CACHE_IF_EXISTS):
        assert len(ours.load_dataset(path, split="train", download_mode=mode)) == 2
    with pytest.raises(ValueError, match="sometimes"):
        ours.load_dataset(path, download_mode="sometimes")
    with pytest.raises(ValueError, match="sometimes"):
        ours.load_dataset(path, verification_mode="sometimes")
    with pytest.raises(NotImplementedError):
        ours.load_dataset(path, streaming=True, num_proc=2)
    with pytest.raises(ValueError, match="num_proc"):
        ours.load_dataset(path, num_proc=0)
    assert len(ours.load_dataset(path, split="train", num_proc=3, trust_remote_code=True, save_infos=True)) == 2
    for kind in (TypeError, ValueError):
        with pytest.raises(kind, match="nonsense"):
            ours.load_dataset("json", data_files=f"{path}/train.jsonl", nonsense=1)
    kept = ours.load_dataset(path, split="train", cache_dir=str(tmp_path / "c"), keep_in_memory=False)
    assert kept.cache_files[0]["filename"].startswith(str(tmp_path / "c"))
    cast = ours.load_dataset(path, split="train", features=ours.Features({"i": ours.Value("string")}))
    assert cast["i"][:] == ["1", "2"]
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{}")
    with pytest.raises(ValueError, match="load_from_disk"):
        ours.load_dataset(str(tmp_path / "saved"))


def test_builders_pickle(tmp_path: Path, hub_root: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "train.csv").write_text("a;b\n1;2\n")
    builder = ours.load_dataset_builder("csv", data_files=str(tmp_path / "c" / "train.csv"), sep=";")
    for one in (builder, ours.load_dataset_builder("org/small")):
        again = pickle.loads(pickle.dumps(one))
        assert again.config.data_files == one.config.data_files
        assert again.as_dataset("train").to_list() == one.as_dataset("train").to_list()
    assert builder.config.sep == ";"
    assert ours.load_dataset_builder(str(tmp_path / "c"), sep=";").config_id == "default-sep=%3B"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = builder.config.nonsense


def test_splits_as_objects(tmp_path: Path) -> None:
    lines(tmp_path / "d" / "train.jsonl", *range(10))
    lines(tmp_path / "d" / "test.jsonl", *range(3))
    path = str(tmp_path / "d")
    part = ours.ReadInstruction("train", to=20, unit="%")
    assert ours.load_dataset(path, split=part)["i"][:] == [0, 1]
    assert ours.load_dataset(path, split=part).split == "train[:20%]"
    assert len(ours.load_dataset(path, split=ours.Split.TEST)) == 3
    assert len(ours.load_dataset(path, split=ours.Split.ALL)) == 13
    assert ours.load_dataset(path, split="all").split == "train+test"
    several = ours.load_dataset(path, split=(part, "test"))
    assert isinstance(several, tuple)
    assert [len(one) for one in several] == [2, 3]
    named = ours.load_dataset(path, split={"a": part, "b": "test"})
    assert isinstance(named, ours.DatasetDict)
    assert {name: len(one) for name, one in named.items()} == {"a": 2, "b": 3}
    assert len(list(ours.load_dataset(path, split="train+test", streaming=True))) == 13
    for bad in ("train[:2]", "none", ["train"]):
        with pytest.raises(ValueError, match=r"Bad split.*'train', 'test'"):
            ours.load_dataset(path, split=bad, streaming=True)


CARD = """---
dataset_info:
  features:
  - name: i
    dtype: int64
  splits:
  - name: train
    num_bytes: 16
    num_examples: 2
  download_size: 7
  dataset_size: 16
  license: mit
---
"""


def test_what_the_card_says(tmp_path: Path) -> None:
    root = tmp_path / "some_data"
    lines(root / "train.jsonl", 1, 2)
    (root / "README.md").write_text(CARD)
    found = ours.load_dataset(str(root), split="train")
    official = theirs.load_dataset(str(root), split="train", cache_dir=str(tmp_path / "c"))
    for fact in ("builder_name", "config_name", "license", "description", "citation", "homepage"):
        assert getattr(found, fact) == getattr(official, fact), fact
    assert str(found.version) == str(official.version) == "0.0.0"
    assert found.info.dataset_name == official.info.dataset_name == "some_data"
    assert found.info.splits["train"].num_examples == 2
    assert found.select(range(1)).info.license == "mit"
    assert found.select_columns(["i"]).info.features == found.features
    lines(root / "train.jsonl", 1, 2, 3)
    with pytest.raises(NonMatchingSplitsSizesError, match="no_checks") as wrong:
        ours.load_dataset(str(root))
    assert isinstance(wrong.value, SplitsVerificationError)
    assert len(ours.load_dataset(str(root), split="train", verification_mode="no_checks")) == 3
    lines(root / "test.jsonl", 1)
    with pytest.raises(UnexpectedSplitsError, match="test"):
        ours.load_dataset(str(root), split="train")
    (root / "test.jsonl").unlink()
    (root / "README.md").write_text(CARD.replace("name: train", "name: dev"))
    with pytest.raises(ExpectedMoreSplitsError, match="dev"):
        ours.load_dataset(str(root))


def test_what_is_known_without_data(hub: HubServer, hub_root: Path) -> None:
    repo = hub_root / "datasets" / "org" / "table"
    repo.mkdir()
    pq.write_table(pa.table({"a": [1, 2], "s": ["x", "y"]}), repo / "train.parquet")
    hub.clear_requests()
    builder = ours.load_dataset_builder("org/table")
    assert (builder.name, builder.dataset_name, builder.repo_id) == ("parquet", "table", "org/table")
    assert builder.config.data_files["train"][0].startswith("hf://datasets/org/table@")
    assert builder.info.features is None
    assert ours.get_dataset_split_names("org/table") == ["train"]
    assert not [path for _, path, _ in hub.requests() if "train.parquet" in path]
    info = ours.get_dataset_config_info("org/table")
    assert info.features == ours.Features({"a": ours.Value("int64"), "s": ours.Value("string")})
    assert ours.get_dataset_infos("org/table")["default"].splits.keys() == {"train"}
    assert ours.get_dataset_default_config_name("org/table") == "default"
    assert builder.as_dataset("train").to_list() == list(builder.as_streaming_dataset("train"))


def test_the_parquet_branch_of_a_script(hub_root: Path) -> None:
    script = hub_root / "datasets" / "org" / "scripted"
    script.mkdir()
    (script / "scripted.py").write_text("raise SystemExit")
    branch = hub_root / "datasets" / "org" / "scripted@refs%2Fconvert%2Fparquet"
    for path in ("en/train", "en/test", "fr/partial-train"):
        (branch / path).mkdir(parents=True)
        pq.write_table(pa.table({"c": [path]}), branch / path / "0000.parquet")
    with pytest.raises(DatasetScriptError, match=r"revision='refs/convert/parquet'"):
        ours.load_dataset("org/scripted")
    for revision in ("refs/convert/parquet", "refs%2Fconvert%2Fparquet"):
        assert ours.get_dataset_config_names("org/scripted", revision=revision) == ["en", "fr"]
        both = ours.load_dataset("org/scripted", "en", revision=revision)
        assert {split: data.to_list() for split, data in both.items()} == {
            "train": [{"c": "en/train"}],
            "test": [{"c": "en/test"}],
        }
        assert ours.load_dataset("org/scripted", "fr", split="train", revision=revision)["c"][:] == ["fr/partial-train"]
        with pytest.raises(ValueError, match=r"Config name is missing[^\]]*en[^\]]*fr"):
            ours.load_dataset("org/scripted", revision=revision)


@pytest.mark.parametrize("file_format", ["arrow", "parquet"])
def test_prepared_folders_are_read_by_datasets(tmp_path: Path, file_format: str) -> None:
    root = tmp_path / "d"
    lines(root / "train.jsonl", *range(100))
    lines(root / "test.jsonl", 1)
    builder = ours.load_dataset_builder(str(root))
    out = tmp_path / "out"
    builder.download_and_prepare(str(out), file_format=file_format, max_shard_size="300B")
    names = sorted(path.name for path in out.iterdir())
    assert f"d-train-00000-of-00003.{file_format}" in names  # 800 bytes
    assert len(names) == 5
    files = {split: str(out / f"d-{split}*.{file_format}") for split in ("train", "test")}
    again = theirs.load_dataset(file_format, data_files=files, cache_dir=str(tmp_path / "c"))
    assert again["train"]["i"][:] == list(range(100))
    info = theirs.DatasetInfo.from_directory(str(out))
    assert info.splits["train"].num_examples == 100
    assert info.features.to_dict() == builder.info.features.to_dict()
    assert ours.DatasetInfo.from_directory(str(out)) == builder.info
    with pytest.raises(ValueError, match="file_format"):
        builder.download_and_prepare(str(out), file_format="csv")


def test_infos_of_datasets_are_read_and_written(tmp_path: Path) -> None:
    official = theirs.DatasetInfo(
        description="d", license="mit", features=theirs.Features({"a": theirs.ClassLabel(names=["x", "y"])}), version="1.2.3",
        splits={"train": {"name": "train", "num_bytes": 3, "num_examples": 4}}, dataset_size=3,
    )  # fmt: skip
    official.write_to_directory(str(tmp_path))
    mine = ours.DatasetInfo.from_directory(tmp_path)
    assert mine.to_dict() == json.loads((tmp_path / "dataset_info.json").read_text())
    (tmp_path / "dataset_info.json").unlink()
    mine.write_to_directory(tmp_path)
    assert theirs.DatasetInfo.from_directory(str(tmp_path)) == official
    assert ours.DatasetInfo.from_merge([mine, None, mine]) == mine
    other = mine.copy()
    other.update(ours.DatasetInfo(license="bsd"))
    assert (other.license, mine.license, other.dataset_size) == ("bsd", "mit", 3)
