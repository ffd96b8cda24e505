"""A token for a CI job: its identity, exchanged at the hub (RFC 8693)."""

from __future__ import annotations

import json
import os
import threading
import time
from urllib.parse import urlsplit

from _crucible._hub_settings import AuthSettings
from _crucible.errors import HubError, OIDCError
from hfhub._client import client

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
_MARGIN = 300  # seconds before its end at which a token is exchanged anew


class _Memory:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.of: tuple[str, str] | None = None  # resource and hub
        self.token = ""
        self.until = 0.0


_memory = _Memory()


def token(settings: AuthSettings) -> str:
    """The token for `HF_OIDC_RESOURCE`.

    Raises:
        OIDCError: no identity, or the exchange failed. Never a silent fall-back: who sets the variable wants it.
    """
    global _memory  # noqa: PLW0603  # one per process
    if _memory.pid != os.getpid():
        _memory = _Memory()
    memory, hub = _memory, client(None, False)
    key = (settings.oidc_resource or "", hub.endpoint)
    with memory.lock:
        if memory.of != key or time.monotonic() >= memory.until:
            identity = settings.oidc_id_token or _identity(settings, hub.endpoint)
            # An identity from outside cannot be asked for again: its token is used to the end.
            margin = 0 if settings.oidc_id_token else _MARGIN
            memory.token, lifetime = _exchanged(identity, key[0])
            memory.of, memory.until = key, time.monotonic() + max(lifetime - margin, 0)
        return memory.token


def _identity(settings: AuthSettings, audience: str) -> str:
    if not settings.github_url or not settings.github_token:
        msg = (
            "HF_OIDC_RESOURCE is set, but there is no identity to exchange: set HF_OIDC_ID_TOKEN, or in GitHub Actions "
            "give the job `permissions: id-token: write`"
        )
        raise OIDCError(msg)
    parts = urlsplit(settings.github_url)
    provider = client(f"{parts.scheme}://{parts.netloc}", False)
    try:
        answer = provider.request(
            "GET",
            settings.github_url,
            params=[("audience", audience)],
            headers={"authorization": f"Bearer {settings.github_token}"},
            follow=False,
        )
        return str(json.loads(answer.content)["value"])
    except (HubError, ValueError, KeyError, TypeError) as error:
        msg = f"GitHub Actions gave no identity: {error}"
        raise OIDCError(msg) from error


def _exchanged(identity: str, resource: str) -> tuple[str, float]:
    body = {
        "grant_type": _EXCHANGE,
        "subject_token_type": _ID_TOKEN,
        "subject_token": identity,
        "resource": resource,
    }
    try:
        answer = client(None, False).request(
            "POST", "/oauth/token", body=json.dumps(body).encode(), content_type="application/json"
        )
        data = json.loads(answer.content)
        return str(data["access_token"]), float(data.get("expires_in", 3600))
    except (HubError, ValueError, KeyError, TypeError) as error:
        msg = f"the hub did not exchange the job's identity for {resource}: {error}"
        raise OIDCError(msg) from error
