"""What is joined? Linear regions, with the vertices of their cells, the values there, and what lies beside what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.arithmetic.constants import EPSILON, LOST, SLACK
from reluatlas.complexes.linear_regions import map_errors
from reluatlas.domain import Space
from reluatlas.errors import ArgumentError, DomainError
from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


@dataclass(frozen=True, eq=False)
class Deviation:
    """How far a map is from the function on closed cells: the largest over outputs and points, at a vertex.

    Attributes
    ----------
    at_most, at_least : float
        Certain bounds on it.
    row : int
        The row of `cx.vertices.points` at which `at_least` holds.
    output : int
    """

    at_most: float
    at_least: float
    row: int
    output: int


class Ground:
    """The linear regions of a complete complex on a bounded domain, as what is joined.

    Attributes
    ----------
    cx : PolyhedralComplex
    points : ndarray, shape (V, k)
        The vertices of all cells.
    values : ndarray, shape (V, m)
        The outputs there, in float64.
    cell : ndarray, shape (V,)
        Whose vertex it is.
    """

    def __init__(self, cx: PolyhedralComplex) -> None:
        self.cx = cx
        self.points = cx.vertices.points
        self.cell = np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))
        A, b = cx.affine.A[self.cell], cx.affine.b[self.cell]
        self.values: FloatArray = np.einsum("vmk,vk->vm", A, self.points) + b
        self._reach = np.abs(self.points) + cx.vertices.radii[:, None]

    @cached_property
    def region(self) -> IntArray:
        """The linear region of each cell."""
        return np.asarray(self.cx.linear_regions)

    @property
    def n_regions(self) -> int:
        """Number of linear regions."""
        return self.cx.n_linear_regions

    @cached_property
    def rows(self) -> list[IntArray]:
        """Of each region, the rows of `points` that are vertices of its cells."""
        return self._by_region(np.arange(len(self.points)))

    @cached_property
    def corners(self) -> list[IntArray]:
        """Of each region, its different vertices, sorted: of the rows that are one point, the first."""
        _, first, point = np.unique(self.cx.vertex_ids, return_index=True, return_inverse=True)
        return [np.unique(first[point.reshape(-1)[rows]]) for rows in self.rows]

    @cached_property
    def neighbors(self) -> list[set[int]]:
        """Of each region, those that share a facet with it."""
        facets = self.cx.facets
        owner = np.repeat(np.arange(self.cx.n_cells), np.diff(facets.offsets))
        inner = facets.neighbor >= 0
        pairs = np.stack([self.region[owner[inner]], self.region[facets.neighbor[inner]]], axis=1)
        out: list[set[int]] = [set() for _ in range(self.n_regions)]
        for i, j in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
            out[i].add(j)
            out[j].add(i)
        return out

    @cached_property
    def first_cell(self) -> IntArray:
        """The first cell of each region."""
        return np.unique(self.region, return_index=True)[1]

    @cached_property
    def output_range(self) -> float:
        """The largest value of an output minus its smallest, of the output where that is most; in float64."""
        return float(np.ptp(self.values, axis=0).max())

    def _by_region(self, rows: IntArray) -> list[IntArray]:
        label = self.region[self.cell[rows]]
        order = np.argsort(label, kind="stable")
        ends = np.cumsum(np.bincount(label, minlength=self.n_regions))
        return np.split(rows[order], ends[:-1])

    @cached_property
    def _map_errors(self) -> FloatArray:
        return map_errors(self.cx)

    def deviation(self, rows: IntArray, slope: FloatArray, constant: FloatArray) -> Deviation:
        """Return how far the map `u -> slope u + constant` is from the function on cells, whose vertices are `rows`.

        The difference of two affine maps is convex in size on a cell, so it is largest at a vertex v. Of v float64
        has p, each coordinate off by the radius r at most; of the cell's map it has A and b, off by E and e. With
        D = A - slope and d = b - constant, each rounded once, the true difference at v is D p + d, off by at most
        `|D| r + E (|p| + r) + e` and by what the products and sums round.
        """
        cell = self.cell[rows]
        D = self.cx.affine.A[cell] - slope
        d = self.cx.affine.b[cell] - constant
        points, reach = self.points[rows], self._reach[rows]
        value = np.einsum("vmk,vk->vm", D, points) + d
        size = np.abs(D)
        terms = np.einsum("vmk,vk->vm", size, np.abs(points)) + np.abs(d)
        moved = size.sum(axis=2) * self.cx.vertices.radii[rows][:, None]
        error = self._map_errors
        unknown = reach @ error[:, :-1].T + error[:, -1]
        # a difference, k products, k sums; the slack covers what the bound itself rounds, and that D was rounded
        bound = ((points.shape[1] + 4) * EPSILON * terms + moved + unknown) * SLACK + LOST
        above = np.nextafter(np.abs(value) + bound, np.inf)
        below = np.maximum(np.nextafter(np.abs(value) - bound, -np.inf), 0.0)
        row, output = np.unravel_index(int(below.argmax()), below.shape)
        return Deviation(float(above.max()), float(below[row, output]), int(rows[row]), int(output))


def ground_of(cx: PolyhedralComplex) -> Ground:
    """Return a complex as what is joined.

    Raises
    ------
    ArgumentError
        When it is no complex, or an incomplete one.
    DomainError
        When its domain is a `Space`.
    """
    from reluatlas.complexes.complex import PolyhedralComplex

    if not isinstance(cx, PolyhedralComplex):
        raise ArgumentError(
            f"`cx` is a {type(cx).__name__}; expected a `PolyhedralComplex`. Pass what `enumerate_cells` returns."
        )
    if isinstance(cx.domain, Space):
        raise DomainError(
            f"`cx.domain` is {cx.domain!r}, on which the change of a function has no largest value. "
            "Enumerate the cells of a `Box` or a `Slice`."
        )
    if not cx.is_complete:
        raise ArgumentError(
            f"`cx` is incomplete (stopped by {cx.stopped_by}): no error holds where its cells are missing. "
            "Enumerate with a larger budget."
        )
    return Ground(cx)
