"""Progress bars: the caller's class, the switches, silence where there is no terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

import hfhub
from faulthub import FaultHub, Repository, faults

pytestmark = pytest.mark.usefixtures("fault_env")

ID = "org/data"
LARGE = os.urandom(300_000)


@pytest.fixture
def repo(fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit({"large.bin": LARGE, "a.txt": b"a", "b.txt": b"bb"})
    return made


class Bar:
    """A bar that remembers."""

    made: list[Bar]

    def __init__(self, **look: Any) -> None:
        self.look, self.total, self.n, self.closed = look, look["total"], 0, False
        self.made.append(self)

    def update(self, more: int) -> None:
        assert more > 0
        self.n += more

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bar() -> type[Bar]:
    return type("Recorded", (Bar,), {"made": []})


def test_a_file_has_a_bar_of_bytes(repo: Repository, bar: type[Bar]) -> None:
    hfhub.hf_hub_download(ID, "large.bin", repo_type="dataset", tqdm_class=bar)
    (made,) = bar.made
    assert made.look == {"desc": "large.bin", "unit": "B", "unit_scale": True, "total": len(LARGE), "initial": 0}
    assert (made.n, made.closed) == (len(LARGE), True)
    hfhub.hf_hub_download(ID, "large.bin", repo_type="dataset", tqdm_class=bar)
    assert len(bar.made) == 1  # nothing came


def test_a_snapshot_has_bars_of_files_and_bytes(repo: Repository, bar: type[Bar]) -> None:
    for _ in range(2):
        bar.made.clear()
        hfhub.snapshot_download(ID, repo_type="dataset", tqdm_class=bar)
        files, data = bar.made
        assert (files.look["desc"], files.total, files.n) == ("Fetching 3 files", 3, 3)
        assert (data.look["unit"], data.total, data.n) == ("B", len(LARGE) + 3, len(LARGE) + 3)
        assert files.closed
        assert data.closed


def test_a_bar_never_goes_back_when_a_body_is_fetched_again(
    repo: Repository, fault_hub: FaultHub, bar: type[Bar]
) -> None:
    fault_hub.fault("large.bin", faults.flip(), method="GET", origin="cdn", times=1)
    hfhub.hf_hub_download(ID, "large.bin", repo_type="dataset", tqdm_class=bar)
    assert sum(b.n for b in bar.made) == len(LARGE)


def test_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    off = hfhub.are_progress_bars_disabled
    assert not off()
    with hfhub.disable_progress_bars():
        assert off()
        assert off("hfhub.file")
    assert not off()
    hfhub.disable_progress_bars("hfhub.snapshot")
    assert off("hfhub.snapshot")
    assert off("hfhub.snapshot.inner")
    assert not off("hfhub.file")
    assert not off()
    hfhub.enable_progress_bars()
    assert not off("hfhub.snapshot")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    assert off()
    with pytest.warns(UserWarning, match="=1 is set"):
        hfhub.enable_progress_bars()
    assert off()
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    with pytest.warns(UserWarning, match="=0 is set"):
        hfhub.disable_progress_bars()
    assert not off()


SCRIPT = """
import sys, hfhub
if sys.argv[1:] == ["switch"]:
    hfhub.disable_progress_bars()
hfhub.snapshot_download("org/data", repo_type="dataset")
"""


def shown(terminal: bool, *arguments: str, **environment: str) -> str:
    """What a download draws."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    env = {**os.environ, **environment}
    if not terminal:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stderr
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    with subprocess.Popen(command, env=env, stderr=follower) as child:
        os.close(follower)
        text = b""
        while True:
            try:
                more = os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            text += more
        assert child.wait(60) == 0
    os.close(leader)
    return text.decode()


def test_bars_are_drawn_on_a_terminal_only(repo: Repository, fault_env: Path) -> None:
    pytest.importorskip("tqdm")
    drawn = shown(True)
    assert "Fetching 3 files: 100%" in drawn
    assert "B/s" in drawn
    assert shown(False) == ""
    assert shown(True, HF_HUB_DISABLE_PROGRESS_BARS="1") == ""
    assert shown(True, "switch") == ""
