"""Which cells lie around data points? `explore`: from cell to neighbor, in any dimension, under a budget."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.cells.cell import Cell, Neighbor
from reluatlas.cells.cell_at import cell_at
from reluatlas.cells.chart import chart_of
from reluatlas.cells.checkpoint import Met, SearchFile
from reluatlas.cells.exploration import Exploration
from reluatlas.deadline import current, under
from reluatlas.domain import Domain, Slice
from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network, require_network
from reluatlas.progress import Progress, tells

Coordinates = Any


@in_a_sentence
@tells("cells", "total")
def explore(
    net: Network,
    X: ArrayLike,
    *,
    max_cells: int,
    max_seconds: float | None = None,
    domain: Domain | None = None,
    target: ArrayLike | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: Progress = None,
) -> Exploration:
    """Return the cells around data points: breadth first over facets, or along the line to a target.

    Several points take turns: each meets the cell behind its nearest facet, then behind the next, until all neighbors
    of all starts are known; from there the search goes on breadth first.

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
    progress : bool or callable(what, done, share), optional
        True shows a bar; a function is told what is counted, how many are done, and which share of the work.

    Returns
    -------
    Exploration
        Cells in the order in which they were met, and the facets known to join them.

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

    Cost
    ----
    That of `cell_at` with all its facets, for each cell that is expanded; along a line, for each cell on it.

    References
    ----------
    [GrigsbyLindsey2022] for the complex whose cells these are; [Clarkson1994] and [Farkas1902] for their facets.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> found = ra.explore(net, [0.5, 0.25], max_cells=10)
    >>> found.n_cells, found.depth.tolist(), found.is_complete  # one facet to two quadrants, two to the last
    (4, [0, 1, 1, 2], True)
    """
    require_network(net)
    limits = Limits(max_cells, max_seconds)
    rows = _starts(net, X, domain)
    if rows.shape[0] == 0:
        raise ArgumentError("`X` has no points. Pass at least one to start from.")
    if target is not None and rows.shape[0] != 1:
        raise ArgumentError(f"`X` has {rows.shape[0]} points; expected one, as `target` is given.")
    with under(limits.deadline):
        search = _Search(net, domain, limits, progress)  # type: ignore[arg-type]
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


def _starts(net: Network, X: ArrayLike, domain: Domain | None) -> NDArray[np.float64]:
    """Return the points to start from in rows: of a slice also as its coordinates."""
    if isinstance(domain, Slice):
        array = np.asarray(X)
        if array.ndim and array.shape[-1] == domain.dim != net.n_inputs and array.ndim <= 2:
            return np.atleast_2d(array)
    return net.points(X)[0]


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
        """Expand cells in the order in which they were met; several starts first, in turns."""
        starts = list(dict.fromkeys(self.starts))
        if len(starts) > 1 and not self._in_turns(starts):
            return
        i = 0
        while i < len(self.patterns):
            if not self.expanded[i]:
                if self.is_late():
                    return
                self._expand(i)
                if self.stopped_by:
                    return
            i += 1

    def _in_turns(self, starts: list[int]) -> bool:
        """Meet the neighbors of the starts in turns, nearest facet first; return whether all were met.

        A search that goes on from a file plays its turns again: what was met in a turn has the number of that turn.
        """
        turns = deque((i, self._nearest_first(i)) for i in starts)
        n_met, edges = len(starts), set(self.edges)
        pending: list[tuple[int, int]] = []
        try:
            while turns:
                if self.is_late():
                    return False
                i, neighbors = turns.popleft()
                new = -1
                for neighbor in neighbors:
                    j = self.place.get(neighbor.pattern.tobytes(), -1)
                    is_new = j < 0
                    if is_new:
                        if self.is_full():
                            self.stopped_by = "max_cells"
                            return False
                        there = neighbor.cell()
                        j = self._put(there.pattern, there.inside, there.x, self.depth[i] + 1)
                    pair = (min(i, j), max(i, j))
                    if pair not in edges:
                        edges.add(pair)
                        pending.append(pair)
                    if j == n_met:
                        n_met, new = n_met + 1, j if is_new else -2
                        break
                self.edges += pending
                if new != -1:
                    turns.append((i, neighbors))
                elif not self.expanded[i]:
                    self.expanded[i] = True
                    self._save([], pending, i)
                if new >= 0:
                    self._save([new], pending, None)
                pending = []
                if self.progress is not None:
                    self.progress(len(self.patterns), self.limits.max_cells)
        except (TimeLimitError, KeyboardInterrupt) as problem:
            self.stopped_by = "max_seconds" if isinstance(problem, TimeLimitError) else "interrupt"
            return False
        return self.stopped_by == ""

    def _nearest_first(self, i: int) -> Iterator[Neighbor]:
        """Yield what lies behind the facets of a cell, by their distance from its point."""
        here = self.cell(i)
        if here.facets.n_undecided:
            raise TimeLimitError("facets of a start are undecided.")
        inner = np.flatnonzero(~here.facets.is_domain)
        for facet in inner[np.argsort(here.facets.distances[inner], kind="stable")].tolist():
            yield here.neighbor(facet)

    def _expand(self, i: int) -> None:
        new: list[int] = []
        edges: list[tuple[int, int]] = []
        whole = False
        try:
            here = self.cell(i)
            whole = here.facets.n_undecided == 0
            if not whole:
                self.stopped_by = "max_seconds"
                if self.file is not None:
                    return  # a search that goes on from the file meets the neighbors in their order
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
            self.progress(len(self.patterns), self.limits.max_cells)

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
                self.progress(len(self.patterns), self.limits.max_cells)

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
