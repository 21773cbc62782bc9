"""How few pieces can there be? No fewer than cells of which no two can share a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from reluatlas.analysis.joining.conflicts import Conflict, Conflicts
from reluatlas.analysis.joining.ground import Ground
from reluatlas.errors import TimeLimitError
from reluatlas.shown import Shown

_STARTS = 16


@dataclass(frozen=True, eq=False, repr=False)
class FewestPieces(Shown):
    """A certain lower bound on the number of pieces within a tolerance, however cells are put together.

    Attributes
    ----------
    n_pieces : int
        No fewer will do.
    tolerance : float
    cells : tuple of int
        So many cells, no two of which can be in one piece.
    conflicts : tuple of Conflict
        One for each two of them.
    """

    n_pieces: int
    tolerance: float
    cells: tuple[int, ...]
    conflicts: tuple[Conflict, ...] = field(repr=False)

    def __repr__(self) -> str:
        why = f": no two of the cells {list(self.cells)} can share a map" if len(self.cells) > 1 else ""
        return f"FewestPieces(at least {self.n_pieces} within {self.tolerance:.6g}{why})"


def fewest_pieces(ground: Ground, tolerance: float, *, seed: int = 0, n_starts: int = _STARTS) -> FewestPieces:
    """Return a lower bound on the number of pieces: the most cells found of which no two can share a map.

    The largest cell of each linear region is tried, large ones first, then in orders drawn from a seed. Ended by a
    time limit, it is what was found so far.
    """
    best: list[int] = []
    conflicts: list[Conflict] = []
    try:
        apart = Conflicts(ground, _largest(ground), tolerance)
        for found in _cliques(ground, apart, np.random.default_rng(seed), n_starts):
            if len(found) > len(best):
                best = sorted(found)
                pairs = [apart.between(i, j) for n, i in enumerate(best) for j in best[n + 1 :]]
                conflicts = [p for p in pairs if p is not None]
    except TimeLimitError:  # what was found holds
        pass
    return FewestPieces(max(len(best), 1), tolerance, tuple(best), tuple(conflicts))


def _cliques(ground: Ground, apart: Conflicts, rng: np.random.Generator, n_starts: int) -> Iterator[list[int]]:
    """Yield sets of cells of which no two can share a map, as they grow."""
    cells = apart.cells
    volume = np.maximum(np.asarray(ground.cx.volumes, dtype=np.float64)[cells], np.finfo(float).tiny)
    for start in range(n_starts):
        drawn = volume if start == 0 else volume ** rng.uniform(0.0, 1.0) * rng.exponential(1.0, len(cells))
        found: list[int] = []
        for c in np.argsort(-drawn, kind="stable"):
            cell = cells[int(c)]
            if all(apart.between(cell, other) is not None for other in found):
                found = [*found, cell]
                yield found


def _largest(ground: Ground) -> list[int]:
    """Return the largest cell of each linear region."""
    order = np.lexsort((-np.asarray(ground.cx.volumes), ground.region))
    return order[np.unique(ground.region[order], return_index=True)[1]].tolist()
