"""What the tests of kept results share: a source, a counter of calls, what lies in the cache, processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crucible_datasets import load_dataset

ROWS = 300


def write(path: Path, rows: int = ROWS, start: int = 0) -> Path:
    texts = [f"text {i}" for i in range(rows)]
    pq.write_table(pa.table({"n": range(start, start + rows), "t": texts}), path)
    return path


def load(source: Path, **options: Any) -> Any:
    return load_dataset("parquet", data_files=str(source), split="train", **options)


class Calls:
    """Counts calls, without being part of what the function is."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "calls"

    def __getstate__(self) -> str:
        return "calls"

    def __call__(self) -> None:
        with self.path.open("a") as file:
            file.write("x")

    def take(self) -> int:
        """Calls since the last time."""
        count = self.path.stat().st_size if self.path.exists() else 0
        self.path.unlink(missing_ok=True)
        return count


def results(cache: Path) -> list[Path]:
    return sorted((cache / "crucible" / "maps").glob("*/cache-*.arrow"))


def others(cache: Path) -> list[Path]:
    """What lies beside the results: temporary files, locks."""
    return sorted(set((cache / "crucible" / "maps").glob("*/*")) - set(results(cache)))


def run(code: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])
