"""Results of `map` and `filter` that are kept: where, under which name, and how they are deleted."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _crucible._settings import settings
from crucible_datasets.dataset._home import Home
from crucible_datasets.dataset._kept import KeptFile
from crucible_datasets.dataset._order import OrderMixin
from crucible_datasets.dataset._spill import process_folder
from crucible_datasets.fingerprint import fingerprint_of, is_caching_enabled
from crucible_datasets.store import clean_store, remove_dead_folders, remove_leftovers


class KeepMixin(OrderMixin):
    """Kept results."""

    def cleanup_cache_files(self) -> int:
        """Deletes the kept results of the dataset's source that this dataset is not made of, and what killed processes left.

        Returns:
            The number of files that were deleted.
        """
        if self._home is None:
            return 0
        remove_dead_folders(self._home.cache)
        mine = {file["filename"] for file in self.cache_files}
        removed = 0
        for path in self._home.kept():
            if str(path) not in mine:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _kept_file(
        self,
        transform: str,
        arguments: Mapping[str, Any],
        named: str | None,
        fingerprint: str | None,
        *,
        keep_in_memory: bool,
    ) -> KeptFile | None:
        """The file for a result; None where none is kept."""
        if named is not None and not Path(named).suffix:
            msg = f"Expected cache_file_name to have an extension, but got: {named}"
            raise ValueError(msg)
        home = self._home
        if named is None and (keep_in_memory or home is None or not is_caching_enabled()):
            return None
        known = True
        if fingerprint is None:
            fingerprint, known = fingerprint_of(transform, {"": self._told(), **arguments})
        if named is not None:
            path = Path(named).absolute()
            path.parent.mkdir(parents=True, exist_ok=True)
            return KeptFile(path, fingerprint, whole=True)
        if not known or home is None or not home.usable():
            return None
        remove_leftovers(home.folder)
        return KeptFile(home.folder / f"cache-{fingerprint}.arrow", fingerprint)

    def _get_cache_file_path(self, fingerprint: str) -> str:
        """Where a file made of this dataset is to be, under a name that `datasets` has: TRL keeps its own results so.

        It goes at the end of the process where nothing is kept.
        """
        home = self._home
        if home is not None and is_caching_enabled() and home.usable():
            return str(home.folder / f"cache-{fingerprint}.arrow")
        return str(process_folder() / f"cache-{secrets.token_hex(8)}.arrow")

    def _made_by(self, kept: KeptFile | None, fingerprint: str | None, template: str) -> None:
        """Takes down what made the dataset, and keeps the cache within its bounds."""
        self._given = fingerprint if kept is None else kept.key
        if kept is None:
            return
        if self._home is None:
            self._home = Home(settings().datasets_cache, self._table)
        self._used = tuple(kept.files(template))
        if not kept.whole and settings().store_limit is not None:
            mine = {Path(file["filename"]) for file in self.cache_files}
            clean_store(cache_dir=str(self._home.cache), keep=mine)
