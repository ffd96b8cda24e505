"""Files of the cache: how large it may grow, who may write, what was used last."""

from __future__ import annotations

from crucible_datasets.store._clean import clean_store, mark_used, remove_leftovers
from crucible_datasets.store._folders import owned_folder, remove_dead_folders
from crucible_datasets.store._lock import file_lock

__all__ = ["clean_store", "file_lock", "mark_used", "owned_folder", "remove_dead_folders", "remove_leftovers"]
