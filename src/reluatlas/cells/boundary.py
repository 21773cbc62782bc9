"""Where does the decision change? The decision boundary of a complex, cut as exactly as its cells.

The outputs get one more node, a ReLU for a single output and a maximum of several, and the cells that it may cut
are subdivided by it: the facets that it makes are the boundary.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.behind import vanishes_on
from reluatlas.cells.plane import Polygon, Worker
from reluatlas.cells.program import Lowered, lower
from reluatlas.cells.questions import following
from reluatlas.cells.regions import ExactMap, ExactMaps, map_errors
from reluatlas.cells.state import new_state
from reluatlas.network.graph import Breakpoints, Max, Network
from reluatlas.packs import pack

if TYPE_CHECKING:
    from reluatlas.cells.complex import PolyhedralComplex

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DecisionBoundary:
    """Where the top two outputs tie; with one output, where it is zero.

    Attributes
    ----------
    points : ndarray, shape (S, 2, 2)
        Ends of the segments, in the domain's coordinates.
    cell : ndarray, shape (S,)
        The cell that a segment lies in; of a segment on a facet between two cells, one of them.
    full_cells : ndarray
        Cells on all of which the top outputs tie (one output: is zero): full-dimensional pieces of the boundary.
    """

    points: FloatArray
    cell: IntArray
    full_cells: IntArray

    def __len__(self) -> int:
        return self.points.shape[0]


@dataclass(frozen=True, eq=False)
class BentHyperplane:
    """The zero set of one neuron inside the domain, where it separates cells.

    Attributes
    ----------
    points : ndarray, shape (S, 2, 2)
        Ends of the segments, in the domain's coordinates; each once.
    cell : ndarray, shape (S,)
        The cell on the first side of a segment.
    """

    points: FloatArray
    cell: IntArray


def decision_boundary(cx: PolyhedralComplex) -> DecisionBoundary:
    """Return the decision boundary of a complex: see `DecisionBoundary`.

    Guarantees: which cells it crosses is decided exactly; ends are float64.
    """
    full = _full_cells(cx)
    lowered = lower(_extended(cx.network), cx.domain)
    level = len(cx.network.cuts)
    worker, stop = Worker(lowered), np.zeros(1, dtype=np.int64)
    ends: list[FloatArray] = []
    owners: list[int] = []
    crossed = np.setdiff1d(_perhaps_crossed(cx), full)
    for cell in crossed.tolist():
        found = worker.do(_item(cx, cell, level), cx.n_outputs + 2, stop, collect=True)
        assert found.cells is not None
        parts = found.cells
        offsets = np.concatenate([[0], np.cumsum(parts.n_vertices)])
        points = np.stack([parts.x, parts.y], axis=1)
        line = parts.line
        first, second = (line >> 10) & 1023, line & 1023
        mine = (line >= 0) & (line >> 50 == level)
        if isinstance(lowered.network.nodes[-1], Max):
            mine &= first < second
        else:
            mine &= np.repeat(parts.pattern[:, -1] == 0, parts.n_vertices)
        which = np.flatnonzero(mine)
        ends.append(np.stack([points[which], points[following(offsets)[which]]], axis=1))
        owners += [cell] * which.size
    which, cells = _on_facets(cx, lowered, level)
    ends.append(_segments(cx, which))
    owners += cells
    joined = np.concatenate(ends)
    return DecisionBoundary(joined, np.array(owners, dtype=np.int64), full)


def bent_hyperplane(cx: PolyhedralComplex, column: int) -> BentHyperplane:
    """Return the facets across which one unit (a column of the patterns) changes its piece, each once."""
    owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))
    once = np.flatnonzero(cx.facets.twin > np.arange(owner.size))
    here, there = owner[once], cx.facets.neighbor[once]
    which = once[cx.patterns[here, column] != cx.patterns[there, column]]
    return BentHyperplane(_segments(cx, which), owner[which])


def _segments(cx: PolyhedralComplex, which: IntArray) -> FloatArray:
    ends = which, following(cx.facets.offsets)[which]
    return np.stack([cx.vertices.points[end] for end in ends], axis=1)


def _on_facets(cx: PolyhedralComplex, lowered: Lowered, level: int) -> tuple[IntArray, list[int]]:
    """Return the facets between cells that are part of the boundary, each once, and their cells."""
    facets, points, radii = cx.facets, cx.vertices.points, cx.vertices.radii
    owner = np.repeat(np.arange(cx.n_cells), np.diff(facets.offsets))
    once = np.flatnonzero(facets.twin > np.arange(owner.size))
    if once.size == 0:
        return once, []
    cells, errors = owner[once], map_errors(cx)
    A, b = cx.affine.A[cells], cx.affine.b[cells]
    ends = np.stack([once, following(facets.offsets)[once]])
    values = np.stack([np.einsum("fmk,fk->fm", A, points[e]) + b for e in ends])
    reach = np.abs(points[ends]).sum(axis=2) + radii[ends]
    margin = reach[:, :, None] * errors[:, 0] + errors[:, -1]
    margin = margin + radii[ends][:, :, None] * np.abs(A).sum(axis=2) + 1e-14 * (np.abs(values) + np.abs(b))
    middle = values.mean(axis=0)
    first = np.zeros(once.size, dtype=np.int64) if cx.n_outputs == 1 else middle.argmax(axis=1)
    second = np.zeros_like(first)
    if cx.n_outputs > 1:
        rest = middle.copy()
        np.put_along_axis(rest, first[:, None], -np.inf, axis=1)
        second = rest.argmax(axis=1)
    row = np.arange(once.size)
    lead = values[:, row, first] - (values[:, row, second] if cx.n_outputs > 1 else 0.0)
    near = (np.abs(lead) <= margin[:, row, first] + margin[:, row, second]).all(axis=0)
    program, state = lowered.packed, pack(new_state(lowered.program))
    kept: list[int] = []
    for i in np.flatnonzero(near).tolist():
        j = int(once[i])
        corners = np.column_stack([points[ends[:, i]], radii[ends[:, i]]])
        pieces = cx.patterns[cells[i]].astype(np.int32)
        one = cx.n_outputs == 1
        c, d = (0, 0) if one else (int(first[i]), int(second[i]))
        if vanishes_on(program, state, pieces, level, 0, c, d, int(facets.line[j]), corners):
            kept.append(i)
    return once[kept], cells[kept].tolist()


def _extended(network: Network) -> Network:
    m, source = network.n_outputs, network.output
    if m == 1:
        node = Breakpoints(source, np.zeros((1, 1)), np.array([[0.0, 1.0]]), np.zeros((1, 2)), (1,), "decision")
    else:
        node = Max(source, np.array([0, m]), np.arange(m), (1,), "decision")
    return Network((*network.nodes, node), len(network.nodes), network.notes, network.source)


def _perhaps_crossed(cx: PolyhedralComplex) -> IntArray:
    """Return the cells in which no single sign or winner holds by a certain margin at all vertices."""
    points, radii, offsets = cx.vertices.points, cx.vertices.radii, cx.vertices.offsets
    owner = np.repeat(np.arange(cx.n_cells), np.diff(offsets))
    errors = map_errors(cx)
    out = np.zeros(cx.n_cells, dtype=bool)
    step = max(1, (1 << 22) // cx.n_outputs)
    inner = np.add.reduceat(points, offsets[:-1], axis=0) / np.diff(offsets)[:, None]
    winner = (np.einsum("imk,ik->im", cx.affine.A, inner) + cx.affine.b).argmax(axis=1)
    for start in range(0, points.shape[0], step):
        part = slice(start, start + step)
        A, b, u = cx.affine.A[owner[part]], cx.affine.b[owner[part]], points[part]
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


def _full_cells(cx: PolyhedralComplex) -> IntArray:
    """Return the cells on all of which the top outputs are one function (one output: zero)."""
    errors = map_errors(cx)
    maps = np.concatenate([cx.affine.A, cx.affine.b[:, :, None]], axis=2)
    exact = ExactMaps(cx)
    if cx.n_outputs == 1:
        near = np.flatnonzero((np.abs(maps[:, 0]) <= errors[0]).all(axis=1))
        return np.array([i for i in near.tolist() if not any(exact.of(i)[0])], dtype=np.int64)
    offsets = cx.vertices.offsets
    inner = np.add.reduceat(cx.vertices.points, offsets[:-1], axis=0) / np.diff(offsets)[:, None]
    values = np.einsum("imk,ik->im", cx.affine.A, inner) + cx.affine.b
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
