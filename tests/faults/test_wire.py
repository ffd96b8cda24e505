"""Each fault of the fault hub, seen with plain sockets: what a client is given is what the fault's name says."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from faulthub import FaultHub, RateLimit, faults

DATA = bytes(range(256)) * 800
WHERE = "/org/m/resolve/main/w.bin"


@pytest.fixture
def served(fault_hub: FaultHub) -> FaultHub:
    fault_hub.repo("model", "org/m").commit({"w.bin": DATA, "small.txt": b"hello"})
    return fault_hub


@contextmanager
def asked(url: str, method: str = "GET", **headers: str) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        try:
            yield response
        finally:
            response.close()
    finally:
        connection.close()


def location(hub: FaultHub) -> str:
    with asked(hub.url + WHERE) as response:
        assert response.status == 302
        return str(response.getheader("Location"))


def test_no_fault(served: FaultHub) -> None:
    place = location(served)
    with asked(place) as response:
        assert response.read() == DATA
    with asked(place, Range="bytes=10-19") as response:
        assert (response.status, response.getheader("Content-Range")) == (206, f"bytes 10-19/{len(DATA)}")
        assert response.read() == DATA[10:20]
    with asked(place, Range=f"bytes={len(DATA)}-") as response:
        assert (response.status, response.getheader("Content-Range")) == (416, f"bytes */{len(DATA)}")
    assert served.served("w.bin") == len(DATA) + 10


@pytest.mark.parametrize(
    ("change", "got"),
    [(faults.cut(1000), 1000), (faults.short(7), len(DATA) - 7), (faults.wrong_length(9), len(DATA))],
)
def test_early_ends(served: FaultHub, change: faults.Change, got: int) -> None:
    served.fault("w.bin", change, origin="cdn")
    with asked(location(served)) as response, pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    assert len(caught.value.partial) == got


def test_cuts_are_counted_over_a_connection(served: FaultHub) -> None:
    served.fault("w.bin", faults.cut_every(1500), origin="cdn")
    parts = urlsplit(location(served))
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Range": "bytes=0-999"})
    assert len(connection.getresponse().read()) == 1000
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Range": "bytes=1000-1999"})
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    assert len(caught.value.partial) == 500
    connection.close()


def test_reset_delivers_what_was_sent(served: FaultHub) -> None:
    served.fault("w.bin", faults.reset(100_000), origin="cdn")
    with asked(location(served)) as response:
        assert response.read(100_000) == DATA[:100_000]
        with pytest.raises(ConnectionResetError):
            response.read(1)


def test_stall(served: FaultHub) -> None:
    served.fault("w.bin", faults.stall(500), origin="cdn")
    with asked(location(served)) as response:
        assert response.read(500) == DATA[:500]
        response.fp.raw._sock.settimeout(0.2)  # type: ignore[attr-defined]
        with pytest.raises(TimeoutError):
            response.read(1)


def test_bodies(served: FaultHub) -> None:
    flipped = served.fault("w.bin", faults.flip(5), origin="cdn", times=1)
    chunked = served.fault("w.bin", faults.chunked(), origin="cdn", times=1, skip=1)
    unsized = served.fault("w.bin", faults.no_length(), origin="cdn", times=1, skip=2)
    place = location(served)
    with asked(place) as response:
        body = response.read()
    assert [i for i in range(len(DATA)) if body[i] != DATA[i]] == [5]
    with asked(place) as response:
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert response.read() == DATA
    with asked(place) as response:
        assert response.getheader("Content-Length") is None
        assert response.read() == DATA
    assert [f.hits for f in (flipped, chunked, unsized)] == [1, 1, 1]


def test_ranges(served: FaultHub) -> None:
    place = location(served)
    for change, status, span in [
        (faults.ignore_range(), 200, None),
        (faults.wrong_range(3), 206, f"bytes 13-19/{len(DATA)}"),
        (faults.forbid_range(), 416, f"bytes */{len(DATA)}"),
        (faults.header("Content-Range", "bytes 0-9/10"), 206, "bytes 0-9/10"),
    ]:
        served.clear()
        served.fault("w.bin", change, origin="cdn")
        with asked(place, Range="bytes=10-19") as response:
            assert (response.status, response.getheader("Content-Range")) == (status, span)


def test_signed_addresses_run_out(served: FaultHub) -> None:
    served.signed_uses = 1
    place = location(served)
    for status in (200, 403):
        with asked(place) as response:
            assert response.status == status
    served.signed_uses, served.signed_seconds = None, 0.0
    with asked(location(served)) as response:
        assert response.status == 403
    served.signed_seconds = None
    with asked(location(served), Authorization="Bearer hf_good") as response:
        assert response.status == 400
    assert served.tokens_on("cdn") == {"hf_good"}


def test_answers_instead(served: FaultHub) -> None:
    for change, method, status, name, value in [
        (faults.refuse_head(), "HEAD", 405, "Allow", "GET"),
        (faults.loop(), "GET", 307, "Location", WHERE + "?"),
        (
            faults.redirect("http://elsewhere.invalid{target}"),
            "GET",
            307,
            "Location",
            f"http://elsewhere.invalid{WHERE}?",
        ),
        (faults.login_page(), "GET", 200, "Content-Type", "text/html"),
        (faults.status(503, {"Retry-After": "1"}), "GET", 503, "Retry-After", "1"),
        (faults.rate_limited(7), "GET", 429, "RateLimit", '"resolvers";r=0;t=7'),
        (faults.rate_limited(7, "seconds"), "GET", 429, "Retry-After", "7"),
        (faults.rate_limited(7, "none"), "GET", 429, "Retry-After", None),
        (faults.header("X-Linked-ETag", None), "GET", 302, "X-Linked-ETag", None),
    ]:
        served.clear()
        served.fault("w.bin", change)
        with asked(served.url + WHERE, method) as response:
            assert (response.status, response.getheader(name)) == (status, value)


def test_rate_limit(served: FaultHub) -> None:
    served.rate = RateLimit(quota=2, seconds=60)
    for status, left in ((307, 1), (307, 0), (429, 0)):
        with asked(served.url + "/org/m/resolve/main/small.txt") as response:
            assert response.status == status
            assert str(response.getheader("RateLimit")).startswith(f'"resolvers";r={left};t=')
            assert response.getheader("RateLimit-Policy") == '"fixed window";"resolvers";q=2;w=60'


def test_a_tls_greeting_is_reset(served: FaultHub) -> None:
    parts = urlsplit(served.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05hello")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_probability_is_seeded(served: FaultHub) -> None:
    fault = served.fault("w.bin", faults.status(500), probability=0.3, seed=7, method="HEAD")
    seen = []
    for _ in range(20):
        with asked(served.url + WHERE, "HEAD") as response:
            seen.append(response.status)
    assert set(seen) == {302, 500}
    assert seen.count(500) == fault.hits
