"""`num_proc` with processes that are spawned: functions of modules, errors, Ctrl-C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULE = """
import os, pathlib, signal, time

def plus(row, k=1):
    return {"x": row["n"] + k, "pid": os.getpid()}

def keep(batch, indices, rank):
    return [n % 2 == 0 and i == n and rank in {0, 1} for n, i in zip(batch["n"], indices)]

def fails(row):
    if row["n"] == 7:
        deeper(row["n"])
    return {"x": 1}

def deeper(n):
    raise LookupError(f"no {n}")

class Adder:
    def __init__(self, k): self.k = k
    def __call__(self, row): return {"x": row["n"] + self.k}

def waits(row):
    folder = pathlib.Path(os.environ["FOLDER"])
    (folder / f"pid-{os.getpid()}").touch()
    if len(list(folder.glob("pid-*"))) == 2:
        os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
"""

HEAD = """
import json, multiprocessing, os, traceback
import crucible_datasets as cd
from crucible_datasets import Dataset
import functions

def main():
    ds = Dataset.from_dict({"n": list(range(10))})
"""
TAIL = """
if __name__ == "__main__":
    main()
"""


def run(folder: Path, body: str, method: str = "spawn") -> Any:
    (folder / "lib").mkdir(exist_ok=True)
    (folder / "lib" / "functions.py").write_text(MODULE)
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    (folder / "script.py").write_text(HEAD + lines + TAIL)
    path = os.pathsep.join([str(folder / "lib"), *(entry for entry in sys.path if entry)])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "HF_DATASETS_CACHE": str(folder / "cache"),
        "CRUCIBLE_START_METHOD": method,
        "FOLDER": str(folder),
    }
    done = subprocess.run(
        [sys.executable, str(folder / "script.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_functions(tmp_path: Path) -> None:
    body = """
one = ds.map(functions.plus, fn_kwargs={"k": 2}, num_proc=2)
two = ds.filter(functions.keep, batched=True, batch_size=2, with_indices=True, with_rank=True, num_proc=2)
three = ds.shuffle(seed=1).map(functions.Adder(5), num_proc=2)
print(json.dumps([one["x"][:], len(set(one["pid"])), os.getpid() in one["pid"], two["n"][:], three["x"][:], three["n"][:],
                  len(multiprocessing.active_children())]))
"""
    one, processes, here, two, three, source, left = run(tmp_path, body)
    assert one == list(range(2, 12))
    assert (processes, here, left) == (2, False, 0)
    assert two == [0, 2, 4, 6, 8]
    assert three == [n + 5 for n in source]
    assert list((tmp_path / "cache").glob("tmp-jobs-*")) == []


def test_kept_parts(tmp_path: Path) -> None:
    body = """
ds.save_to_disk(os.environ["FOLDER"] + "/saved")
pids = []
for _ in range(2):
    made = cd.load_from_disk(os.environ["FOLDER"] + "/saved").map(functions.plus, num_proc=2)
    pids.append(made["pid"][:])
print(json.dumps([pids[0] == pids[1], len(set(pids[0])), made["x"][:], sorted(os.path.basename(f["filename"])[-16:] for f in made.cache_files)]))
"""
    same, processes, values, files = run(tmp_path, body)
    assert same
    assert processes == 2
    assert values == list(range(1, 11))
    assert files == ["0-of-00001.arrow", "0_of_00002.arrow", "1_of_00002.arrow"]  # of the folder, and of each process


def test_errors(tmp_path: Path) -> None:
    body = """
try:
    ds.map(functions.fails, num_proc=2)
except LookupError as error:
    print(json.dumps([str(error), error.__notes__, str(error.__cause__), len(multiprocessing.active_children())]))
"""
    text, notes, cause, left = run(tmp_path, body)
    assert text == "no 7"
    assert notes == ["The function failed in map: row 7"]
    assert "in deeper" in cause
    assert "functions.py" in cause
    assert left == 0


@pytest.mark.parametrize("kind", ["lambda row: {'x': 1}", "(lambda k: lambda row: {'x': k})(open(__file__))"])
def test_what_cannot_be_sent(kind: str, tmp_path: Path) -> None:
    body = f"""
try:
    ds.map({kind}, num_proc=2)
except TypeError as error:
    print(json.dumps([str(error), len(multiprocessing.active_children())]))
"""
    text, left = run(tmp_path, body)
    assert "top level of a module" in text
    assert "'spawn'" in text
    assert left == 0


def test_interrupt(tmp_path: Path) -> None:
    body = """
try:
    ds.map(functions.waits, num_proc=2)
except KeyboardInterrupt:
    print(json.dumps(len(multiprocessing.active_children())))
"""
    assert run(tmp_path, body) == 0
    pids = [int(path.name[4:]) for path in tmp_path.glob("pid-*")]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_server_of_processes(tmp_path: Path) -> None:
    assert run(tmp_path, "print(json.dumps(ds.map(functions.plus, num_proc=2)['x'][:]))", "forkserver") == list(
        range(1, 11)
    )
