"""How far does an explanation hold? To the nearest facet behind which the margin is another function.

Facets behind which the margin's map is the same do not end it; the facets of the cells behind them count then, too.
The search goes from cell to cell, nearest facet first, so that at every stop it knows a radius in which it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import nearest
from reluatlas.cells.cell import Cell
from reluatlas.deadline import look
from reluatlas.errors import TimeLimitError
from reluatlas.network.network import Network
from reluatlas.network.unit_names import column_name
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.network.values.exact_rows import exact_affine
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

ExactMap = tuple[tuple[Fraction, ...], Fraction]


class ExactMaps:
    """The exact maps of a sum of outputs on cells of a network, by pattern."""

    def __init__(self, network: Network, factors: dict[int, int]) -> None:
        self._network, self._factors = network, factors
        self._arithmetic = IntegerArithmetic()
        self._known: dict[bytes, ExactMap] = {}

    def __call__(self, pattern: NDArray[np.integer]) -> ExactMap:
        """Return weights and constant on the cell of a pattern."""
        key = pattern.tobytes()
        if key not in self._known:
            choice = {t: pattern[s].astype(np.int64) for t, s in self._network.pattern_slices().items()}
            row, constant = exact_affine(self._network, self._network.output, self._factors, choice, self._arithmetic)
            self._known[key] = tuple(row.fractions), constant.fractions[0]
        return self._known[key]


@dataclass(frozen=True, eq=False, repr=False)
class Bend(Shown):
    """A facet behind which the margin is another function.

    Attributes
    ----------
    distance : float
        Of the facet's hyperplane from the point, in input units; 0 where the point lies on it. The facet itself is at
        least as far.
    units : tuple of str
        The names of the neurons and windows that change there.
    weights : ndarray, shape (n_inputs,)
        Those of the margin behind it.
    change : float
        Length of the difference of the weights, over that of the weights themselves; inf where these are zero.
    """

    distance: float
    units: tuple[str, ...]
    weights: FloatArray
    change: float


@dataclass(frozen=True, eq=False, repr=False)
class Reach(Shown):
    """How far an explanation holds.

    Attributes
    ----------
    radius : float
        At all points of the domain that are nearer than this, in input units, the margin is the same affine function;
        inf where it is so on the whole domain. Rounded as distances are, in float64.
    bend : Bend or None
        The facet at that distance; None where there is none, or none was found in time.
    further : Bend or None
        Where the point lies on a bend itself, the nearest one of its cell at a positive distance.
    n_cells : int
        Cells that were looked at: the point's own, and those behind facets that do not end the explanation.
    stopped_by : str
        "" when complete; else "max_seconds" or "max_cells", and it may hold farther than `radius`.
    """

    radius: float
    bend: Bend | None
    further: Bend | None
    n_cells: int
    stopped_by: str

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left to look at within the radius of the bend."""
        return self.stopped_by == ""


def reach_of(cell: Cell, maps: ExactMaps, *, max_cells: int) -> Reach:
    """Return how far the map of a margin on a cell holds around `cell.x`, by way of at most `max_cells` cells."""
    return _Search(cell, maps, max_cells).run()


class _Search:
    def __init__(self, cell: Cell, maps: ExactMaps, max_cells: int) -> None:
        self._own, self._maps, self._max_cells = cell, maps, max_cells
        self._base = maps(cell.pattern)
        self._weights = np.array([nearest(w) for w in self._base[0]])
        self._seen = {cell.pattern.tobytes()}
        self._queue: list[tuple[float, int, Cell, int]] = []
        self._n_cells, self._n_queued = 0, 0
        self._safe = 0.0  # nearer than this everything was looked at

    def run(self) -> Reach:
        bend, further, stopped = None, None, ""
        try:
            self._add(self._own)
            while self._queue and stopped == "":
                look()
                self._safe, _, cell, facet = heappop(self._queue)
                if bend is not None and self._safe >= bend.distance:
                    break
                neighbor = cell.neighbor(facet)
                if neighbor.pattern.tobytes() in self._seen:
                    continue
                if self._maps(neighbor.pattern) != self._base:
                    bend = self._bend(cell, facet, self._safe, neighbor.pattern)
                elif self._n_cells >= self._max_cells:
                    stopped = "max_cells"
                else:
                    self._seen.add(neighbor.pattern.tobytes())
                    self._add(neighbor.cell())
            if bend is not None and bend.distance == 0.0:
                further = self._further()
        except TimeLimitError:
            stopped = "max_seconds"
        radius = bend.distance if bend is not None else self._safe if stopped else float("inf")
        return Reach(radius, bend, further, self._n_cells, stopped)

    def _add(self, cell: Cell) -> None:
        """Queue the facets of a cell by their distance from the point."""
        facets = cell.facets
        if facets.n_undecided:
            raise TimeLimitError("facets of a cell are undecided.")
        self._n_cells += 1
        distances = self._distances(cell)
        for facet in np.flatnonzero(~facets.is_domain).tolist():
            # a bend that is nearer than what was looked at before lies behind a facet that is at least as far
            heappush(self._queue, (max(self._safe, float(distances[facet])), self._n_queued, cell, facet))
            self._n_queued += 1

    def _distances(self, cell: Cell) -> FloatArray:
        if cell is self._own:
            return cell.facets.distances
        rows = cell.halfspaces
        A, b = rows.A[cell.facets.rows], rows.b[cell.facets.rows]
        return np.abs(b - A @ self._own.x) / np.linalg.norm(A, axis=1)

    def _bend(self, cell: Cell, facet: int, distance: float, pattern: NDArray[np.integer]) -> Bend:
        there = np.array([nearest(w) for w in self._maps(pattern)[0]])
        length = float(np.linalg.norm(self._weights))
        change = float(np.linalg.norm(there - self._weights)) / length if length else float("inf")
        units = tuple(column_name(cell.network, owner.column) for owner in cell.facets.owners[facet])
        return Bend(distance, units, there, change)

    def _further(self) -> Bend | None:
        distances = self._own.facets.distances
        for facet in np.argsort(distances, kind="stable").tolist():
            if distances[facet] > 0.0 and not self._own.facets.is_domain[facet]:
                pattern = self._own.neighbor(facet).pattern
                if self._maps(pattern) != self._base:
                    return self._bend(self._own, facet, float(distances[facet]), pattern)
        return None
