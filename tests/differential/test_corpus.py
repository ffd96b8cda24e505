"""Every repository of the corpus, asked and loaded here and by `datasets`: equal configs, splits, features, rows, or kinds of errors."""

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
from differential.outcomes import asked, difference

WORKER = Path(__file__).with_name("official_loads.py")
ON_HUB = 5
"""Of so many repositories one is loaded from the hub too."""


def jobs_of(repos: list[Repo], root: Path, hub_root: Path) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    for number, repo in enumerate(repos):
        hub_id = f"corpus/r{number}"
        for home in (root / f"r{number}", hub_root / "datasets" / hub_id):
            for path, data in repo.files.items():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_bytes(data)
        local = str(root / f"r{number}")
        facts = [None] if number % 2 == 0 or "README.md" in repo.files else []
        jobs += [{"repo": repo.name, "path": local, "call": call} for call in (*facts, *repo.calls)]
        for format, call in repo.by_format:
            jobs.append(
                {"repo": repo.name, "path": format, "call": json.loads(json.dumps(call).replace("ROOT", local))}
            )
        if number % ON_HUB == 0 or len(repo.calls) > ON_HUB:
            jobs += [{"repo": f"{repo.name} on the hub", "path": hub_id, "call": call} for call in repo.calls[:ON_HUB]]
    return jobs


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("hf_env", "hub")
def test_corpus(tmp_path: Path, hub_root: Path) -> None:
    jobs = jobs_of(repositories(0), tmp_path / "corpus", hub_root)
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    out = tmp_path / "official.json"
    with subprocess.Popen(
        [sys.executable, str(WORKER), str(tmp_path / "jobs.json"), str(out)],
        env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as official:
        mine = [asked(ours, job) for job in jobs]
        said = official.communicate(timeout=250)[0]
    assert official.returncode == 0, said[-3000:]
    wrong = []
    for job, here, there in zip(jobs, mine, json.loads(out.read_text()), strict=True):
        if found := difference(here, there):
            wrong.append(f"{job['repo']} {job['call']}{found}")
    assert not wrong, "\n".join(wrong)
