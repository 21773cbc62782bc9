"""How are patterns told in few bytes? As flips along a spanning tree of the dual graph.

Behind nearly every facet one unit alone turns: the one that made it. So a cell that is reached over such a facet needs
nothing but the facet's place among its own; what else turns is listed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.typing import IntArray

_SEARCHES = 32  # each costs as much as there are cells
_AT_ONCE = 1 << 25  # entries of patterns compared at once


class Flips(NamedTuple):
    """Patterns as a root's pattern and what changes from cell to cell.

    Attributes
    ----------
    root : ndarray, shape (units,)
        The pattern of the first root.
    parent : ndarray of uint8 or uint16, shape (n_cells,)
        Which of a cell's own facets (0, 1, ...) leads to the cell that its pattern is told from; the largest number of
        the type for a root. A root's pattern is told from that of the first root.
    cell : ndarray of uint32
        Cells of which more is told than that the unit of that facet goes from piece 0 to 1 or back; ascending.
    start : ndarray of uint32, shape (len(cell) + 1,)
    column, piece : ndarray
        What they differ in, in place of that unit, and the piece there: entries `start[i]:start[i + 1]`.
    """

    root: NDArray[np.integer]
    parent: NDArray[np.unsignedinteger]
    cell: NDArray[np.uint32]
    start: NDArray[np.uint32]
    column: NDArray[np.uint32]
    piece: NDArray[np.integer]


def flips_of(patterns: NDArray[np.integer], offsets: IntArray, neighbor: IntArray, column: IntArray) -> Flips:
    """Return the patterns of cells as flips.

    Parameters
    ----------
    patterns : ndarray, shape (n_cells, units)
    offsets : ndarray, shape (n_cells + 1,)
        Facets of cell i are `offsets[i]:offsets[i + 1]`.
    neighbor : ndarray, shape (F,)
        The cell behind each; negative for none.
    column : ndarray, shape (F,)
        The unit that made it.
    """
    n = patterns.shape[0]
    source, facet, roots = _tree(offsets, neighbor, n)
    own = np.full(n, -1)
    own[facet >= 0] = column[facet[facet >= 0]]
    cells, columns = [], []
    step = max(1, _AT_ONCE // max(patterns.shape[1], 1))
    for first in range(0, n, step):
        look()
        here = slice(first, first + step)
        row, col = np.nonzero(patterns[here] != patterns[source[here]])
        cells.append(row + first)
        columns.append(col)
    cell, col = (np.concatenate(part) if part else np.zeros(0, dtype=np.int64) for part in (cells, columns))
    counts = np.bincount(cell, minlength=n)
    one = np.zeros(n, dtype=bool)
    alone = counts[cell] == 1
    before, after = patterns[source[cell[alone]], col[alone]], patterns[cell[alone], col[alone]]
    plain = (col[alone] == own[cell[alone]]) & (before <= 1) & (after <= 1)
    one[cell[alone][plain]] = True
    told = ~one
    told[roots[:1]] = False
    keep = told[cell]
    listed = np.flatnonzero(told)
    most = int(np.diff(offsets).max(initial=0))
    kind = np.uint8 if most < 255 else np.uint16
    parent = np.full(n, np.iinfo(kind).max, dtype=kind)
    reached = np.flatnonzero(facet >= 0)
    parent[reached] = (facet[reached] - offsets[reached]).astype(kind)
    return Flips(
        root=patterns[roots[0]] if n else np.zeros(patterns.shape[1], dtype=patterns.dtype),
        parent=parent,
        cell=listed.astype(np.uint32),
        start=np.concatenate([[0], np.cumsum(counts[listed])]).astype(np.uint32),
        column=col[keep].astype(np.uint32),
        piece=patterns[cell[keep], col[keep]],
    )


def _tree(offsets: IntArray, neighbor: IntArray, n: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return for each cell the one it is told from and the facet that leads there (-1 for a root), and the roots."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    owner = np.repeat(np.arange(n), np.diff(offsets))
    inner = np.flatnonzero(neighbor >= 0)
    graph = csr_array((np.ones(inner.size, dtype=np.int8), (owner[inner], neighbor[inner])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    roots = np.sort(np.unique(label, return_index=True)[1])
    source = np.full(n, roots[0] if n else 0)
    facet = np.full(n, -1)
    parent = np.full(n, -1)
    for root in roots[:_SEARCHES].tolist():  # what more parts there are is told from the first root, cell by cell
        before = breadth_first_order(graph, root, directed=False, return_predecessors=True)[1]
        parent = np.where(before >= 0, before, parent)
    leads = inner[neighbor[inner] == parent[owner[inner]]]
    cell, first = np.unique(owner[leads], return_index=True)
    facet[cell] = leads[first]
    source[cell] = neighbor[facet[cell]]
    return source, facet, roots
