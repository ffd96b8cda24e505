"""Where a token comes from, in the official order.

1. The identity of a CI job, if `HF_OIDC_RESOURCE` is set.
2. `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`.
3. The token file; a token of the browser login is renewed before it expires.
4. The secret `HF_TOKEN` of a Colab notebook.

The extension knows 2 and 3 by itself. `for_client` gives it what it cannot know.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from _crucible._hub_settings import AuthSettings, auth_settings


def clean(token: str | None) -> str | None:
    """A token without line ends and surrounding blanks; None if nothing is left."""
    if token is None:
        return None
    return token.replace("\r", "").replace("\n", "").strip() or None


def environment_token() -> str | None:
    """The token of the environment."""
    return clean(auth_settings().token)


def file_token() -> str | None:
    """The token of the token file, as it stands."""
    return _read(auth_settings())


def _read(settings: AuthSettings) -> str | None:
    try:
        with open(settings.token_file, encoding="utf-8", errors="strict") as file:  # noqa: PTH123  # no pathlib here
            return clean(file.read())
    except (OSError, UnicodeDecodeError):
        return None


def get_token() -> str | None:
    """The stored token, or None.

    Looked for in this order: the exchange of a CI job's identity (if `HF_OIDC_RESOURCE` is set); `HF_TOKEN`, then
    `HUGGING_FACE_HUB_TOKEN`; the file `HF_TOKEN_PATH` (`$HF_HOME/token`), renewed if it came from a browser login and
    has less than a day left; the secret of a Colab notebook.

    Raises:
        OIDCError: `HF_OIDC_RESOURCE` is set, but there is no identity to exchange, or the hub refuses it.
    """
    settings = auth_settings()
    if settings.oidc_resource is not None:
        return _part("_oidc").token(settings)  # type: ignore[no-any-return]
    return clean(settings.token) or _file(settings) or _colab(settings)


def for_client(token: str | bool | None) -> str | bool | None:
    """A `token=` argument for the extension: itself, or the token where the extension cannot find it alone.

    A token that the extension finds by itself is not handed over: what is not in an object cannot leak from it.
    """
    if isinstance(token, str) or token is False:
        return token
    settings = auth_settings()
    if token is None and not settings.implicit:
        return token
    if settings.oidc_resource is not None:
        return _part("_oidc").token(settings)  # type: ignore[no-any-return]
    if clean(settings.token) is not None:
        return token
    renewed = _file(settings)
    if renewed is not None:
        return token if renewed == _read(settings) else renewed
    return _colab(settings) or token


def _file(settings: AuthSettings) -> str | None:
    token = _read(settings)
    if token is None:
        return None
    return _part("_refresh").renewed(token, settings)  # type: ignore[no-any-return]


def _colab(settings: AuthSettings) -> str | None:
    if "google.colab" not in sys.modules or not settings.colab_secrets:
        return None
    return _part("_colab").token()  # type: ignore[no-any-return]


def _part(name: str) -> ModuleType:
    """A part that few need: imported when it is."""
    return importlib.import_module(f"hfhub.auth.{name}")
