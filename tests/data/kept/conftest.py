"""A source, a cache of its own, and a counter of calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from kept_results import Calls, write


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CRUCIBLE_STORE_LIMIT", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "t.parquet")


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path)
