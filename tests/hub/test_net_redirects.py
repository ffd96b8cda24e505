"""Who sees the token: redirects and pages over pairs of origins. And redirects that do not end, or lead nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from _crucible._native import HubClient
from hfhub import hf_hub_download
from hfhub.errors import HfHubHTTPError, HubError

pytestmark = pytest.mark.usefixtures("hf_env")
Make = Callable[..., Any]
TOKEN = "hf_only_for_the_endpoint"


class Origins:
    """Four servers: two plain, two with TLS. `/go?n` sends on to the n-th target; other paths answer."""

    def __init__(self, loopback: Make, reply: Any, authority: Any) -> None:
        self.reply, self.target, self.status = reply, "", 302
        tls = authority.server
        self.servers = {
            "http": loopback(self.answer),
            "http2": loopback(self.answer),
            "https": loopback(self.answer, tls=tls),
            "https2": loopback(self.answer, tls=tls),
        }

    def answer(self, asked: Any) -> Any:
        if asked.path.endswith("/go"):
            return self.reply(self.status, headers={"location": self.target})
        if asked.path.endswith("/page"):
            return self.reply(headers={"link": f'<{self.target}>; rel="next"'})
        return self.reply()

    def place(self, name: str) -> str:
        """`http`, `https2@localhost`, `http/prefix`…: the address of a server under a host name and path."""
        server, _, rest = name.partition("@")
        host, slash, path = (rest or "127.0.0.1").partition("/")
        if not rest:
            server, slash, path = server.partition("/")
        made = self.servers[server]
        return f"{made.scheme}://{host}:{made.port}{slash}{path}"

    def forget(self) -> None:
        for server in self.servers.values():
            server.asked.clear()

    def tokens(self) -> list[tuple[str, str, str]]:
        """(server, host header, path) of every request that had the token."""
        return [
            (name, asked.headers["host"], asked.path)
            for name, server in self.servers.items()
            for asked in server.asked
            if TOKEN in asked.headers.get("authorization", "")
        ]


@pytest.fixture
def origins(loopback: Make, reply: Any, authority: Any, monkeypatch: pytest.MonkeyPatch) -> Origins:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return Origins(loopback, reply, authority)


# endpoint, target, whether the target may see the token
PAIRS = [
    ("http", "http", True),
    ("http", "http2", False),  # another port
    ("http", "http@localhost", False),  # another name of the same host
    ("http", "https", False),
    ("http/prefix", "http/prefix", True),
    ("http/prefix", "http/elsewhere", True),  # an origin has no path
    ("http/prefix", "http2/prefix", False),
    ("http/prefix", "https/prefix", False),
    ("https", "https", True),
    ("https", "https2", False),
    ("https", "https@localhost", False),
    ("https", "http", False),  # a downgrade
    ("https/prefix", "https/elsewhere", True),
    ("https/prefix", "http/prefix", False),
    ("http@localhost", "http@localhost", True),
    ("http@localhost", "http", False),
]


@pytest.mark.parametrize(("endpoint", "target", "allowed"), PAIRS)
def test_redirects(origins: Origins, endpoint: str, target: str, allowed: bool) -> None:
    client = HubClient(endpoint=origins.place(endpoint), token=TOKEN, headers={"X-Secret": TOKEN})
    for status in (301, 302, 303, 307, 308):
        origins.forget()
        origins.target, origins.status = f"{origins.place(target)}/end", status
        answer = client.request("GET", "/go", headers={"Cookie": TOKEN})
        assert answer.url == origins.target
        seen = [path for _, _, path in origins.tokens()]
        assert sum(path.endswith("/go") for path in seen) == 1
        assert sum(path.endswith("/end") for path in seen) == allowed
        ends = [a for s in origins.servers.values() for a in s.asked if a.path.endswith("/end")]
        assert len(ends) == 1
        assert (TOKEN in str(ends[0].headers)) == allowed  # in no other header either


@pytest.mark.parametrize(("endpoint", "target", "allowed"), PAIRS)
def test_pages(origins: Origins, endpoint: str, target: str, allowed: bool) -> None:
    origins.target = f"{origins.place(target)}/end"
    pages = HubClient(endpoint=origins.place(endpoint), token=TOKEN).pages("/page")
    if allowed:
        assert len(list(pages)) == 2
        return
    with pytest.raises(HfHubHTTPError, match="another host"):
        list(pages)
    asked = [a for s in origins.servers.values() for a in s.asked]
    assert len(asked) == 1


def test_there_and_back(origins: Origins, loopback: Make, reply: Any) -> None:
    # Away and back again: the token is for the endpoint, and for it alone.
    back = loopback(lambda asked: reply(302, headers={"location": f"{origins.place('http')}/end"}))
    origins.target = f"{back.url}/x"
    HubClient(endpoint=origins.place("http"), token=TOKEN).request("GET", "/go")
    assert TOKEN not in str([a.headers for a in back.asked])
    assert len(origins.tokens()) == 2


@pytest.mark.parametrize("location", ["/end", "end?x=1", "//127.0.0.1:{port}/end", "http://u:p@127.0.0.1:{port}/end"])
def test_locations(origins: Origins, location: str) -> None:
    origins.target = location.format(port=origins.servers["http"].port)
    answer = HubClient(endpoint=origins.place("http"), token=TOKEN).request("GET", "/go")
    assert answer.status == 200
    assert "u:p" not in answer.url
    assert len(origins.tokens()) == 2


@pytest.mark.parametrize(
    ("location", "text"),
    [("/go", "redirects"), ("ftp://h/x", "not HTTP"), ("http://[", "cannot be read"), ("file:///etc/passwd", "HTTP")],
)
def test_redirects_that_lead_nowhere(origins: Origins, location: str, text: str) -> None:
    origins.target = location
    with pytest.raises(HfHubHTTPError, match=text) as caught:
        HubClient(endpoint=origins.place("http"), token=TOKEN).request("GET", "/go")
    assert caught.value.url is not None
    assert len(origins.servers["http"].asked) <= 21


def test_a_download_that_redirects_for_ever(loopback: Make, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = loopback(lambda asked: reply(307, headers={"location": asked.path}))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with pytest.raises(HubError, match="redirects"):
        hf_hub_download("org/small", "a.txt", repo_type="dataset")


def test_a_mirror_that_passes_on_links_of_the_hub(loopback: Make, reply: Any) -> None:
    def answer(asked: Any) -> Any:
        more = "cursor" not in asked.path
        link = '<https://huggingface.co/api/datasets/a/b/tree/main?cursor=2>; rel="next"'
        return reply(body=b"[]", headers={"link": link} if more else {})

    server = loopback(answer)
    client = HubClient(endpoint=f"{server.url}/hub", token=TOKEN)
    assert len(list(client.pages("/api/datasets/a/b/tree/main"))) == 2
    assert [a.path for a in server.asked] == [
        "/hub/api/datasets/a/b/tree/main",
        "/hub/api/datasets/a/b/tree/main?cursor=2",
    ]
