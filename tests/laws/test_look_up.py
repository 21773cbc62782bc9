"""The cell of a point is the lowest of those that hold it: every cell's rows, in fractions, at the point itself."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import DimensionError, DomainError, NonFiniteError
from reluatlas.testing import FAMILIES, domain_for
from tests.convert import fractions, to_nodes, to_problem
from tests.oracles.anywhere import cells
from tests.oracles.plain import Affine, Input, dense
from tests.oracles.rational import enumerate_cells

ON_FACES = ("biasless", "ternary", "max_identical", "leaky_abs_clip", "pruned")
"""Families with rows so simple that points of a grid lie on them."""


def demands_of(net, domain):
    """Return the oracle's cells: for each pattern the forms, in the domain's coordinates, that are >= 0 in it."""
    if domain.dim == 2 and not isinstance(domain, ra.Space):
        return {cell.pattern: edges(cell.vertices) for cell in enumerate_cells(to_problem(net, domain))}
    nodes, k = to_nodes(net), domain.dim
    if isinstance(domain, ra.Slice):
        lifted = dense(0, [fractions(row) for row in domain.basis.T], fractions(domain.origin))
        moved = [
            replace(node, terms=tuple((s + 1, rows) for s, rows in node.terms))
            if isinstance(node, Affine)
            else replace(node, source=node.source + 1)
            for node in nodes[1:]
        ]
        nodes = (Input(k), lifted, *moved)
    rows = []
    if not isinstance(domain, ra.Space):
        for j in range(k):
            unit = [Fraction(int(i == j)) for i in range(k)]
            rows.append([*unit, Fraction(float(domain.box.high[j]))])
            rows.append([*(-v for v in unit), -Fraction(float(domain.box.low[j]))])
    return cells(nodes, k, rows)


def edges(vertices):
    """Return the forms that are >= 0 in a polygon, counter-clockwise."""
    out = []
    for (x, y), (a, b) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
        out.append((y - b, a - x, (b - y) * x - (a - x) * y))
    return out


def holders(cx, known, u):
    """Return the cells that hold a point."""
    point = [*map(Fraction, map(float, u)), Fraction(1)]
    return [
        i
        for i, pattern in enumerate(cx.patterns.tolist())
        if all(sum(a * x for a, x in zip(form, point, strict=True)) >= 0 for form in known[tuple(pattern)])
    ]


def points_for(cx, rng):
    """Return points of the domain: anywhere, vertices and middles of facets as rounded, a grid, corners."""
    k, space = cx.domain.dim, isinstance(cx.domain, ra.Space)
    low, high = (np.full(k, -2.0), np.full(k, 2.0)) if space else (cx.box.low, cx.box.high)
    vertices = cx.vertices.points[~cx.vertices.is_ray]
    middle = (vertices[rng.integers(0, len(vertices), 12)] + vertices[rng.integers(0, len(vertices), 12)]) / 2
    grid = np.round(rng.uniform(low, high, (25, k)) * 2) / 2
    corners = np.where(rng.random((3, k)) < 0.5, low, high)
    mixed = np.where(rng.random((5, k)) < 0.5, corners[:1], rng.uniform(low, high, (5, k)))
    some = rng.permutation(vertices)[:25]
    found = np.concatenate([rng.uniform(low, high, (20, k)), some, middle, grid, corners, mixed, np.zeros((1, k))])
    return found if space else np.clip(found, low, high)


def check(net, domain, seed):
    """Check look-ups in a complex; return how many points were on faces."""
    cx = ra.enumerate_cells(net, domain)
    known = demands_of(net, domain)
    assert sorted(known) == sorted(map(tuple, cx.patterns.tolist()))
    X = points_for(cx, np.random.default_rng(seed))
    expected = [holders(cx, known, u) for u in X]
    assert cx.cells_of(X).tolist() == [e[0] for e in expected]
    assert [cx.cell_at(u) for u in X[::9]] == [e[0] for e in expected[::9]]
    return sum(len(e) > 1 for e in expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cell_of_a_point_is_that_of_its_rows(family):
    n = sum(check(FAMILIES[family](seed), domain_for(seed), seed) for seed in (0, 1, 3, 6))
    assert n >= 4 or family not in ON_FACES, "hardly a point is on a face"


@pytest.mark.parametrize("family", ["ternary", "max_identical", "leaky_abs_clip"])
def test_the_same_in_one_and_three_dimensions_and_on_the_space(family):
    net = FAMILIES[family](0)
    line = ra.Slice([0.25, -0.5], [[1.0, 0.5]], box=ra.Box(-1, 1, dim=1))
    assert check(net, ra.Space(2), 0) + check(net, line, 1) > 0
    if family == "ternary":
        solid = FAMILIES[family](3)
        assert check(solid, ra.Box(-1, 1, dim=solid.n_inputs), 2) > 0


@pytest.mark.parametrize("seed", range(8))
def test_lines_that_meet_up_to_rounding(seed):
    rng = np.random.default_rng(seed)
    weight, p = rng.normal(size=(3, 2)), rng.uniform(-0.8, 0.8, 2)
    net, box = ra.load([(weight, -weight @ p), (np.ones((1, 3)), np.zeros(1))]), ra.Box(-1, 1, dim=2)
    cx = ra.enumerate_cells(net, box)
    known = demands_of(net, box)
    near = p + rng.uniform(-1, 1, (20, 2)) * 10.0 ** -rng.integers(3, 18, (20, 1))
    X = np.concatenate([rng.uniform(-1, 1, (20, 2)), near, [p]])
    assert cx.cells_of(X).tolist() == [holders(cx, known, u)[0] for u in X]


@pytest.mark.parametrize("gap", [1e-9, 1e-15, 1e-300])
def test_slivers_hold_the_points_in_them_and_no_others(gap):
    net = ra.load([(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.0, -gap])), (np.ones((1, 2)), np.zeros(1))])
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    left, sliver, right = (cx.patterns.tolist().index(p) for p in ([0, 0], [1, 0], [1, 1]))
    X = [[-0.5, 0.3], [gap / 2, 0.3], [0.5, 0.3], [np.nextafter(0, -1), 1], [np.nextafter(gap, 1), -1]]
    assert cx.cells_of(X).tolist() == [left, sliver, right, left, right]
    assert cx.cells_of([[0.0, 0.1], [gap, 0.1]]).tolist() == [min(left, sliver), min(sliver, right)]


def test_beyond_six_dimensions_cells_are_looked_up_too():
    rng = np.random.default_rng(0)
    weight, bias = rng.integers(-2, 3, (4, 7)), np.array([0, 1, 0, -1])
    net = ra.load([(weight.astype(float), bias.astype(float)), (np.ones((1, 4)), [0.0])])
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=7), max_cells=100)
    assert cx.is_complete and cx.n_cells > 8
    forms = np.column_stack([weight, bias]).tolist()
    known = {p: [f if on else [-v for v in f] for f, on in zip(forms, p, strict=True)]
             for p in map(tuple, cx.patterns.tolist())}  # fmt: skip
    X = np.concatenate([rng.uniform(-1, 1, (20, 7)), rng.integers(-1, 2, (20, 7)), np.zeros((1, 7))])
    expected = [holders(cx, known, u) for u in X]
    assert cx.cells_of(X).tolist() == [e[0] for e in expected] and max(map(len, expected)) > 1


def test_parts_that_a_complex_lacks_have_no_cell():
    net, domain = FAMILIES["generic"](0), domain_for(0)
    whole, part = ra.enumerate_cells(net, domain), ra.enumerate_cells(net, domain, max_cells=3)
    X = np.random.default_rng(0).uniform(domain.box.low, domain.box.high, (200, 2))
    found = part.cells_of(X)
    names = [tuple(p) for p in part.patterns.tolist()]
    expected = [tuple(p) for p in whole.patterns[whole.cells_of(X)].tolist()]
    assert found.tolist() == [names.index(p) if p in names else -1 for p in expected]
    assert -1 in found and (found >= 0).any()
    with pytest.raises(DomainError, match="lacks"):
        part.cell_at(X[found < 0][0])


def test_inputs_on_a_slice():
    """Of a slice along the axes, the coordinates of an input are known exactly, faces included."""
    net = ra.load([(np.array([[1.0, 0, 0], [0, 1.0, 0]]), np.array([-0.3, -0.7])), (np.ones((1, 2)), np.zeros(1))])
    plane = ra.Slice([0.0, 0.0, 0.5], [[1.0, 0, 0], [0, 1.0, 0]], box=ra.Box([0.1, 0.1], [0.9, 0.9]))
    cx = ra.enumerate_cells(net, plane)
    U = np.array([[0.3, 0.7], [0.3, 0.9], [0.9, 0.7], [0.1, 0.1], [0.35, 0.75], [0.9, 0.1]])
    inputs = np.column_stack([U, np.full(len(U), 0.5)])
    known = demands_of(net, plane)
    expected = [holders(cx, known, u)[0] for u in U]
    assert cx.cells_of(U).tolist() == cx.cells_of(inputs).tolist() == expected
    assert [cx.cell_at(x) for x in inputs] == expected
    assert cx.cells_of(plane.embed(U)).tolist() == expected


def test_the_points_that_span_a_slice_are_on_it():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        points = rng.uniform(-1, 1, (3, 5)) * 10.0 ** rng.integers(-6, 7)
        net = ra.load([(rng.normal(size=(4, 5)), np.zeros(4)), (np.ones((1, 4)), np.zeros(1))])
        cx = ra.enumerate_cells(net, ra.Slice.through(points, margin=0.0))
        assert (cx.cells_of(points) >= 0).all()


def test_what_is_no_point_of_the_domain_is_refused():
    net = FAMILIES["generic"](3)
    plane = domain_for(3)
    cx = ra.enumerate_cells(net, plane)
    assert cx.cells_of(np.zeros((0, 2))).shape == cx.cells_of([]).shape == (0,)
    with pytest.raises(DomainError, match="outside of the domain at point 1"):
        cx.cells_of([plane.box.low, plane.box.high + 1])
    with pytest.raises(DomainError, match="away from the slice"):
        cx.cells_of(np.arange(1.0, 1 + plane.n_inputs)[None] ** 2)
    with pytest.raises(NonFiniteError, match="point 1"):
        cx.cells_of([plane.box.low, [np.nan, 0.0]])
    with pytest.raises(DimensionError, match="shape"):
        cx.cells_of(plane.box.low)
    with pytest.raises(DimensionError, match="not an array of numbers"):
        cx.cells_of("here")
    tiny = ra.Slice(plane.origin * 1e-12, plane.basis * 1e-12, box=plane.box)
    with pytest.raises(DomainError, match="away from the slice"):
        ra.enumerate_cells(net, tiny).cell_at(np.full(plane.n_inputs, 1e-10))
    space = ra.enumerate_cells(FAMILIES["generic"](0), ra.Space(2))
    with pytest.raises(NonFiniteError):
        space.cell_at([np.nan, 0.0])
