"""Random folders: the same files for the same splits, and the same format, as `datasets` finds."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path
from typing import Any

import datasets as theirs
import pytest

import crucible_datasets as ours

WORDS = [
    "train",
    "training",
    "validation",
    "valid",
    "dev",
    "val",
    "test",
    "testing",
    "eval",
    "evaluation",
    "Train",
    "TEST",
    "extra",
    "data",
    "trainset",
    "a",
    "b",
    "x1",
    "my",
    "imgs",
    "00000-of-00001",
    "train-00000-of-00002",
    "train-00001-of-00002",
    "test-00000-of-00001",
    "abc-00000-of-00001",
    "__p__",
    ".hid",
    "metadata",
    "README",
    "config",
]
SUFFIXES = [
    ".csv",
    ".jsonl",
    ".json",
    ".parquet",
    ".txt",
    ".tsv",
    ".csv.gz",
    ".zip",
    ".md",
    ".xyz",
    ".jpg",
    ".PNG",
    ".CSV",
    ".arrow",
    ".tar",
    ".eval",
    ".JPG",
]
GLOBS = [
    "*",
    "**",
    "**/*",
    "*/*",
    "train*",
    "**/train*",
    "*.csv",
    "data/*",
    "data/**",
    "*/t*",
    ".*",
    "**/.*",
    "__*/*",
    "[a-t]*",
    "*[!t]*",
    "?*",
]


def _name(rng: random.Random) -> str:
    return rng.choice(WORDS) + ("" if rng.random() < 0.5 else rng.choice(["", *"-_. "]) + rng.choice(WORDS))


def _path(rng: random.Random, suffixes: list[str]) -> str:
    folders = [_name(rng) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    return "/".join([*folders, _name(rng) + rng.choice(suffixes)])


def _make(rng: random.Random, root: Path, suffixes: list[str]) -> None:
    for _ in range(rng.randrange(1, 7)):
        path = root / _path(rng, suffixes)
        if path.exists() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(rng.choice(["x.csv", "d/y.jsonl", "z.jpg", "q.xyz"]), b"a\n1\n")
        elif not path.is_dir():
            path.write_bytes(b"a\n1\n")


def _found(library: Any, root: Path, call: dict[str, Any]) -> Any:
    try:
        builder = library.load_dataset_builder(str(root), **call)
    except Exception as error:  # noqa: BLE001  # its kind is the result
        return [c.__name__ for c in type(error).__mro__]
    files = {
        split: [str(Path(path).relative_to(root)) for path in paths]
        for split, paths in builder.config.data_files.items()
    }
    return builder.name, list(files.items())


@pytest.mark.parametrize("seed", range(24))
def test_random_folders(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    compared = 0
    for number in range(3):
        suffixes = rng.sample(SUFFIXES, rng.choice([1, 1, 2, 3]))
        root = tmp_path / str(number)
        root.mkdir()
        _make(rng, root, suffixes)
        globs = [*GLOBS, _path(rng, suffixes)]
        calls: list[dict[str, Any]] = [{}, {"data_files": rng.choice(globs)}]
        calls.append({"data_files": {"a": rng.sample(globs, 2), "b": rng.choice(globs)}})
        folders = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir())
        calls += [{"data_dir": rng.choice(folders)}] if folders else []
        for call in calls:
            expected = _found(theirs, root, {**call, "cache_dir": str(tmp_path / "cache")})
            mine = _found(ours, root, call)
            if isinstance(mine, list) and "UnsupportedError" in mine:
                continue  # a format that is not read
            compared += 1
            if isinstance(expected, list) and isinstance(mine, list):
                assert expected[0] in mine, (sorted(root.rglob("*")), call)
            else:
                assert mine == expected, (sorted(root.rglob("*")), call)
    assert compared or seed
