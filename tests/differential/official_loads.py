"""Runs the calls of a JSON file with `datasets` and writes what comes out: for `test_corpus`, in a process of its own."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import datasets


def outcome(path: str, call: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded = datasets.load_dataset(path, **call)
    except Exception as error:  # noqa: BLE001  # its kind is the result
        return {"errors": [c.__name__ for c in type(error).__mro__], "text": str(error)}
    if isinstance(loaded, list):
        loaded = {str(i): one for i, one in enumerate(loaded)}
    splits = loaded if isinstance(loaded, dict) else {str(loaded.split): loaded}
    return {
        name: {"features": one.features.to_dict(), "rows": repr(one.to_list()), "split": str(one.split)}
        for name, one in splits.items()
    }


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    datasets.disable_progress_bars()
    jobs = json.loads(Path(sys.argv[1]).read_text())
    results = [outcome(job["path"], job["call"]) for job in jobs]
    Path(sys.argv[2]).write_text(json.dumps(results))
