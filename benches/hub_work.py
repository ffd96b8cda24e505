"""What each contestant of the hub suite does, in a process of its own: `python benches/hub_work.py CONTESTANT TASK OUT`.

Runs in the environment of old clients too, so it imports nothing of this project except what is measured.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

TASKS = {
    "one file of 1 GiB": "large",
    "one file of 256 MiB": "line",
    "500 files of 20 KB": "small",
    "40 files of 25 MB": "medium",
    "warm snapshot, 500 files": "small",
    "list 10,000 files": "many",
}


def peak_mb(pid: str = "self") -> float:
    """Peak memory: `VmHWM`, since `ru_maxrss` is inherited through fork and exec."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def python_client(contestant: str, task: str) -> Any:
    """The timed call of a Python client; imports and set-up are done here."""
    if contestant == "crucible":
        import hfhub as client
    else:
        import huggingface_hub as client  # type: ignore[no-redef]
    repo = f"bench/{TASKS[task]}"
    if task.startswith("list"):
        return lambda: list(client.HfApi().list_repo_tree(repo, repo_type="dataset", recursive=True))
    if task.startswith("one"):
        return lambda: client.hf_hub_download(repo, "data.bin", repo_type="dataset")
    return lambda: client.snapshot_download(repo, repo_type="dataset")


def addresses(task: str, out: str) -> list[tuple[str, str]]:
    """(address, file) of each file; the limit knows them beforehand and needs no listing."""
    root, repo = Path(os.environ["BENCH_HUB_ROOT"]), f"datasets/bench/{TASKS[task]}"
    files = sorted(p.relative_to(root / repo) for p in (root / repo).rglob("*") if p.is_file())
    return [(f"{os.environ['HF_ENDPOINT']}/{repo}/resolve/main/{f}", f"{out}/{f}") for f in files]


def command(contestant: str, task: str, out: str) -> list[str]:
    """The command line of a transfer program: the limit."""
    pairs = addresses(task, out)
    listing = Path(out, "list.txt")
    listing.parent.mkdir(parents=True, exist_ok=True)
    if contestant.startswith("aria2c"):
        lines = (f"{url}\n  dir={Path(file).parent}\n  out={Path(file).name}\n" for url, file in pairs)
        if contestant.endswith("sha256"):
            root = Path(os.environ["BENCH_HUB_ROOT"], "datasets/bench", TASKS[task])
            with (root / Path(pairs[0][1]).relative_to(out)).open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            lines = (f"{line}  checksum=sha-256={digest}\n" for line in lines)
        listing.write_text("".join(lines))
        return ["aria2c", "-q", "-i", str(listing), "-x8", "-s8", "-j8", "-k16M", "--file-allocation=none"]
    listing.write_text("".join(f'url = "{url}"\noutput = "{file}"\n' for url, file in pairs))
    return ["curl", "-sSL", "--create-dirs", "-Z", "--parallel-max", "16", "-K", str(listing)]


def main(contestant: str, task: str, out: str) -> None:
    external = contestant.startswith(("aria2c", "curl"))
    work = command(contestant, task, out) if external else python_client(contestant, task)
    peaks = [0.0]
    cpu, start = time.process_time(), time.perf_counter()
    if external:
        process = subprocess.Popen(work)
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.01):
                try:
                    peaks.append(peak_mb(str(process.pid)))
                except OSError:
                    return

        threading.Thread(target=watch, daemon=True).start()
        if process.wait():
            sys.exit(f"{contestant} ended with {process.returncode}")
        done.set()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    else:
        work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        peaks.append(peak_mb())
    print(json.dumps({"seconds": seconds, "cpu": cpu, "rss_mb": max(peaks)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
