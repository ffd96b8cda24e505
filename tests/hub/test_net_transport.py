"""Certificates and proxies from the variables that people set."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from _crucible._native import HubClient
from hfhub.errors import HubConnectionError, HubError

pytestmark = pytest.mark.usefixtures("hf_env")
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_of_ones_own(
    loopback: Make, reply: Any, authority: Any, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server = loopback(lambda asked: reply(body=b"safe"), tls=authority.server)
    place = authority.file
    if variable == "SSL_CERT_DIR":
        place = tmp_path / "certs"
        place.mkdir()
        (place / "00000000.0").write_bytes(authority.file.read_bytes())
    monkeypatch.setenv(variable, str(place))
    assert HubClient(endpoint=server.url).request("GET", "/x").content == b"safe"
    assert HubClient(endpoint=server.url.replace("127.0.0.1", "localhost")).request("GET", "/x").content == b"safe"


def test_ssl_cert_file_comes_first(
    loopback: Make, reply: Any, authority: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server = loopback(lambda asked: reply(), tls=authority.server)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(HubError, match="SSL_CERT_FILE") as caught:
        HubClient(endpoint=server.url).request("GET", "/x")
    assert "absent.pem" in str(caught.value)
    (tmp_path / "absent.pem").write_text("no certificate")
    with pytest.raises(HubError, match="no certificate was found"):
        HubClient(endpoint=server.url).request("GET", "/x")


def test_a_stranger_is_not_trusted(
    loopback: Make, reply: Any, authority: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server = loopback(lambda asked: reply(), tls=authority.server)
    # The right CA and a name that the certificate does not have.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("HTTPS_PROXY", "")
    with tunnel({"other.test": server.port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address("http"))
        with pytest.raises(HubConnectionError, match=r"(?i)certificate") as caught:
            HubClient(endpoint=f"https://other.test:{server.port}").request("GET", "/x", retry=False)
    assert any("SSL_CERT_FILE" in note for note in caught.value.__notes__)
    assert server.asked == []


class Tunnel:
    """A proxy for CONNECT and SOCKS 5: every name leads to the port of a loopback server."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports, self.asked = ports, list[str]()
        self.credentials: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, scheme: str, user: str = "") -> str:
        return f"{scheme}://{user}127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._sockets.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, inner: socket.socket) -> None:
        with contextlib.suppress(OSError, KeyError, ValueError):
            file = inner.makefile("rb")
            first = file.read(1)
            if first == b"\x05":
                target, answer = self._socks(file, inner), b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
            else:
                line = first + file.readline()
                while (header := file.readline().strip()) != b"":
                    if header.lower().startswith(b"proxy-authorization:"):
                        self.credentials.append(header)
                target, answer = line.split()[1].decode(), b"HTTP/1.1 200 OK\r\n\r\n"
            self.asked.append(target)
            outer = socket.create_connection(("127.0.0.1", self.ports[target.rpartition(":")[0]]))
            self._sockets.append(outer)
            inner.sendall(answer)
            threading.Thread(target=self._pipe, args=(outer, inner), daemon=True).start()
            self._pipe(inner, outer)

    @staticmethod
    def _socks(file: Any, inner: socket.socket) -> str:
        file.read(file.read(1)[0])
        inner.sendall(b"\x05\x00")
        kind = file.read(4)[3]
        host = file.read(file.read(1)[0]).decode() if kind == 3 else socket.inet_ntoa(file.read(4))
        return f"{host}:{int.from_bytes(file.read(2), 'big')}"

    @staticmethod
    def _pipe(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tunnel(ports: dict[str, int]) -> Iterator[Tunnel]:
    made = Tunnel(ports)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_plain_proxy(loopback: Make, reply: Any, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = loopback(lambda asked: reply(body=b"by proxy"))
    monkeypatch.setenv(variable, proxy.url.replace("http://", "http://user:pass@"))
    assert HubClient(endpoint="http://hub.test:81").request("GET", "/x").content == b"by proxy"
    (asked,) = proxy.asked
    assert asked.path == "http://hub.test:81/x"
    assert asked.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_tunnel(loopback: Make, reply: Any, authority: Any, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = loopback(lambda asked: reply(body=b"end to end"), tls=authority.server)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with tunnel({"localhost": server.port}) as proxy:
        user = "user:pass@" if scheme == "http" else ""
        monkeypatch.setenv("HTTPS_PROXY", proxy.address(scheme, user))
        client = HubClient(endpoint="https://localhost:4443", token="hf_secret")
        assert client.request("GET", "/x").content == b"end to end"
        assert proxy.asked == ["localhost:4443"]  # a name: the proxy resolves it
        if user:
            assert [c.split()[-1] for c in proxy.credentials] == [b"dXNlcjpwYXNz"]
    assert server.asked[0].headers["authorization"] == "Bearer hf_secret"
    assert "proxy-authorization" not in server.asked[0].headers


def test_a_plain_request_through_socks(loopback: Make, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = loopback(lambda asked: reply(body=b"socks"))
    with tunnel({"hub.test": server.port}) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.address("socks5h"))
        assert HubClient(endpoint="http://hub.test:81").request("GET", "/x").content == b"socks"
        assert proxy.asked == ["hub.test:81"]


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "127.0.0.1:{port}", "other.test, 127.0.0.1", "*"])
def test_no_proxy(loopback: Make, reply: Any, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server, proxy = loopback(lambda asked: reply(body=b"direct")), loopback(lambda asked: reply(body=b"by proxy"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert HubClient(endpoint=server.url).request("GET", "/x").content == b"by proxy"
    monkeypatch.setenv("NO_PROXY", entry.format(port=server.port))
    assert HubClient(endpoint=server.url).request("GET", "/x").content == b"direct"
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{server.port + 1}, 10.0.0.0/8, 127.0.0.11")
    assert HubClient(endpoint=server.url).request("GET", "/x").content == b"by proxy"


def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "ftp://user:secret@h")
    with pytest.raises(HubError, match="HTTP_PROXY") as caught:
        HubClient(endpoint="http://127.0.0.1:9").request("GET", "/x")
    assert "secret" not in str(caught.value)


def test_a_mirror_that_sends_to_the_hub(
    loopback: Make, reply: Any, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, name = "c" * 40, "e" * 40
    hub = loopback(
        lambda asked: reply(body=b"", headers={"X-Repo-Commit": commit, "ETag": f'"{name}"', "Content-Length": "0"}),
        tls=authority.server,
    )
    mirror = loopback(lambda asked: reply(307, headers={"location": f"https://huggingface.co{asked.path}"}))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with tunnel({"huggingface.co": hub.port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address("http"))
        client = HubClient(endpoint=mirror.url, token="hf_of_the_mirror", headers={"X-Key": "hf_of_the_mirror"})
        meta = json.loads(client.file_metadata("dataset", "a/b", "c.txt"))
        client.request("GET", "/api/x")
        assert set(proxy.asked) == {"huggingface.co:443"}
    assert (meta["commit"], meta["etag"], meta["size"]) == (commit, name, 0)
    assert [a.path for a in hub.asked] == ["/datasets/a/b/resolve/main/c.txt", "/api/x"]
    assert all("hf_of_the_mirror" not in str(a.headers) for a in hub.asked)
    assert all(a.headers["authorization"] == "Bearer hf_of_the_mirror" for a in mirror.asked)
