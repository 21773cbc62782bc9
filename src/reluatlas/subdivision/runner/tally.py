"""How far is a run? `Tally`: sums over its finished items, in memory that does not grow with them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reluatlas.subdivision.items import Found

N_COUNTERS = 8
"""Entries of `State.stats`."""


@dataclass(eq=False)
class Tally:
    """Sums over finished items.

    `counters` are those of `State.stats`. `n_ready` counts the cells of items before the first open one: the first
    cells of the answer's order. `early` is a heap of (id, cells) of the finished items behind it, at most about as many
    as other workers finish during one item.
    """

    n_cells: int = 0
    volume: float = 0.0
    counters: NDArray[np.int64] = field(default_factory=lambda: np.zeros(N_COUNTERS, dtype=np.int64))
    seconds: float = 0.0
    n_ready: int = 0
    early: list[tuple[tuple[int, ...], int]] = field(default_factory=list)

    def add(self, answer: Found) -> None:
        """Take what one item gave."""
        self.n_cells += answer.n_cells
        self.volume += answer.volume
        self.counters = self.counters + answer.counters
        heapq.heappush(self.early, (answer.id, answer.n_cells))

    def settle(self, first_open: tuple[int, ...] | None) -> None:
        """Count the items before the first open one, which None stands for when none is open."""
        while self.early and (first_open is None or self.early[0][0] < first_open):
            self.n_ready += heapq.heappop(self.early)[1]
