"""What did a search from data points find? `Exploration`: cells, and the facets known to join them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.dual_graph import DualGraph, edge_columns
from reluatlas.answers.limits import StoppedBy
from reluatlas.answers.maps import checked_cell, input_affine
from reluatlas.domain import Domain, Space
from reluatlas.network.decision import classes_of
from reluatlas.network.network import Network
from reluatlas.shown import Shown


@dataclass(frozen=True, eq=False, repr=False)
class Exploration(Shown):
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

        def of_edges() -> dict[str, NDArray]:
            column = np.array([int(np.argmax(self.patterns[i] != self.patterns[j])) for i, j in both[order].tolist()])
            starts = np.array([s.start for s in self.network.pattern_slices().values()] or [0])
            layer = np.searchsorted(starts, column, side="right") - 1
            return edge_columns(self.network, layer, column - starts[layer] if column.size else column)

        return DualGraph(indptr, both[order, 1], number[order], lambda: {"class": self.classes}, of_edges)

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
