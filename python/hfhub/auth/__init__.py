"""Tokens: where they are looked for, how they are stored, how to log in and out.

`get_token` follows the official order; the files are those of the official client, byte for byte.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hfhub.auth._sources import get_token

if TYPE_CHECKING:
    from hfhub.auth._login import (
        StoredToken,
        auth_list,
        auth_switch,
        interpreter_login,
        list_tokens,
        login,
        logout,
    )
    from hfhub.auth._store import get_stored_tokens

# The login asks the API who a token belongs to, and the API asks this package for tokens: hence not at import.
_HOME = {
    **dict.fromkeys(
        ("StoredToken", "auth_list", "auth_switch", "interpreter_login", "list_tokens", "login", "logout"),
        "hfhub.auth._login",
    ),
    "get_stored_tokens": "hfhub.auth._store",
}

__all__ = [
    "StoredToken",
    "auth_list",
    "auth_switch",
    "get_stored_tokens",
    "get_token",
    "interpreter_login",
    "list_tokens",
    "login",
    "logout",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in _HOME:
        msg = f"module 'hfhub.auth' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
