"""What goes wrong, as users see it: classes they catch, texts that say what to do, nothing half-done on disk."""

from __future__ import annotations

import json
import pickle
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfhub import HfApi, HubServer, hf_hub_download, snapshot_download
from hfhub.errors import (
    GatedRepoError,
    HFValidationError,
    HubConnectionError,
    HubError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    StaleCacheWarning,
    UnauthorizedError,
)

pytestmark = pytest.mark.usefixtures("hf_env")


@pytest.mark.parametrize(
    ("call", "error", "bases"),
    [
        (lambda: HfApi().dataset_info("org/none"), RepositoryNotFoundError, (OSError, FileNotFoundError)),
        (lambda: HfApi().dataset_info("org/secret"), RepositoryNotFoundError, (OSError,)),
        (lambda: HfApi().dataset_info("org/small", revision="v9"), RevisionNotFoundError, (OSError,)),
        (lambda: hf_hub_download("org/small", "x.txt", repo_type="dataset"), RemoteEntryNotFoundError, (OSError,)),
        (lambda: HfApi().dataset_info("a/b/c"), HFValidationError, (ValueError,)),
        (lambda: HfApi().dataset_info("../etc"), HFValidationError, (ValueError,)),
        (lambda: HfApi(token="hf_wrong").dataset_info("org/small"), UnauthorizedError, (PermissionError, OSError)),
        (lambda: HfApi().dataset_info("org/small", revision="../../x"), HFValidationError, (ValueError,)),
    ],
)
def test_classes(call: Callable[[], Any], error: type[Exception], bases: tuple[type[Exception], ...]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, bases)
    assert "hf_wrong" not in str(caught.value)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.repo_id) == (type(caught.value), str(caught.value), caught.value.repo_id)


def test_private_and_gated(hub: HubServer, hub_root: Path) -> None:
    for name in ("secret", "gated"):
        repo = hub_root / "datasets" / "org" / name
        repo.mkdir()
        (repo / "a.txt").write_text("x")
    with pytest.raises(RepositoryNotFoundError) as caught:
        hf_hub_download("org/secret", "a.txt", repo_type="dataset")
    assert any("HF_TOKEN" in note for note in caught.value.__notes__)
    assert Path(hf_hub_download("org/secret", "a.txt", repo_type="dataset", token="hf_good")).read_text() == "x"
    with pytest.raises(GatedRepoError) as gated:
        hf_hub_download("org/gated", "a.txt", repo_type="dataset")
    assert isinstance(gated.value, PermissionError)
    assert any("access" in note for note in gated.value.__notes__)
    assert Path(hf_hub_download("org/gated", "a.txt", repo_type="dataset", token="hf_good")).read_text() == "x"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(HubConnectionError, match="refused"):
        HfApi().dataset_info("org/small")
    with pytest.raises(LocalEntryNotFoundError) as caught:
        hf_hub_download("org/small", "README.md", repo_type="dataset")
    assert isinstance(caught.value.__cause__, HubConnectionError)


def test_no_network_with_a_warm_cache(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hf_hub_download("org/small", "README.md", repo_type="dataset")
    folder = snapshot_download("org/small", repo_type="dataset")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    with pytest.warns(StaleCacheWarning, match="refused"):
        assert hf_hub_download("org/small", "README.md", repo_type="dataset") == path
    assert snapshot_download("org/small", repo_type="dataset") == folder  # warned of once


def test_offline(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LocalEntryNotFoundError) as caught:
        hf_hub_download("org/small", "README.md", repo_type="dataset")
    assert isinstance(caught.value, FileNotFoundError)
    assert any("HF_HUB_OFFLINE" in note for note in caught.value.__notes__)
    with pytest.raises(OfflineModeIsEnabled) as offline:
        HfApi().dataset_info("org/small")
    assert isinstance(offline.value, ConnectionError)
    with pytest.raises(LocalEntryNotFoundError):
        snapshot_download("org/small", repo_type="dataset")
    assert hub.requests() == []


DISK_FULL = """
import json, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from hfhub import hf_hub_download
from hfhub.errors import DiskFullError
try:
    hf_hub_download("org/small", "data/big.bin", repo_type="dataset")
except DiskFullError as error:
    print(json.dumps({"text": str(error), "oserror": isinstance(error, OSError)}))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE") or not hasattr(signal, "SIGXFSZ"), reason="POSIX limits")
def test_disk_full(python: Callable[..., Any], hf_env: Path) -> None:
    # A limit on the size of files stands for a full disk: writing fails half-way, without any rights needed.
    result = python(DISK_FULL)
    assert result["oserror"]
    assert "big.bin" in result["text"] or "blobs" in result["text"]
    assert not list((hf_env / "hub").glob("*/blobs/*"))


def test_a_listing_on_another_host_is_not_followed(hub: HubServer) -> None:
    elsewhere = f'<http://127.0.0.1:{closed_port()}/api/x>; rel="next"'
    hub.add_fault(json.dumps({"path": "/tree/", "action": "status", "status": 200, "headers": {"link": elsewhere}}))
    with pytest.raises(HubError):
        HfApi(token="hf_good").list_repo_files("org/small", repo_type="dataset")


def test_the_token_is_not_sent_to_another_host(hub: HubServer, hub_root: Path) -> None:
    with HubServer(str(hub_root), tokens=["hf_good"], private=["org/small"]) as other:
        place = f"{other.url}/datasets/org/small/resolve/main/README.md"
        hub.add_fault(json.dumps({"path": "README.md", "action": "redirect", "location": place}))
        # With the token the other host would show its private file; without it, it says there is none.
        with pytest.raises(HubError):
            hf_hub_download("org/small", "README.md", repo_type="dataset", token="hf_good")
        assert {r[2] for r in other.requests()} <= {401}


def test_repr_and_errors_do_not_show_the_token() -> None:
    api = HfApi(token="hf_very_secret")
    assert "secret" not in repr(api)
    with pytest.raises(UnauthorizedError) as caught:
        api.dataset_info("org/small")
    assert "secret" not in repr(caught.value) + str(caught.value.__dict__)
