"""Fixtures: a folder of repositories, a hub over it, an environment that knows no other hub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faulthub import FaultHub
from hfhub import HubServer
from shared_data import SHARED

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # A shell starts background jobs deaf to Ctrl-C, and children inherit it: the tests of Ctrl-C would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the official client reads it when it is imported
if os.environ.get("PYTHONPATH"):  # tests start programs in other folders
    os.environ["PYTHONPATH"] = os.pathsep.join(
        str(Path(p).absolute()) for p in os.environ["PYTHONPATH"].split(os.pathsep)
    )


@pytest.fixture
def hub_root(tmp_path: Path) -> Path:
    """A folder with one small dataset."""
    repo = tmp_path / "hub" / "datasets" / "org" / "small"
    (repo / "data").mkdir(parents=True)
    (repo / "README.md").write_text("# small\n")
    (repo / "data" / "train.jsonl").write_text("".join(json.dumps({"a": i, "t": f"row {i}"}) + "\n" for i in range(50)))
    (repo / "data" / "big.bin").write_bytes(bytes(range(256)) * 2000)
    return tmp_path / "hub"


@pytest.fixture
def hub(hub_root: Path) -> Iterator[HubServer]:
    """A running hub over `hub_root`."""
    with HubServer(str(hub_root), tokens=["hf_good"], private=["org/secret"], gated=["org/gated"]) as server:
        yield server


@pytest.fixture
def hf_env(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which `hub` is the only hub. Returns HF_HOME."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HFHUB_", "HUGGING", "CRUCIBLE_", "TRANSFORMERS_OFFLINE")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    return home


@pytest.fixture
def python(hf_env: Path) -> Callable[..., Any]:
    """Runs a script in a fresh process of this environment and returns the JSON that it printed last."""

    def run(script: str, *arguments: str, **environment: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


@pytest.fixture
def fault_hub() -> Iterator[FaultHub]:
    """A hub that misbehaves on demand (`tests/faulthub`), without repositories and faults yet."""
    with FaultHub() as server:
        yield server


@pytest.fixture
def fault_env(fault_hub: FaultHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which `fault_hub` is the only hub, with short timeouts. Returns HF_HOME."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HFHUB_", "HUGGING", "CRUCIBLE_", "TRANSFORMERS_OFFLINE")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_ENDPOINT", fault_hub.url)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "20")
    monkeypatch.setenv("HFHUB_MAX_RETRIES", "3")
    return home


@pytest.fixture(scope="session")
def hub036_python() -> str:
    """The interpreter of an environment with `huggingface_hub` 0.36: `.venv-hub036`, or `HUB036_PYTHON`."""
    named = os.environ.get("HUB036_PYTHON")
    python = Path(named) if named else Path(__file__).resolve().parents[1] / ".venv-hub036" / "bin" / "python"
    if not python.is_file():
        pytest.skip("no environment with huggingface_hub 0.36: make .venv-hub036, or set HUB036_PYTHON")
    return str(python)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data; tests that use it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the shared data folder is absent")
    return SHARED
