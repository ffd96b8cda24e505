"""Renewal of a token that came from a browser login, before it expires."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from pathlib import Path

from _crucible._hub_settings import AuthSettings, auth_settings
from _crucible.errors import DeviceCodeError, HubError
from hfhub.auth import _store
from hfhub.auth._oauth import refresh
from hfhub.auth._sources import file_token

_MARGIN = 24 * 3600  # seconds of validity below which a token is renewed, as in the official client
_RECHECK = 300  # seconds for which an answer is remembered
_log = logging.getLogger("hfhub.auth")


class _Memory:
    """What this process knows. Another process after a fork: its lock may have been held."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.of: tuple[str, str] | None = None  # the file of names and the token in the token file
        self.token = ""
        self.until = 0.0
        self.warned = False


_memory = _Memory()


def renewed(token: str, settings: AuthSettings) -> str:
    """The token of the token file, or its successor. Never fails: a token that is truly void the hub will refuse."""
    global _memory  # noqa: PLW0603  # one per process
    if _memory.pid != os.getpid():
        _memory = _Memory()
    memory, key = _memory, (settings.stored_tokens, token)
    with memory.lock:
        if memory.of != key or time.time() >= memory.until:
            memory.token, memory.until = _renew(token, memory)
            memory.of = (settings.stored_tokens, file_token() or token)
            if memory.of[1] != memory.token:  # the token file could not be changed
                memory.of = key
        return memory.token


def _renew(token: str, memory: _Memory) -> tuple[str, float]:
    """The token to use, and until when to believe that."""
    now = time.time()
    name, fields = next(
        ((name, fields) for name, fields in _store.read_tokens().items() if fields.get("hf_token") == token),
        (None, {}),
    )
    expires = _store.expiry(fields)
    if name is None or fields.get("refresh_token") is None or expires is None:
        # Another process may have renewed it just now.
        current = file_token()
        return (current, 0.0) if current is not None and current != token else (token, now + _RECHECK)
    if expires - _MARGIN > now:
        return token, expires - _MARGIN
    try:
        with _store.locked():
            fields = _store.read_tokens().get(name, {})
            if fields.get("hf_token") != token:  # renewed by another process
                new, expires = fields.get("hf_token") or token, _store.expiry(fields)
            else:
                grant = refresh(fields["refresh_token"])
                new, expires = grant.access_token, grant.expires_at
                _store.save_token(
                    new, name, refresh_token=grant.refresh_token or fields["refresh_token"], expires_at=expires
                )
                if file_token() == token:  # nobody switched in between
                    _store.write_secret(Path(auth_settings().token_file), new)
    except DeviceCodeError as error:
        if error.error_code == "invalid_grant":
            _log.warning("The stored token expired and cannot be renewed: log in again. (%s)", error)
            return token, math.inf
        return _later(error, memory, token, now)
    except (HubError, OSError) as error:
        return _later(error, memory, token, now)
    return new, max(now + _RECHECK, (expires or 0) - _MARGIN)


def _later(error: Exception, memory: _Memory, token: str, now: float) -> tuple[str, float]:
    if not memory.warned:
        memory.warned = True
        _log.warning("The stored token could not be renewed: %s. It will be tried again.", error)
    return token, now + _RECHECK
