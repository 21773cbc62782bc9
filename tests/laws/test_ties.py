"""What lies behind walls on which several candidates or outputs tie: complexes, cells, paths, decision boundaries."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice, permutations, product

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.certificate import check_cell
from reluatlas.network.build import Builder
from tests.compare import assert_matches_oracle
from tests.compare_boundary import assert_boundary_matches_oracle
from tests.compare_paths import assert_path_matches_oracle
from tests.convert import to_nodes, to_problem
from tests.oracles import anywhere
from tests.oracles.boundary import of_polygons, of_polytopes
from tests.oracles.rational import enumerate_cells
from tests.tied import TIED

SQUARE = ra.Box(-1, 1, dim=2)


def reduce_max(factors, n=1):
    """Return the network max(f * x for f in factors) of the first of n inputs."""
    b = Builder((n,))
    weight = np.zeros((len(factors), n))
    weight[:, 0] = factors
    return b.finish(b.max_windows(b.dense(0, weight), [np.arange(len(factors))], shape=(1,)))


def box_rows(k):
    """Return the rows `a . x <= b` of [-1, 1]^k."""
    return [[Fraction(s * int(i == j)) for i in range(k)] + [Fraction(1)] for j in range(k) for s in (1, -1)]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_max_of_zero_and_both_signs_in_any_order(k):
    for factors in (*permutations((0.0, 1.0, -1.0)), *permutations((0.0, 2.0, -1.0, 1.0, -1.0), 5)):
        cx = ra.enumerate_cells(reduce_max(factors, k), ra.Box(-1, 1, dim=k), jobs=1)
        best = [factors.index(min(factors)), factors.index(max(factors))]
        assert sorted(cx.patterns[:, 0].tolist()) == sorted(best)
        assert cx.dual_graph().n_edges == 1 and cx.n_linear_regions == 2
        if k == 4 and factors[0] != 0:
            break


def test_the_boundary_of_three_outputs_that_tie_on_a_line():
    for order in permutations(((0.0, 0.0), (1.0, -2.0), (-1.0, 2.0))):
        weight, bias = np.array(order).T
        for k in (2, 3):
            first = np.zeros((1, k))
            first[0, 0] = 1.0
            net = ra.load([(first, np.array([2.0])), (weight[:, None], bias)])
            boundary = ra.enumerate_cells(net, ra.Box(-1, 1, dim=k), jobs=1).decision_boundary()
            assert len(boundary) == 1 and boundary.full_cells.size == 0 and boundary.outputs.tolist() == [[0, 1]]
            corners = sorted(map(tuple, np.round(boundary.points, 12).tolist()))
            assert corners == [(0.0, *rest) for rest in product((-1.0, 1.0), repeat=k - 1)]
        assert np.linalg.norm(np.diff(boundary.points[:2], axis=0)) == 2


@pytest.mark.parametrize("family", TIED)
def test_complexes_and_boundaries_in_the_plane(family):
    n_tied = 0
    for seed in range(40):
        net = TIED[family](seed, 2)
        domain = SQUARE if seed % 3 else ra.Box([-1, 0], [0.75, 1])
        cx = ra.enumerate_cells(net, domain, jobs=1)
        assert_matches_oracle(cx)
        expected = of_polygons(enumerate_cells(to_problem(net, domain)))
        assert_boundary_matches_oracle(cx, expected)
        n_tied += sum(len(outputs) > 2 for outputs, _ in expected.thin.values())
    assert n_tied > 0


@pytest.mark.parametrize("family", TIED)
def test_complexes_and_boundaries_on_lines_and_in_space(family):
    n = 0
    for k, seeds in ((1, 12), (3, 8)):
        for seed in range(seeds):
            net = TIED[family](seed, k)
            if net.n_neurons + net.n_windows > (8, 4)[k == 3]:
                continue
            nodes = to_nodes(net)
            cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=k), jobs=1)
            assert_matches_cells(cx, anywhere.cells(nodes, k, box_rows(k)))
            assert_boundary_matches_oracle(cx, of_polytopes(nodes, net.output, k, box_rows(k)))
            n += 1
    assert n > 2


def assert_matches_cells(cx, expected):
    """Assert that a complex has some cells, their numbers of facets, and neighbors that know each other."""
    k, facets = cx.domain.dim, cx.facets
    patterns = [tuple(row) for row in cx.patterns.tolist()]
    assert len(patterns) == len(set(patterns)) and set(patterns) == set(expected)
    assert np.diff(facets.offsets).tolist() == [anywhere.n_facets(expected[p], k) for p in patterns]
    owner, inner = np.repeat(np.arange(cx.n_cells), np.diff(facets.offsets)), np.flatnonzero(facets.neighbor >= 0)
    assert np.array_equal(facets.neighbor[facets.twin[inner]], owner[inner])
    assert np.array_equal(facets.twin[facets.twin[inner]], inner)
    starts, index = cx.corners
    for j in inner.tolist():
        here, there = (
            {tuple(p) for p in np.round(cx.vertices.points[index[starts[f] : starts[f + 1]]], 9) + 0.0}
            for f in (j, int(facets.twin[j]))
        )
        assert here == there, "a facet and its twin have other vertices"
    assert cx.euler_characteristic == 1 and cx.volumes.sum() == pytest.approx(2.0**k)


@pytest.mark.parametrize("family", TIED)
def test_cells_of_points_know_the_same_neighbors(family):
    for seed in range(8):
        net = TIED[family](seed, 2)
        cx = ra.enumerate_cells(net, SQUARE, jobs=1)
        patterns = [tuple(row) for row in cx.patterns.tolist()]
        rng = np.random.default_rng(seed)
        for u in rng.uniform(-1, 1, (2, 2)):
            cell = ra.cell_at(net, u, SQUARE)
            i = patterns.index(tuple(cell.pattern.tolist()))
            behind = cx.facets.neighbor[cx.facets.offsets[i] : cx.facets.offsets[i + 1]]
            assert sorted(tuple(n.pattern.tolist()) for n in cell.neighbors()) == sorted(
                patterns[j] for j in behind if j >= 0
            )
        at = cx.vertices.points[int(rng.integers(0, len(cx.vertices.points)))]
        if np.any((np.round(at * 2**20) != at * 2**20) | (np.abs(at) == 1)):
            continue  # rounded: not a vertex
        meeting = {tuple(cell.pattern.tolist()) for cell in ra.cells_at(net, at, SQUARE)}
        held = np.abs(cx.vertices.points - at).max(axis=1) <= 1e-12
        owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))
        assert {patterns[i] for i in owner[held]} <= meeting


@pytest.mark.parametrize("family", TIED)
def test_facets_are_proved_where_halfspaces_coincide(family):
    # rows of one unit are kept as bounds, times a factor: the multipliers are those of the rows
    rng = np.random.default_rng(3)
    for seed in range(6):
        net = TIED[family](seed, 3)
        for x in (np.array([0.0, 1.0, -0.75]), rng.choice([-0.5, 0.25, 1.0], 3)):
            for cell in islice(ra.cells_at(net, x), 4):
                assert check_cell(cell).problems == []


@pytest.mark.parametrize("family", TIED)
def test_searches_from_one_point_reach_every_cell(family):
    for seed in range(6):
        net = TIED[family](seed, 2)
        cx = ra.enumerate_cells(net, SQUARE, jobs=1)
        found = ra.explore(net, np.array([[0.123, -0.4567]]), domain=SQUARE, max_cells=10 * cx.n_cells)
        assert sorted(map(tuple, found.patterns.tolist())) == sorted(map(tuple, cx.patterns.tolist()))


@pytest.mark.parametrize("family", TIED)
def test_paths_through_walls(family):
    for seed in range(25):
        net = TIED[family](seed, 2)
        rng = np.random.default_rng(seed)
        ends = [rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], (2, 2)), rng.uniform(-1, 1, (2, 2)), np.eye(2) * 2 - 1]
        for a, b in ends:
            if not np.array_equal(a, b):
                assert_path_matches_oracle(ra.trace(net, ra.Segment(a, b)))


@pytest.mark.parametrize("family", TIED)
def test_beyond_six_dimensions(family):
    for seed in range(3):
        net = TIED[family](seed, 7)
        if net.n_neurons + net.n_windows > 6:
            continue
        cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=7), max_cells=500)
        expected = anywhere.cells(to_nodes(net), 7, box_rows(7))
        patterns = [tuple(row) for row in cx.patterns.tolist()]
        assert set(patterns) == set(expected) and len(patterns) == len(expected)
        assert np.diff(cx.facets.offsets).tolist() == [anywhere.n_facets(expected[p], 7) for p in patterns]
        owner, inner = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets)), np.flatnonzero(cx.facets.twin >= 0)
        assert np.array_equal(cx.facets.neighbor[cx.facets.twin[inner]], owner[inner])
        assert not np.any(cx.facets.neighbor == -2)


def test_windows_of_more_candidates_than_a_name_holds_are_refused():
    factors = np.linspace(-1, 1, 1024)
    assert ra.count_cells(reduce_max(factors), ra.Box(-1, 1, dim=1)).n_cells == 2
    net = reduce_max(np.linspace(-1, 1, 1025))
    for ask in (ra.count_cells, ra.enumerate_cells):
        with pytest.raises(ra.errors.UnsupportedLayerError, match="1,025 candidates"):
            ask(net, ra.Box(-1, 1, dim=1))
    assert len(ra.cell_at(net, [0.5], ra.Box(-1, 1, dim=1)).facets) == 2
    assert ra.trace(net, ra.Segment([-1.0], [1.0])).n_pieces == 2
    outputs = ra.load([(np.ones((2, 1)), np.zeros(2)), (np.ones((1025, 2)), np.arange(1025.0))])
    with pytest.raises(ra.errors.UnsupportedLayerError, match="as many outputs"):
        ra.enumerate_cells(outputs, ra.Box(-1, 1, dim=1)).decision_boundary()
