"""Runs the jobs of a JSON file with `datasets` and writes what comes out: for `test_corpus`, in a process of its own."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import datasets

sys.path.insert(0, str(Path(__file__).parent))
from outcomes import asked  # beside this file

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    datasets.disable_progress_bars()
    jobs = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([asked(datasets, job) for job in jobs]))
