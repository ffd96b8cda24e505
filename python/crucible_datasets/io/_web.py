"""Data files at an address: downloaded into the cache, or opened for streaming."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from _crucible._native import HubClient, RemoteFile, Source
from _crucible._settings import datasets_offline
from crucible_datasets.io._files import LocalFile, StorePlace
from hfhub._client import client

_PIECE = 4 << 20


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class WebFile:
    """A file at an `http(s)://` address.

    Attributes:
        url: the address.
        token: for addresses of the hub.
    """

    url: str
    token: str | bool | None = None
    _client: HubClient | None = field(default=None, repr=False)

    def client(self) -> HubClient:
        """The client that asks."""
        if self._client is None:
            self._client = client(token=self.token, offline=datasets_offline())
        return self._client

    def download(self, store: StorePlace, *, force: bool = False) -> LocalFile:
        """The file on this machine; downloaded again only when the server says that it changed.

        Args:
            store: it lies in the folder `downloads`, named by address and version.
            force: whether to download in any case.

        Raises:
            HfHubHTTPError, HubConnectionError: the server does not give it.
            FileNotFoundError: the server does not have it.
        """
        folder = store.folder / "downloads"
        remote = RemoteFile.web(self.client(), self.url)
        version = remote.etag or remote.last_modified
        # The suffixes of the name stay: they tell the format inside of an archive and the compression.
        name = Path(self.url.split("?")[0]).name[-80:]
        path = folder / f"{_digest(self.url)}.{_digest(f'{version}:{remote.size}')[:16]}.{name}"
        if force or version is None or not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"{path.name}.{secrets.token_hex(4)}.incomplete"
            try:
                self._save(remote, temporary)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return LocalFile.of(path)

    def source(self, store: StorePlace) -> Source:
        """The file for streaming: read by ranges where the server knows them, else downloaded.

        Args:
            store: as `download`.

        Raises:
            HfHubHTTPError, HubConnectionError, FileNotFoundError: as `download`.
        """
        remote = RemoteFile.web(self.client(), self.url)
        return Source.remote(remote) if remote.accepts_ranges else Source.local(self.download(store).path)

    @staticmethod
    def _save(remote: RemoteFile, target: Path) -> None:
        stream = remote.stream()
        try:
            with target.open("xb") as out:
                while piece := stream.read(_PIECE):
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
        finally:
            stream.close()
