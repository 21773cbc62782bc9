"""Into which parts does the decision cut the cells of a complex? On each part one output is on top, alone or not.

The outputs get one more node, a ReLU for a single output and a maximum of several, and the cells that it may cut are
subdivided by it. Where the top outputs tie on a part or on a facet of one is decided by `ties`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.limits import Limits
from reluatlas.compiled.structs import pack
from reluatlas.complexes.facets import Places, match_facets
from reluatlas.complexes.join import subdivide
from reluatlas.complexes.linear_regions import as_keys, map_errors
from reluatlas.complexes.record import ComplexRecord, Vertices
from reluatlas.complexes.ties import find_ties
from reluatlas.complexes.vertices import Corners, corners_of
from reluatlas.deadline import flagged, interruptible, look
from reluatlas.errors import DomainError, TimeLimitError
from reluatlas.network.decision import deciding, require_classes, scores
from reluatlas.subdivision.path.composition import new_state
from reluatlas.subdivision.polygons import tree
from reluatlas.subdivision.polygons.worker import Polygon, Worker
from reluatlas.subdivision.program.layout import M_K, Lowered
from reluatlas.subdivision.program.lower import lower

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Parts:
    """Cells cut by the decision, n of them: all on which outputs may tie, and perhaps others.

    Attributes
    ----------
    cell : ndarray, shape (n,)
        The cell of the complex that each is a part of.
    open : ndarray
        Those on which outputs may tie.
    vertices : Vertices
    offsets, line : ndarray, shapes (n + 1,) and (F,)
        Facets of part i are `offsets[i]:offsets[i + 1]`; the row of each.
    corners : Corners
        The vertices on each facet.
    same : ndarray of uint8, shape (open, m)
        For each part of `open`, whether an output is on top of all of it, where several are; else zeros.
    pair : ndarray, shape (F, 2)
        The two lowest outputs that are on top of a facet, where several are and its part has but one; else -1. A
        single output is 0 and 0 where it is zero.
    twin : ndarray, shape (F,)
        The facet seen from the part behind it, at least where outputs tie; else -1.
    """

    cell: IntArray
    open: IntArray
    vertices: Vertices
    offsets: IntArray
    line: IntArray
    corners: Corners
    same: NDArray[np.uint8]
    pair: IntArray
    twin: IntArray

    @property
    def is_tied(self) -> NDArray[np.bool_]:
        """Whether several outputs are on top of each part (one output: whether it is zero there)."""
        out = np.zeros(self.cell.size, dtype=bool)
        out[self.open] = self.same.any(axis=1)
        return out

    @property
    def owner(self) -> IntArray:
        """The part of each facet."""
        return np.repeat(np.arange(self.cell.size), np.diff(self.offsets))


def parts_of(cx: ComplexRecord, inside: FloatArray) -> Parts:
    """Return the parts into which the decision cuts a complex with a point inside of each cell.

    Raises
    ------
    ArgumentError
        When the outputs are no classes.
    DomainError
        When the complex is incomplete, unless its domain is a polygon.
    """
    require_classes(cx.network, "the decision boundary")
    may_tie = _may_tie(cx, inside)
    if cx.vertices.on is None:
        return _of_polygons(cx, may_tie)
    return _of_polytopes(cx, may_tie)


def _of_polygons(cx: ComplexRecord, may_tie: IntArray) -> Parts:
    """Subdivide the polygons on which outputs may tie."""
    lowered, level = lower(deciding(cx.network, "decision"), cx.domain), len(cx.network.cuts)
    worker, stop = Worker(lowered), np.zeros(1, dtype=np.int64)
    found = [tree.new_cells(lowered.program, 0, 0, lowered.n_outputs, lowered.piece_dtype)]
    for cell in may_tie.tolist():
        look()
        part = worker.do(_item(cx, cell, level), cx.n_outputs + 2, stop, collect=True).cells
        assert part is not None
        found.append(part)
    cell = np.repeat(may_tie, [part.hash.size for part in found[1:]])
    parts = tree.Cells._make(np.concatenate(columns) for columns in zip(*found, strict=True))
    offsets = np.concatenate([[0], np.cumsum(parts.n_vertices)]).astype(np.int64)
    points = np.stack([parts.x, parts.y], axis=1)
    vertices = Vertices(points, offsets, parts.radius, np.zeros(len(points), dtype=bool))
    corners = corners_of(vertices, offsets)
    places = Places(*corners, np.column_stack([points, np.ones(len(points))]), parts.radius)
    every = np.arange(cell.size)
    same, pair = _ties(lowered, level, cx.n_outputs, every, parts.pattern, offsets, parts.line, places)
    # what lies behind is asked only where outputs tie
    ties = (pair[:, 0] >= 0) | np.repeat(same.any(axis=1), parts.n_vertices)
    asked = np.where(ties, parts.line, -1)
    stop = np.zeros(1, dtype=np.int64)
    twin = match_facets(
        lowered, parts.pattern, parts.hash, offsets, asked, lambda: places, is_complete=False, stop=stop
    ).twin  # fmt: skip
    _require_all(stop)
    return Parts(cell, every, vertices, offsets, parts.line, corners, same, pair, twin)


def _of_polytopes(cx: ComplexRecord, may_tie: IntArray) -> Parts:
    """Subdivide the domain anew, by the decision, too."""
    if not cx.is_complete:
        raise DomainError(
            f"the decision boundary in {cx.domain.dim} dimensions is found for a complete complex; this one was "
            f"stopped by {cx.stopped_by}. Enumerate with a larger budget, or on a smaller domain."
        )
    cut = subdivide(deciding(cx.network, "decision"), cx.domain, Limits(), ComplexRecord)
    if not cut.is_complete:
        _require_all(np.array([2 if cut.stopped_by == "interrupt" else 1]))
    cell = _places(cx.patterns, cut.patterns[:, :-1].astype(cx.patterns.dtype))
    some = np.zeros(cx.n_cells, dtype=bool)
    some[may_tie] = True
    opened = np.flatnonzero(some[cell])
    facets, vertices = cut.facets, cut.vertices
    corners = corners_of(vertices, facets.offsets)
    places = Places(*corners, np.column_stack([vertices.points, (~vertices.is_ray).astype(np.float64)]), vertices.radii)
    lowered, level = lower(cut.network, cut.domain), len(cx.network.cuts)
    same, pair = _ties(lowered, level, cx.n_outputs, opened, cut.patterns, facets.offsets, facets.line, places)
    return Parts(cell, opened, vertices, facets.offsets, facets.line, corners, same, pair, facets.twin)


def _ties(
    lowered: Lowered, level: int, n_outputs: int, parts: IntArray, pattern: NDArray[np.integer], offsets: IntArray,
    line: IntArray, places: Places,
) -> tuple[NDArray[np.uint8], IntArray]:  # fmt: skip
    """Return `Parts.same` and `Parts.pair`."""
    same, pair = np.zeros((parts.size, n_outputs), dtype=np.uint8), np.full((line.size, 2), -1, dtype=np.int64)
    k, stop = int(lowered.program.meta[M_K]), np.zeros(1, dtype=np.int64)
    pieces, row = np.full(pattern.shape[1], -1, dtype=np.int32), np.zeros(k + 1)
    corners = np.zeros((int(np.diff(places.offsets).max(initial=1)), k + 2))
    with flagged(stop):
        interruptible(
            find_ties, lowered.packed, pack(new_state(lowered.program)), level, parts, pattern, offsets, line,
            pack(places), pieces, row, corners, same, pair, stop, flag=stop,
        )  # fmt: skip
    _require_all(stop)
    return same, pair


def _require_all(stop: IntArray) -> None:
    """Refuse to give a part of what was looked for."""
    if stop[0] == 2:
        raise KeyboardInterrupt
    if stop[0]:
        raise TimeLimitError("the time was over before all of the decision boundary was found. Allow more seconds.")


def _may_tie(cx: ComplexRecord, inside: FloatArray) -> IntArray:
    """Return the cells in which no single sign or winner holds by a certain margin at all vertices."""
    points, radii, offsets = cx.vertices.points, cx.vertices.radii, cx.vertices.offsets
    finite = (~cx.vertices.is_ray).astype(np.float64)
    owner = np.repeat(np.arange(cx.n_cells), np.diff(offsets))
    errors = map_errors(cx)
    out = np.diff(offsets) == 0
    step = max(1, _CHUNK // cx.n_outputs)
    slopes, constants = scores(cx.network, cx.affine.A), scores(cx.network, cx.affine.b)
    winner = (np.einsum("imk,ik->im", slopes, inside) + constants).argmax(axis=1)
    for start in range(0, points.shape[0], step):
        part = slice(start, start + step)
        A, u = slopes[owner[part]], points[part]
        b = constants[owner[part]] * finite[part, None]
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
        sign = np.sign(np.einsum("vk,vk->v", cx.affine.A[owner, 0], points) + cx.affine.b[owner, 0] * finite)
        below, above = np.zeros((2, cx.n_cells), dtype=bool)
        below[owner[sign < 0]] = above[owner[sign > 0]] = True
        out |= below & above
    return np.flatnonzero(out)


def _places(patterns: NDArray[np.integer], wanted: NDArray[np.integer]) -> IntArray:
    """Return where some patterns stand among others, which are distinct and hold them all."""
    if patterns.shape[1] == 0:
        return np.zeros(len(wanted), dtype=np.int64)
    keys, sought = as_keys(patterns), as_keys(wanted)
    order = np.argsort(keys)
    return order[np.searchsorted(keys[order], sought)]


def _item(cx: ComplexRecord, cell: int, level: int) -> Polygon:
    """Return a cell as a work item of the level that decides."""
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
