"""Every repository of the corpus, loaded here and by `datasets`: equal splits, features, rows, or kinds of errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import crucible_datasets as ours
from differential.corpus import Repo, repositories
from hfhub import HubServer

WORKER = Path(__file__).with_name("official_loads.py")
ON_HUB = 5
"""Of so many repositories one is loaded from the hub too."""


def outcome(path: str, call: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded = ours.load_dataset(path, **call)
    except Exception as error:  # noqa: BLE001  # its kind is the result
        return {"errors": [c.__name__ for c in type(error).__mro__], "text": str(error)}
    if isinstance(loaded, list):
        loaded = {str(i): one for i, one in enumerate(loaded)}
    splits = loaded if isinstance(loaded, dict) else {str(loaded.split): loaded}
    return {
        name: {"features": one.features.to_dict(), "rows": repr(one.to_list()), "split": str(one.split)}
        for name, one in splits.items()
    }


def differences(job: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    mine = outcome(job["path"], job["call"])
    if "errors" in theirs or "errors" in mine:
        if "errors" not in mine:
            return f"they raise {theirs['errors'][0]}: {theirs['text'][:200]}; here {mine}"
        if "errors" not in theirs:
            return f"here {mine['errors'][0]}: {mine['text'][:300]}; they load {list(theirs)}"
        return (
            None
            if theirs["errors"][0] in mine["errors"]
            else f"{mine['errors'][0]} is no {theirs['errors'][0]}: {mine['text'][:200]} / {theirs['text'][:200]}"
        )
    if list(mine) != list(theirs):
        return f"splits {list(mine)} and {list(theirs)}"
    for name, one in mine.items():
        for key, value in one.items():
            if value != theirs[name][key]:
                return f"{name}, {key}: {value} and {theirs[name][key]}"
    return None


def jobs_of(repos: list[Repo], root: Path, hub_root: Path) -> list[dict[str, Any]]:
    jobs = []
    for number, repo in enumerate(repos):
        hub_id = f"corpus/r{number}"
        for home in (root / f"r{number}", hub_root / "datasets" / hub_id):
            for path, data in repo.files.items():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_bytes(data)
        paths = [str(root / f"r{number}")]
        if number % ON_HUB == 0 or len(repo.calls) > ON_HUB:
            paths.append(hub_id)
        for path in paths:
            calls = repo.calls if path is paths[0] else repo.calls[:ON_HUB]
            jobs += [{"repo": repo.name, "path": path, "call": call} for call in calls]
    return jobs


@pytest.mark.usefixtures("hf_env")
def test_corpus(tmp_path: Path, hub_root: Path, hub: HubServer) -> None:
    jobs = jobs_of(repositories(0), tmp_path / "corpus", hub_root)
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    out = tmp_path / "official.json"
    done = subprocess.run(
        [sys.executable, str(WORKER), str(tmp_path / "jobs.json"), str(out)],
        env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wrong = {}
    for job, theirs in zip(jobs, json.loads(out.read_text()), strict=True):
        found = differences(job, theirs)
        if found is not None:
            wrong[f"{job['repo']} {'hub' if job['path'].startswith('corpus/') else ''} {job['call']}"] = found
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())
