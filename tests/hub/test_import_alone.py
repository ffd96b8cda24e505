"""hfhub by itself: in an environment without numpy or anything else it imports, lists, downloads and forks."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import _crucible
import hfhub
from cachefuzz.hub import Hub

OTHERS = [
    "numpy",
    "fsspec",
    "tqdm",
    "yaml",
    "pyarrow",
    "pandas",
    "polars",
    "PIL",
    "crucible_datasets",
    "huggingface_hub",
]

Run = Callable[..., Any]


@pytest.fixture
def small_hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path, small_hub: Hub) -> Run:
    """Runs a script in a new environment that has hfhub and nothing else, and returns the JSON it printed last."""
    venv.create(tmp_path / "bare", symlinks=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    for package in (hfhub, _crucible):
        folder = Path(package.__path__[0])
        (packages / folder.name).symlink_to(folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "PYTHON", "CRUCIBLE_"))}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": small_hub.url, "PYTHONPATH": str(packages)}

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            [tmp_path / "bare" / "bin" / "python", "-W", "error", *arguments, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


def test_it_lists_and_downloads_with_nothing_else_installed(bare: Run, small_hub: Hub) -> None:
    found = bare(f"""
import importlib.util, json, sys
others = {OTHERS}
assert not [name for name in others if importlib.util.find_spec(name)]
import hfhub
from hfhub import HfApi, hf_hub_download, snapshot_download, try_to_load_from_cache
listed = HfApi().list_repo_files("org/ds", repo_type="dataset")
path = hf_hub_download("org/ds", "README.md", repo_type="dataset")
assert try_to_load_from_cache("org/ds", "README.md", repo_type="dataset") == path
folder = snapshot_download("org/ds", repo_type="dataset")
print(json.dumps([listed, open(path).read(), folder, [name for name in others if name in sys.modules]]))
""")
    listed, text, folder, imported = found
    files = small_hub.repos["datasets/org/ds"].commits[small_hub.repos["datasets/org/ds"].mains[0]]
    assert listed == sorted(files)
    assert text.encode() == files["README.md"].data
    assert {p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if not p.is_dir()} == set(files)
    assert imported == []


def test_no_request_that_nobody_asked_for(bare: Run, small_hub: Hub) -> None:
    """No telemetry, no check for updates: importing asks nothing, a download only about its file."""
    bare("import hfhub, hfhub.api, hfhub.download, hfhub.cli; print(0)")
    assert small_hub.log == []
    bare('import hfhub; hfhub.hf_hub_download("org/ds", "README.md", repo_type="dataset"); print(0)')
    assert small_hub.log
    assert all("README.md" in target for _, target, _ in small_hub.log)


def test_what_is_slow_to_import_is_imported_when_it_is_used(bare: Run) -> None:
    """`import hfhub` loads no other module of ours, and none of the library's slow ones."""
    before = set(bare("import json, sys; print(json.dumps(list(sys.modules)))"))
    after = set(bare("import json, sys, hfhub; print(json.dumps(list(sys.modules)))"))
    added = after - before
    assert {name for name in added if name.startswith(("hfhub", "_crucible"))} == {"hfhub"}
    slow = {
        "asyncio",
        "ssl",
        "email",
        "http",
        "inspect",
        "logging",
        "multiprocessing",
        "subprocess",
        "urllib",
        "socket",
    }
    assert not added & slow


def test_a_download_function_needs_few_modules(bare: Run) -> None:
    """What only some calls need (dry runs, asset folders, settings of data) is not imported with the function."""
    before = set(bare("import json, sys; print(json.dumps(list(sys.modules)))"))
    after = set(bare("import json, sys; from hfhub import hf_hub_download; print(json.dumps(list(sys.modules)))"))
    slow = {"ast", "asyncio", "dataclasses", "inspect", "json", "logging", "pathlib", "platform", "ssl", "urllib"}
    assert not (after - before) & slow
    names = ["DryRunFileInfo", "cached_assets_path"]
    assert (
        bare(f"import json, hfhub.download as d; print(json.dumps([getattr(d, n).__name__ for n in {names}]))") == names
    )


def test_a_forked_child_of_a_bare_environment_downloads(bare: Run) -> None:
    assert (
        bare("""
import os, signal
from hfhub import HfApi, hf_hub_download
hf_hub_download("org/ds", "README.md", repo_type="dataset")
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    HfApi().list_repo_files("org/ds", repo_type="dataset")
    hf_hub_download("org/ds", "config.json", repo_type="dataset")
    os._exit(0)
print(os.waitpid(pid, 0)[1])
""")
        == 0
    )
