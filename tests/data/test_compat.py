"""`crucible_datasets.compat`: `import datasets` means this library; each test in a fresh process."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import crucible_datasets
from crucible_datasets.compat import _names
from crucible_datasets.compat._absent import _MODULES, _NAMES
from crucible_datasets.compat._config import setting, settings_names
from crucible_datasets.compat._facade import facade

DOCS = Path(__file__).resolve().parents[2] / "docs" / "compat.md"


def run(code: str, **environment: str) -> Any:
    """A fresh process with the stand-in installed; the JSON that it printed last."""
    script = f"from crucible_datasets import compat\ncompat.install()\nimport json\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_every_name_of_every_module_is_there() -> None:
    for module, names in _names.MODULES.items():
        made = facade(module)
        for name in names:
            assert getattr(made, name) is not None
        assert set(names) <= set(dir(made))


def test_exceptions_are_where_code_imports_them_from() -> None:
    for module, name in (
        ("builder", "DatasetGenerationError"),
        ("builder", "DatasetGenerationCastError"),
        ("load", "DatasetNotFoundError"),
        ("load", "DataFilesNotFoundError"),
    ):
        assert getattr(facade(f"datasets.{module}"), name) is getattr(facade("datasets.exceptions"), name)


def test_official_modules_are_attributes() -> None:
    """After `import crucible_datasets as datasets`, `datasets.exceptions` is there as in the official library."""
    for name in ("exceptions", "config", "arrow_dataset", "iterable_dataset", "builder"):
        assert getattr(crucible_datasets, name) is facade(f"datasets.{name}")
    assert crucible_datasets.exceptions.DatasetNotFoundError is crucible_datasets.errors.DatasetNotFoundError
    assert not hasattr(crucible_datasets, "no_such_module")


def test_reasons_are_of_official_names() -> None:
    """Each name that is said to be absent is one of the official library, or was."""
    gone = {"metric", "tasks", "load_metric", "list_datasets"}
    for name in set(_MODULES) - gone:
        assert importlib.util.find_spec(f"datasets.{name}") is not None
        assert f"datasets.{name}" not in _names.MODULES
    for module, names in _NAMES.items():
        official = importlib.import_module(f"datasets.{module}" if module else "datasets")
        for name in set(names) - gone:
            assert hasattr(official, name)
            assert name not in _names.MODULES[f"datasets.{module}" if module else "datasets"]


def test_names_are_official() -> None:
    for module, names in _names.MODULES.items():
        official = importlib.import_module(module)
        for name in names:
            assert hasattr(official, name)
    config = importlib.import_module("datasets.config")
    for name in settings_names():
        assert hasattr(config, name) or name == "DATASETS_VERSION"
        setting(name)


def test_the_docs_list_the_modules() -> None:
    there = DOCS.read_text(encoding="utf-8").partition("## What is there")[2].partition("## What is not")[0]
    listed = set(re.findall(r"^\| `(datasets[\w.]*)`", there, re.MULTILINE))
    assert listed == set(_names.MODULES)


def test_classes_are_the_same() -> None:
    assert run("""
import datasets, crucible_datasets, datasets.features.features
from datasets import Dataset, DatasetDict, Features, Value, load_dataset, concatenate_datasets, IterableDataset
from datasets.arrow_dataset import Dataset as Other
from datasets.splits import Split
ds = Dataset.from_dict({"a": [1, 2]}, features=Features({"a": Value("int32")}))
split = ds.train_test_split(test_size=1, seed=1)
print(json.dumps([
    isinstance(ds, datasets.Dataset), Other is crucible_datasets.Dataset, isinstance(split, datasets.DatasetDict),
    isinstance(ds, datasets.IterableDataset), datasets.features.features.Value is Value,
    Split.TRAIN == "train", isinstance(ds["a"], datasets.Column),
]))
""") == [True, True, True, False, True, True, True]


def test_submodules_are_attributes() -> None:
    assert run("""
import datasets
print(json.dumps([datasets.features.image.Image is datasets.Image, datasets.combine.__name__,
    datasets.utils.version.Version is datasets.Version]))
""") == [True, "datasets.combine", True]


@pytest.mark.parametrize(
    ("statement", "kind", "words"),
    [
        ("from datasets import GeneratorBasedBuilder", "ImportError", "from_generator"),
        ("from datasets import load_metric", "ImportError", "evaluate"),
        ("import datasets.search", "ImportError", "faiss"),
        ("from datasets.search import FaissIndex", "ImportError", "faiss"),
        ("from datasets.arrow_dataset import nothing_like_that", "ImportError", "not offered"),
        ("import datasets; datasets.DownloadManager", "AttributeError", "hfhub"),
        ("import datasets; datasets.table.InMemoryTable", "AttributeError", "pyarrow"),
        ("import datasets; datasets.config.NOTHING", "AttributeError", "not offered"),
    ],
)
def test_what_is_not_offered_says_so(statement: str, kind: str, words: str) -> None:
    found = run(f"""
try:
    {statement}
except (ImportError, AttributeError) as error:
    print(json.dumps([[c.__name__ for c in type(error).__mro__], str(error)]))
""")
    assert kind in found[0]
    assert words in found[1]
    assert "crucible_datasets" in found[1]


def test_questions_before_the_import() -> None:
    """What libraries ask before they import `datasets`."""
    assert run("""
import importlib.util, importlib.metadata
found = importlib.util.find_spec("datasets") is not None
version = importlib.metadata.version("datasets")
import datasets
print(json.dumps([found, version == datasets.__version__, hasattr(datasets, "nothing"),
    importlib.util.find_spec("datasets") is not None]))
""") == [True, True, False, True]


def test_the_official_one_comes_back() -> None:
    assert run("""
import datasets
ours = datasets
compat.uninstall()
import datasets
print(json.dumps([datasets is ours, "crucible_datasets" in datasets.__file__, "crucible" in datasets.Dataset.__module__,
    ours.Dataset.__module__.startswith("crucible"), compat.installed()]))
""") == [False, False, False, True, False]


def test_refused_when_the_official_one_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import datasets; from crucible_datasets import compat; compat.install()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "OfficialImportedError" in done.stderr
    assert "python -m crucible_datasets run" in done.stderr


def test_twice_is_once() -> None:
    assert run("""
import sys
compat.install(); before = len(sys.meta_path); compat.install()
print(json.dumps([before == len(sys.meta_path), compat.installed()]))
""") == [True, True]


def test_config(tmp_path: Path) -> None:
    assert run(
        """
import datasets, warnings, os
from datasets import config
one = str(config.HF_DATASETS_CACHE)
config.HF_DATASETS_CACHE = one + "/other"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    config.STREAMING_READ_MAX_RETRIES = 3
print(json.dumps([one, str(datasets.config.HF_DATASETS_CACHE), os.environ["HF_DATASETS_CACHE"],
    [str(w.message) for w in caught], config.TF_AVAILABLE, config.HF_DATASETS_OFFLINE]))
""",
        HF_DATASETS_CACHE=str(tmp_path),
        HF_DATASETS_OFFLINE="1",
    ) == [
        str(tmp_path),
        f"{tmp_path}/other",
        f"{tmp_path}/other",
        ["setting datasets.config.STREAMING_READ_MAX_RETRIES changes nothing in crucible_datasets"],
        False,
        True,
    ]


def test_offline_by_the_name_of_datasets(hf_env: Path) -> None:
    done = run(
        """
import datasets
try:
    datasets.load_dataset("org/small")
except ConnectionError as error:
    print(json.dumps(str(error)))
""",
        HF_DATASETS_OFFLINE="1",
    )
    assert "org/small" in done


def test_a_module_in_a_pickle() -> None:
    """A function by value (as cloudpickle and dill send them) holds the module: a worker without the stand-in reads it."""
    sent = run("""
import pickle, datasets
from datasets import utils
ds = datasets.Dataset.from_dict({"a": [1, 2, 3]})
print(json.dumps(pickle.dumps([datasets, datasets.utils.version, ds]).hex()))
""")
    module, version, ds = pickle.loads(bytes.fromhex(sent))
    assert module.Dataset is crucible_datasets.Dataset
    assert version.Version is crucible_datasets.Version
    assert ds["a"][:] == [1, 2, 3]


WORKERS = """
import json, multiprocessing, sys
import datasets
from datasets import Dataset

def work(ds):
    return [isinstance(ds, datasets.Dataset), datasets.Dataset.__module__.partition(".")[0], ds["a"][:]]

if __name__ == "__main__":
    ds = Dataset.from_dict({"a": [1, 2]})
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(json.dumps(pool.map(work, [ds])[0]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_workers(method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    done = subprocess.run(
        [sys.executable, "-m", "crucible_datasets", "run", str(script), method],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == [True, "crucible_datasets", [1, 2]]


def test_modules_are_attributes() -> None:
    """Each in a new interpreter, where nothing else has imported it."""
    for use in ("compat.install()", "features.Value('int64')", "load.load_dataset", "splits.Split.TRAIN"):
        done = subprocess.run(
            [sys.executable, "-c", f"import crucible_datasets as datasets; datasets.{use}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
