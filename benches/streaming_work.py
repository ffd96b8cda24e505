"""What each contestant of the streaming suite does, in a process of its own: `python -m benches.streaming_work CONTESTANT TASK`.

It sets up, says "ready", waits for a line, then does the work that is timed.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from benches import streaming_peers
from benches.harness import begun, counted, keep_to_cores, peak_rss_mb

CHATS, LINES = "bench/chat", "bench/chat-lines"
LARGE, LARGE_LINES, SMALL = "bench/chat-large", "bench/chat-lines-large", "bench/chat-small"
MANY = "bench/chat-many"
TWO = ["id", "score"]
ALL = ["id", "source", "score", "turns", "messages"]
BATCH = 1000
TASKS = (
    "first row",
    "all rows",
    "all batches, arrow",
    "two columns, arrow",
    "first line",
    "all lines",
    "resume at 50 %",
    "small row groups, arrow",
    "many files, arrow",
    "many files of the web, arrow",
    "large: all rows",
    "large: all batches, arrow",
    "large: all lines",
)
TABLES = tuple(task for task in TASKS if task.endswith("arrow"))
WHOLE = tuple(task for task in TASKS if "all " in task or "files" in task)
LIMIT = "local file, line"
HASHED = "local file, sha256"
UNCHECKED = "crucible, no checks"
CONTESTANTS = {
    "crucible": TASKS,
    UNCHECKED: tuple(task for task in WHOLE if task.endswith("lines")),
    "local file": (*WHOLE, "two columns, arrow", "small row groups, arrow"),
    LIMIT: WHOLE,
    HASHED: tuple(task for task in WHOLE if task.endswith("lines")),
    "datasets": TASKS,
    "polars": ("first row", *TABLES),
}
"""Who takes part in what.

"local file" is this library on the same file without a network. "local file, line" does that while curl fetches the bytes of
the file and drops them: what a stream can reach where the hub and the network are on the same processors. "local file, sha256"
does it while the files are hashed: streams of lines are told by their hash whether what came is the file. "crucible, no
checks" is a stream with `verification_mode="no_checks"`, which does not ask; nor does `datasets`.
"""
Work = Callable[[], int]


def repository(task: str) -> str:
    """The repository that a task reads."""
    lines = task.endswith(("line", "lines"))
    if task.startswith("large"):
        return LARGE_LINES if lines else LARGE
    if task.startswith("small"):
        return SMALL
    if task.startswith("many"):
        return MANY
    return LINES if lines else CHATS


def files(task: str) -> list[Path]:
    """Its files on the disk."""
    folder = Path(os.environ["BENCH_DATA"], "hub", "datasets", repository(task))
    return sorted([*folder.rglob("*.parquet"), *folder.rglob("*.jsonl")])


def library(name: str) -> Any:
    if name == "datasets":
        import datasets as module
    else:
        import crucible_datasets as module  # type: ignore[no-redef]
    module.disable_progress_bars()
    return module


def stream(contestant: str, task: str, columns: list[str] | None = None) -> Any:
    """The stream of a task, as its user opens it."""
    module = library(contestant)
    if contestant in ("local file", LIMIT, HASHED):
        kind = "json" if task.endswith("lines") else "parquet"
        paths = [str(path) for path in files(task)]
        made = module.load_dataset(kind, data_files=paths, split="train", streaming=True)
    elif "web" in task:
        made = module.load_dataset("parquet", data_files=addresses_of(task), split="train", streaming=True)
    else:
        checks = {"verification_mode": "no_checks"} if contestant == UNCHECKED else {}
        made = module.load_dataset(repository(task), split="train", streaming=True, **checks)
    return made if columns is None else made.select_columns(columns)


def addresses_of(task: str) -> list[str]:
    """The addresses of its files."""
    home = Path(os.environ["BENCH_DATA"], "hub", "datasets", repository(task))
    root = f"{os.environ['HF_ENDPOINT']}/datasets/{repository(task)}/resolve/main"
    return [f"{root}/{path.relative_to(home)}" for path in files(task)]


def beside_a_transfer(task: str, work: Work) -> Work:
    """The work while curl fetches the files; both end."""
    command = ["curl", "--silent", "--show-error", "--fail", "--location"]
    for address in addresses_of(task):
        command += ["--output", "/dev/null", address]

    def both() -> int:
        with subprocess.Popen(command) as line:
            rows = work()
        if line.returncode:
            sys.exit("curl failed")
        return rows

    return both


def beside_its_hash(task: str, work: Work) -> Work:
    """The work while the files are hashed, as they are in a stream; both end."""

    def hashed() -> None:
        for path in files(task):
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")

    def both() -> int:
        thread = threading.Thread(target=hashed)
        thread.start()
        rows = work()
        thread.join()
        return rows

    return both


def polars_work(task: str) -> Work:
    import polars

    addresses = addresses_of(task)
    if task == "first row":
        return lambda: int(polars.scan_parquet(addresses).head(1).collect().height)
    columns = TWO if task.startswith("two") else ALL
    return lambda: int(polars.scan_parquet(addresses).select(columns).collect().height)


def batches(made: Any) -> int:
    return counted(table.num_rows for table in made.with_format("arrow").iter(batch_size=BATCH))


def resumed(contestant: str, task: str) -> Work:
    """The state at half of the rows, from another stream; the timed one is new."""
    before = stream(contestant, task)
    [last] = deque(islice(before, int(os.environ["BENCH_ROWS"]) // 2), maxlen=1)
    wanted = int(last["id"].removeprefix("chat-")) + 1
    state = json.loads(json.dumps(before.state_dict()))
    made = stream(contestant, task)

    def work() -> int:
        made.load_state_dict(state)
        got = next(iter(made))["id"]
        if got != f"chat-{wanted:08}":
            sys.exit(f"{contestant} goes on with {got}, row {wanted} is the next")
        return 1

    return work


def prepared(contestant: str, task: str) -> Work:
    if contestant in streaming_peers.PEERS:
        return streaming_peers.prepared(contestant, task)
    if contestant == "polars":
        return polars_work(task)
    if task.startswith("resume"):
        return resumed(contestant, task)
    made = stream(contestant, task, TWO if task.startswith("two") else None)
    if task.endswith("arrow"):
        importlib.import_module("pyarrow")  # imports are outside the clock for everybody
    if task.startswith("first"):
        return lambda: len([next(iter(made))])
    work: Work = (lambda: batches(made)) if task.endswith("arrow") else (lambda: counted(1 for _row in made))
    if contestant == HASHED:
        return beside_its_hash(task, work)
    return beside_a_transfer(task, work) if contestant == LIMIT else work


def main(contestant: str, task: str) -> None:
    keep_to_cores()
    work = prepared(contestant, task)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, start = time.process_time(), time.perf_counter()
    rows = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    figures = {"seconds": seconds, "cpu": cpu, "rss_mb": peak_rss_mb(), "rows": rows}
    if begun:
        [(at, first)] = begun
        figures |= {"first": at - start, "then": (rows - first) / (start + seconds - at)}
    print(json.dumps(figures), flush=True)
    os._exit(0)  # `datasets` with a slow hub waits for ever for its threads at the end of the process


if __name__ == "__main__":
    main(*sys.argv[1:])
