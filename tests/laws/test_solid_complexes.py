"""Complexes in one to six dimensions and on the whole space: faces, neighbors, volumes, maps, decision boundaries."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.complexes.facet_complex import facet_complex
from reluatlas.testing import FAMILIES, assert_complex
from tests.laws.test_solids import LAYERS


def _network(family, k, widths, seed, n_outputs=2, *, centered=False):
    rng = np.random.default_rng([seed, k, len(widths)])
    layers, n = [], k
    for m in widths:
        layers.append(LAYERS[family](rng, m, n))
        n = m
    layers.append((rng.uniform(-1, 1, (n_outputs, n)), rng.uniform(-1, 1, n_outputs)))
    if centered:
        middle = np.median(ra.load(layers)(rng.uniform(-1, 1, (500, k))), axis=0)
        layers[-1] = (layers[-1][0], layers[-1][1] - middle)
    return ra.load(layers)


def _check(net, cx, *, near=False):
    """Check what must hold on every complete complex; `near` when cells may be thinner than rounding."""
    assert_complex(cx)
    k, domain = cx.domain.dim, cx.domain
    assert cx.is_complete and cx.exactness.status == "exact"
    assert cx.n_cells == ra.count_cells(net, domain).n_cells == len(np.unique(cx.patterns, axis=0))
    assert cx.euler_characteristic == ((-1) ** k if isinstance(domain, ra.Space) else 1)
    facets = cx.facets
    inner = np.flatnonzero(facets.neighbor >= 0)
    owner = np.repeat(np.arange(cx.n_cells), np.diff(facets.offsets))
    assert np.array_equal(facets.twin[facets.twin[inner]], inner)
    assert np.array_equal(owner[facets.twin[inner]], facets.neighbor[inner])
    assert cx.f_vector[k - 1] == inner.size // 2 + int(np.sum(facets.neighbor == -1))
    starts, index = cx.corners
    for j in inner:
        one, other = index[starts[j] : starts[j + 1]], index[starts[facets.twin[j]] : starts[facets.twin[j] + 1]]
        assert set(cx.vertex_ids[one].tolist()) == set(cx.vertex_ids[other].tolist())
    if isinstance(domain, ra.Space):
        assert np.all(facets.neighbor >= 0)
        assert np.array_equal(np.isinf(cx.volumes), ~cx.is_bounded)
    else:
        assert cx.is_bounded.all() and cx.volumes.sum() == pytest.approx(domain.volume, rel=1e-9)
    inside = domain.embed(cx.interior_points) if isinstance(domain, ra.Slice) else cx.interior_points
    mapped = np.einsum("imk,ik->im", cx.affine.A, cx.interior_points) + cx.affine.b
    # of a cell thinner than rounding the point may lie beside it, where another map holds
    steepest, highest = np.abs(cx.affine.A).sum(axis=(1, 2)).max(), np.abs(cx.affine.b).max()
    size = steepest * (1 + np.abs(inside).max(axis=1)) + highest
    assert np.all(np.abs(mapped - net(inside)) <= 1e-9 * size[:, None])
    if not near:
        assert np.array_equal(net.patterns(inside), cx.patterns)
    cell_of = np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))
    finite = ~cx.vertices.is_ray
    u, cell = cx.vertices.points[finite], cell_of[finite]
    X = domain.embed(u) if isinstance(domain, ra.Slice) else u
    A, b = cx.affine.A[cell], cx.affine.b[cell]
    mapped = np.einsum("vmk,vk->vm", A, u) + b
    reach = 1 + np.abs(X).max(axis=1, initial=0.0)
    slack = 1e-10 * (steepest * reach + highest) + 2 * steepest * cx.vertices.radii[finite]
    assert np.all(np.abs(mapped - net(X)) <= slack[:, None])


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize(
    ("k", "widths"), [(1, (6, 5)), (2, (6, 5)), (3, (6, 6)), (4, (6, 5)), (5, (5, 4)), (6, (6, 3))]
)
def test_laws_of_complexes(family, k, widths):
    for seed in range(2):
        net = _network(family, k, widths, seed)
        for domain in (ra.Box(-1, 1, dim=k), ra.Space(k)):
            _check(net, ra.enumerate_cells(net, domain), near=family == "related")


@pytest.mark.parametrize("family", FAMILIES)
def test_laws_of_complexes_of_every_family_on_the_whole_space(family):
    n = 0
    for seed in range(3):
        net = FAMILIES[family](seed)
        if net.n_inputs > 4 or net.n_neurons + net.n_windows > 16:
            continue
        for domain in (ra.Box(-1, 1, dim=net.n_inputs), ra.Space(net.n_inputs)):
            _check(net, ra.enumerate_cells(net, domain), near=True)
            n += 1
    assert n > 0


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize(("k", "widths"), [(2, (5, 4)), (3, (5, 4)), (4, (5, 3))])
def test_neighbors_and_boundedness_are_those_that_linear_programs_find(family, k, widths):
    for seed in range(2):
        net = _network(family, k, widths, seed)
        for domain in (ra.Box(-1, 1, dim=k), ra.Space(k)):
            cx, other = ra.enumerate_cells(net, domain), facet_complex(net, domain, Limits())
            names = [tuple(p) for p in other.patterns.tolist()]
            run = np.repeat(np.arange(other.n_cells), np.diff(other.facets.offsets))
            expected = sorted(
                (names[i], names[j] if j >= 0 else ()) for i, j in zip(run, other.facets.neighbor, strict=True)
            )
            mine = [tuple(p) for p in cx.patterns.tolist()]
            run = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))
            found = sorted((mine[i], mine[j] if j >= 0 else ()) for i, j in zip(run, cx.facets.neighbor, strict=True))
            assert found == expected
            bounded = dict(zip(names, other.is_bounded.tolist(), strict=True))
            assert [bounded[name] for name in mine] == cx.is_bounded.tolist()


@pytest.mark.parametrize(("k", "n"), [(1, 6), (2, 7), (3, 7), (4, 7), (5, 7)])
def test_faces_of_arrangements_in_general_position_have_the_closed_form(k, n):
    rng = np.random.default_rng([k, n])
    weight, bias = rng.integers(-1000, 1001, (n, k)).astype(float), rng.integers(-1000, 1001, n).astype(float)
    cx = ra.enumerate_cells(ra.load([(weight, bias), (np.ones((1, n)), np.zeros(1))]), ra.Space(k))
    expected = tuple(comb(n, k - d) * sum(comb(n - k + d, i) for i in range(d + 1)) for d in range(k + 1))
    assert cx.f_vector == expected
    assert int(cx.is_bounded.sum()) == comb(n - 1, k)
    for d in range(k + 1):
        faces = cx.faces(d)
        assert len(faces) == expected[d] and faces.dim == d
        if d == 0:
            assert np.array_equal(np.diff(faces.offsets), np.ones(len(faces)))


def test_a_space_without_a_vertex():
    """Parallel planes: slabs have no vertex, and still a point inside, faces and neighbors."""
    net = ra.load([(np.array([[1.0, 2.0, 0.0]] * 3), np.array([0.0, 1.0, 5.0])), (np.ones((2, 3)), np.array([0, 1.0]))])
    cx = ra.enumerate_cells(net, ra.Space(3))
    assert cx.f_vector == (0, 0, 3, 4) and cx.euler_characteristic == -1 and not cx.is_bounded.any()
    assert cx.vertices.is_ray.all()
    assert np.array_equal(net.patterns(cx.interior_points), cx.patterns)
    assert [cx.cell_at(p) for p in cx.interior_points] == [0, 1, 2, 3]


def test_polytopes_and_polygons_agree_in_the_plane(monkeypatch):
    for family in ("generic", "ternary", "related"):
        net = _network(family, 2, (7, 6), 1)
        plane = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
        with monkeypatch.context() as patch:
            for module in ("subdivision.runner.kinds", "complexes.join"):
                patch.setattr(f"reluatlas.{module}.is_plane", lambda lowered: False)
            solid = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
        assert plane.vertices.on is None and solid.vertices.on is not None
        assert plane.f_vector == solid.f_vector and plane.n_linear_regions == solid.n_linear_regions
        order = [
            {tuple(p): i for i, p in enumerate(plane.patterns.tolist())}[tuple(p)] for p in solid.patterns.tolist()
        ]
        assert np.allclose(solid.volumes, plane.volumes[order], atol=1e-12)
        assert np.array_equal(np.diff(solid.facets.offsets), np.diff(plane.facets.offsets)[order])


@pytest.mark.parametrize(("k", "n_outputs"), [(3, 1), (3, 4), (4, 3)])
def test_decision_boundaries_hold_every_change_of_class(k, n_outputs):
    """Along random segments the class changes where the segment meets a piece of the boundary, and only there."""
    net = _network("generic", k, (8, 6), 5, n_outputs, centered=True)
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=k))
    boundary = cx.decision_boundary()
    assert len(boundary) > 0 and boundary.full_cells.size == 0
    runs = np.split(boundary.points, boundary.offsets[1:-1])
    for piece, cell in zip(runs, boundary.cell, strict=True):
        values = np.sort(net(piece), axis=1)
        tie = values[:, -1] - values[:, -2] if n_outputs > 1 else values[:, 0]
        assert np.allclose(tie, 0, atol=1e-9)
        assert np.linalg.matrix_rank(piece - piece[0], tol=1e-9) == k - 1
        assert np.array_equal(net.patterns(piece.mean(axis=0)[None])[0], cx.patterns[cell])
    rng, n = np.random.default_rng(0), 0
    for _ in range(30):
        ends = rng.uniform(-1, 1, (2, k))
        t = np.linspace(0, 1, 4001)
        values = net(ends[0] + t[:, None] * (ends[1] - ends[0]))
        label = values.argmax(axis=1) if n_outputs > 1 else values[:, 0] > 0
        changes = int(np.sum(label[1:] != label[:-1]))
        hits = sum(_crosses(piece, *ends) for piece in runs)
        assert hits == changes
        n += hits
    assert n > 5


def _crosses(piece, a, b):
    """Return whether a segment meets a convex polytope of one dimension less."""
    from scipy.optimize import linprog

    n = len(piece)
    rows = np.vstack([np.hstack([piece.T, -(b - a)[:, None]]), np.append(np.ones(n), 0.0)])
    answer = linprog(
        np.zeros(n + 1), A_eq=rows, b_eq=np.append(a, 1.0), bounds=[(0, None)] * n + [(0, 1)], method="highs"
    )
    return answer.status == 0


def test_polygons_of_a_boundary_go_around_their_rim():
    net = _network("generic", 3, (8, 6), 5, 3, centered=True)
    boundary = ra.enumerate_cells(net, ra.Box(-1, 1, dim=3)).decision_boundary()
    for polygon in np.split(boundary.points, boundary.offsets[1:-1]):
        arm = np.roll(polygon, -1, axis=0) - polygon
        turn = np.cross(arm, np.roll(arm, -1, axis=0))
        assert len(polygon) >= 3 and np.all(turn @ turn[np.abs(turn).sum(axis=1).argmax()] >= -1e-12)


def test_a_bent_hyperplane_is_where_its_neuron_is_zero():
    net = _network("generic", 3, (6, 5), 2)
    cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=3))
    bent = cx.bent_hyperplane(0, 2)
    weight, bias = LAYERS["generic"](np.random.default_rng([2, 3, 2]), 6, 3)
    assert len(bent) > 0 and np.allclose(bent.points @ weight[2] + bias[2], 0, atol=1e-9)


def test_slices_files_tables_and_budgets(tmp_path):
    net = _network("generic", 5, (8, 6), 3)
    frame = np.random.default_rng(1).uniform(-1, 1, (4, 5))
    domain = ra.Slice(frame[0], frame[1:], box=ra.Box(-2, 1, dim=3))
    cx = ra.enumerate_cells(net, domain, jobs=1)
    _check(net, cx)
    again = ra.enumerate_cells(net, domain, jobs=2)
    assert np.array_equal(cx.patterns, again.patterns) and np.array_equal(cx.facets.twin, again.facets.twin)
    cx.save(tmp_path / "cells.npz")
    loaded = ra.load_complex(tmp_path / "cells.npz")
    assert loaded.f_vector == cx.f_vector and loaded.cell_at(np.zeros(3)) == cx.cell_at(np.zeros(3))
    assert loaded.cell_at(domain.embed(np.zeros(3))) == cx.cell_at(np.zeros(3))
    table = cx.to_table()
    assert {"center_2", "slope_1_2"} <= set(table) and all(len(v) == cx.n_cells for v in table.values())
    part = ra.enumerate_cells(net, domain, max_cells=5)
    assert part.n_cells == 5 and part.stopped_by == "max_cells" and np.array_equal(part.patterns, cx.patterns[:5])
    assert np.any(part.facets.neighbor == -2)
    with pytest.raises(ra.errors.DomainError, match="complete"):
        part.decision_boundary()
    space = ra.enumerate_cells(_network("generic", 3, (4,), 0), ra.Space(3))
    space.save(tmp_path / "space.npz")
    assert ra.load_complex(tmp_path / "space.npz").f_vector == space.f_vector
