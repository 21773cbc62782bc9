"""Which cells lie around data points? `explore`: from cell to neighbor, in any dimension, under a budget."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.dual_graph import DualGraph
from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.answers.maps import checked_cell, input_affine
from reluatlas.cells.cell import Cell
from reluatlas.cells.cell_at import cell_at
from reluatlas.cells.chart import Domain, chart_of
from reluatlas.cells.checkpoint import Met, SearchFile
from reluatlas.deadline import current, under
from reluatlas.domain import Space
from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.decision import classes_of
from reluatlas.network.network import Network, require_network

Coordinates = Any


@dataclass(frozen=True, eq=False, repr=False)
class Exploration:
    """The cells that a search from some points visited, and what joins them.

    Made by `explore`.

    Attributes
    ----------
    network : Network
    domain : Box, Slice or Space
    patterns : ndarray, shape (n_cells, units)
        In the order in which the cells were met.
    points : ndarray, shape (n_cells, k)
        A point in each cell, in the domain's coordinates.
    starts : ndarray, shape (N,)
        The cell of each given point.
    depth : ndarray, shape (n_cells,)
        Facets crossed on the way from the nearest start; along a line, from the line's start.
    is_expanded : ndarray of bool, shape (n_cells,)
        Whether all neighbors of the cell are among the cells.
    edges : ndarray, shape (E, 2)
        Pairs of cells, the lower first, known to share a facet.
    stopped_by : str
        "" when the search had nothing left to do; else "max_cells", "max_seconds" or "interrupt".
    seconds : float
    """

    network: Network
    domain: Domain
    patterns: NDArray[np.integer]
    points: NDArray[np.float64]
    starts: NDArray[np.int64]
    depth: NDArray[np.int64]
    is_expanded: NDArray[np.bool_]
    edges: NDArray[np.int64]
    stopped_by: StoppedBy
    seconds: float

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.patterns.shape[0]

    @property
    def is_complete(self) -> bool:
        """Whether the search ended by itself: all cells of the domain, or the whole line."""
        return self.stopped_by == ""

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """The class at the point of each cell: see `Network.classes`; of a single output, 1 where it is above 0."""
        inputs = self.points if isinstance(self.domain, Space) else self.domain.embed(self.points)
        outputs = np.asarray(self.network(inputs)).reshape(self.n_cells, -1)
        return classes_of(self.network, outputs)

    @cached_property
    def graph(self) -> DualGraph:
        """The dual graph of the cells, as far as it is known; `facet` holds the positions of its edges in `edges`."""
        n = self.n_cells
        both = np.concatenate([self.edges, self.edges[:, ::-1]]) if self.edges.size else np.zeros((0, 2), np.int64)
        order = np.lexsort((both[:, 1], both[:, 0]))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=n))]).astype(np.int64)
        number = np.concatenate([np.arange(len(self.edges))] * 2).astype(np.int64)
        return DualGraph(indptr, both[order, 1], number[order])

    def dual_graph(self) -> DualGraph:
        """Return the dual graph: cells joined over facets."""
        return self.graph

    def input_affine(self, cell: int) -> AffineMaps:
        """Return the map of a cell in input space: `A` (1, m, *input_shape), `b` (1, m)."""
        return input_affine(self.network, self.patterns, checked_cell(cell, self.n_cells))

    def hamming(self, a: int, b: int) -> int:
        """Return the number of units whose piece differs between two cells."""
        a, b = checked_cell(a, self.n_cells), checked_cell(b, self.n_cells)
        return int(np.sum(self.patterns[a] != self.patterns[b]))

    def path(self, a: int, b: int) -> list[int] | None:
        """Return a shortest way between two cells through those known, both included; None when there is none.

        No way through cells that were not visited is seen: its length bounds the distance from above.
        """
        a, b = checked_cell(a, self.n_cells), checked_cell(b, self.n_cells)
        before = np.full(self.n_cells, -1)
        before[a] = a
        queue, graph = deque([a]), self.graph
        while queue and before[b] < 0:
            i = queue.popleft()
            for j in graph.indices[graph.indptr[i] : graph.indptr[i + 1]].tolist():
                if before[j] < 0:
                    before[j] = i
                    queue.append(j)
        if before[b] < 0:
            return None
        out = [b]
        while out[-1] != a:
            out.append(int(before[out[-1]]))
        return out[::-1]

    def __repr__(self) -> str:
        rest = "" if self.is_complete else f", stopped by {self.stopped_by}"
        return f"Exploration({self.n_cells:,} cells from {self.starts.size} points, {len(self.edges):,} edges{rest})"


@in_a_sentence
def explore(
    net: Network,
    X: ArrayLike,
    *,
    max_cells: int,
    max_seconds: float | None = None,
    domain: Domain | None = None,
    target: ArrayLike | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Exploration:
    """Return the cells around data points: breadth first over facets, or along the line to a target.

    Parameters
    ----------
    net : Network
    X : array_like, shape (N, *input_shape) or one point
        Where to start; points in one cell start from it once.
    max_cells : int
        Stop after so many cells.
    max_seconds : float, optional
        Stop after so many seconds, with what was found by then.
    domain : Box, Slice or Space, optional
        Where to look; the whole input space when None.
    target : array_like, one point, optional
        Do not search around, but cross one facet after another from the first point's cell to the target's: at each
        cell the facet that the line to the target meets first. The cells on that way lie along the line.
    checkpoint : path, optional
        An SQLite file that keeps what was found, cell by cell. If it exists, the search goes on from there; the result
        is that of a search that never stopped. No other process can open it meanwhile.
    progress : callable, optional
        Called with the number of cells.

    Raises
    ------
    OnFaceError
        When a point lies on a face where several cells meet.
    ArgumentError, ResultFileError
        When a limit makes no sense; when the checkpoint is of another search, damaged, in use, or cannot be written.

    Guarantees
    ----------
    Every cell, and that two cells share a facet, is exact; deterministic, also over stops. Along a line the facet met
    first is chosen in float64: where the line passes within rounding of a face of lower dimension, the way may go
    around it.
    """
    require_network(net)
    limits = Limits(max_cells, max_seconds)
    rows, _ = net.points(X) if domain is None or isinstance(domain, Space) else (np.atleast_2d(np.asarray(X)), False)
    if rows.shape[0] == 0:
        raise ArgumentError("`X` has no points. Pass at least one to start from.")
    if target is not None and rows.shape[0] != 1:
        raise ArgumentError(f"`X` has {rows.shape[0]} points; expected one, as `target` is given.")
    with under(limits.deadline):
        search = _Search(net, domain, limits, progress)
        goal = None if target is None else cell_at(net, target, domain)
        starts = [cell_at(net, x, domain) for x in rows]
        try:
            search.begin(starts, goal, checkpoint)
            try:
                search.along(goal) if goal is not None else search.around()
            except TimeLimitError:
                search.stopped_by = "max_seconds"
            except KeyboardInterrupt:
                search.stopped_by = "interrupt"
        finally:
            search.close()
    return search.answer()


class _Search:
    """The cells met so far and the frontier; a cell is kept as its pattern and a point strictly inside."""

    def __init__(self, net: Network, domain: Domain | None, limits: Limits, progress: Callable | None) -> None:
        self.chart = chart_of(net, domain)
        self.limits, self.progress = limits, progress
        self.start = time.monotonic()
        self.place: dict[bytes, int] = {}
        self.patterns: list[NDArray[np.integer]] = []
        self.inside: list[Coordinates] = []
        self.points: list[NDArray[np.float64]] = []
        self.depth: list[int] = []
        self.expanded: list[bool] = []
        self.edges: list[tuple[int, int]] = []
        self.starts: list[int] = []
        self.stopped_by: StoppedBy = ""
        self.file: SearchFile | None = None

    def begin(self, cells: Sequence[Cell], goal: Cell | None, checkpoint: str | PathLike[str] | None) -> None:
        if checkpoint is not None:
            self.file = SearchFile(checkpoint, self.chart, [c.x for c in cells], None if goal is None else goal.x)
            kept = self.file.read(cells[0].pattern)
            for met in kept.cells:
                self._put(*met)
            for i in kept.expanded:
                self.expanded[i] = True
            self.edges = kept.edges
        for cell in cells:
            key = cell.pattern.tobytes()
            if key not in self.place:
                self._put(cell.pattern, cell.inside, cell.x, 0)
                self._save([self.place[key]], [], None)
            self.starts.append(self.place[key])

    def _put(self, pattern: NDArray, inside: Coordinates, point: NDArray, depth: int) -> int:
        i = len(self.patterns)
        self.place[pattern.tobytes()] = i
        self.patterns.append(pattern)
        self.inside.append(inside)
        self.points.append(point)
        self.depth.append(depth)
        self.expanded.append(False)
        return i

    def _save(self, new: list[int], edges: list[tuple[int, int]], done: int | None) -> None:
        if self.file is not None:
            cells = [Met(self.patterns[i], self.inside[i], self.points[i], self.depth[i]) for i in new]
            self.file.add(cells, edges, done)

    def cell(self, i: int) -> Cell:
        out = Cell(self.chart, self.patterns[i], self.points[i], self.inside[i])
        out.put_inside([self.inside[i]])
        return out

    def is_late(self) -> bool:
        if current().is_over():
            self.stopped_by = "max_seconds"
        return self.stopped_by != ""

    def is_full(self) -> bool:
        return self.limits.max_cells is not None and len(self.patterns) >= self.limits.max_cells

    def around(self) -> None:
        """Expand cells in the order in which they were met."""
        i = 0
        while i < len(self.patterns):
            if not self.expanded[i]:
                if self.is_late():
                    return
                self._expand(i)
                if self.stopped_by:
                    return
            i += 1

    def _expand(self, i: int) -> None:
        here = self.cell(i)
        new: list[int] = []
        edges: list[tuple[int, int]] = []
        whole = here.facets.n_undecided == 0
        if not whole:
            self.stopped_by = "max_seconds"
            if self.file is not None:
                return  # a search that goes on from the file meets the neighbors in their order
        try:
            for facet in np.flatnonzero(~here.facets.is_domain).tolist():
                neighbor = here.neighbor(facet)
                j = self.place.get(neighbor.pattern.tobytes(), -1)
                if j < 0:
                    if self.is_full():
                        whole = False
                        self.stopped_by = self.stopped_by or "max_cells"
                        continue
                    there = neighbor.cell()
                    j = self._put(there.pattern, there.inside, there.x, self.depth[i] + 1)
                    new.append(j)
                pair = (min(i, j), max(i, j))
                if not self.expanded[j]:
                    edges.append(pair)
        except (TimeLimitError, KeyboardInterrupt) as problem:
            whole = False
            self.stopped_by = "max_seconds" if isinstance(problem, TimeLimitError) else "interrupt"
        self.edges += edges
        self.expanded[i] = whole
        self._save(new, edges, i if whole else None)
        if self.progress is not None:
            self.progress(len(self.patterns))

    def along(self, goal: Cell) -> None:
        """Cross facets toward the goal, from the last cell met."""
        i = len(self.patterns) - 1
        origin = self.points[0]
        direction = goal.x - origin
        while self.patterns[i].tobytes() != goal.pattern.tobytes():
            if self.is_full():
                self.stopped_by = "max_cells"
            if self.stopped_by or self.is_late():
                return
            here = self.cell(i)
            facets = here.facets
            if facets.n_undecided:
                self.stopped_by = "max_seconds"
                return
            A, b = here.halfspaces.A[facets.rows], here.halfspaces.b[facets.rows]
            with np.errstate(divide="ignore", invalid="ignore"):
                rate = A @ direction
                when = np.where((rate > 0) & ~facets.is_domain, (b - A @ origin) / rate, np.inf)
            neighbor, j = None, -1
            for facet in np.argsort(when, kind="stable").tolist():
                if not when[facet] < np.inf:
                    break
                neighbor = here.neighbor(facet)
                if neighbor.pattern.tobytes() not in self.place:
                    break
                neighbor = None
            if neighbor is None:
                raise ArgumentError(
                    "the line to `target` could not be followed: it runs along a face. Move `target` a little."
                )
            there = neighbor.cell()
            j = self._put(there.pattern, there.inside, there.x, self.depth[i] + 1)
            self.edges.append((i, j))
            self._save([j], [(i, j)], None)
            i = j
            if self.progress is not None:
                self.progress(len(self.patterns))

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    def answer(self) -> Exploration:
        edges = sorted(set(self.edges))
        return Exploration(
            network=self.chart.network,
            domain=self.chart.domain,
            patterns=np.array(self.patterns),
            points=np.array(self.points),
            starts=np.array(self.starts, dtype=np.int64),
            depth=np.array(self.depth, dtype=np.int64),
            is_expanded=np.array(self.expanded, dtype=bool),
            edges=np.array(edges, dtype=np.int64).reshape(-1, 2),
            stopped_by=self.stopped_by,
            seconds=time.monotonic() - self.start,
        )
