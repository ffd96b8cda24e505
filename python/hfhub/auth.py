"""Tokens: where they are looked for."""

from __future__ import annotations

from _crucible._native import resolve_token


def get_token() -> str | None:
    """The stored token: `HF_TOKEN`, then `HUGGING_FACE_HUB_TOKEN`, then the file `HF_TOKEN_PATH` (`$HF_HOME/token`)."""
    return resolve_token(None)
