"""`HubClient.request` and `pages`: what goes out, what comes back, what is refused."""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Callable
from typing import Any

import pytest

from _crucible._native import HubClient
from hfhub.errors import (
    BadRequestError,
    HfHubHTTPError,
    HFValidationError,
    HubConnectionError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

pytestmark = pytest.mark.usefixtures("hf_env")
Make = Callable[..., Any]


def echo(reply: Any) -> Callable[[Any], Any]:
    """Answers with the request itself."""

    def answer(asked: Any) -> Any:
        text = {"method": asked.method, "path": asked.path, "headers": asked.headers, "body": asked.body.decode()}
        return reply(body=json.dumps(text).encode(), headers={"x-some": "thing"})

    return answer


def test_parts_of_a_request(loopback: Make, reply: Any) -> None:
    server = loopback(echo(reply))
    client = HubClient(endpoint=f"{server.url}/prefix/", token="hf_good", headers={"X-Team": "a"})
    got = client.request(
        "get", "/api/datasets", params=[("filter", "a b"), ("filter", "c/d&")], headers={"X-HF-Download-Counter": "1"}
    )
    assert got.status == 200
    assert got.header("X-Some") == "thing"
    assert ("x-some", "thing") in got.headers
    seen = json.loads(got.content)
    assert seen["path"] == "/prefix/api/datasets?filter=a+b&filter=c%2Fd%26"
    assert seen["headers"]["authorization"] == "Bearer hf_good"
    assert seen["headers"]["x-team"] == "a"
    assert seen["headers"]["x-hf-download-counter"] == "1"

    form = client.request("POST", "/api/x", form=[("paths", "a/é"), ("paths", "b"), ("expand", "False")])
    seen = json.loads(form.content)
    assert (seen["method"], seen["body"]) == ("POST", "paths=a%2F%C3%A9&paths=b&expand=False")
    assert seen["headers"]["content-type"] == "application/x-www-form-urlencoded"

    body = json.loads(client.request("PUT", "/x", body=b"{}", content_type="application/json").content)
    assert (body["method"], body["body"], body["headers"]["content-type"]) == ("PUT", "{}", "application/json")
    assert client.request("HEAD", "/x").content == b""


def test_an_address_of_another_origin_gets_neither_token_nor_headers(loopback: Make, reply: Any) -> None:
    server, other = loopback(echo(reply)), loopback(echo(reply))
    client = HubClient(endpoint=server.url, token="hf_good", headers={"X-Team": "a"})
    seen = json.loads(client.request("GET", f"{other.url}/x").content)["headers"]
    assert "authorization" not in seen
    assert "x-team" not in seen
    assert "authorization" in json.loads(client.request("GET", f"{server.url}/x").content)["headers"]


def test_redirects_on_demand(loopback: Make, reply: Any) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/old":
            return reply(307, headers={"location": "/new"})
        if asked.path == "/see":
            return reply(303, headers={"location": "/new"})
        return echo(reply)(asked)

    client = HubClient(endpoint=loopback(answer).url)
    stayed = client.request("GET", "/old", follow=False)
    assert (stayed.status, stayed.header("location")) == (307, "/new")
    kept = json.loads(client.request("POST", "/old", body=b"keep").content)
    assert (kept["method"], kept["body"]) == ("POST", "keep")
    dropped = json.loads(client.request("POST", "/see", body=b"drop").content)
    assert (dropped["method"], dropped["body"]) == ("GET", "")
    assert "content-type" not in dropped["headers"]


def test_errors_and_retries(loopback: Make, reply: Any) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/flaky":
            return reply(503) if sum(a.path == "/flaky" for a in server.asked) < 2 else reply()
        if asked.path == "/always":
            return reply(503)
        if asked.path == "/bad":
            return reply(400, headers={"x-error-message": "no such filter", "x-request-id": "r1"})
        return reply(404, headers={"x-error-code": "RepoNotFound"})

    server = loopback(answer)
    client = HubClient(endpoint=server.url)
    assert client.request("GET", "/flaky").status == 200
    with pytest.raises(HfHubHTTPError) as once:
        client.request("GET", "/always", retry=False)
    assert once.value.status == 503
    assert sum(a.path == "/always" for a in server.asked) == 1
    with pytest.raises(BadRequestError, match="no such filter") as bad:
        client.request("GET", "/bad")
    assert bad.value.request_id == "r1"
    with pytest.raises(RepositoryNotFoundError) as missing:
        client.request("GET", "/api/datasets/a/b", kind="dataset", repo_id="a/b")
    assert missing.value.repo_id == "a/b"
    with pytest.raises(HFValidationError):
        client.request("GET", "/x", kind="dataset", repo_id="a/b/c")
    for wrong in ({"timeout": 0.0}, {"form": [], "body": b""}, {"headers": {"a b": "c"}}, {"headers": {"a": "b\n"}}):
        with pytest.raises(ValueError):  # noqa: PT011
            client.request("GET", "/x", **wrong)  # type: ignore[arg-type]


def test_an_answer_that_is_too_long_is_not_taken(loopback: Make, reply: Any) -> None:
    server = loopback(lambda asked: reply(headers={"content-length": str(1 << 40)}))
    with pytest.raises(HfHubHTTPError, match="longer"):
        HubClient(endpoint=server.url).request("GET", "/x", retry=False)


def test_a_time_limit() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = HubClient(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(HubConnectionError, match="timed out"):
            client.request("GET", "/x", timeout=0.2, retry=False)


def test_offline_asks_nobody(loopback: Make, reply: Any) -> None:
    server = loopback(echo(reply))
    client = HubClient(endpoint=server.url, offline=True)
    with pytest.raises(OfflineModeIsEnabled):
        client.request("GET", "/x")
    with pytest.raises(OfflineModeIsEnabled):
        next(client.pages("/x"))
    assert server.asked == []


def test_pages_are_lazy_and_stay_on_their_origin(loopback: Make, reply: Any) -> None:
    def answer(asked: Any) -> Any:
        number = int(asked.path.partition("cursor=")[2] or 0)
        link = {0: "/list?cursor=1", 1: f"{server.url}/list?cursor=2"}.get(number, f"{other.url}/list?cursor=3")
        return reply(body=b"[%d]" % number, headers={"link": f'<{link}>; rel="next"'})

    other = loopback(echo(reply))
    server = loopback(answer)
    pages = HubClient(endpoint=server.url, token="hf_good").pages("/list", params=[("limit", "2")])
    assert next(pages) == b"[0]"
    assert [a.path for a in server.asked] == ["/list?limit=2"]
    assert next(pages) == b"[1]"
    with pytest.raises(HfHubHTTPError, match="another host"):
        next(pages)
    assert other.asked == []
    loop = loopback(lambda asked: reply(headers={"link": '</list>; rel="next"'}))
    with pytest.raises(HfHubHTTPError, match="does not end"):
        next(HubClient(endpoint=loop.url).pages("/list"))
    end = loopback(lambda asked: reply(body=b"[]"))
    assert list(HubClient(endpoint=end.url).pages("/list")) == [b"[]"]


def test_a_client_pickles_with_its_settings(loopback: Make, reply: Any) -> None:
    server = loopback(echo(reply))
    client = HubClient(endpoint=server.url, token="hf_good", headers={"X-Team": "a"}, etag_timeout=3.5)
    seen = json.loads(pickle.loads(pickle.dumps(client)).request("GET", "/x").content)["headers"]
    assert (seen["x-team"], seen["authorization"]) == ("a", "Bearer hf_good")
    assert "hf_good" not in repr(client)
    with pytest.raises(ValueError, match="etag_timeout"):
        HubClient(etag_timeout=-1)
