"""The cell of a point: against the complex in the plane, brute force, closed forms, and its own checker."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.certificate import certificate_of, check_cell
from reluatlas.certify.check import check_certificate
from reluatlas.errors import ArgumentError, DimensionError, DomainError, NonFiniteError, OnFaceError
from tests.zoo import FAMILIES, domain_for


def random_net(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(m, n)), rng.normal(size=m) * 0.5) for n, m in pairwise(sizes)])


@pytest.mark.parametrize("family", FAMILIES)
def test_cells_are_those_of_the_complex(family):
    for seed in (1, 3, 4):
        net, domain = FAMILIES[family](seed), domain_for(seed)
        cx = ra.enumerate_cells(net, domain, jobs=1)
        place = {tuple(p): i for i, p in enumerate(cx.patterns.tolist())}
        rng = np.random.default_rng(seed)
        for u in rng.uniform(domain.box.low, domain.box.high, (2, 2)):
            cell = ra.cell_at(net, u, domain)
            i = place[tuple(cell.pattern.tolist())]
            behind = cx.facets.neighbor[cx.vertices.offsets[i] : cx.vertices.offsets[i + 1]]
            found = sorted(tuple(n.pattern.tolist()) for n in cell.neighbors())
            assert found == sorted(tuple(cx.patterns[j].tolist()) for j in behind if j >= 0)
            assert len(cell.facets) == behind.size and cell.is_bounded
            assert cell.exactness.status == "exact"
            assert abs(float(cell.volume) - cx.volumes[i]) <= 1e-9 * cx.domain.volume
            assert np.allclose(cell.affine.A[0], cx.affine.A[i]) and np.allclose(cell.affine.b[0], cx.affine.b[i])
            assert check_cell(cell).problems == []
            for neighbor in cell.neighbors():
                patterns = [tuple(n.pattern) for n in neighbor.cell().neighbors()]
                assert tuple(cell.pattern) in patterns
                assert set(neighbor.flips) >= {o.column for o in cell.facets.owners[neighbor.facet][:1]}


@pytest.mark.parametrize("sizes", [(3, 5, 1), (4, 3, 4, 2), (2, 6, 3, 1), (1, 4, 2)])
def test_all_cells_of_space_are_found_by_neighbors(sizes):
    net = random_net(*sizes, seed=len(sizes))
    n = sizes[0]
    start = ra.cell_at(net, np.full(n, 0.123))
    seen, queue = {start.pattern.tobytes(): start}, [start]
    while queue:
        cell = queue.pop()
        assert check_cell(cell).problems == []
        for neighbor in cell.neighbors():
            if neighbor.pattern.tobytes() not in seen:
                seen[neighbor.pattern.tobytes()] = neighbor.cell()
                queue.append(seen[neighbor.pattern.tobytes()])
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, n)) * rng.choice([0.5, 2.0, 10.0, 1e4], (3000, 1))
    drawn = {p.tobytes() for p in net.patterns(points)}
    assert drawn <= set(seen)
    # faces of R^n: every bounded cell has a finite ball, and the open ones hold balls of any size or none
    for cell in seen.values():
        assert cell.is_bounded <= np.isfinite(cell.inradius)
        assert np.isfinite(float(cell.volume)) == cell.is_bounded
    if len(sizes) == 3 and sizes[1] >= n:
        m = sizes[1]
        from math import comb

        assert len(seen) == sum(comb(m, i) for i in range(n + 1))
        assert sum(c.is_bounded for c in seen.values()) == comb(m - 1, n)


def test_the_whole_space_and_a_halfspace():
    empty = ra.load([(np.zeros((2, 3)), np.array([-1.0, 2.0])), (np.ones((1, 2)), np.zeros(1))])
    cell = ra.cell_at(empty, np.zeros(3))
    assert len(cell.facets) == 0 and len(cell.halfspaces) == 0 and cell.neighbors() == []
    assert not cell.is_bounded and cell.inradius == np.inf and cell.chebyshev_center is None
    assert float(cell.volume) == np.inf and check_cell(cell).is_ok
    half = ra.load([(np.array([[3.0, 4.0]]), np.array([5.0])), (np.ones((1, 1)), np.zeros(1))])
    cell = ra.cell_at(half, [0.0, 0.0])
    assert np.allclose(cell.facets.distances, [1.0]) and np.allclose(cell.facets.points @ [3.0, 4.0], -5.0)
    assert cell.inradius == np.inf and [n.pattern.tolist() for n in cell.neighbors()] == [[0]]


def test_equal_and_opposite_neurons_are_one_facet():
    weight = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    net = ra.load([(weight, np.array([0.5, 1.0, -0.5, 0.0])), (np.ones((1, 4)), np.zeros(1))])
    cell = ra.cell_at(net, [1.0, 1.0])
    assert [[o.unit for o in group] for group in cell.facets.owners] == [[0, 1, 2], [3]]
    assert sorted(n.pattern.tolist() for n in cell.neighbors()) == [[0, 0, 1, 1], [1, 1, 0, 0]]
    assert check_cell(cell).is_ok


def test_a_point_on_faces():
    net = ra.load([(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    with pytest.raises(OnFaceError, match="neuron 0 of layer 0, neuron 2 of layer 0"):
        ra.cell_at(net, [0.0, 1.0, 0.0])
    cells = list(ra.cells_at(net, np.zeros(3)))
    assert sorted(tuple(c.pattern) for c in cells) == sorted(product((0, 1), repeat=3))
    assert len(list(ra.cells_at(net, np.zeros(3), max_cells=5))) == 5
    assert all(check_cell(c).is_ok for c in cells)
    corner = list(ra.cells_at(net, np.zeros(3), ra.Box(0, 1, dim=3)))
    assert [tuple(c.pattern) for c in corner] == [(1, 1, 1)]
    # on the domain's boundary only one cell holds it
    assert tuple(ra.cell_at(net, np.zeros(3), ra.Box(0, 1, dim=3)).pattern) == (1, 1, 1)
    assert tuple(ra.cell_at(net, [1.0, 0.5, 1.0], ra.Box(0, 1, dim=3)).pattern) == (1, 1, 1)


@pytest.mark.parametrize("family", ["biasless", "ternary", "opposite", "max_identical", "three_lines_meet"])
def test_cells_that_meet_at_a_vertex_are_those_of_the_complex(family):
    for seed in (0, 2, 4):
        net, domain = FAMILIES[family](seed), domain_for(seed)
        cx = ra.enumerate_cells(net, domain, jobs=1)
        place = {tuple(p): i for i, p in enumerate(cx.patterns.tolist())}
        origin = np.zeros(2)
        if not (np.all(domain.box.low < 0) and np.all(domain.box.high > 0)):
            continue
        cells = list(ra.cells_at(net, origin, domain))
        found = {place[tuple(c.pattern.tolist())] for c in cells}
        assert len(found) == len(cells)
        offsets = cx.vertices.offsets
        # cells whose closed polygon holds the origin, from their vertices
        expected = set()
        for i in range(cx.n_cells):
            p = cx.vertices.points[offsets[i] : offsets[i + 1]]
            edge = np.roll(p, -1, axis=0) - p
            if np.all(edge[:, 0] * -p[:, 1] - edge[:, 1] * -p[:, 0] >= -1e-13):
                expected.add(i)
        assert found == expected


def test_a_changed_certificate_is_rejected():
    net = random_net(3, 6, 5, 2, seed=4)
    rejected = 0
    for domain in (None, ra.Box(-1, 1, dim=3)):
        cell = ra.cell_at(net, [0.1, -0.2, 0.3], domain)
        good = certificate_of(cell)
        assert check_certificate(net, cell.domain, good).is_ok and (good.implied or domain is None)
        for i, (keys, beyond) in enumerate(good.facets):
            facets = list(good.facets)
            facets[i] = keys, good.inside
            assert not check_certificate(net, cell.domain, replace(good, facets=facets))
            facets[i] = keys, [v + 1000 * (w - v) for v, w in zip(beyond, good.inside, strict=True)]
            assert not check_certificate(net, cell.domain, replace(good, facets=facets))
            assert not check_certificate(net, cell.domain, replace(good, facets=facets[:i] + facets[i + 1 :]))
            rejected += 3
        for i, (keys, multipliers) in enumerate(good.implied):
            for key in multipliers:
                implied = list(good.implied)
                implied[i] = keys, multipliers | {key: -multipliers[key]}
                assert not check_certificate(net, cell.domain, replace(good, implied=implied))
                implied[i] = keys, multipliers | {key: multipliers[key] * 1000}
                assert not check_certificate(net, cell.domain, replace(good, implied=implied))
                rejected += 2
        flipped = good.pattern.copy()
        flipped[0] = 1 - flipped[0]
        assert not check_certificate(net, cell.domain, replace(good, pattern=flipped))
        outside = [v + 100 for v in good.inside]
        assert not check_certificate(net, cell.domain, replace(good, inside=outside))
    assert rejected > 40


def test_reduced_coordinates_are_checked_too():
    net = random_net(12, 5, 4, 3, seed=1)
    cell = ra.cell_at(net, np.linspace(-1, 1, 12))
    assert cell.chart.depth == 1 and check_cell(cell).is_ok
    good = certificate_of(cell)
    assert not check_certificate(net, cell.domain, replace(good, columns=np.repeat(good.columns[:1], 5)))
    assert not check_certificate(net, cell.domain, replace(good, columns=good.columns[1:]))
    # facets are on their rows and in the cell, in input space
    A, b = cell.halfspaces.A, cell.halfspaces.b
    slack = b - cell.facets.points @ A.T
    assert np.abs(slack[np.arange(len(cell.facets)), cell.facets.rows]).max() < 1e-9 and slack.min() > -1e-9
    assert not cell.is_bounded and cell.halfspaces.A.shape == (9, 12)


def test_distances_and_other_classes():
    net = random_net(3, 6, 4, seed=2)
    box = ra.Box(-1, 1, dim=3)
    rng = np.random.default_rng(0)
    n_found = 0
    for x in rng.uniform(-1, 1, (12, 3)):
        cell = ra.cell_at(net, x, box)
        assert np.all(cell.halfspaces.A @ x <= cell.halfspaces.b + 1e-12)
        nearest = cell.nearest_other_class()
        points = cell.sample(4000, seed=1)
        slack = cell.halfspaces.b - points @ cell.halfspaces.A.T
        assert points.shape == (4000, 3) and slack.min() >= -1e-9
        assert np.array_equal(net.patterns(points), np.repeat(cell.pattern[None], 4000, axis=0))
        classes = net(points).argmax(axis=1)
        others = points[classes != int(net(x).argmax())]
        if others.size:
            n_found += 1
            least = np.linalg.norm(others - x, axis=1).min()
            assert nearest is not None and nearest.distance <= least + 1e-9
            assert np.all(cell.halfspaces.A @ nearest.point <= cell.halfspaces.b + 1e-7)
            values = np.sort(net(nearest.point))
            assert values[-1] - values[-2] < 1e-6
        ball = cell.chebyshev_center
        assert np.all(cell.halfspaces.A @ ball + cell.inradius * np.linalg.norm(cell.halfspaces.A, axis=1)
                      <= cell.halfspaces.b + 1e-9)  # fmt: skip
    assert n_found > 2


def test_estimated_volumes_are_near_and_marked():
    net = ra.load([(np.eye(8), np.zeros(8)), (np.ones((1, 8)), np.zeros(1))])
    cell = ra.cell_at(net, np.full(8, 0.25), ra.Box(-1, np.linspace(0.5, 2, 8)))
    volume = cell.volume
    exact = float(np.prod(np.linspace(0.5, 2, 8)))
    assert volume.exactness.status == "sampled" and 0 < volume.error < 0.2 * exact
    assert abs(volume.value - exact) < 6 * volume.error + 0.02 * exact


def test_exact_volumes_in_three_dimensions_sum_up():
    net, box = random_net(3, 4, 1, seed=3), ra.Box(-1, 1, dim=3)
    start = ra.cell_at(net, np.full(3, 0.123), box)
    seen, queue = {start.pattern.tobytes(): start}, [start]
    while queue:
        for neighbor in queue.pop().neighbors():
            if neighbor.pattern.tobytes() not in seen:
                seen[neighbor.pattern.tobytes()] = neighbor.cell()
                queue.append(seen[neighbor.pattern.tobytes()])
    assert abs(sum(float(c.volume) for c in seen.values()) - 8.0) < 1e-12
    from tests.oracles.polyhedra import volume

    rows = []
    for f in start.found.facets:
        row = start.system.system.row(f.constraints[0])
        rows.append((tuple(Fraction(v) for v in row.a), Fraction(row.b)))
    assert abs(float(volume(rows)) - float(start.volume)) < 1e-14


def test_what_is_refused():
    net = random_net(3, 4, 1)
    with pytest.raises(DimensionError, match="2 numbers"):
        ra.cell_at(net, [0.0, 0.0])
    with pytest.raises(NonFiniteError, match="NaN"):
        ra.cell_at(net, [0.0, np.nan, 0.0])
    with pytest.raises(DomainError, match="coordinate 0 is 2"):
        ra.cell_at(net, [2.0, 0.0, 0.0], ra.Box(-1, 1, dim=3))
    with pytest.raises(DimensionError, match="`domain` has dimension 2"):
        ra.cell_at(net, [0.0, 0.0, 0.0], ra.Box(-1, 1, dim=2))
    with pytest.raises(DomainError, match="expected a `Box`"):
        ra.cell_at(net, [0.0, 0.0, 0.0], "everywhere")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="`max_cells=0`"):
        ra.cells_at(net, [0.0, 0.0, 0.0], max_cells=0)
    with pytest.raises(ArgumentError, match="`max_seconds=0`"):
        ra.cell_at(net, [0.0, 0.0, 0.0], max_seconds=0)
    cell = ra.cell_at(net, [100.0, 200.0, -300.0])
    with pytest.raises(DomainError, match="unbounded"):
        cell.sample(3)
