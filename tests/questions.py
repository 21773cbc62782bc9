"""Is every answer about a complex right? Each question asserts one kind of answer and returns how many it checked.

A complex is compared with the oracles' by patterns: `order[i]` is the oracle's number of cell i.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

import reluatlas as ra
from tests.oracles import meeting
from tests.oracles.meeting import SIDE
from tests.oracles.polytopes import Vertex, as_point
from tests.truth import Truth, close, floats, number

MAPS = Fraction(1, 10**12)
VOLUMES = Fraction(1, 10**9)
ROUNDING = Fraction(1, 10**14)
SMALLEST = Fraction(1, 2**1074)
"""Between neighboring subnormal numbers: what a coordinate, or a volume, may lose by underflow."""
POINTS = 1e-7
"""Of the largest coordinate: how far a corner of the boundary may be off, which has no radius."""


def cells(truth: Truth, cx: Any) -> int:
    """Patterns, each once; complete, exact; the count of a count."""
    assert cx.is_complete and cx.stopped_by == "", f"stopped by {cx.stopped_by!r}"
    assert cx.exactness.status == "exact" and cx.exactness.n_uncertain == 0, f"{cx.exactness}"
    found = [tuple(row) for row in cx.patterns.tolist()]
    assert len(found) == cx.n_cells and len(set(found)) == len(found), "a pattern occurs twice"
    lost, invented = sorted(truth.at.keys() - set(found)), sorted(set(found) - truth.at.keys())
    assert not lost and not invented, f"{len(truth.cells)} cells: lost {lost[:3]}, invented {invented[:3]}"
    return cx.n_cells


def count(truth: Truth, net: Any, domain: Any) -> int:
    """The number of cells, nothing kept."""
    given = ra.count_cells(net, domain, jobs=1)
    assert given.is_complete and given.exactness.status == "exact"
    assert given.n_cells == len(truth.cells), f"{given.n_cells} counted, expected {len(truth.cells)}"
    return 1


def order_of(truth: Truth, cx: Any) -> list[int]:
    """Return the oracle's number of each cell."""
    return [truth.at[tuple(row)] for row in cx.patterns.tolist()]


def maps(truth: Truth, cx: Any) -> int:
    """The affine map of every cell, to 1e-12 of what adds up when nothing cancels."""
    within = [[MAPS * v + Fraction(1, 2**1070) for v in row] for row in truth.magnitudes]
    for i, at in enumerate(order_of(truth, cx)):
        exact = truth.cells[at].map
        for o, row in enumerate(exact):
            given = (*cx.affine.A[i, o].tolist(), float(cx.affine.b[i, o]))
            for j, (g, e) in enumerate(zip(given, row, strict=True)):
                assert close(g, e, within[o][j]), f"cell {i}: map {given}, expected {[number(v) for v in row]}"
    return cx.n_cells


def vertices(truth: Truth, cx: Any) -> int:
    """Every vertex, to its radius."""
    for i, at in enumerate(order_of(truth, cx)):
        run = slice(int(cx.vertices.offsets[i]), int(cx.vertices.offsets[i + 1]))
        ray, radii = cx.vertices.is_ray[run], cx.vertices.radii[run][~cx.vertices.is_ray[run]]
        points, exact = cx.vertices.points[run][~ray], truth.finite(truth.cells[at])
        assert len(points) == len(exact), f"cell {i} has {len(points)} vertices, expected {len(exact)}"
        rays = len(truth.cells[at].polytope.vertices) - len(exact)
        assert (int(ray.sum()) > 0) == (rays > 0), f"cell {i} has {int(ray.sum())} directions, expected {rays}"
        _match(points, radii, exact, f"cell {i}")
    return len(cx.vertices.points)


def _match(points: np.ndarray, radii: np.ndarray, exact: list[Vertex], what: str) -> None:
    # Each is within its radius of an exact vertex, and each exact one is met.
    corners = [as_point(v) for v in exact]
    met = set()
    for p, r in zip(points.tolist(), radii.tolist(), strict=True):
        near = [j for j, c in enumerate(corners) if all(close(a, b, r) for a, b in zip(p, c, strict=True))]
        assert near, f"{what}: {p} (radius {r}) is no vertex; they are {floats(exact, len(p)).tolist()}"
        met |= set(near)
    missed = set(range(len(corners))) - met
    assert not missed, (
        f"{what}: the vertices {floats([exact[j] for j in missed], points.shape[1]).tolist()} are missing"
    )


def volumes(truth: Truth, cx: Any) -> int:
    """The volume of every cell, as far as float64 vertices have it."""
    whole = prod((Fraction(h - w) for w, h in zip(truth.domain.low, truth.domain.high, strict=True)), start=Fraction(1))
    unit = Fraction(truth.unit)
    within = VOLUMES * whole * unit
    for i, at in enumerate(order_of(truth, cx)):
        given, cell = float(cx.volumes[i]), truth.cells[at]
        if not meeting.is_bounded(cell, truth.domain):
            assert given == np.inf, f"cell {i} is unbounded, and has volume {given}"
            continue
        exact = cell.volume * unit
        rounded = _rounded(cell) * unit
        slack = rounded + VOLUMES * unit * (bounding(cell) if truth.domain.whole else whole)
        assert close(given, exact, slack), f"cell {i} has volume {given}, expected {number(exact)}"
        within += rounded
    if not truth.domain.whole:
        total = Fraction(float(cx.volumes.sum()))
        assert abs(total - whole * unit) <= within, f"volumes sum to {float(total)}, expected {float(whole * unit)}"
    return cx.n_cells


def bounding(cell: Any, wider: Fraction = Fraction(0)) -> Fraction:
    """Return the volume of a cell's bounding box, with sides so much wider."""
    columns = list(zip(*(as_point(v) for v in cell.polytope.vertices), strict=True))
    return prod((max(column) - min(column) + wider for column in columns), start=Fraction(1))


def _rounded(cell: Any) -> Fraction:
    # Vertices are rounded: each side of the cell is off by as much as its largest coordinate allows.
    size = max(abs(v) for vertex in cell.polytope.vertices for v in as_point(vertex))
    return bounding(cell, ROUNDING * size + SMALLEST) - bounding(cell) + SMALLEST


def facets(truth: Truth, cx: Any) -> int:
    """What lies behind every facet, its corners, its twin, and who owns it."""
    order, f, corners = order_of(truth, cx), cx.facets, cx.corners
    slices = list(cx.network.pattern_slices().values())
    owner = [(level, unit) for level, s in enumerate(slices) for unit in range(s.stop - s.start)]
    cell_of = np.repeat(np.arange(cx.n_cells), np.diff(f.offsets))
    for i, at in enumerate(order):
        cell, given, expected = truth.cells[at], Counter(), Counter()
        for number_, j in truth.behind[at].items():
            if truth.domain.whole and number_ < 2 * truth.domain.k:
                continue
            held = cell.polytope.corners(number_)
            expected[(j, sum(not truth.is_ray(v) for v in held))] += 1
        for j in range(int(f.offsets[i]), int(f.offsets[i + 1])):
            run = corners.index[int(corners.offsets[j]) : int(corners.offsets[j + 1])]
            other = int(f.neighbor[j])
            assert other >= SIDE, f"facet {j} of cell {i} was not looked behind"
            given[(SIDE if other < 0 else order[other], int((~cx.vertices.is_ray[run]).sum()))] += 1
            if other < 0:
                assert f.twin[j] == -1 and f.level[j] == -1
                continue
            twin = int(f.twin[j])
            assert cell_of[twin] == other and f.twin[twin] == j and f.neighbor[twin] == i, f"facet {j} has twin {twin}"
            first = int((cx.patterns[i] != cx.patterns[other]).argmax())
            made = (int(f.level[j]), int(f.unit[j]))
            assert made == owner[first], f"facet {j} of cell {i} is made by {made}, expected {owner[first]}"
        assert given == expected, f"cell {i} has (behind, corners) {dict(given)}, expected {dict(expected)}"
    return len(cell_of)


def counts(truth: Truth, cx: Any) -> int:
    """Faces, Euler's number, maps and linear regions."""
    order = order_of(truth, cx)
    expected = meeting.f_vector(truth.cells, truth.domain)
    given = tuple(int(v) for v in cx.f_vector)
    assert given == expected, f"f-vector {given}, expected {expected}"
    euler = (-1) ** truth.domain.k if truth.domain.whole else 1
    assert cx.euler_characteristic == euler == sum((-1) ** d * n for d, n in enumerate(expected))
    assert cx.n_affine_maps == meeting.n_affine_maps(truth.cells), f"{cx.n_affine_maps} maps"
    labels = meeting.linear_regions(truth.cells, truth.behind)
    n_regions = max(labels) + 1
    assert cx.n_linear_regions == n_regions, f"{cx.n_linear_regions} linear regions, expected {n_regions}"
    _same_parts(cx.linear_regions.tolist(), [labels[at] for at in order], "linear regions")
    _same_parts(cx.affine_map_ids.tolist(), [truth.cells[at].rows for at in order], "affine maps")
    bounded = [meeting.is_bounded(truth.cells[at], truth.domain) for at in order]
    assert cx.is_bounded.tolist() == bounded, f"bounded {cx.is_bounded.tolist()}, expected {bounded}"
    return 4 + 3 * cx.n_cells


def _same_parts(given: list, expected: list, what: str) -> None:
    pairs = set(zip(given, expected, strict=True))
    assert len(pairs) == len(set(given)) == len(set(expected)), f"{what} join other cells than expected"


def decision_boundary(truth: Truth, cx: Any) -> int:
    """The boundary as a set: its pieces of dimension k - 1, and its full-dimensional part."""
    given, exact = cx.decision_boundary(), truth.boundary
    pieces = [(p.corners, set(p.patterns), (p.outputs, p.is_rim)) for p in exact.pieces]
    said: list = [None] * len(given.cell)
    if hasattr(given, "is_rim"):
        said = list(zip(map(tuple, given.outputs.tolist()), given.is_rim.tolist(), strict=True))
        pieces = [(c, p, (o[:2] if truth.n_outputs > 1 else (0, 0), r)) for c, p, (o, r) in pieces]
    n = _same_polytopes(truth, cx, given, said, pieces, "pieces of the boundary")
    held = {full.pattern for full in exact.full}
    cells_held = {truth.cells[at].pattern for at in (order_of(truth, cx)[i] for i in given.full_cells.tolist())}
    assert cells_held == held, f"{sorted(cells_held)} hold full pieces, expected {sorted(held)}"
    if hasattr(given, "full_pieces"):
        full, width = given.full_pieces, range(truth.n_outputs)
        parts = [
            (frozenset(f.polytope.vertices), {f.pattern}, tuple(o in f.outputs for o in width)) for f in exact.full
        ]
        said = [tuple(row) for row in full.outputs.tolist()]
        n += _same_polytopes(truth, cx, full, said, parts, "full pieces of the boundary")
    return n + len(held)


def _same_polytopes(truth: Truth, cx: Any, given: Any, said: list, exact: list, what: str) -> int:
    # Each of `exact`: corners, the patterns that `cell` may have, and what is said about it.
    order, n = order_of(truth, cx), len(given.cell)
    assert n == len(exact), f"{n} {what}, expected {len(exact)}"
    matches: list[set[int]] = []
    for s in range(n):
        run = slice(int(given.offsets[s]), int(given.offsets[s + 1]))
        points, ray = given.points[run], given.is_ray[run]
        pattern = truth.cells[order[int(given.cell[s])]].pattern
        fitting = set()
        for at, (corners, patterns, about) in enumerate(exact):
            finite = [v for v in corners if not truth.is_ray(v)]
            if pattern not in patterns or len(finite) != int((~ray).sum()) or said[s] not in (None, about):
                continue
            if (len(finite) < len(corners)) == ray.any() and _near(points[~ray], floats(finite, truth.domain.k), truth):
                fitting.add(at)
        assert fitting, f"{points.tolist()} in {pattern}, {said[s]}, is none of the {what}"
        matches.append(fitting)
    missed = sorted(set(range(n)).difference(*matches))
    assert not missed, (
        f"{len(missed)} {what} are missing, such as {floats(sorted(exact[missed[0]][0]), truth.domain.k)}"
    )
    return n


def _near(points: np.ndarray, exact: np.ndarray, truth: Truth) -> bool:
    if points.shape != exact.shape:
        return False
    if not len(points):
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        slack = POINTS * max(truth.size, float(np.abs(exact).max()))
        apart = np.where(points[:, None, :] == exact[None, :, :], 0.0, np.abs(points[:, None, :] - exact[None, :, :]))
    apart = apart.max(axis=2)
    return bool((apart.min(axis=0) <= slack).all() and (apart.min(axis=1) <= slack).all())
