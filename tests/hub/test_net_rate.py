"""Rate limits: kept by all workers and processes together, and waited for without a failure."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from _crucible._native import HubClient, network_state
from hfhub.errors import HfHubHTTPError, RateLimitedError

pytestmark = pytest.mark.usefixtures("hf_env")
Make = Callable[..., Any]


class Window:
    """A fixed window of the Hub's kind: `quota` requests per `seconds`, told on every answer."""

    def __init__(self, reply: Any, quota: int, seconds: float, name: str = "api") -> None:
        self.reply, self.quota, self.seconds, self.name = reply, quota, seconds, name
        self.lock, self.start, self.used = threading.Lock(), 0.0, 0
        self.times: list[tuple[float, int]] = []

    def __call__(self, _asked: Any) -> Any:
        with self.lock:
            now = time.monotonic()
            if now >= self.start + self.seconds:
                self.start, self.used = now, 0
            over = self.used >= self.quota
            self.used += not over
            left = self.quota - self.used
            reset = math.ceil(self.start + self.seconds - now)
            status = 429 if over else 200
            self.times.append((now, status))
        headers = {
            "RateLimit": f'"{self.name}";r={left};t={reset}',
            "RateLimit-Policy": f'"fixed window";"{self.name}";q={self.quota};w={self.seconds:g}',
        }
        return self.reply(status, headers=headers)

    def refused(self) -> int:
        return sum(status == 429 for _, status in self.times)


def test_threads_keep_a_limit_together(loopback: Make, reply: Any) -> None:
    window = Window(reply, quota=30, seconds=2)
    client = HubClient(endpoint=loopback(window).url)
    client.request("GET", "/api/x")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: client.request("GET", f"/api/{i}").status, range(69)))
    assert answers == [200] * 69
    assert window.refused() == 0
    assert network_state()["rate_waits"] > 0
    # Those that waited for the next window did not come back all at once.
    times = [t for t, _ in window.times]
    pauses = [i for i in range(1, len(times)) if times[i] - times[i - 1] > 0.3]
    assert pauses


PROCESS = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from _crucible._native import HubClient
client = HubClient()
with ThreadPoolExecutor(4) as pool:
    print(json.dumps(list(pool.map(lambda i: client.request("GET", f"/api/{i}").status, range(int(sys.argv[1]))))))
"""


def test_processes_keep_a_limit_together(loopback: Make, reply: Any, hf_env: Path, monkeypatch: Any) -> None:
    window = Window(reply, quota=40, seconds=3)
    monkeypatch.setenv("HF_ENDPOINT", loopback(window).url)
    HubClient().request("GET", "/api/x")
    running = [
        subprocess.Popen([sys.executable, "-c", PROCESS, "25"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err.decode()
        assert json.loads(out) == [200] * 25
    assert window.refused() <= 5  # of 101
    state = list((hf_env / "hfhub" / "rate").iterdir())
    assert len(state) == 1
    assert "api" in state[0].read_text()


@pytest.mark.parametrize("damage", ["not json", '{"classes": {}, "buckets": {"api": {"left": 0}}}', "[" * 20000])
def test_a_damaged_state_file_does_no_harm(
    loopback: Make, reply: Any, hf_env: Path, monkeypatch: Any, damage: str
) -> None:
    window = Window(reply, quota=1000, seconds=60)
    monkeypatch.setenv("HF_ENDPOINT", loopback(window).url)
    client = HubClient()
    client.request("GET", "/api/x")
    (file,) = (hf_env / "hfhub" / "rate").iterdir()
    file.write_text(damage)
    assert client.request("GET", "/api/x").status == 200
    assert "api" in json.loads(file.read_text())["buckets"]


def test_a_home_that_cannot_be_written(loopback: Make, reply: Any, hf_env: Path, monkeypatch: Any) -> None:
    blocked = hf_env.parent / "file"
    blocked.write_text("")
    monkeypatch.setenv("HF_HOME", str(blocked))
    window = Window(reply, quota=3, seconds=1)
    client = HubClient(endpoint=loopback(window).url, cache_dir=str(hf_env / "hub"))
    assert [client.request("GET", "/api/x").status for _ in range(6)] == [200] * 6
    assert window.refused() == 0


@pytest.mark.parametrize("form", ["seconds", "date", "ratelimit"])
def test_being_sent_away(loopback: Make, reply: Any, form: str) -> None:
    began = time.monotonic()

    def answer(asked: Any) -> Any:
        if time.monotonic() - began > 1.0:
            return reply()
        headers = {
            "seconds": {"Retry-After": "1"},
            "date": {"Retry-After": formatdate(time.time() + 2, usegmt=True)},
            "ratelimit": {"RateLimit": '"api";r=0;t=1'},
        }
        return reply(429, headers=headers[form])

    server = loopback(answer)
    client = HubClient(endpoint=server.url)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: client.request("GET", "/api/x").status, range(4))) == [200] * 4
    # Nobody hammered: each asked once or twice before it was let in.
    assert len(server.asked) <= 4 * 3


def test_the_deadline_says_when_the_limit_opens(loopback: Make, reply: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HFHUB_TOTAL_TIMEOUT", "2")
    server = loopback(lambda asked: reply(429, headers={"RateLimit": '"api";r=0;t=55'}))
    client = HubClient(endpoint=server.url)
    for text in ("opens again in 55 s", "past the deadline"):  # told by the server, then known
        with pytest.raises(RateLimitedError, match=text) as caught:
            client.request("GET", "/api/x")
        assert caught.value.retry_after == pytest.approx(55, abs=3)
    assert len(server.asked) == 1
    # Another token is another account.
    with pytest.raises(RateLimitedError, match="opens again"):
        HubClient(endpoint=server.url, token="hf_other").request("GET", "/api/x")


def test_a_wait_is_not_a_timeout(loopback: Make, reply: Any) -> None:
    window = Window(reply, quota=2, seconds=2)
    client = HubClient(endpoint=loopback(window).url)
    assert [client.request("GET", "/api/x", timeout=0.5).status for _ in range(5)] == [200] * 5
    assert window.refused() == 0


def test_tries_are_told(loopback: Make, reply: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "10")
    server = loopback(lambda asked: reply(503))
    with pytest.raises(HfHubHTTPError, match=r"tried 6 times over [0-9.]+ s") as caught:
        HubClient(endpoint=server.url).request("GET", "/api/x")
    assert caught.value.tries == 6
    assert len(server.asked) == 6


INTERRUPTED = """
import sys
from _crucible._native import HubClient
client = HubClient()
client.request("GET", "/api/x")
print("waiting", flush=True)
try:
    client.request("GET", "/api/x")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_during_a_wait(loopback: Make, reply: Any, monkeypatch: Any) -> None:
    server = loopback(lambda asked: reply(headers={"RateLimit": '"api";r=0;t=60'}))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)  # into the wait; if too early, the signal arrives before it and is raised all the same
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - began < 5
    assert len(server.asked) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_fork_keeps_its_own_budget(python: Any, loopback: Make, reply: Any) -> None:
    window = Window(reply, quota=20, seconds=1)
    script = """
import json, os, warnings
from concurrent.futures import ThreadPoolExecutor
from _crucible._native import HubClient
warnings.simplefilter("ignore")
client = HubClient()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda i: client.request("GET", "/api/x"), range(10)))
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if all(client.request("GET", "/api/x").status == 200 for _ in range(8)) else 1)
        children.append(pid)
print(json.dumps([os.waitpid(pid, 0)[1] for pid in children]))
"""
    assert python(script, HF_ENDPOINT=loopback(window).url) == [0, 0, 0]
    assert window.refused() <= 1
