"""Which cells are there on all of R^n, or on a box of more than six dimensions? By constraints, without vertices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.deadline import grace, look, under
from reluatlas.domain import Domain, Space
from reluatlas.errors import InternalError, TimeLimitError
from reluatlas.network.network import Network
from reluatlas.subdivision.constraints.neighbor import pattern_behind, turned
from reluatlas.subdivision.constraints.tree import Constraint, Tree
from reluatlas.subdivision.runner.run import Run

T = TypeVar("T")
SIDE, UNEXPLORED = -1, -2
_GRACE_S = 0.5  # beyond a limit: without the root of the tree nothing can be told


class Cell(NamedTuple):
    """A cell by its constraints.

    Attributes
    ----------
    pieces : ndarray of int32, shape (units,)
    inside : ndarray, shape (k,)
        A point inside; NaN where float64 holds none for certain.
    is_bounded : bool
    facets : list of Constraint
    """

    pieces: NDArray[np.int32]
    inside: NDArray[np.float64]
    is_bounded: bool
    facets: list[Constraint]


class Search:
    """One pass through the tree of cells, of a domain of any dimension, bounded or not, and what ended it early.

    Guarantees: exact; complete unless marked (the first cells of a fixed order); deterministic. Takes about one linear
    program per unit and cell.

    Attributes
    ----------
    tree : Tree
    stopped_by : str
        "" as long as nothing is left out; else "max_cells", "max_seconds" or "interrupt".
    """

    def __init__(self, network: Network, domain: Domain, limits: Limits) -> None:
        self._start, self._domain, self._limits = time.monotonic(), domain, limits
        with grace(_GRACE_S):
            self.tree = Tree(network, domain)
        self.stopped_by: StoppedBy = ""

    def cells(self) -> list[Cell]:
        """Return the cells with their facets."""

        def found() -> Iterator[Cell]:
            for cell in self.tree.cells():
                inside = cell.points[0].copy() if cell.points.size else np.full(self.tree.k, np.nan)
                facets = [cell.constraints[i] for i in self.tree.facets(cell)]
                yield Cell(cell.pieces, inside, self.tree.is_bounded(cell), facets)

        return list(self._watched(found(), lambda _: 1))

    def count(self) -> int:
        """Return the number of cells; none is kept."""
        return sum(self._watched(self.tree.count(), lambda n: n))

    def neighbors(self, cells: list[Cell]) -> list[int]:
        """Return the cell behind each facet of each cell: -1 for the domain's boundary, -2 for one that is not there.

        Raises
        ------
        InternalError
            When all cells are there, and some neighbor is not.
        """
        place = {cell.pieces.tobytes(): i for i, cell in enumerate(cells)}
        of = [{facet.reference for facet in cell.facets} for cell in cells]
        out = [self._behind(cell, facet, place, of) for cell in cells for facet in cell.facets]
        if not self.stopped_by and UNEXPLORED in out:
            raise InternalError("a facet inside the domain has no cell behind it. Please report it with the network.")
        return out

    def _behind(self, cell: Cell, facet: Constraint, place: dict[bytes, int], of: list[set]) -> int:
        if facet.reference.level < 0:
            return SIDE
        # nearly always one unit turns alone: if a cell with that one change shares the facet, it is the neighbor
        alone, seen_from_there = turned(self.tree.network, cell.pieces, facet)
        at = place.get(alone.tobytes(), UNEXPLORED)
        if at >= 0 and seen_from_there in of[at]:
            return at
        try:
            look()
            behind = pattern_behind(self.tree.network, self.tree.whole, cell.pieces, facet)
            return place.get(behind.tobytes(), UNEXPLORED)
        except TimeLimitError:
            self.stopped_by = self.stopped_by or "max_seconds"
        except KeyboardInterrupt:
            self.stopped_by = self.stopped_by or "interrupt"
        return UNEXPLORED

    def outcome(self, n_cells: int) -> Run:
        """Return how it went, cells being kept elsewhere."""
        is_filled = not self.stopped_by and not isinstance(self._domain, Space)
        return Run(
            found=[],
            n_cells=n_cells,
            volume=self._domain.box.volume if is_filled else 0.0,  # type: ignore[union-attr]
            stopped_by=self.stopped_by,
            n_escalated=self.tree.n_escalated,
            visits=0,
            doubtful_visits=0,
            seconds=time.monotonic() - self._start,
        )

    def _watched(self, stream: Iterable[T], size: Callable[[T], int]) -> Iterator[T]:
        """Pass a stream on until a limit is reached."""
        start, told, total = time.monotonic(), 0.0, 0
        most = self._limits.max_cells
        try:
            for item in stream:
                if most is not None and total >= most:
                    self.stopped_by = "max_cells"
                    return
                look()
                now = time.monotonic() - start
                yield item
                total += size(item)
                if now - told > 0.1:
                    told = now
                    self._limits.tell(total)
        except TimeLimitError:
            self.stopped_by = "max_seconds"
        except KeyboardInterrupt:
            self.stopped_by = "interrupt"


def count_everywhere(network: Network, domain: Domain, limits: Limits) -> Run:
    """Count the cells of a network on a domain of any dimension, bounded or not; see `Search`.

    Memory does not grow with the number of cells.
    """
    with under(limits.deadline):
        search = Search(network, domain, limits)
        return search.outcome(search.count())
