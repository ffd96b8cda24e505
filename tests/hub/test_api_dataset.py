"""What a dataset holds: configs, splits, Parquet files, cards. The official `datasets` and cards are the oracle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hfhub
from faulthub import FaultHub
from hfhub import DatasetCard, HfApi, RepoCard
from hfhub.api._card import front_matter
from hfhub.api._dataset import _matches
from hfhub.api._splits import files_by_split

pytestmark = pytest.mark.usefixtures("fault_env")

CARD = b"""---
license: mit
configs:
- config_name: en
  default: true
  data_files:
  - split: train
    path: en/train-*.parquet
  - split: test
    path:
    - en/test.parquet
- config_name: de
  data_dir: german
- config_name: all
  data_files: '**/*.parquet'
dataset_info:
- config_name: en
  splits:
  - name: train
    num_examples: 3
---
# The text
"""
FILES = dict.fromkeys(
    [
        "en/train-0.parquet",
        "en/train-1.parquet",
        "en/test.parquet",
        "german/train/0.parquet",
        "german/dev/0.parquet",
        "german/notes.txt",
    ],
    b"PAR1",
)
CONVERTED = dict.fromkeys(
    [
        "en/train/0000.parquet",
        "en/train/0001.parquet",
        "en/test/0000.parquet",
        "de/partial-train/0000.parquet",
        "de/x.txt",
        "loose.parquet",
    ],
    b"PAR1 ",
)


@pytest.fixture
def api(fault_hub: FaultHub) -> HfApi:
    fault_hub.repo("dataset", "org/carded").commit({"README.md": CARD, **FILES})
    fault_hub.repo("dataset", "org/plain").commit(
        {"README.md": b"# no metadata", "data/train.csv": b"a", "data/test_1.csv": b"a"}
    )
    fault_hub.repo("dataset", "org/bare").commit({"x.jsonl": b"{}"})
    fault_hub.repo("dataset", "org/empty").commit({".gitattributes": b""})
    info = b"---\ndataset_info:\n- config_name: a\n  splits:\n  - name: train\n  - name: extra\n- config_name: b\n---\n"
    fault_hub.repo("dataset", "org/infos").commit({"README.md": info, "a.py": b""})
    converted = fault_hub.repo("dataset", "org/converted")
    converted.commit({"README.md": b"", "script.py": b""})
    converted.commit(CONVERTED, "refs/convert/parquet", orphan=True)
    fault_hub.repo("dataset", "org/broken").commit({"README.md": b"---\na: [\n---\n", "x.csv": b"a"})
    return HfApi(endpoint=fault_hub.url, token=False)


@pytest.mark.parametrize(
    ("repo", "configs"),
    [
        ("org/carded", ["en", "de", "all"]),
        ("org/plain", ["default"]),
        ("org/bare", ["default"]),
        ("org/empty", []),
        ("org/infos", ["a", "b"]),
        ("org/converted", ["de", "en"]),
    ],
)
def test_configs(repo: str, configs: list[str], api: HfApi) -> None:
    assert api.dataset_configs(repo) == configs


@pytest.mark.parametrize(
    ("repo", "config", "splits"),
    [
        ("org/carded", None, ["train", "test"]),
        ("org/carded", "en", ["train", "test"]),
        ("org/carded", "de", ["train", "validation"]),
        ("org/carded", "all", ["train"]),
        ("org/plain", None, ["train", "test"]),
        ("org/plain", "default", ["train", "test"]),
        ("org/bare", None, ["train"]),
        ("org/empty", None, []),
        ("org/infos", "a", ["train", "extra"]),
        ("org/converted", "en", ["test", "train"]),
        ("org/converted", "de", ["train"]),
    ],
)
def test_splits(repo: str, config: str | None, splits: list[str], api: HfApi) -> None:
    assert api.dataset_splits(repo, config) == splits


@pytest.mark.parametrize(
    ("repo", "config"), [("org/infos", None), ("org/carded", "fr"), ("org/converted", "fr"), ("org/plain", "fr")]
)
def test_configs_that_are_not_there(repo: str, config: str | None, api: HfApi) -> None:
    with pytest.raises(ValueError, match=r"several configs|no config 'fr'"):
        api.dataset_splits(repo, config)


def test_parquet_files(api: HfApi, fault_hub: FaultHub) -> None:
    files = api.parquet_files("org/converted")
    assert [(f.config, f.split, f.path, f.partial, f.size) for f in files] == [
        ("de", "train", "de/partial-train/0000.parquet", True, 5),
        ("en", "test", "en/test/0000.parquet", False, 5),
        ("en", "train", "en/train/0000.parquet", False, 5),
        ("en", "train", "en/train/0001.parquet", False, 5),
    ]
    assert [f.path for f in api.parquet_files("org/converted", "en", "test")] == ["en/test/0000.parquet"]
    assert files[0].url == official.hf_hub_url(
        "org/converted",
        files[0].path,
        repo_type="dataset",
        revision="refs/convert/parquet",
        endpoint=fault_hub.url,
    )
    listed = api.list_dataset_parquet_files("org/converted", config="de")
    assert [(f.config, f.split, f.url, f.size) for f in listed] == [("de", "train", files[0].url, 5)]
    own = api.parquet_files("org/carded")
    assert [(f.config, f.split, f.path) for f in own] == [
        ("en", "train", "en/train-0.parquet"),
        ("en", "train", "en/train-1.parquet"),
        ("en", "test", "en/test.parquet"),
        ("de", "train", "german/train/0.parquet"),
        ("de", "validation", "german/dev/0.parquet"),
        *(("all", "train", path) for path in sorted(FILES) if path.endswith(".parquet")),
    ]
    path = api.hf_hub_download("org/converted", files[0].path, repo_type="dataset", revision=files[0].revision)
    assert Path(path).read_bytes() == b"PAR1 "
    assert api.parquet_files("org/bare") == []
    assert api.list_dataset_parquet_files("org/bare") == []
    with pytest.raises(hfhub.errors.RepositoryNotFoundError):
        api.parquet_files("org/none")


def test_a_broken_card_is_an_error(api: HfApi) -> None:
    with pytest.raises(ValueError, match="YAML"):
        api.dataset_configs("org/broken")
    assert DatasetCard("---\na: [\n---\nx", ignore_metadata_errors=True).data.to_dict() == {}


CARDS = [
    CARD.decode(),
    "# nothing\n",
    "",
    "---\n---\n",
    "---\nlicense: mit\n---",
    "---\r\nlicense: mit\r\nlanguage:\r\n- en\r\n---\r\ntext\r\n",
    "---\r\nlicense: mit\nlanguage: en\r\n---\r\ntext\n",
    "---\nlong: " + "many words " * 20 + "\n---\n",
    "\n---\na: 1\n---\ntext --- more\n---\n",
    "---\nb: ünï\na: 'long " + "x" * 200 + "'\n---\nrest",
    "text first\n---\na: 1\n---\n",
]


@pytest.mark.parametrize("text", CARDS)
def test_cards_are_those_of_the_official_client(text: str, tmp_path: Path) -> None:
    mine, other = DatasetCard(text), official.DatasetCard(text)
    assert (mine.text, mine.data.to_dict()) == (other.text, other.data.to_dict())
    assert mine.content == other.content
    mine.save(tmp_path / "a" / "README.md")
    assert RepoCard.load(tmp_path / "a" / "README.md").data.to_dict() == mine.data.to_dict()


def test_card_of_the_hub(api: HfApi, fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", fault_hub.url)
    card = DatasetCard.load("org/carded")
    assert card.data.license == "mit"
    assert card.text == "# The text\n"


@pytest.mark.parametrize("text", ["---\n- a\n---\n", "---\nfoo\n---\n", "---\n!!python/object:os.system x\n---\n"])
def test_cards_that_are_no_mapping(text: str) -> None:
    with pytest.raises(ValueError, match=r"dict|YAML"):
        DatasetCard(text)


def test_references_in_a_card_do_not_multiply() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    data, _ = front_matter(f"---\n{text}---\n")  # 9^29 leaves if they were copied
    assert len(data) == 30


def test_no_yaml_needed_without_cards() -> None:
    script = "import sys; sys.modules['yaml'] = None\nimport hfhub\nhfhub.HfApi, hfhub.DatasetInfo(id='a/b')"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


FOLDERS = [
    ["train.csv", "test.csv"],
    ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "data/odd-00000-of-00001.parquet"],
    ["train/a.txt", "dev/b.txt", "eval/c.txt"],
    ["a/b/c.json"],
    ["my_train_file.csv", "my_validation_file.csv", "training.csv"],
    ["data/x-train.csv", "data/x-valid.csv"],
    ["en/test/0.csv", "en/train/0.csv", "README.md"],
    ["Trained.csv", "retest.csv"],
    ["train-0.csv", ".hidden/test.csv", "deep/.x/train.csv"],
]
# In a process of its own: `datasets` reads its environment at import.
DATASETS = """
import json, sys
from pathlib import Path
from datasets.data_files import get_data_patterns, resolve_pattern
root, results = Path(sys.argv[1]), []
for number, paths in enumerate(json.loads(sys.argv[2])):
    folder, found = root / str(number), {}
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    for split, patterns in get_data_patterns(str(folder)).items():
        files = set()
        for pattern in patterns:
            try:
                files |= set(resolve_pattern(pattern, str(folder)))
            except FileNotFoundError:
                pass
        found[str(split)] = sorted(Path(file).relative_to(folder).as_posix() for file in files)
    results.append(found)
print(json.dumps(results))
"""


def test_splits_are_those_of_datasets(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", DATASETS, str(tmp_path.resolve()), json.dumps(FOLDERS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for paths, expected in zip(FOLDERS, json.loads(done.stdout), strict=True):
        assert {split: sorted(files) for split, files in files_by_split(paths).items()} == expected, paths


PARTS = st.sampled_from(["a", "b", "train", "x.csv", "*", "**", "a*", "?"])


@settings(max_examples=100, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=6), st.lists(PARTS, min_size=1, max_size=6))
def test_patterns_end(path: list[str], pattern: list[str]) -> None:
    assert isinstance(_matches("/".join(path), "/".join(pattern)), bool)
    assert _matches("/".join(path), "**")
    assert _matches("a/b/c.csv", "a/**/c.csv")
    assert not _matches("a/b/c.csv", "a/*.csv")


def test_a_hostile_pattern_is_quick() -> None:
    assert not _matches("/".join(["a"] * 60), "/".join(["**", "a"] * 29 + ["b"]))


def test_helpers_are_module_functions(api: HfApi, fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", fault_hub.url)
    results: list[Any] = [hfhub.dataset_configs("org/bare"), hfhub.dataset_splits("org/bare")]
    assert results == [["default"], ["train"]]
