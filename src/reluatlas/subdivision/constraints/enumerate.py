"""Which cells are there on all of R^n, or on a box of more than six dimensions? By constraints, without vertices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.deadline import Deadline, grace, look, under
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import InternalError, TimeLimitError
from reluatlas.network.network import Network
from reluatlas.subdivision.constraints.exact_rows import Reference
from reluatlas.subdivision.constraints.neighbor import pattern_behind, turned
from reluatlas.subdivision.constraints.tree import Constraint, Polyhedron, Tree

Told = Callable[[int], None]
DOMAIN, UNEXPLORED = -1, -2
_GRACE_S = 0.5  # beyond a limit: without the root of the tree nothing can be told
_FOR_CELLS = 0.75  # of the time; the rest is for neighbors


@dataclass(frozen=True)
class SpaceCount:
    """A number of cells, and how it was come by.

    Attributes
    ----------
    n_cells : int
    stopped_by : str
        "" when these are all; else "max_cells", "max_seconds" or "interrupt".
    exactness : Exactness
    seconds : float
    """

    n_cells: int
    stopped_by: StoppedBy
    exactness: Exactness
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether these are all cells."""
        return self.stopped_by == ""


@dataclass(frozen=True, eq=False)
class SpaceCells:
    """Cells by their constraints, with the graph of their neighbors.

    Attributes
    ----------
    patterns : ndarray of int32, shape (n_cells, units)
    is_bounded : ndarray of bool, shape (n_cells,)
    inside : ndarray, shape (n_cells, k)
        A point inside each cell; NaN where float64 holds none for certain.
    indptr, neighbor, level, unit : ndarray
        Facets of cell i are `indptr[i]:indptr[i + 1]`: the cell behind each (-1: the domain's boundary; -2: not among
        the cells found), and the layer and unit that made it (level -1: the domain's side, `unit` its axis).
    references : list of Reference
        The row of each facet.
    stopped_by, exactness, seconds
        As in `SpaceCount`.
    """

    patterns: NDArray[np.int32]
    is_bounded: NDArray[np.bool_]
    inside: NDArray[np.float64]
    indptr: NDArray[np.int64]
    neighbor: NDArray[np.int64]
    level: NDArray[np.int64]
    unit: NDArray[np.int64]
    references: list[Reference]
    stopped_by: StoppedBy
    exactness: Exactness
    seconds: float

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.patterns.shape[0]

    @property
    def is_complete(self) -> bool:
        """Whether these are all cells."""
        return self.stopped_by == ""


def count_everywhere(
    network: Network,
    domain: Box | Slice | Space,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    progress: Told | None = None,
) -> SpaceCount:
    """Return the number of cells of a network on a domain of any dimension, bounded or not.

    Guarantees: exact; complete unless marked; deterministic. Memory does not grow with the number of cells. Time is
    that of about one linear program per unit and cell.
    """
    limits = Limits(max_cells, max_seconds)
    start, total = time.monotonic(), 0
    stopped: list[StoppedBy] = [""]
    with under(limits.deadline):
        with grace(_GRACE_S):
            tree = Tree(network, domain)
        for n in _watched(tree.count(), lambda n: n, max_cells, progress, stopped):
            total += n
    return SpaceCount(total, stopped[0], Exactness("exact", tree.n_escalated), time.monotonic() - start)


def enumerate_everywhere(
    network: Network,
    domain: Box | Slice | Space,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    progress: Told | None = None,
) -> SpaceCells:
    """Return the cells of a network on a domain of any dimension, bounded or not, with facets and neighbors.

    Guarantees: exact; complete unless marked (the first `max_cells` of a fixed order); deterministic.
    """
    with under(Limits(max_cells, max_seconds).deadline) as deadline:
        return _enumerated(network, domain, max_cells, progress, deadline)


def _enumerated(
    network: Network, domain: Box | Slice | Space, max_cells: int | None, progress: Told | None, deadline: Deadline
) -> SpaceCells:
    start = time.monotonic()
    with grace(_GRACE_S):
        tree = Tree(network, domain)
    stopped: list[StoppedBy] = [""]
    found: list[Polyhedron] = []
    bounded, facets = [], []

    def known() -> Iterator[tuple[Polyhedron, bool, list[Constraint]]]:
        for cell in tree.cells():
            yield cell, tree.is_bounded(cell), [cell.constraints[i] for i in tree.facets(cell)]

    with under(deadline.share(_FOR_CELLS)):
        for cell, is_bounded, here in _watched(known(), lambda _: 1, max_cells, progress, stopped):
            bounded.append(is_bounded)
            facets.append(here)
            inside = cell.points[:1] if cell.points.size else np.full((1, tree.k), np.nan)
            found.append(Polyhedron(cell.pieces, np.zeros((0, 0)), (), inside))
    place = {cell.pieces.tobytes(): i for i, cell in enumerate(found)}
    of = [{f.reference for f in here} for here in facets]
    neighbor, level, unit = [], [], []
    for cell, here in zip(found, facets, strict=True):
        for facet in here:
            level.append(facet.reference.level)
            unit.append(facet.reference.unit)
            if facet.reference.level < 0:
                neighbor.append(DOMAIN)
                continue
            # nearly always one unit turns alone: if a cell with that one change shares the facet, it is the neighbor
            alone, seen_from_there = turned(tree.network, cell.pieces, facet)
            at = place.get(alone.tobytes(), UNEXPLORED)
            if at < 0 or seen_from_there not in of[at]:
                at = UNEXPLORED
                try:
                    look()
                    behind = pattern_behind(tree.network, tree.whole, cell.pieces, facet)
                    at = place.get(behind.tobytes(), UNEXPLORED)
                except TimeLimitError:
                    stopped[0] = stopped[0] or "max_seconds"
                except KeyboardInterrupt:
                    stopped[0] = stopped[0] or "interrupt"
            neighbor.append(at)
    if not stopped[0] and UNEXPLORED in neighbor:
        raise InternalError("a facet inside the domain has no cell behind it. Please report it with the network.")
    return SpaceCells(
        patterns=np.array([c.pieces for c in found], dtype=np.int32).reshape(len(found), tree.n_units),
        is_bounded=np.array(bounded, dtype=bool),
        inside=np.array([c.points[0] for c in found]).reshape(len(found), tree.k),
        indptr=np.concatenate([[0], np.cumsum([len(f) for f in facets])]).astype(np.int64),
        neighbor=np.array(neighbor, dtype=np.int64),
        level=np.array(level, dtype=np.int64),
        unit=np.array(unit, dtype=np.int64),
        references=[facet.reference for here in facets for facet in here],
        stopped_by=stopped[0],
        exactness=Exactness("exact", tree.n_escalated),
        seconds=time.monotonic() - start,
    )


def _watched(
    stream: Iterable[Any],
    size: Callable[[Any], int],
    max_cells: int | None,
    progress: Told | None,
    stopped: list[StoppedBy],
) -> Iterator[Any]:
    """Pass a stream on until a budget is spent; write to `stopped[0]` what ended it early."""
    start, told, total = time.monotonic(), 0.0, 0
    try:
        for item in stream:
            if max_cells is not None and total >= max_cells:
                stopped[0] = "max_cells"
                return
            look()
            now = time.monotonic() - start
            yield item
            total += size(item)
            if progress is not None and now - told > 0.1:
                told = now
                progress(total)
    except TimeLimitError:
        stopped[0] = "max_seconds"
    except KeyboardInterrupt:
        stopped[0] = "interrupt"
