"""Are patterns and maps those of the cells? Every inequality at every vertex, exact evaluation inside, maps composed.

A cell is right when its vertices satisfy the closed inequalities of its pattern, up to their radii: cells with
different patterns then do not overlap, and if their volumes add up to the domain's, none is missing. What inequalities
cannot tell is the piece of a unit that is at its knot on the whole cell, and the winner of a window whose candidates
are the same function there: evaluation takes the piece below, and the first candidate. Where float64 leaves that open,
the row is composed in whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import ExactVector
from reluatlas.network.network import Breakpoints
from reluatlas.network.values.float64 import values
from reluatlas.testing.incidence import Incidence, has_vertices, incidence
from reluatlas.testing.require import require, require_whole
from reluatlas.testing.rows import Rows, Walk, fraction
from reluatlas.typing import FloatArray, IntArray

_NUMBERS = 2**22  # of one array at a time


def check_patterns_and_maps(cx: Any) -> None:
    """Assert that patterns are distinct and hold on their cells, and that maps are the composed ones."""
    _check_form(cx)
    walk, units = Walk(cx.network, cx.domain), _units(cx)
    on = incidence(cx) if has_vertices(cx) else None
    for cells in _chunks(cx, units):
        rows = walk.rows(cx.patterns[cells])
        _check_maps(cx, cells, rows[cx.network.output])
        if on is not None:
            _check_vertices(cx, cells, rows, on)
        _check_inside(cx, cells, rows, walk, on)
    if on is not None:
        _check_network(cx, on)


def map_tolerance(cx: Any) -> FloatArray:
    """Return (n_cells, m, k + 1) bounds on the rounding of each cell's map, the constants last."""
    walk = Walk(cx.network, cx.domain)
    parts = [4 * walk.rows(cx.patterns[cells])[cx.network.output].error for cells in _chunks(cx, _units(cx))]
    return np.concatenate([np.zeros((0, cx.network.n_outputs, cx.domain.dim + 1)), *parts])


def _units(cx: Any) -> int:
    sizes = [int(np.prod(node.shape)) for node in cx.network.nodes]
    return sum(sizes) * (cx.domain.dim + 1)


def _chunks(cx: Any, units: int) -> Iterator[slice]:
    """Yield runs of cells whose rows, and whose vertices' values, are not too many at once."""
    each = 1
    if has_vertices(cx):
        each = max(1, int(np.diff(cx.vertices.offsets).max(initial=1)))
    step = max(1, _NUMBERS // (units * each))
    return (slice(start, min(start + step, cx.n_cells)) for start in range(0, cx.n_cells, step))


def _check_form(cx: Any) -> None:
    patterns, net = np.asarray(cx.patterns), cx.network
    require_whole(
        patterns.shape == (cx.n_cells, net.n_neurons + net.n_windows),
        f"`patterns` has shape {patterns.shape} for {cx.n_cells} cells and {net.n_neurons + net.n_windows} units",
    )
    _, first, twice = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    again = first[twice.reshape(-1)]
    require(again == np.arange(cx.n_cells), np.arange(cx.n_cells), "its pattern is that of another cell")
    for t, columns in net.pattern_slices().items():
        node, given = net.nodes[t], patterns[:, columns].astype(np.int64)
        most = np.isfinite(node.knots).sum(axis=1) if isinstance(node, Breakpoints) else np.diff(node.offsets) - 1
        require((given >= 0) & (given <= most), np.arange(cx.n_cells)[:, None], f"node {t} has no such piece or winner")
    shape = (cx.n_cells, cx.n_outputs, cx.domain.dim)
    require_whole(
        cx.affine.A.shape == shape and cx.affine.b.shape == shape[:2],
        f"maps have shapes {cx.affine.A.shape} and {cx.affine.b.shape}; expected {shape} and {shape[:2]}",
    )


def _check_maps(cx: Any, cells: slice, rows: Rows) -> None:
    given = np.concatenate([cx.affine.A[cells], cx.affine.b[cells][:, :, None]], axis=2)
    apart = np.abs(given - rows.value)
    where = np.arange(cells.start, cells.stop)[:, None, None]
    require(
        ~(apart > 4 * rows.error), where, f"its map is not the composed one; maps differ by up to {apart.max():.3g}"
    )


def _check_vertices(cx: Any, cells: slice, rows: dict[int, Rows], on: Incidence) -> None:
    """Assert each inequality of a pattern at each vertex, and that the rows of facets vanish on them."""
    lo, hi = int(cx.vertices.offsets[cells.start]), int(cx.vertices.offsets[cells.stop])
    cell = on.vertex_cell[lo:hi]
    weight = np.where(on.is_ray[lo:hi], 0.0, 1.0)
    first, last = np.searchsorted(on.facet_cell[on.facet], [cells.start, cells.stop])
    facet, vertex = on.facet[first:last], on.vertex[first:last] - lo
    for level, (t, columns) in enumerate(cx.network.pattern_slices().items()):
        node, pattern = cx.network.nodes[t], cx.patterns[:, columns].astype(np.int64)
        with np.errstate(invalid="ignore", over="ignore"):
            z, error = rows[node.input].at(
                cell - cells.start, cx.vertices.points[lo:hi], weight, cx.vertices.radii[lo:hi]
            )
        mine = np.flatnonzero(cx.facets.level[facet] == level)
        j, v = facet[mine], vertex[mine]
        here, unit, behind = on.facet_cell[j], cx.facets.unit[j], cx.facets.neighbor[j]
        require((unit >= 0) & (unit < pattern.shape[1]), here, f"a facet is owned by a unit that layer {level} lacks")
        one = pattern[here, unit]
        other = np.where(behind >= 0, pattern[np.maximum(behind, 0), unit], -1)
        if isinstance(node, Breakpoints):
            below, above = _outside_piece(node, pattern[cell], z, error, weight[:, None])
            require(~(below | above), cell[:, None], f"a vertex is not on the piece of a unit, node {t}")
            ends = _knots(node)
            low, high = np.minimum(one, other) + 1, np.maximum(one, other)
            low, high = np.where(behind >= 0, low, one), np.where(behind >= 0, high, one + 1)
            # a knot counts for nothing in the direction of a ray
            gaps = [_gap(z[v, unit], ends[unit, end], weight[v]) for end in (low, high)]
            gap = np.where(behind >= 0, np.maximum(*gaps), np.minimum(*gaps))
            require(~(gap > error[v, unit]), here, f"a facet is not at the knot of the unit that owns it, node {t}")
        else:
            winner = node.candidates[node.offsets[:-1] + pattern]  # (cells, windows)
            of = np.repeat(np.arange(node.n_windows), np.diff(node.offsets))
            won = np.take_along_axis(z, winner[cell], axis=1)[:, of]
            doubt = np.take_along_axis(error, winner[cell], axis=1)[:, of] + error[:, node.candidates]
            require(~(z[:, node.candidates] - won > doubt), cell[:, None], f"a window has another winner, node {t}")
            known = behind >= 0
            v, unit, here = v[known], unit[known], here[known]
            a, b = (node.candidates[node.offsets[unit] + p[known]] for p in (one, other))
            gap = np.abs(z[v, a] - z[v, b])
            require(~(gap > error[v, a] + error[v, b]), here, f"candidates do not tie on their facet, node {t}")


def _check_inside(cx: Any, cells: slice, rows: dict[int, Rows], walk: Walk, on: Incidence | None) -> None:
    """Assert that patterns are those of exact evaluation at a point inside, or of the rows where rounding is wider."""
    points, reach = _points_inside(cx, cells, on)
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    number = np.arange(cells.start, cells.stop)
    exact: dict[int, dict[int, list[ExactVector]]] = {}

    def rows_of(i: int, t: int) -> list[ExactVector]:
        if i not in exact:
            exact.clear()  # asked for cell by cell, below
            exact[i] = walk.exact(cx.patterns[number[i]])
        return exact[i][t]

    asked: list[tuple[int, int, int]] = []
    for t, columns in cx.network.pattern_slices().items():
        node, pattern = cx.network.nodes[t], cx.patterns[cells, columns].astype(np.int64)
        here = rows[node.input]
        z, error = here.at(known, points[known], np.ones(known.size), reach[known])
        if isinstance(node, Breakpoints):
            below, above = _outside_piece(node, pattern[known], z, error, np.ones((known.size, 1)))
            require(~(below | above), number[known][:, None], f"evaluation inside takes another piece, node {t}")
            low = _knots(node)[np.arange(pattern.shape[1]), pattern]
            flat = (np.abs(here.value[:, :, :-1]) <= here.error[:, :, :-1]).all(axis=2)
            at_knot = flat & (np.abs(here.value[:, :, -1] - low) <= here.error[:, :, -1])
        else:
            winner = node.candidates[node.offsets[:-1] + pattern]
            of = np.repeat(np.arange(node.n_windows), np.diff(node.offsets))
            won = np.take_along_axis(z, winner[known], axis=1)[:, of]
            doubt = np.take_along_axis(error, winner[known], axis=1)[:, of] + error[:, node.candidates]
            fine = ~(z[:, node.candidates] - won > doubt)
            require(fine, number[known][:, None], f"evaluation inside takes another winner, node {t}")
            best, before = here.value[np.arange(len(pattern))[:, None], winner[:, of]], here.value[:, node.candidates]
            doubts = here.error[np.arange(len(pattern))[:, None], winner[:, of]] + here.error[:, node.candidates]
            place = np.concatenate([np.arange(b - a) for a, b in pairwise(node.offsets.tolist())])
            at_knot = (np.abs(best - before) <= doubts).all(axis=2) & (place < pattern[:, of])
        asked += [(int(i), t, int(u)) for i, u in zip(*np.nonzero(at_knot), strict=True)]
    for i, t, u in sorted(asked):
        node, pattern = cx.network.nodes[t], cx.patterns[number[i], cx.network.pattern_slices()[t]].astype(np.int64)
        vectors = rows_of(i, t)
        if isinstance(node, Breakpoints):
            slopes, constant = [fraction(v, u) for v in vectors[:-1]], fraction(vectors[-1], u)
            is_wrong = not any(slopes) and constant == Fraction(float(_knots(node)[u, pattern[u]]))
            what = f"unit {u} of node {t} is at its knot on the whole cell, where evaluation takes the piece below"
        else:
            w = int(np.searchsorted(node.offsets, u, side="right")) - 1
            pair = int(node.candidates[u]), int(node.candidates[node.offsets[w] + pattern[w]])
            is_wrong = all(fraction(v, pair[0]) == fraction(v, pair[1]) for v in vectors)
            what = f"window {w} of node {t} has an earlier candidate that is the winner's function"
        require(not is_wrong, number[i], what)


def _points_inside(cx: Any, cells: slice, on: Incidence | None) -> tuple[FloatArray, FloatArray]:
    """Return a point of each cell, and how far from the cell it may be: none is known for unbounded ones."""
    if on is None:
        return cx.interior_points[cells], np.zeros(cells.stop - cells.start)
    lo, hi = int(cx.vertices.offsets[cells.start]), int(cx.vertices.offsets[cells.stop])
    cell = on.vertex_cell[lo:hi] - cells.start
    n = np.diff(cx.vertices.offsets[cells.start : cells.stop + 1])
    points = np.where(on.is_ray[lo:hi, None], np.nan, cx.vertices.points[lo:hi])
    middle = np.stack([np.bincount(cell, weights=column, minlength=n.size) / n for column in points.T], axis=1)
    reach = np.zeros(n.size)
    np.maximum.at(reach, cell, on.reach[lo:hi])
    return middle, reach + 4 * (n + 2) * 2.0**-53 * _largest(points, cell, n.size)


def _largest(points: FloatArray, cell: IntArray, n: int) -> FloatArray:
    out = np.zeros(n)
    np.maximum.at(out, cell, np.nan_to_num(np.abs(points).max(axis=1)))
    return out


def _check_network(cx: Any, on: Incidence) -> None:
    """Assert that the network's own evaluation gives at every vertex what the map says."""
    origin, basis = cx.domain.frame()
    step = max(1, _NUMBERS // max(1, sum(int(np.prod(node.shape)) for node in cx.network.nodes)))
    finite = np.flatnonzero(~on.is_ray & np.isfinite(cx.vertices.radii))
    # past its cell by the radius, the network may have the slope of any other cell
    slope = np.abs(cx.affine.A).sum(axis=2).max(axis=0, initial=0.0)
    for part in (finite[i : i + step] for i in range(0, finite.size, step)):
        cell, u = on.vertex_cell[part], cx.vertices.points[part]
        f = values(cx.network, origin + u @ basis)[cx.network.output]
        A, b = cx.affine.A[cell], cx.affine.b[cell]
        error = np.abs(np.einsum("vmk,vk->vm", A, u) + b - f)
        size = np.einsum("vmk,vk->vm", np.abs(A), np.abs(u)) + np.abs(b) + np.abs(f).max(initial=0.0)
        size = size + slope * (1 + np.abs(u).max(axis=1, initial=0.0))[:, None]
        fine = ~(error > 1e-10 * size + 2 * cx.vertices.radii[part][:, None] * slope)
        require(fine, cell[:, None], f"its map and the network differ by {error.max():.3g} at a vertex")


def _knots(node: Breakpoints) -> FloatArray:
    """Return the ends of all pieces: piece p of unit i is from `[i, p]` to `[i, p + 1]`."""
    rim = np.full((len(node.knots), 1), np.inf)
    return np.concatenate([-rim, node.knots, rim], axis=1)


def _gap(z: FloatArray, knot: FloatArray, weight: FloatArray) -> FloatArray:
    return np.abs(z - np.where(weight == 0, 0.0, knot))


def _outside_piece(
    node: Breakpoints, piece: IntArray, z: FloatArray, error: FloatArray, weight: FloatArray
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where values are certainly below their piece, and above it; for directions (weight 0) where they lead."""
    ends, unit = _knots(node), np.arange(piece.shape[1])
    low, high = ends[unit, piece], ends[unit, piece + 1]
    low, high = (np.where((weight == 0) & np.isfinite(end), 0.0, end) for end in (low, high))
    return z < low - error, z > high + error
