"""What is a piece of work? An item of the subdivision tree, and what working on it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Domain, Space

FIRST_BUDGET, BUDGET, COUNT_BUDGET = 64, 4096, 1 << 15
DONE, NO_ROOM, NO_OUTPUT_ROOM = 0, 1, 2
"""How a kernel ends; those of polytopes have more ways."""


@dataclass(frozen=True, eq=False)
class Item:
    """A polygon or polytope in one cell of all levels before `level`, with the pieces of that cell."""

    id: tuple[int, ...]
    level: int
    pieces: NDArray[np.int32]

    def __lt__(self, other: Item) -> bool:
        return self.id < other.id

    @property
    def corners(self) -> NDArray[np.float64]:
        """Its vertices, in the domain's coordinates."""
        raise NotImplementedError

    @property
    def farthest(self) -> float:
        """How far the vertices may be from where they are, in each coordinate."""
        raise NotImplementedError

    @property
    def measure(self) -> float:
        """Its volume, in the domain's coordinates."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Found:
    """What one item gave: its cells (None when only counted), and the items that are left.

    `volume` is that of the cells, in the domain's coordinates; `counters` what was added to `State.stats`.
    """

    id: tuple[int, ...]
    n_cells: int
    volume: float
    cells: Any
    rest: list[Any]
    counters: NDArray[np.int64]


def coarse_radius(domain: Domain) -> float:
    """Return the radius from which a vertex is placed exactly: a billionth of the domain's largest coordinate.

    On an unbounded domain, of 1.
    """
    if isinstance(domain, Space):
        return 1e-9
    return 1e-9 * max(float(np.abs([domain.box.low, domain.box.high]).max()), 1e-300)
