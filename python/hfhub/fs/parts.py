"""Listings of large folders, sub-folder by sub-folder side by side.

A listing comes in pages of 1,000 and each page names the next, so one listing of 800,000 files is 800 requests one
after the other. Sub-folders can be listed at the same time; where they are small that would cost more requests than it
saves, so a folder is taken apart only if its sub-folders hold a page each on average.
"""

from __future__ import annotations

import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import quote

from _crucible._native import HubClient

Raw = dict[str, Any]


class Parts:
    """The listing of a commit, in parts.

    Args:
        client: the native client.
        what: kind, repository id and full commit.
        expand: ask for last commits and security scans too.
        workers: folders listed at a time.
    """

    def __init__(self, client: HubClient, what: tuple[str, str, str], *, expand: bool, workers: int) -> None:
        self._client = client
        self._what = what
        self._expand = expand
        self._workers = max(1, workers)

    def below(self, path: str) -> list[Raw]:
        """Everything below a folder, in any order, as the hub sends it.

        Raises:
            RemoteEntryNotFoundError: there is no such folder.
        """
        found: list[Raw] = []
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="hfhub-listing")
        try:
            pending: set[Future[tuple[list[Raw], list[str]]]] = {pool.submit(self._folder, path)}
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    entries, folders = future.result()
                    found.extend(entries)
                    pending |= {pool.submit(self._folder, folder) for folder in folders}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        return found

    def _pages(self, path: str, *, recursive: bool) -> Any:
        kind, repo_id, commit = self._what
        folder = f"/{quote(path, safe='')}" if path else ""
        pages = self._client.pages(
            f"/api/{kind}s/{repo_id}/tree/{commit}{folder}",
            params=[("recursive", str(recursive).lower()), ("expand", str(self._expand).lower())],
            kind=kind,
            repo_id=repo_id,
            revision=commit,
        )
        for page in pages:
            yield [item for item in json.loads(page) if isinstance(item.get("path"), str)]

    def _folder(self, path: str) -> tuple[list[Raw], list[str]]:
        """Entries, and sub-folders that are still to be listed."""
        pages = self._pages(path, recursive=True)
        first: list[Raw] = next(pages, [])
        second: list[Raw] = next(pages, [])
        if len(second) == len(first) > 0 and self._worth_it(path, [*first, *second], len(first)):
            children = [item for page in self._pages(path, recursive=False) for item in page]
            return children, [item["path"] for item in children if item.get("type") == "directory"]
        return [*first, *second, *(item for page in pages for item in page)], []

    @staticmethod
    def _worth_it(path: str, entries: list[Raw], page: int) -> bool:
        prefix = f"{path}/" if path else ""
        counts: dict[str, int] = {}
        for item in entries:
            folder, inside, _ = item["path"].removeprefix(prefix).partition("/")
            if inside:
                counts[folder] = counts.get(folder, 0) + 1
        return bool(counts) and sum(counts.values()) >= page * len(counts)
