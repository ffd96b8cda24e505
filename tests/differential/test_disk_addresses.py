"""Folders at addresses of fsspec, both ways with `datasets`, and options that nothing would read."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import datasets as theirs
import fsspec
import pytest

import crucible_datasets as ours
from crucible_datasets import errors

ROWS = {"n": list(range(500)), "s": [f"é {k}" for k in range(500)]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return f"memory://{tmp_path.name}"


def test_both_read_what_the_other_wrote(root: str) -> None:
    for library, name in ((ours, "ours"), (theirs, "theirs")):
        ds = library.Dataset.from_dict(ROWS)
        ds.save_to_disk(f"{root}/{name}", num_shards=2)
        library.DatasetDict({"train": ds, "test": ds.select([3, 1])}).save_to_disk(f"{root}/{name}-dict")
    fs = fsspec.filesystem("memory")
    listed = [
        sorted(file.split(f"/{name}/", 1)[1] for file in fs.find(f"{root}/{name}")) for name in ("ours", "theirs")
    ]
    assert listed[0] == listed[1]
    for name in ("ours", "theirs"):
        for library in (ours, theirs):
            assert library.load_from_disk(f"{root}/{name}")[:] == ROWS
            assert library.Dataset.load_from_disk(f"{root}/{name}")[:] == ROWS
            both = library.load_from_disk(f"{root}/{name}-dict")
            assert (list(both), both["test"]["n"][:]) == (["train", "test"], [3, 1])
    assert ours.load_from_disk(f"{root}/theirs", keep_in_memory=True).cache_files == []
    with pytest.raises(FileNotFoundError, match="nothing"):
        ours.load_from_disk(f"{root}/nothing")


def test_options_reach_the_file_system(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    real = fsspec.core.url_to_fs

    def told(url: str, **options: Any) -> Any:
        seen.append(options)
        return real(url)

    monkeypatch.setattr(fsspec.core, "url_to_fs", told)
    ds = ours.Dataset.from_dict(ROWS)
    ds.save_to_disk(f"{root}/a", storage_options={"key": "k"})
    ours.DatasetDict({"x": ds}).save_to_disk(f"{root}/b", storage_options={"key": "k"})
    ours.load_from_disk(f"{root}/a", storage_options={"key": "k"})
    ours.DatasetDict.load_from_disk(f"{root}/b", storage_options={"key": "k"})
    ds.to_parquet(tmp_path / "d" / "train.parquet")
    builder = ours.load_dataset_builder(str(tmp_path / "d"))
    builder.download_and_prepare(f"{root}/c", storage_options={"key": "k"}, file_format="parquet")
    assert seen == [{"key": "k"}] * 5
    assert any(file.endswith(".parquet") for file in fsspec.filesystem("memory").find(f"{root}/c"))


def test_options_are_never_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ds = ours.Dataset.from_dict(ROWS)
    file = tmp_path / "d" / "train.parquet"
    ds.to_parquet(file)
    options: dict[str, Any] = {"storage_options": {"key": "k"}}
    for call in (
        lambda: ds.save_to_disk(tmp_path / "x", **options),
        lambda: ours.load_from_disk(tmp_path / "d", **options),
        lambda: ours.load_dataset("parquet", data_files=str(file), **options),
        lambda: ours.load_dataset_builder(str(tmp_path / "d"), **options),
        lambda: ours.load_dataset("parquet", data_files=str(file), streaming=True, **options),
        lambda: ours.load_dataset_builder(str(tmp_path / "d")).download_and_prepare(str(tmp_path / "o"), **options),
        lambda: ours.load_dataset_builder(str(tmp_path / "d")).download_and_prepare(**options),
    ):
        with pytest.raises(errors.UnsupportedError, match="storage_options"):
            call()
    with pytest.raises(errors.UnsupportedError, match="s3://"):
        ours.load_dataset("parquet", data_files="s3://bucket/a.parquet")
    with caplog.at_level(logging.WARNING):
        loaded = ours.load_dataset(
            "parquet", data_files=str(file), split="train", storage_options={"client_kwargs": {"timeout": 3}}
        )
    assert loaded[:] == ROWS
    assert "storage_options=['client_kwargs'] have no effect" in caplog.text
    assert ours.load_dataset("parquet", data_files=str(file), split="train", storage_options={}, num_proc=2)[:] == ROWS
