"""Where are the nodes of a graph drawn? In rings around the cells that a search began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from reluatlas.cells.exploration import Exploration


def rings(found: Exploration) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return a place (n_cells, 2) for each cell, and the cell that it was reached from (-1 for a start).

    Each connected part has a square of its own, in rows. In it the starts are in the middle, and a cell lies on the
    ring of its depth, within the sector of the cell that it was reached from; sectors are as wide as what lies in them.
    """
    parent = _parents(found)
    part = _parts(found)
    at = np.zeros((found.n_cells, 2))
    n_parts = int(part.max(initial=-1)) + 1
    columns = _columns(n_parts)
    sector, width = _sectors(found, parent, part, n_parts)
    for p in range(n_parts):
        cells = np.flatnonzero(part == p)
        depth = found.depth[cells].astype(np.float64)
        if np.sum(depth == 0) > 1:
            depth += 1.0  # several starts: a ring of their own
        radius = depth / max(depth.max(), 1.0)
        angle = 2 * np.pi * (sector[cells] + width[cells] / 2)
        at[cells, 0] = radius * np.cos(angle) + 2.5 * (p % columns)
        at[cells, 1] = radius * np.sin(angle) - 2.5 * (p // columns)
    return at, parent


def tiling(found: Exploration) -> tuple[int, int]:
    """Return how many connected parts `rings` puts beside one another, and in how many rows."""
    n_parts = int(_parts(found).max(initial=-1)) + 1
    columns = _columns(n_parts)
    return columns, -(-n_parts // columns)


def _columns(n_parts: int) -> int:
    return max(1, int(np.ceil(np.sqrt(n_parts))))


def _parents(found: Exploration) -> NDArray[np.int64]:
    """Return for each cell the first neighbor that is one step nearer to a start."""
    parent = np.full(found.n_cells, -1, dtype=np.int64)
    for i, j in found.edges.tolist():
        for near, far in ((i, j), (j, i)):
            if found.depth[near] == found.depth[far] - 1 and (parent[far] < 0 or near < parent[far]):
                parent[far] = near
    return parent


def _parts(found: Exploration) -> NDArray[np.int64]:
    """Return the connected part of each cell, numbered from 0 in the order of their first cells."""
    part = np.arange(found.n_cells)
    while True:
        before = part.copy()
        for i, j in ((0, 1), (1, 0)):
            np.minimum.at(part, found.edges[:, i], part[found.edges[:, j]])
        part = part[part]
        if np.array_equal(part, before):
            return np.unique(part, return_inverse=True)[1].astype(np.int64)


def _sectors(
    found: Exploration, parent: NDArray[np.int64], part: NDArray[np.int64], n_parts: int
) -> tuple[FloatArray, FloatArray]:
    """Return where the sector of each cell begins, and how wide it is, in turns."""
    order = np.argsort(found.depth, kind="stable")
    leaves = np.zeros(found.n_cells)
    for i in order[::-1].tolist():
        leaves[i] = max(leaves[i], 1.0)
        if parent[i] >= 0:
            leaves[parent[i]] += leaves[i]
    roots = np.flatnonzero(parent < 0)
    total = np.bincount(part[roots], weights=leaves[roots], minlength=n_parts)
    start, width = np.zeros(found.n_cells), leaves / total[part]
    free = np.zeros(n_parts)
    inner = np.zeros(found.n_cells)
    for i in order.tolist():
        if parent[i] < 0:
            start[i] = free[part[i]]
            free[part[i]] += width[i]
        else:
            start[i] = start[parent[i]] + inner[parent[i]]
            inner[parent[i]] += width[i]
    return start, width
