"""Runs a sequence twice, mixed and all-official, and compares."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import hfhub

from .declared import DECLARED_RESULTS
from .hub import Hub
from .sequences import Operation, Sequence, sequence
from .trees import differences, dump

HERE = Path(__file__).resolve().parent
OLD = "hub036"
PARAMETERS = inspect.signature(hfhub.hf_hub_download).parameters


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: the fuzz makes and removes some ten thousand small files."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="cachefuzz-", dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


class Worker:
    """A client process."""

    def __init__(self, python: str, hub: Hub, home: Path, *arguments: str) -> None:
        environment = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("HF_", "HUGGING", "CRUCIBLE_", "TRANSFORMERS_", "PYTHONPATH"))
        }
        if arguments:  # the process that has hfhub finds it as this one does
            environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
        environment |= {
            "HF_HOME": str(home),
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONWARNINGS": "ignore",
        }
        self.log = (home.parent / f"{home.name}.log").open("w+")
        self.process = subprocess.Popen(
            [python, str(HERE / "worker.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
            text=True,
        )
        self.version = json.loads(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            code = self.process.wait()
            raise AssertionError(f"the client process ended with {code}: {self.log.read()[-3000:]}")
        return line

    def ask(self, client: str, call: str, options: dict[str, Any]) -> Any:
        """Sends one operation and waits for its result."""
        self.send(client, call, options)
        return self.receive()

    def send(self, client: str, call: str, options: dict[str, Any]) -> None:
        """Starts one operation."""
        client = "hub" if client == OLD else client
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"client": client, "call": call, "options": options}) + "\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        """The result of the operation that was sent."""
        return json.loads(self._line())

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(60)
        self.log.close()


class Fuzz:
    """A hub and the client processes, for many sequences. Use as a context manager."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.hub = Hub()
        self.hub.__enter__()
        new = Worker(sys.executable, self.hub, folder / "home", "with-hfhub")
        old = Worker(python, self.hub, folder / "home036")
        self.workers = {"hfhub": new, "hub": new, OLD: old}

    def __enter__(self) -> Fuzz:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.workers["hub"].close()
        self.workers[OLD].close()
        self.hub.__exit__(None, None, None)

    def check(self, seed: int, *, each_step: bool = False) -> list[str]:
        """Runs the sequence of a seed. Returns what differs; with `each_step` the files are compared after each one."""
        todo = sequence(seed, self.hub.repos)
        roots = [self.folder / f"{seed}-mixed", self.folder / f"{seed}-offic"]
        if each_step:
            return self._steps(todo, roots)
        mixed, official = (self.run(todo, root, official=i == 1) for i, root in enumerate(roots))
        found = [
            f"step {i}, {operation}: mixed {a}, official {b}"
            for i, (operation, a, b) in enumerate(zip(todo.operations, mixed, official, strict=False))
            if not _declared(operation, a, b)
        ]
        found += differences(dump(roots[0]), dump(roots[1]), todo)
        for name in ("hub", OLD):
            a, b = (self.workers[name].ask(name, "scan", {"root": str(root)}) for root in roots)
            if a != b:
                found.append(f"final scan by {name}: mixed {a}, official {b}")
        for root in roots:
            shutil.rmtree(root)
        return found

    def _start(self, root: Path) -> None:
        (root / "cache").mkdir(parents=True)
        root.chmod(0o755)
        self.hub.rewind()

    def _mode(self, todo: Sequence) -> None:
        for name in ("hub", OLD):
            self.workers[name].ask(name, "mode", {"umask": todo.umask, "symlinks": todo.symlinks})

    def run(self, todo: Sequence, root: Path, *, official: bool) -> list[Any]:
        """All operations on one folder; `official`: those of hfhub by the newer official client instead."""
        self._start(root)
        self._mode(todo)
        return [self.step(operation, root, official=official) for operation in todo.operations]

    def step(self, operation: Operation, root: Path, *, official: bool) -> Any:
        """One operation on one folder."""
        options = operation.options
        if operation.client == "server":
            self.hub.advance(options["repo"])
            return None
        if operation.client == "harness":
            return harm(self.hub, root / "cache", **options)
        client = "hub" if official and operation.client == "hfhub" else operation.client
        if client == "hfhub" and options.get("local") and "local_dir" not in PARAMETERS:
            client = "hub"
        return self.workers[client].ask(client, operation.call, {"root": str(root), **options})

    def _steps(self, todo: Sequence, roots: list[Path]) -> list[str]:
        """As `check`, step by step, for a replay: prints each, stops at the first that differs."""
        print(f"seed {todo.seed}, umask {todo.umask:03o}, symlinks {todo.symlinks}")
        for root in roots:
            self._start(root)
        self._mode(todo)
        for i, operation in enumerate(todo.operations):
            stages = {name: history.stage for name, history in self.hub.repos.items()}
            a = self.step(operation, roots[0], official=False)
            for name, stage in stages.items():
                self.hub.repos[name].stage = stage
            b = self.step(operation, roots[1], official=True)
            print(f"{i}: {operation} -> {a}" + ("" if a == b else f" official {b}"))
            found = [] if _declared(operation, a, b) else [f"step {i}: results differ"]
            found += differences(dump(roots[0]), dump(roots[1]), todo)
            if found:
                return found
        return []


def _declared(operation: Operation, ours: Any, theirs: Any) -> bool:
    if ours == theirs:
        return True
    return any(d.call == operation.call and d.if_so(operation.options, ours, theirs) for d in DECLARED_RESULTS)


def harm(hub: Hub, cache: Path, kind: str, repo: str, file: str, commit: str) -> bool:
    """Damage as a crash, a full disk or a user would leave it; the same on both sides. Returns whether there was any."""
    folder = cache / repo.replace("/", "--")
    version = hub.repos[repo].commits[commit].get(file)
    if version is None:
        return False
    blob = folder / "blobs" / version.etag
    target = {
        "ref empty": folder / "refs" / "main",
        "ref cut": folder / "refs" / "main",
        "no blob": blob,
        "no pointer": folder / "snapshots" / commit / file,
        "partial": folder / "blobs",
        "tree cut": folder / "trees" / f"{commit}.json",
    }[kind]
    if not os.path.lexists(target):
        return False
    if kind in ("no blob", "no pointer"):
        target.unlink()
    elif kind == "partial":
        (target / f"{version.etag}.incomplete").write_bytes(version.data[: len(version.data) // 2])
    else:
        target.write_bytes(target.read_bytes()[: 0 if kind == "ref empty" else 20])
    return True
