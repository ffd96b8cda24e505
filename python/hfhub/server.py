"""`HubServer`: a read-only hub over a folder of repositories.

The folder holds `datasets/<org>/<name>/…`, `models/<org>/<name>/…` and `spaces/…`. See `docs/server.md`.
"""

from __future__ import annotations

from _crucible._native import HubServer

__all__ = ["HubServer"]
