"""Is every answer about points and segments right? Points inside, on faces, and beside vertices by a rounding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

import reluatlas as ra
from tests.oracles import meeting, segment
from tests.oracles.meeting import SIDE
from tests.oracles.polytopes import Polytope, Row, as_point, box, cut
from tests.oracles.steps import fractions
from tests.questions import SMALLEST, bounding, order_of
from tests.truth import Truth, close, floats, forward, number


def points(truth: Truth) -> list[np.ndarray]:
    """Return points to ask about, in the domain's coordinates: of the case, random ones, rounded vertices, middles."""
    case, rng = truth.case, np.random.default_rng([truth.case.seed, 99])
    low, high = case.low, case.high
    out = [rng.uniform(low, high) for _ in range(4)]
    out += [np.asarray(p, dtype=np.float64) for p in case.points]
    if case.is_space:
        out += [p * 2.0 ** float(rng.integers(0, 20)) for p in out]
    corners = [p for cell in truth.cells for p in truth.finite(cell)]
    near = floats([corners[i] for i in rng.choice(len(corners), 5)], case.k) if corners else np.zeros((0, case.k))
    near = near[np.isfinite(near).all(axis=1)]
    if not case.is_space:
        near = np.clip(near, low, high)
    out += list(near)
    out += [a / 2 + b / 2 for a, b in pairwise(near)]
    return [p for p in out if np.isfinite(p).all()]


def look_up(truth: Truth, cx: Any, asked: list[np.ndarray]) -> int:
    """Which cell of the complex holds a point: of several, the lowest."""
    place = {at: i for i, at in enumerate(order_of(truth, cx))}
    expected = []
    for p in asked:
        held = sorted(place[at] for at in meeting.holding(truth.cells, fractions(p)))
        expected.append(held[0])
        given = cx.cell_at(p)
        assert given == held[0], f"cell_at({p.tolist()}) is {given}, expected {held}"
    if hasattr(cx, "cells_of"):
        given = cx.cells_of(np.array(asked)).tolist()
        assert given == expected, f"cells_of({[p.tolist() for p in asked]}) is {given}, expected {expected}"
        return 2 * len(asked)
    return len(asked)


def evaluated(truth: Truth, net: Any, asked: list[np.ndarray]) -> int:
    """Patterns of exact evaluation."""
    if truth.case.basis is not None:
        return 0
    given = [tuple(row) for row in net.patterns(np.array(asked).reshape(-1, *truth.case.shape)).tolist()]
    for p, row in zip(asked, given, strict=True):
        expected = forward(truth.nodes, fractions(p))
        assert row == expected, f"patterns({p.tolist()}) is {row}, expected {expected}"
    return len(asked)


def one_cell(truth: Truth, net: Any, domain: Any, x: np.ndarray) -> int:
    """The cell of a point: facets, neighbors, boundedness, distances, ball, volume; on a face, all that meet there."""
    held = [truth.cells[at] for at in meeting.holding(truth.cells, fractions(x))]
    if len(held) > 1:
        try:
            cell = ra.cell_at(net, x, domain)
        except ra.errors.OnFaceError:
            pass
        else:
            raise AssertionError(f"cell_at({x.tolist()}) is {cell.pattern.tolist()} where {len(held)} cells meet")
        given = Counter(tuple(c.pattern.tolist()) for c in ra.cells_at(net, x, domain))
        assert given == Counter(c.pattern for c in held), f"cells_at({x.tolist()}) are {dict(given)}"
        return 1 + len(held)
    (exact,) = held
    cell = ra.cell_at(net, x, domain)
    assert tuple(cell.pattern.tolist()) == exact.pattern, f"cell_at({x.tolist()}) is {cell.pattern.tolist()}"
    _facets(truth, cell, exact)
    bounded = meeting.is_bounded(exact, truth.domain)
    assert cell.is_bounded == bounded, f"the cell of {x.tolist()} is bounded: {cell.is_bounded}"
    assert cell.exactness.status == "exact", f"{cell.exactness}"
    if truth.case.basis is None:
        _metric(truth, cell, exact, x)
    if bounded:
        unit, size = Fraction(truth.unit), max(abs(v) for p in exact.polytope.vertices for v in as_point(p))
        volume, slack = exact.volume * unit, bounding(exact, size / 10**6) * unit / 10**9 + SMALLEST
        given = cell.volume.value
        assert close(given, volume, slack), f"volume {given}, expected {number(volume)}"
    return 4 + len(cell.facets)


def _facets(truth: Truth, cell: Any, exact: Any) -> None:
    sides = range(2 * truth.case.k) if truth.domain.whole else ()
    across = [j for f, j in truth.behind[truth.at[exact.pattern]].items() if f not in sides]
    assert cell.facets.n_undecided == 0
    n_sides, n_given = across.count(SIDE), int(cell.facets.is_domain.sum())
    given = (len(cell.facets), n_given)
    assert given == (len(across), n_sides), f"(facets, sides) {given} at {cell.x}, expected {(len(across), n_sides)}"
    behind = sorted(tuple(n.pattern.tolist()) for n in cell.neighbors())
    expected = sorted(truth.cells[j].pattern for j in across if j != SIDE)
    assert behind == expected, f"neighbors {behind} of {exact.pattern} at {cell.x}, expected {expected}"


def _metric(truth: Truth, cell: Any, exact: Any, x: np.ndarray) -> None:
    # Rows of unit length, from exact ones: the constant is the distance of 0, that of x is exact but for one rounding.
    sides = range(2 * truth.case.k) if truth.domain.whole else ()
    here = fractions(x)
    rows, away = [], []
    for f, row in exact.polytope.rows.items():
        if f in sides:
            continue
        top = max(abs(v) for v in row[:-1])
        normal = np.array([number(Fraction(v, top)) for v in row[:-1]])
        length = float(np.sqrt(normal @ normal))
        gap = sum((Fraction(v, top) * c for v, c in zip(row[:-1], here, strict=True)), start=Fraction(row[-1], top))
        rows.append(normal / length)
        away.append(number(gap) / length)
    given = np.sort(cell.facets.distances)
    slack = min(1e-9 * truth.size, float(np.finfo(np.float64).max))
    assert np.allclose(given, np.sort(away), rtol=1e-6, atol=slack), f"distances {given}, expected {np.sort(away)}"
    held = [row for f, row in exact.polytope.rows.items() if f not in sides]
    radius = np.inf if _holds_all_balls(held, truth.case.k) else _inradius(np.array(rows), np.array(away))
    assert np.isclose(cell.inradius, radius, rtol=1e-5, atol=slack), f"inradius {cell.inradius}, expected {radius}"


def _holds_all_balls(rows: Sequence[Row], k: int) -> bool:
    # Balls of every size fit where some directions keep away from all rows: the cone of directions has an interior.
    cone: Polytope | None = box([-1] * k, [1] * k)
    for row in rows:
        if cone is not None:
            _, cone = cut(cone, (*row[:-1], 0))
    return cone is not None


def _inradius(rows: np.ndarray, away: np.ndarray) -> float:
    # Largest r with rows . z + away >= r; in units of the largest distance.
    from scipy.optimize import linprog

    k = rows.shape[1]
    unit = float(away.max()) or 1.0
    table = np.hstack([-rows, np.ones((len(rows), 1))])
    free = [(None, None)] * k + [(0, None)]
    found = linprog([0.0] * k + [-1.0], A_ub=table, b_ub=away / unit, bounds=free, method="highs")
    assert found.status == 0, found.message
    return float(found.x[-1]) * unit


def traced(truth: Truth, net: Any, a: np.ndarray, b: np.ndarray) -> int:
    """The pieces on a segment between two inputs: patterns, exact breakpoints, maps, regions, classes."""
    path = ra.trace(net, ra.Segment(a, b))
    pieces = segment.trace(truth.nodes, len(truth.nodes) - 1, fractions(a.ravel()), fractions(b.ravel()))
    what = f"on {a.ravel().tolist()} to {b.ravel().tolist()}"
    assert path.is_complete and path.exactness.status == "exact"
    given = [tuple(row) for row in path.patterns.tolist()]
    assert given == [p.pattern for p in pieces], f"{given} {what}, expected {[p.pattern for p in pieces]}"
    cuts = [path.exact_breakpoint(i) for i in range(path.n_pieces - 1)]
    assert cuts == [p.start for p in pieces[1:]], f"breakpoints {path.breakpoints} {what}"
    for t, r, exact in zip(path.breakpoints.tolist(), path.radii.tolist(), cuts, strict=True):
        assert close(t, exact, r), f"a breakpoint {t} +- {r} is {float(exact)} {what}"
    for i, piece in enumerate(pieces):
        for o, (u, v) in enumerate(piece.map):
            bound = float(path.errors[i, o])
            fits = close(float(path.affine.A[i, o, 0]), v - u, bound) and close(float(path.affine.b[i, o]), u, bound)
            assert fits, f"piece {i}, output {o}: {path.affine.A[i, o]}, {path.affine.b[i, o]} +- {bound} {what}"
    assert path.n_linear_regions == segment.linear_regions(pieces), f"{path.n_linear_regions} regions {what}"
    expected = [winner for _, winner in segment.classes(pieces)]
    assert path.classes.tolist() == expected, f"classes {path.classes} {what}, expected {expected}"
    return 3 * len(pieces) + 1


def ends(truth: Truth, asked: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the ends of segments, in inputs."""
    case = truth.case
    if case.basis is None:
        pairs = [(asked[0], asked[1]), (asked[-1], asked[2]), (asked[-2], asked[-1])]
    else:
        rng = np.random.default_rng([case.seed, 98])
        n = int(np.prod(case.shape))
        inside = [case.origin + p @ case.basis for p in (asked[0], asked[1])]
        pairs = [tuple(inside), (rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)), (np.zeros(n), case.basis[0])]
    return [(a.reshape(case.shape), b.reshape(case.shape)) for a, b in pairs if not np.array_equal(a, b)]
