"""`python -m benches`: every suite, peers side by side. See benches/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benches.harness import Result, run_suite
from benches.hub_suite import Line, run_hub_suite
from benches.streaming_suite import Streamed, run_streaming_suite
from benches.suites import SUITES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches", description="Benchmarks against the peers.")
    parser.add_argument("--suite", choices=sorted([*SUITES, "hub", "streaming"]), action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contestant (median is shown)")
    parser.add_argument(
        "--rows", type=int, default=60_000, help="rows of the chat data (150,000 is 0.4 GB, 400,000 more than 1 GB)"
    )
    parser.add_argument("--task", default="", help="only tasks with this text in their names")
    parser.add_argument(
        "--cores", type=int, default=0, help="streaming: processors of the contestants; the hub has the others"
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    arguments = parser.parse_args()
    results: list[Result | Line | Streamed] = []
    for name in arguments.suite or [*SUITES, "hub", "streaming"]:
        if name == "hub":
            results += run_hub_suite(arguments.rounds)
        elif name == "streaming":
            results += run_streaming_suite(arguments.rounds, arguments.rows, arguments.task, arguments.cores)
        else:
            results += run_suite(name, arguments.rounds, arguments.rows, arguments.task)
    if arguments.json:
        arguments.json.write_text(json.dumps([r.as_dict() for r in results], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
