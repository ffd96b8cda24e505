"""`push_to_hub` against `datasets`: the same pushes to two hubs leave the same repositories."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from differential.push_scenarios import SCENARIOS
from faulthub import FaultHub, Repository

_SIZES = {"num_bytes", "download_size", "dataset_size", "size_in_bytes"}
Side = tuple[FaultHub, dict[str, Any]]


def pushed(library: str, hub: FaultHub, folder: Path, home: Path) -> dict[str, Any]:
    """Starts all scenarios with a library; its outcomes."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HFHUB_", "CRUCIBLE_"))
    }
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_good", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("push_scenarios.py")), library, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return outcomes


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(5):
        Image.new("RGB", (8 + number, 8), (number * 40, 7, 99)).save(folder / f"{number}.png")
    with FaultHub() as ours, FaultHub() as theirs:
        yield {
            library: (hub, pushed(library, hub, folder, tmp_path_factory.mktemp("home")))
            for library, hub in (("crucible_datasets", ours), ("datasets", theirs))
        }


def tables(repo: Repository, commit: str) -> dict[str, Any]:
    """The rows of the Parquet files of a commit, and their features."""
    files = {path: blob.data for path, blob in repo.commits[commit].files.items() if path.endswith(".parquet")}
    read = {path: pq.read_table(io.BytesIO(data)) for path, data in files.items()}
    return {
        path: (table.to_pylist(), json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}")))
        for path, table in read.items()
    }


def card(repo: Repository, commit: str) -> Any:
    """The card of a commit, sizes apart: they are those of files that are written in another way."""
    blob = repo.commits[commit].files.get("README.md")
    if blob is None:
        return None

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: "a size" if key in _SIZES else plain(inner) for key, inner in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return plain(yaml.safe_load(blob.data.decode().split("---")[1]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_repositories(sides: dict[str, Side], name: str) -> None:
    (ours, our_outcomes), (theirs, their_outcomes) = sides["crucible_datasets"], sides["datasets"]
    outcome, wanted = our_outcomes[name], their_outcomes[name]
    if wanted is None:
        assert outcome is None, outcome
    else:
        assert outcome is not None
        assert wanted[0][0] in outcome[0], (outcome, wanted)
    key = ("dataset", f"alice/{name}")
    if wanted is not None and key not in ours.repos:
        return  # what cannot be right is seen before a repository is made
    assert key in theirs.repos
    mine, other = ours.repos[key], theirs.repos[key]
    assert set(mine.refs) == set(other.refs)
    assert mine.access.private == other.access.private
    for ref in other.refs:
        commits = mine.refs[ref], other.refs[ref]
        assert tables(mine, commits[0]) == tables(other, commits[1]), ref
        assert card(mine, commits[0]) == card(other, commits[1]), ref
        assert set(mine.commits[commits[0]].files) == set(other.commits[commits[1]].files)
        messages = [
            [c.message for c in r.history(r.commits[head])] for r, head in zip((mine, other), commits, strict=True)
        ]
        assert messages[0] == messages[1]
