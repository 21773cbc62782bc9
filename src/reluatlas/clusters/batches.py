"""How many items go to a worker at once, and for how long? By what items of their size took until now.

A worker stops by the clock, so that an estimate that is wrong costs little: an item that takes long comes back in
parts, and a batch of items that take no time ends early.
"""

from __future__ import annotations

from typing import Any

from reluatlas.subdivision.items import Item
from reluatlas.subdivision.runner.contract import Portion

LONG_S, SHORT_S = 2.0, 0.3
"""What a worker is given, in seconds: while there is enough to do, and while all have to be given something."""
_FORGET = 0.9
"""What the times of earlier portions weigh at each later one: parts of a domain differ."""
_ENOUGH = 4
"""Items that wait for each worker, when there is enough to do."""
_MOST = 256


class Estimate:
    """Seconds of an item, by its volume; of a domain without volumes, those of a mean item."""

    def __init__(self) -> None:
        self._seconds = self._volume = self._items = 0.0

    def hear(self, portion: Portion) -> None:
        """Learn from what was done."""
        for name, value in (("_seconds", portion.seconds), ("_volume", portion.volume), ("_items", len(portion.done))):
            setattr(self, name, _FORGET * getattr(self, name) + value)

    def of(self, item: Any) -> float | None:
        """Return about how many seconds an item takes with all below it; None when nothing is known."""
        if not self._items:
            return None
        size = item.measure
        if size > 0 and self._volume > 0:
            return self._seconds * size / self._volume
        return self._seconds / self._items


class Batch:
    """Items that go to one worker."""

    def __init__(self, n_pending: int, n_workers: int) -> None:
        self.items: list[Item] = []
        self.seconds = LONG_S if n_pending >= _ENOUGH * n_workers else SHORT_S
        self._most = max(1, min(_MOST, n_pending // (_ENOUGH * n_workers)))
        self._estimate = 0.0

    def add(self, item: Item, seconds: float | None) -> None:
        """Add an item, of which it is known about how long it takes."""
        self.items.append(item)
        self._estimate += self.seconds if seconds is None else seconds

    @property
    def is_full(self) -> bool:
        """Whether it is worth a call: as long as it should take, or as many items as are one worker's share."""
        return self._estimate >= self.seconds or len(self.items) >= self._most
