"""The files that follow one that is read forward: opened, and their first bytes fetched, while its last bytes come."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from _crucible.errors import CrucibleError
from crucible_datasets.iterable._source import HubOrigin, WebOrigin

if TYPE_CHECKING:
    from _crucible._native import Opening, Source
    from crucible_datasets.iterable._shard import Shard

_END = 32 << 20
"""Bytes before the end of a file that nobody asked for yet, from which on the next files are begun: opening one takes as long as these at the rate of a good line."""
_HEAD = 8 << 20
"""Most first bytes of a file that are fetched, and of all files that are begun."""
_LEAST = 256 << 10
"""Fewer first bytes are not worth a request, where the file has more."""
_MOST = 8
"""Files that are begun at a time."""


class Coming:
    """Files on their way to be open. Dropped, they stop."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self._begun: dict[int, tuple[Opening, int]] = {}
        self._read = self._units = 0
        """Bytes of the files that were read to their ends, and units."""

    def look(self, number: int, source: Source) -> None:
        """Begins the files that follow a shard's, told of each unit, where its end is near: at most twice what was read.

        Args:
            number: the shard.
            source: its file.
        """
        self._units += 1
        if self._units == 1 or len(source) - source.asked > _END:
            return
        room = min(_HEAD, 2 * (self._read + source.asked)) - sum(head for _, head in self._begun.values())
        for following in range(number + 1, min(len(self._shards), number + 1 + _MOST)):
            origin = self._shards[following].origin
            if not isinstance(origin, HubOrigin | WebOrigin):
                return
            if following in self._begun:
                continue
            head = min(room, origin.size or _LEAST)
            if head < min(_LEAST, origin.size or _LEAST):
                return
            begun = origin.begin(head)
            if begun is None:
                return
            self._begun[following] = begun, head
            room -= head

    def take(self, number: int) -> Source | None:
        """The file of a shard, if it was begun and came."""
        begun = self._begun.get(number)
        self._begun = {other: left for other, left in self._begun.items() if other > number}
        if begun is None:
            return None
        with suppress(CrucibleError):  # then it is opened as the first one is, and that fails
            return begun[0].source()
        return None

    def leave(self, source: Source) -> None:
        """A file was read to its end."""
        self._read += len(source)
