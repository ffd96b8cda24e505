"""The hub's OAuth: the login by a browser, and the renewal of its tokens (RFC 8628, RFC 6749)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from _crucible._hub_settings import auth_settings
from _crucible.errors import DeviceCodeError, HubError
from hfhub._client import client

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_TIMEOUT = 10.0  # seconds; a renewal runs inside other calls, so it must end
# The hub says how often it may be asked; these keep an odd answer from a busy loop or an endless wait.
_LEAST_INTERVAL, _LONGEST_WAIT = 0.05, 3600.0


@dataclass(frozen=True)
class DeviceCode:
    """What a user needs to grant a login.

    Attributes:
        user_code: code to type.
        verification_uri: page to open.
        verification_uri_complete: the same page with the code filled in, where the hub offers it.
        device_code: secret of this login.
        interval: seconds between questions.
        expires_in: seconds until the code is void.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str
    device_code: str = field(repr=False)
    interval: float
    expires_in: float


@dataclass(frozen=True)
class Grant:
    """Tokens that the hub granted.

    Attributes:
        access_token: the token.
        refresh_token: what renews it.
        expires_at: when it expires, in seconds since 1970.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: int | None = None


def _post(path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of an answer, whatever the status is."""
    answer = client(None, False).request(
        "POST", path, form=list(form.items()), timeout=_TIMEOUT, retry=False, check=False
    )
    try:
        data = json.loads(answer.content)
    except ValueError:
        data = {}
    return answer.status, data if isinstance(data, dict) else {}


def _failure(what: str, status: int, data: dict[str, Any]) -> DeviceCodeError:
    code = data.get("error")
    said = data.get("error_description")
    text = f"{what}: {code if isinstance(code, str) else f'HTTP {status}'}"
    error = DeviceCodeError(f"{text} - {said}" if isinstance(said, str) and said else text)
    error.error_code = code if isinstance(code, str) else None
    return error


def request_device_code() -> DeviceCode:
    """Begins a login by browser.

    Raises:
        DeviceCodeError: the hub refuses, or cannot be reached.
    """
    try:
        status, data = _post("/oauth/device", {"client_id": auth_settings().client_id})
    except HubError as error:
        msg = f"asking for a login code failed: {error}"
        raise DeviceCodeError(msg) from error
    try:
        page = str(data["verification_uri"])
        return DeviceCode(
            user_code=str(data["user_code"]),
            verification_uri=page,
            verification_uri_complete=str(data.get("verification_uri_complete") or page),
            device_code=str(data["device_code"]),
            interval=float(data.get("interval", 5)),
            expires_in=float(data.get("expires_in", 900)),
        )
    except (KeyError, TypeError, ValueError):
        raise _failure("asking for a login code failed", status, data) from None


def poll_device_token(
    code: DeviceCode,
    *,
    on_pending: Callable[[], object] | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Grant:
    """Waits until the user grants the login.

    Args:
        code: the login.
        on_pending: called after each answer that says "not yet".
        sleep: how to wait.

    Raises:
        DeviceCodeError: denied, expired, or refused.
    """
    interval = max(code.interval, _LEAST_INTERVAL)
    deadline = time.monotonic() + min(code.expires_in, _LONGEST_WAIT)
    form = {"grant_type": _DEVICE_GRANT, "device_code": code.device_code, "client_id": auth_settings().client_id}
    while time.monotonic() < deadline:
        try:
            status, data = _post("/oauth/token", form)
        except HubError:  # a network that fails for a moment does not end the login
            status, data = 503, {}
        said = data.get("error")
        if "access_token" in data:
            return _grant(data)
        if said == "authorization_pending":
            if on_pending is not None:
                on_pending()
        elif said == "slow_down":
            interval += 5
        elif isinstance(said, str) and status < 500:
            raise _failure("the login was not granted", status, data)
        sleep(interval)
    error = DeviceCodeError("the login code expired: log in again")
    error.error_code = "expired_token"
    raise error


def refresh(refresh_token: str) -> Grant:
    """Renews a token.

    Raises:
        DeviceCodeError: the hub refuses (`error_code` is `invalid_grant` when only a new login helps).
        HubConnectionError: it cannot be reached.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": auth_settings().client_id,
    }
    status, data = _post("/oauth/token", form)
    if "access_token" not in data:
        raise _failure("the token could not be renewed", status, data)
    return _grant(data)


def _grant(data: dict[str, Any]) -> Grant:
    lifetime, renewal = data.get("expires_in"), data.get("refresh_token")
    return Grant(
        str(data["access_token"]),
        renewal if isinstance(renewal, str) else None,
        int(time.time()) + int(lifetime) if isinstance(lifetime, (int, float)) and lifetime else None,
    )
