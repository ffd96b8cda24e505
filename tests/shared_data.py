"""Where the folder of real data lies: `shared/data` beside the checkout, or beside a folder above it."""

from __future__ import annotations

from pathlib import Path

_FOLDERS = [above / "shared" / "data" for above in Path(__file__).resolve().parents]
SHARED = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[1])
