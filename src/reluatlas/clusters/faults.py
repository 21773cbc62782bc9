"""What is done again after a worker was lost, how often, and when is an item to blame? A batch, then each of it alone.

A batch whose worker ended goes to another. When that ends, too, its items go one by one, each alone and without what it
leaves, and so does all below them: the one at fault is then found in as many further tries as it is levels deep.
"""

from __future__ import annotations

from collections import Counter

from reluatlas.clusters.batches import SHORT_S
from reluatlas.clusters.worker import Order
from reluatlas.subdivision.items import Item
from reluatlas.subdivision.runner.contract import Id

_TOGETHER, _ALONE = 2, 3
"""Workers that may be lost over a batch, and over an item alone."""


class Faults:
    """Which items lost how many workers."""

    def __init__(self) -> None:
        self._lost: Counter[Id] = Counter()
        self._suspects: set[Id] = set()

    def is_suspect(self, item: Item) -> bool:
        """Return whether an item, or one above it, was in a batch that lost several workers."""
        return bool(self._suspects) and any(item.id[:n] in self._suspects for n in range(len(item.id) + 1))

    def again(self, order: Order) -> list[Order]:
        """Return what to do of an order whose worker was lost; `worst` tells whether an item has had all its tries."""
        is_alone = order.seconds == 0
        for item in order.items:
            self._lost[item.id] += 1
            if not is_alone and self._lost[item.id] >= _TOGETHER:
                self._suspects.add(item.id)
                self._lost[item.id] = 0
        if any(self.is_suspect(item) for item in order.items):
            return [Order([item], 0.0) for item in order.items]
        return [Order(order.items, SHORT_S)]

    def worst(self, order: Order) -> Item | None:
        """Return the item that lost as many workers alone as it may; None when there is none."""
        if order.seconds > 0:
            return None
        return next((item for item in order.items if self._lost[item.id] >= _ALONE), None)
