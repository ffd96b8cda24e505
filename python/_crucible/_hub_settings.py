"""Settings that each download reads from the environment, without the modules that are slow to import."""

from __future__ import annotations

import os
from typing import NamedTuple

#: What the official client takes for a yes.
TRUE = frozenset({"1", "ON", "YES", "TRUE"})


class BarSettings(NamedTuple):
    """What the environment says about progress bars.

    Attributes:
        switch: False or True where the environment decides (the variable is 1 or 0), None where code may.
        everywhere: whether bars are drawn where there is no terminal too (`TQDM_POSITION=-1`, as in the official
            client).
    """

    switch: bool | None
    everywhere: bool


def bar_settings(variable: str = "HF_HUB_DISABLE_PROGRESS_BARS") -> BarSettings:
    """Reads the settings of progress bars from the environment: each download asks."""
    disabled = os.environ.get(variable)
    return BarSettings(
        switch=None if disabled is None else disabled.upper() not in TRUE,
        everywhere=os.environ.get("TQDM_POSITION") == "-1",
    )


class AuthSettings(NamedTuple):
    """What the environment says about tokens.

    Attributes:
        token: `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, as they stand.
        token_file: file of the active token (`HF_TOKEN_PATH`, else `$HF_HOME/token`).
        stored_tokens: file of the named tokens, beside it.
        oidc_resource: what a token of the CI's identity is asked for (`HF_OIDC_RESOURCE`).
        oidc_id_token: an identity token that is ready (`HF_OIDC_ID_TOKEN`).
        github_url: where GitHub Actions gives identity tokens; None outside of it.
        github_token: the secret for that.
        client_id: how this client names itself in the browser login.
        colab_secrets: whether secrets of a Colab notebook may be asked for.
        implicit: whether a stored token may be sent without being asked for (`HF_HUB_DISABLE_IMPLICIT_TOKEN` unset).
    """

    token: str | None
    token_file: str
    stored_tokens: str
    oidc_resource: str | None
    oidc_id_token: str | None
    github_url: str | None
    github_token: str | None
    client_id: str
    colab_secrets: bool
    implicit: bool

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"AuthSettings(token_file={self.token_file!r}, implicit={self.implicit!r}, ...)"


# The public client id of the official command line: the Hub knows no other for this login.
_CLIENT_ID = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"


def auth_settings() -> AuthSettings:
    """Reads the settings of tokens from the environment."""
    env = os.environ
    home = env.get("HF_HOME") or os.path.join(env.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    path = env.get("HF_TOKEN_PATH") or os.path.join(home, "token")  # noqa: PTH118  # asked for often: no Path
    token_file = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111
    github = env.get("GITHUB_ACTIONS") == "true"
    return AuthSettings(
        token=env.get("HF_TOKEN") or env.get("HUGGING_FACE_HUB_TOKEN"),
        token_file=token_file,
        stored_tokens=os.path.join(os.path.dirname(token_file), "stored_tokens"),  # noqa: PTH118, PTH120
        oidc_resource=env.get("HF_OIDC_RESOURCE") or None,
        oidc_id_token=env.get("HF_OIDC_ID_TOKEN") or None,
        github_url=env.get("ACTIONS_ID_TOKEN_REQUEST_URL") if github else None,
        github_token=env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN") if github else None,
        client_id=env.get("HF_DEVICE_CODE_OAUTH_CLIENT_ID") or _CLIENT_ID,
        colab_secrets=env.get("VERTEX_PRODUCT") != "COLAB_ENTERPRISE",
        implicit=env.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() not in TRUE,
    )
