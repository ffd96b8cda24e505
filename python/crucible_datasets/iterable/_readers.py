"""Which rows a process reads: its rank among nodes, its number among torch's workers."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any

from crucible_datasets.iterable._plan import Plan
from crucible_datasets.iterable._steps import Step

logger = logging.getLogger(__name__)
STRATEGIES = ("auto", "shards", "examples")


@dataclass(frozen=True)
class Node:
    """A rank of several.

    Attributes:
        rank: its number.
        world_size: how many there are.
        strategy: "shards" gives each whole shards, "examples" every `world_size`-th row, "auto" the first where the
            shards can be divided evenly.
    """

    rank: int
    world_size: int
    strategy: str = "auto"

    def by_shards(self, plan: Plan) -> bool:
        """Whether whole shards are given."""
        return self.strategy == "shards" or (self.strategy == "auto" and plan.num_shards % self.world_size == 0)

    def of(self, plan: Plan) -> Plan:
        """The rank's part.

        Raises:
            ValueError: fewer shards than ranks with "shards".
        """
        if not self.by_shards(plan):
            return Step(plan, self.world_size, self.rank)
        if plan.num_shards < self.world_size:
            msg = (
                f"Cannot split a stream of num_shards={plan.num_shards} across world_size={self.world_size} nodes with "
                "strategy='shards': some nodes would have no shard. Use strategy='examples', or `reshard()` where files "
                "have several row groups."
            )
            raise ValueError(msg)
        return plan.sharded(self.world_size, self.rank, contiguous=False)


@dataclass(frozen=True)
class Worker:
    """A worker process of a torch `DataLoader`."""

    number: int
    workers: int

    @classmethod
    def current(cls) -> Worker | None:
        """The worker that this process is. torch is not imported for it."""
        torch_data: Any = sys.modules.get("torch.utils.data")
        info = None if torch_data is None else torch_data.get_worker_info()
        return None if info is None else cls(int(info.id), int(info.num_workers))

    def of(self, plan: Plan) -> Plan | None:
        """The worker's part; None if there is nothing for it to do.

        Whole shards in turns where there are enough, as in `datasets`. Else files are divided further, or rows are
        read by all and kept in turns: no worker is idle, and each row is read once. Buffers have seeds of their own,
        but not where all workers must see the same order.
        """
        shards = plan.num_shards
        if shards >= self.workers:
            return plan.sharded(self.workers, self.number, contiguous=False).shifted(self.number)
        if plan.cutting == "deep":
            return plan.cut(self.workers, self.number).shifted(self.number)
        if plan.cutting == "rows":
            return Step(plan, self.workers, self.number)
        if self.number == 0:
            logger.warning(
                "%d workers for %d shards of a generator: the others have nothing to do. Give the generator a list "
                "with as many items as there are workers.",
                self.workers,
                shards,
            )
        if self.number >= shards:
            return None
        return plan.sharded(self.workers, self.number, contiguous=False).shifted(self.number)
