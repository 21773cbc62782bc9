"""Where does the decision change? The decision boundary of a complex, cut as exactly as its cells.

The outputs get one more node, a ReLU for a single output and a maximum of several, and the cells that it may cut
are subdivided by it: the facets that it makes are the boundary.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.behind import vanishes_on
from reluatlas.cells.corners import following
from reluatlas.cells.lower import lower
from reluatlas.cells.plane import Polygon, Worker
from reluatlas.cells.program import Lowered
from reluatlas.cells.regions import ExactMap, ExactMaps, map_errors
from reluatlas.cells.state import new_state
from reluatlas.errors import DimensionError, DomainError
from reluatlas.network.decision import deciding, require_classes, scores
from reluatlas.network.graph import Max
from reluatlas.packs import pack

if TYPE_CHECKING:
    from reluatlas.cells.complex import PolyhedralComplex

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Polytopes of dimension k - 1: segments in the plane, convex polygons in three dimensions, ...

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
class DecisionBoundary(Pieces):
    """Where the top two outputs tie; with one output, where it is zero. See `Pieces`.

    Attributes
    ----------
    full_cells : ndarray
        Cells on all of which the top outputs tie (one output: is zero): full-dimensional pieces of the boundary.
    """

    full_cells: IntArray


@dataclass(frozen=True, eq=False)
class BentHyperplane(Pieces):
    """The zero set of one neuron inside the domain, where it separates cells: facets, each once. See `Pieces`."""


def decision_boundary(cx: PolyhedralComplex) -> DecisionBoundary:
    """Return the decision boundary of a complex: see `DecisionBoundary`.

    Guarantees: which cells it crosses is decided exactly; vertices are float64.
    """
    require_classes(cx.network, "the decision boundary")
    full = full_cells(cx)
    lowered = lower(deciding(cx.network, "decision"), cx.domain)
    level = len(cx.network.cuts)
    inside = _inside_polygons(cx, lowered, level, full) if cx.vertices.on is None else _inside_cells(cx, full)
    between = pieces_of(cx, _on_facets(cx, lowered, level))
    points, rays = (np.concatenate([getattr(p, a) for p in (inside, between)]) for a in ("points", "is_ray"))
    offsets = np.concatenate([inside.offsets, inside.offsets[-1] + between.offsets[1:]])
    return DecisionBoundary(points, rays, offsets, np.concatenate([inside.cell, between.cell]), full)


def bent_hyperplane(cx: PolyhedralComplex, column: int) -> BentHyperplane:
    """Return the facets across which one unit (a column of the patterns) changes its piece, each once."""
    owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))
    once = np.flatnonzero(cx.facets.twin > np.arange(owner.size))
    here, there = owner[once], cx.facets.neighbor[once]
    found = pieces_of(cx, once[cx.patterns[here, column] != cx.patterns[there, column]])
    return BentHyperplane(found.points, found.is_ray, found.offsets, found.cell)


def pieces_of(cx: PolyhedralComplex, which: IntArray) -> Pieces:
    """Return some facets as pieces."""
    starts, index = cx.corners
    sizes = np.diff(starts)[which]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    index = index[np.arange(int(offsets[-1])) + np.repeat(starts[which] - offsets[:-1], sizes)]
    cell = np.searchsorted(cx.facets.offsets, which, side="right") - 1
    points, is_ray = cx.vertices.points[index], cx.vertices.is_ray[index]
    if cx.domain.dim == 3 and not is_ray.any():
        for lo, hi in pairwise(offsets.tolist()):
            points[lo:hi] = points[lo:hi][around(points[lo:hi])]
    return Pieces(points, is_ray, offsets, cell)


def around(polygon: FloatArray) -> IntArray:
    """Return the order of the corners (n, 3) of a convex polygon in space around its rim."""
    arm = polygon - polygon.mean(axis=0)
    _, _, axes = np.linalg.svd(arm, full_matrices=False)
    return np.argsort(np.arctan2(arm @ axes[1], arm @ axes[0]), kind="stable")


def _inside_polygons(cx: PolyhedralComplex, lowered: Lowered, level: int, full: IntArray) -> Pieces:
    """Return the boundary inside polygons: those that it may cross are subdivided by the decision."""
    worker, stop = Worker(lowered), np.zeros(1, dtype=np.int64)
    ends: list[FloatArray] = [np.zeros((0, 2, 2))]
    owners: list[int] = []
    crossed = np.setdiff1d(_perhaps_crossed(cx), full)
    for cell in crossed.tolist():
        found = worker.do(_item(cx, cell, level), cx.n_outputs + 2, stop, collect=True)
        assert found.cells is not None
        parts = found.cells
        offsets = np.concatenate([[0], np.cumsum(parts.n_vertices)])
        points = np.stack([parts.x, parts.y], axis=1)
        which = _made_by(lowered, level, parts.line, np.repeat(parts.pattern[:, -1], parts.n_vertices))
        ends.append(np.stack([points[which], points[following(offsets)[which]]], axis=1))
        owners += [cell] * which.size
    points = np.concatenate(ends).reshape(-1, 2)
    cell = np.array(owners, dtype=np.int64)
    return Pieces(points, np.zeros(len(points), dtype=bool), np.arange(0, len(points) + 1, 2), cell)


def _inside_cells(cx: PolyhedralComplex, full: IntArray) -> Pieces:
    """Return the boundary inside polytopes: the facets that the decision makes in the complex cut by it, too."""
    from reluatlas.cells.enumerate import enumerate_cells

    if not cx.is_complete:
        raise DomainError(
            f"the decision boundary in {cx.domain.dim} dimensions is found for a complete complex; this one was "
            f"stopped by {cx.stopped_by}. Enumerate with a larger budget, or on a smaller domain."
        )
    cut = enumerate_cells(deciding(cx.network, "decision"), cx.domain)
    lowered = lower(cut.network, cut.domain)
    owner = np.repeat(np.arange(cut.n_cells), np.diff(cut.facets.offsets))
    which = _made_by(lowered, len(cx.network.cuts), cut.facets.line, cut.patterns[owner, -1])
    found = pieces_of(cut, which)
    place = {row.tobytes(): i for i, row in enumerate(cx.patterns)}
    inside = np.ascontiguousarray(cut.patterns[found.cell, :-1].astype(cx.patterns.dtype))
    cell = np.array([place[row.tobytes()] for row in inside], dtype=np.int64)
    assert not np.isin(cell, full).any()
    return Pieces(found.points, found.is_ray, found.offsets, cell)


def _made_by(lowered: Lowered, level: int, line: IntArray, piece: NDArray[np.integer]) -> IntArray:
    """Return the facets that the decision, the node of a level, made; seen from one of their two cells."""
    first, second = (line >> 10) & 1023, line & 1023
    mine = (line >= 0) & (line >> 50 == level)
    if isinstance(lowered.network.nodes[-1], Max):
        mine &= first < second
    else:
        mine &= piece == 0
    return np.flatnonzero(mine)


def _on_facets(cx: PolyhedralComplex, lowered: Lowered, level: int) -> IntArray:
    """Return the facets between cells that are part of the boundary, each once."""
    facets, points, radii = cx.facets, cx.vertices.points, cx.vertices.radii
    once = np.flatnonzero(facets.twin > np.arange(facets.twin.size))
    if once.size == 0:
        return once
    cells, errors = np.searchsorted(facets.offsets, once, side="right") - 1, map_errors(cx)
    starts, index = cx.corners
    sizes = np.diff(starts)[once]
    begin = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    at = index[np.arange(int(begin[-1])) + np.repeat(starts[once] - begin[:-1], sizes)]
    finite = (~cx.vertices.is_ray[at]).astype(np.float64)
    owner = np.repeat(cells, sizes)
    A, b = scores(cx.network, cx.affine.A[owner]), scores(cx.network, cx.affine.b[owner]) * finite[:, None]
    values = np.einsum("fmk,fk->fm", A, points[at]) + b
    reach = np.abs(points[at]).sum(axis=1) + radii[at]
    margin = reach[:, None] * errors[:, 0] + errors[:, -1]
    margin = margin + radii[at][:, None] * np.abs(A).sum(axis=2) + 1e-14 * (np.abs(values) + np.abs(b))
    middle = np.add.reduceat(values, begin[:-1], axis=0)
    first = np.zeros(once.size, dtype=np.int64) if cx.n_outputs == 1 else middle.argmax(axis=1)
    second = np.zeros_like(first)
    if cx.n_outputs > 1:
        rest = middle.copy()
        np.put_along_axis(rest, first[:, None], -np.inf, axis=1)
        second = rest.argmax(axis=1)
    row = np.arange(at.size)
    one, other = np.repeat(first, sizes), np.repeat(second, sizes)
    lead = values[row, one] - (values[row, other] if cx.n_outputs > 1 else 0.0)
    near = np.logical_and.reduceat(np.abs(lead) <= margin[row, one] + margin[row, other], begin[:-1])
    program, state, space = lowered.packed, pack(new_state(lowered.program)), np.zeros(cx.domain.dim + 1)
    kept: list[int] = []
    for i in np.flatnonzero(near).tolist():
        here = at[begin[i] : begin[i + 1]]
        corners = np.column_stack([points[here], ~cx.vertices.is_ray[here], radii[here]])
        pieces = cx.patterns[cells[i]].astype(np.int32)
        c, d = (0, 0) if cx.n_outputs == 1 else (int(first[i]), int(second[i]))
        line = int(facets.line[once[i]])
        if vanishes_on(program, state, pieces, level, 0, c, d, line, space, np.ascontiguousarray(corners)):
            kept.append(i)
    return once[kept]


def _perhaps_crossed(cx: PolyhedralComplex) -> IntArray:
    """Return the cells in which no single sign or winner holds by a certain margin at all vertices."""
    points, radii, offsets = cx.vertices.points, cx.vertices.radii, cx.vertices.offsets
    owner = np.repeat(np.arange(cx.n_cells), np.diff(offsets))
    errors = map_errors(cx)
    out = np.zeros(cx.n_cells, dtype=bool)
    step = max(1, (1 << 22) // cx.n_outputs)
    all_A, all_b = scores(cx.network, cx.affine.A), scores(cx.network, cx.affine.b)
    winner = (np.einsum("imk,ik->im", all_A, cx.interior_points) + all_b).argmax(axis=1)
    for start in range(0, points.shape[0], step):
        part = slice(start, start + step)
        A, b, u = all_A[owner[part]], all_b[owner[part]], points[part]
        values = np.einsum("vmk,vk->vm", A, u) + b
        size = np.einsum("vmk,vk->vm", np.abs(A), np.abs(u)) + np.abs(b)
        reach = np.abs(u) + radii[part, None]
        margin = reach @ errors[:, :-1].T + errors[:, -1] + radii[part, None] * np.abs(A).sum(axis=2) + 1e-15 * size
        if cx.n_outputs == 1:
            doubtful = np.abs(values[:, 0]) <= margin[:, 0]
            np.logical_or.at(out, owner[part], doubtful)
            continue
        top = winner[owner[part]][:, None]
        lead = np.take_along_axis(values - margin, top, axis=1) - (values + margin)
        np.put_along_axis(lead, top, np.inf, axis=1)
        np.logical_or.at(out, owner[part], (lead <= 0).any(axis=1))
    if cx.n_outputs == 1:
        sign = np.sign(np.einsum("vk,vk->v", cx.affine.A[owner, 0], points) + cx.affine.b[owner, 0])
        low, high = (f.reduceat(sign, offsets[:-1]) for f in (np.minimum, np.maximum))
        out |= low < high
    return np.flatnonzero(out)


def full_cells(cx: PolyhedralComplex) -> IntArray:
    """Return the cells on all of which the top outputs are one function (one output: zero)."""
    errors = map_errors(cx)
    maps = np.concatenate([cx.affine.A, cx.affine.b[:, :, None]], axis=2)
    exact = ExactMaps(cx)
    if cx.n_outputs == 1:
        near = np.flatnonzero((np.abs(maps[:, 0]) <= errors[0]).all(axis=1))
        return np.array([i for i in near.tolist() if not any(exact.of(i)[0])], dtype=np.int64)
    inner = cx.interior_points
    values = scores(cx.network, np.einsum("imk,ik->im", cx.affine.A, inner) + cx.affine.b)
    order = np.argsort(-values, axis=1)[:, :2]
    cells = np.arange(cx.n_cells)
    apart = np.abs(maps[cells, order[:, 0]] - maps[cells, order[:, 1]])
    near = np.flatnonzero((apart <= errors[order[:, 0]] + errors[order[:, 1]]).all(axis=1))
    return np.array([i for i in near.tolist() if _top_ties(exact.of(i), inner[i])], dtype=np.int64)


def _top_ties(rows: ExactMap, point: FloatArray) -> bool:
    at = [Fraction(v) for v in point.tolist()]
    values = [sum((a * u for a, u in zip(row, at, strict=False)), row[-1]) for row in rows]
    top = rows[values.index(max(values))]
    return sum(row == top for row in rows) > 1


def _item(cx: PolyhedralComplex, cell: int, level: int) -> Polygon:
    run = slice(int(cx.vertices.offsets[cell]), int(cx.vertices.offsets[cell + 1]))
    x, y = cx.vertices.points[run].T.copy()
    edges = cx.facets.line[run]
    return Polygon(
        (cell,),
        level,
        cx.patterns[cell].astype(np.int32),
        x,
        y,
        cx.vertices.radii[run],
        np.roll(edges, 1),
        edges,
        edges,
    )
