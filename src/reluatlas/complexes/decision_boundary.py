"""Where does the decision change? The decision boundary of a complex, cut as exactly as its cells.

It is the set on which the top two outputs tie (one output: on which it is zero). Its full-dimensional pieces are parts
of cells; the others are facets of parts, on which outputs tie that differ beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reluatlas.complexes.boundary_pieces import parts_of
from reluatlas.complexes.record import ComplexRecord, Vertices
from reluatlas.complexes.vertices import Corners
from reluatlas.errors import DimensionError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Polytopes:
    """Convex sets by their vertices, each in one cell.

    Attributes
    ----------
    points : ndarray, shape (P, k)
        Vertices of all pieces, in the domain's coordinates: of a polygon in the order of its rim, else in no
        particular order. On a `Space`, some are directions in which the piece is unbounded (`is_ray`).
    is_ray : ndarray of bool, shape (P,)
    offsets : ndarray, shape (S + 1,)
        Vertices of piece i are `points[offsets[i]:offsets[i + 1]]`.
    cell : ndarray, shape (S,)
        The cell that a piece lies in; of a piece on a facet between two cells, one of them.
    """

    points: FloatArray
    is_ray: NDArray[np.bool_]
    offsets: IntArray
    cell: IntArray

    def __len__(self) -> int:
        return self.cell.size


@dataclass(frozen=True, eq=False)
class Pieces(Polytopes):
    """Polytopes of dimension k - 1: segments in the plane, convex polygons in three dimensions, ..."""

    @property
    def segments(self) -> FloatArray:
        """The ends of the segments, shape (S, 2, 2), in the plane.

        Raises
        ------
        DimensionError
            When the domain is not two-dimensional.
        """
        if self.points.shape[1] != 2:
            raise DimensionError(
                f"pieces of a boundary in {self.points.shape[1]} dimensions are no segments. "
                "Use `points` and `offsets`."
            )
        return self.points.reshape(-1, 2, 2)


@dataclass(frozen=True, eq=False)
class FullPieces(Polytopes):
    """The full-dimensional pieces of a decision boundary: polytopes of dimension k on all of which outputs tie.

    In the plane the vertices of each go counter-clockwise.

    Attributes
    ----------
    outputs : ndarray of bool, shape (S, m)
        Which outputs are on top of a piece: two or more. A single output is true: it is zero there.
    """

    outputs: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DecisionBoundary(Pieces):
    """Where the top two outputs tie; with one output, where it is zero.

    This set of points of the domain has pieces of two kinds. `full_pieces` are full-dimensional: parts of cells. The
    others, given here as `points`, `offsets`, ..., have one dimension less: facets of such parts on which outputs tie
    that do not tie on both sides of them. Each is there once, those on the domain's sides, too. So a facet between two
    full-dimensional pieces is none of them. One that bounds a full-dimensional piece is, and `is_rim` says so: those
    that are not rims are what the set has besides its full-dimensional pieces. See `Pieces`.

    Attributes
    ----------
    outputs : ndarray, shape (S, 2)
        The two lowest outputs that are on top of a piece; zeros for a single output.
    is_rim : ndarray of bool, shape (S,)
        Whether a full-dimensional piece is beside it.
    full_pieces : FullPieces
    """

    outputs: IntArray
    is_rim: NDArray[np.bool_]
    full_pieces: FullPieces

    @property
    def full_cells(self) -> IntArray:
        """The cells that hold a full-dimensional piece, in order; it need not fill them: see `full_pieces`."""
        return np.unique(self.full_pieces.cell)


@dataclass(frozen=True, eq=False)
class BentHyperplane(Pieces):
    """The zero set of one neuron inside the domain, where it separates cells: facets, each once. See `Pieces`."""


def decision_boundary(cx: ComplexRecord, inside: FloatArray) -> DecisionBoundary:
    """Return the decision boundary of a complex with a point inside of each cell: see `DecisionBoundary`.

    Raises
    ------
    DomainError
        When the complex is incomplete, unless its domain is a polygon: then pieces beside cells that were not found
        are there, too.

    Guarantees: which pieces there are, and which outputs tie on them, is decided exactly; vertices are float64.
    """
    k, parts = cx.domain.dim, parts_of(cx, inside)
    tied, owner, twin = parts.is_tied, parts.owner, parts.twin
    facet = np.flatnonzero(parts.pair[:, 0] >= 0)
    behind = twin[facet]
    is_rim = (behind >= 0) & tied[owner[behind]]
    once = is_rim | (facet < behind) | (behind < 0)
    facet, is_rim = facet[once], is_rim[once]
    thin = _pieces(parts.vertices, parts.corners, facet, dim=k - 1)
    full = np.flatnonzero(tied)
    runs = Corners(parts.vertices.offsets, np.arange(len(parts.vertices.points)))
    solid = _pieces(parts.vertices, runs, full, dim=k)
    outputs = parts.same[parts.same.any(axis=1)].astype(bool)
    return DecisionBoundary(
        *thin,
        parts.cell[owner[facet]],
        parts.pair[facet],
        is_rim,
        FullPieces(*solid, parts.cell[full], outputs),
    )


def bent_hyperplane(cx: ComplexRecord, corners: Corners, column: int) -> BentHyperplane:
    """Return the facets across which one unit (a column of the patterns) changes its piece, each once."""
    owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))
    once = np.flatnonzero(cx.facets.twin > np.arange(owner.size))
    here, there = owner[once], cx.facets.neighbor[once]
    which = once[cx.patterns[here, column] != cx.patterns[there, column]]
    return BentHyperplane(*_pieces(cx.vertices, corners, which, dim=cx.domain.dim - 1), owner[which])


def _pieces(
    vertices: Vertices, corners: Corners, which: IntArray, *, dim: int
) -> tuple[FloatArray, NDArray[np.bool_], IntArray]:
    """Return points, whether they are rays, and offsets, of some runs of vertices: polytopes of a dimension."""
    sizes = np.diff(corners.offsets)[which]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    index = corners.index[np.arange(int(offsets[-1])) + np.repeat(corners.offsets[which] - offsets[:-1], sizes)]
    points, is_ray = vertices.points[index], vertices.is_ray[index]
    if dim == 2 and vertices.on is not None:
        for lo, hi in pairwise(offsets.tolist()):
            if not is_ray[lo:hi].any():
                points[lo:hi] = points[lo:hi][around(points[lo:hi])]
    return points, is_ray, offsets


def around(polygon: FloatArray) -> IntArray:
    """Return the order of the corners (n, k) of a convex polygon around its rim; in the plane counter-clockwise."""
    arm = polygon - polygon.mean(axis=0)
    if arm.shape[1] > 2:
        _, _, axes = np.linalg.svd(arm, full_matrices=False)
        arm = arm @ axes[:2].T
    return np.argsort(np.arctan2(arm[:, 1], arm[:, 0]), kind="stable")
