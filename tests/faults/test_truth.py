"""Errors come soon and say what is the matter; tokens go nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faulthub import FaultHub, faults
from faulthub.server import closed_port
from hfhub import HfApi, hf_hub_download, snapshot_download
from hfhub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HubConnectionError,
    LocalEntryNotFoundError,
    UnauthorizedError,
)

ID = "org/data"


@pytest.fixture
def hub(fault_hub: FaultHub, fault_env: Path) -> FaultHub:
    fault_hub.repo("dataset", ID).commit({"small.txt": b"small", "large.bin": b"large" * 1000})
    return fault_hub


def said(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def causes(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def test_a_refused_connection_ends_soon(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HFHUB_RETRY_BASE_MS", "HFHUB_MAX_RETRIES"):  # the policy as users have it
        monkeypatch.delenv(name)
    with closed_port() as port:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(LocalEntryNotFoundError) as caught:
            hf_hub_download(ID, "small.txt", repo_type="dataset")
        assert time.monotonic() - began < 5
        with pytest.raises(HubConnectionError) as plain:
            HfApi().dataset_info(ID)
    for error in (caught.value, plain.value):
        assert "refused" in str(error).lower()
        assert any(type(c) is OSError or isinstance(c, ConnectionError) for c in causes(error))
        assert str(port) in said(error)


def test_an_unknown_host_is_named(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://no-such-host.invalid")
    with pytest.raises(LocalEntryNotFoundError, match=r"no-such-host\.invalid") as caught:
        hf_hub_download(ID, "small.txt", repo_type="dataset")
    assert any(isinstance(c, HubConnectionError) for c in causes(caught.value))


@pytest.mark.parametrize("token", [False, "hf_other"])
def test_a_gated_repository_says_where_to_ask(hub: FaultHub, token: str | bool) -> None:
    hub.repo("dataset", "org/gated", gated="manual").commit({"a.txt": b"a"})
    with pytest.raises(GatedRepoError) as caught:
        hf_hub_download("org/gated", "a.txt", repo_type="dataset", token=token)
    assert f"{hub.url}/datasets/org/gated" in said(caught.value)
    assert "hf_other" not in said(caught.value)
    assert Path(hf_hub_download("org/gated", "a.txt", repo_type="dataset", token="hf_good")).read_bytes() == b"a"


def test_a_bad_token_is_told_from_a_missing_repository(hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_stale")
    with pytest.raises(UnauthorizedError) as caught:
        hf_hub_download(ID, "small.txt", repo_type="dataset")
    assert "HF_TOKEN" in said(caught.value)
    assert "token=False" in said(caught.value)
    assert "hf_stale" not in said(caught.value)
    assert Path(hf_hub_download(ID, "small.txt", repo_type="dataset", token=False)).read_bytes() == b"small"


def test_errors_have_the_request_id(hub: FaultHub) -> None:
    for call in (
        lambda: HfApi().dataset_info("org/none"),
        lambda: HfApi().dataset_info(ID, revision="v9"),
        lambda: hf_hub_download(ID, "absent", repo_type="dataset"),
    ):
        with pytest.raises(HfHubHTTPError) as caught:
            call()
        assert str(caught.value.request_id).startswith("Root=1-")
        assert str(caught.value.request_id) in said(caught.value)


def test_a_login_page_is_called_one(hub: FaultHub) -> None:
    hub.fault(".", faults.login_page())
    with pytest.raises(HfHubHTTPError) as caught:
        HfApi().dataset_info(ID)
    assert "login" in said(caught.value)


def test_an_endpoint_below_a_path(fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultHub(prefix="/mirror/hf") as hub:
        hub.repo("dataset", ID, private=True).commit({"small.txt": b"small", "large.bin": b"large" * 1000})
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        folder = Path(snapshot_download(ID, repo_type="dataset", token="hf_good"))
        assert (folder / "large.bin").read_bytes() == b"large" * 1000
        assert Path(hf_hub_download(ID, "small.txt", repo_type="dataset", token="hf_good")).read_bytes() == b"small"
        assert all(line.path.startswith("/mirror/hf/") for line in hub.requests(origin="hub"))
        assert hub.tokens_on("hub") == {"hf_good"}
        assert hub.tokens_on("cdn") == set()


ROUTES = ("/api/datasets/", "/tree/", "/resolve/", "resolve-cache", "/paths-info/", "whoami", "/refs", "/commits")


@pytest.mark.filterwarnings("ignore:.*is used as it is")
@pytest.mark.parametrize("route", ROUTES)
def test_tokens_are_seen_by_the_hub_alone(hub: FaultHub, route: str) -> None:
    """A route of the hub sends the client to a stranger, who answers as a hub would."""
    hub.repo("dataset", "org/mine", private=True).commit({"m.txt": b"m", "m.bin": b"M" * 1000})
    hub.fault(route, faults.redirect(hub.foreign_url + "{target}"), origin="hub")
    api = HfApi(token="hf_good")
    calls: list[Callable[[], object]] = [
        lambda: api.dataset_info("org/mine"),
        lambda: api.list_repo_files("org/mine", repo_type="dataset"),
        lambda: api.get_paths_info("org/mine", ["m.txt"], repo_type="dataset"),
        lambda: list(api.list_repo_commits("org/mine", repo_type="dataset")),
        lambda: api.list_repo_refs("org/mine", repo_type="dataset"),
        api.whoami,
        lambda: hf_hub_download("org/mine", "m.txt", repo_type="dataset", token="hf_good"),
        lambda: hf_hub_download("org/mine", "m.bin", repo_type="dataset", token="hf_good"),
        lambda: snapshot_download("org/mine", repo_type="dataset", token="hf_good"),
    ]
    for number, call in enumerate(calls):
        try:
            call()
        except HfHubHTTPError as error:
            assert "hf_good" not in f"{error!r}{said(error)}{error.__dict__}", number
    assert hub.requests(origin="foreign")
    assert hub.tokens_on("hub") == {"hf_good"}
    assert hub.tokens_on("foreign") == set()
    assert hub.tokens_on("cdn") == set()
