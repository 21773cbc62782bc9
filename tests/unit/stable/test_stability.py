"""What stability says is so: against all cells of the oracles, in whole numbers, and at a million points."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import DimensionError, DomainError, NonFiniteError
from reluatlas.network.build import Builder
from reluatlas.stable import walk
from reluatlas.testing import zoo
from tests.convert import fractions, to_nodes, to_problem
from tests.doors import domain_of, network_of
from tests.oracles import plain, rational, scales, windows  # noqa: F401 - they add their families
from tests.oracles.families import FAMILIES
from tests.oracles.polytopes import as_point
from tests.truth import Truth

SEEDS = range(10)
FAR = ("huge", "ends", "mixed_ends")
"""Families of which some cannot be opened: their numbers leave the range of float64."""


def values_at(nodes, x):
    """Return all tensors at a point, in fractions."""
    values = []
    for node in nodes:
        if isinstance(node, plain.Input):
            row = [Fraction(v) for v in x]
        elif isinstance(node, plain.Affine):
            row = [Fraction(b) for b in node.bias]
            for source, rows in node.terms:
                row = [r + sum(w * values[source][j] for j, w in one) for r, one in zip(row, rows, strict=True)]
        elif isinstance(node, plain.Breakpoints):
            row = []
            for i, z in enumerate(values[node.source]):
                piece = sum(k < z for k in node.knots[i])
                row.append(node.slopes[i][piece] * z + node.intercepts[i][piece])
        else:
            row = [max(values[node.source][e] for e in window) for window in node.windows]
        values.append(row)
    return values


def assert_so(found, nodes, patterns, points):
    """Assert all that is said, on cells with these patterns, and at exact points: all vertices, if it is to be a proof.

    Returns how many units are said to be constant, and how many are.
    """
    patterns = np.array(patterns)
    said = found.pattern
    assert said.size == patterns.shape[1]
    at = 0
    for layer in found.layers:
        for i in range(layer.n_units):
            assert set(patterns[:, at + i].tolist()) <= set(layer.pieces(i))
            assert set(layer.functions(i))
        at += layer.n_units
    constant = said >= 0
    assert np.all(patterns[:, constant] == said[constant])
    for x in points:
        values = values_at(nodes, x)
        for low, value, high in zip(found.low, values[found.network.output], found.high, strict=True):
            assert low <= value <= high
        for layer in found.layers:
            node, own = nodes[layer.node], values[layer.node]
            read = own if layer.kind == "windows" else values[node.source]
            assert all(low <= v <= high for low, v, high in zip(layer.low, read, layer.high, strict=True))
            for i in range(layer.n_units):
                if layer.kind == "windows":
                    entries = [values[node.source][node.windows[i][c]] for c in layer.functions(i)]
                    assert own[i] == max(entries)
                elif layer.constant_function[i] >= 0:
                    piece = layer.constant_function[i]
                    assert own[i] == node.slopes[i][piece] * values[node.source][i] + node.intercepts[i][piece]
    return int(constant.sum()), int((patterns == patterns[0]).all(axis=0).sum())


def one_input(*make):
    b = Builder((1,))
    here = 0
    for step in make:
        here = step(b, here)
    return b.finish(here)


def relu(b, z):
    return b.relu(z)


def test_a_relu_of_a_relu_is_one_function_and_two_pieces():
    found = ra.stability(one_input(relu, relu), ra.Box(-1, 1, dim=1))
    assert found.pattern.tolist() == [-1, -1]
    assert [layer.functions(0) for layer in found] == [(0, 1), (1,)]
    assert (found.n_units, found.n_open, found.n_bent) == (2, 2, 1)


def test_a_winner_that_is_never_smaller_is_one_function_and_two_winners():
    b = Builder((1,))
    net = b.finish(b.maximum([b.relu(b.constant([-1.0])), b.relu(0)]))
    found = ra.stability(net, ra.Box(-1, 1, dim=1))
    assert found.pattern.tolist() == [0, -1, -1]
    windows_ = found.layers[-1]
    assert windows_.kind == "windows" and windows_.pieces(0) == (0, 1) and windows_.functions(0) == (1,)


def test_what_is_affine_and_not_negative_is_on_unless_it_is_zero():
    # x on [0, 1] is zero on no cell; 0 x is zero on all; the relu of x + relu(x) reads what is not known to be affine
    net = ra.load([([[1.0], [0.0], [-1.0]], [0.0, 0.0, 0.0]), ([[1.0, 1.0, 1.0]], [0.0])])
    assert ra.stability(net, ra.Box(0, 1, dim=1)).pattern.tolist() == [1, 0, 0]
    found = ra.stability(one_input(relu, lambda b, z: b.relu(b.add([0, z]))), ra.Box(0, 1, dim=1))
    assert found.pattern.tolist() == [1, 1]  # relu(x) is x here, and affine


def test_units_with_several_knots_have_sets_of_pieces():
    def stairs(b, z):
        return b.breakpoints(z, [-0.5, 0.0, 0.5], [0.0, 1.0, -1.0, 2.0], [-0.5, 0.0, 0.0, -1.5])

    for low, high, pieces, functions in (
        (-1, 1, (0, 1, 2, 3), (0, 1, 2, 3)),
        (-0.25, 0.25, (1, 2), (1, 2)),
        (-0.5, 0.0, (1,), (1,)),
        (0.25, 0.5, (2,), (2,)),
        (-2, -0.5, (0,), (0,)),
    ):
        layer = ra.stability(one_input(stairs), ra.Box(low, high, dim=1)).layers[0]
        assert (layer.pieces(0), layer.functions(0)) == (pieces, functions)


def test_equal_candidates_are_one_class_whose_lowest_wins():
    b = Builder((2,))
    z = b.dense(0, np.array([[1.0, 1.0], [0.0, 0.0], [1.0, -1.0], [0.0, 0.0]]), np.array([0.0, 3.0, -5.0, 3.0]))
    net = b.finish(b.max_windows(z, [[0, 0, 0], [2, 0, 0], [1, 3, 2], [2, 3, 1]], shape=(4,)))
    assert ra.stability(net, ra.Box(-1, 1, dim=2)).pattern.tolist() == [0, 1, 0, 1]


def test_large_windows_are_compared_with_one_candidate():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(200, 2)), rng.normal(size=200)
    for size in (12, 100):
        b = Builder((2,))
        z = b.dense(0, weight[:size], bias[:size])
        net = b.finish(b.max_windows(z, [np.arange(size), np.arange(size)[::-1]], shape=(2,)))
        box = ra.Box(-0.25, 0.25, dim=2)
        problem = to_problem(net, box)
        cells = rational.enumerate_cells(problem)
        n_said, _ = assert_so(ra.stability(net, box), problem.nodes, [c.pattern for c in cells], corners(cells))
        assert n_said == 0 and ra.stability(net, box).layers[0].possible.sum() < size


def corners(cells, embed=lambda u: u):
    return [embed(u) for u in {u for cell in cells for u in cell.vertices}]


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_the_zoo(family):
    n_said = n_true = 0
    for seed in SEEDS:
        net, domain = zoo.FAMILIES[family](seed), zoo.domain_for(seed)
        origin, basis = (fractions(a) for a in (domain.frame()[0], domain.frame()[1].reshape(-1)))
        n = len(origin)

        def embed(u, origin=origin, basis=basis, n=n):
            return [o + u[0] * basis[j] + u[1] * basis[n + j] for j, o in enumerate(origin)]

        # all of the domain, and the part of it around its middle
        for share in (1.0, 0.125):
            box = domain.box
            middle, half = (box.low + box.high) / 2, (box.high - box.low) / 2 * share
            small = ra.Box(middle - half, middle + half)
            here = small if isinstance(domain, ra.Box) else ra.Slice(domain.origin, domain.basis, box=small)
            problem = to_problem(net, here)
            cells = rational.enumerate_cells(problem)
            said, true = assert_so(
                ra.stability(net, here), problem.nodes, [c.pattern for c in cells], corners(cells, embed)
            )
            n_said, n_true = n_said + said, n_true + true
    assert n_said >= 0.5 * n_true > 0, f"only {n_said} of {n_true} constant units were found"


@pytest.mark.parametrize("family", FAMILIES)
def test_families_in_one_to_three_dimensions(family):
    n_checked = 0
    for seed in SEEDS:
        case = FAMILIES[family](seed)
        try:
            net, domain = network_of(case), domain_of(case)
        except NonFiniteError:
            assert family in FAR
            continue
        if isinstance(domain, ra.Space):
            with pytest.raises(DomainError, match="Space"):
                ra.stability(net, domain)
            continue
        truth = Truth(case)
        points = {as_point(v) for cell in truth.cells for v in cell.polytope.vertices}
        inputs = [
            [o + sum(c * row[j] for c, row in zip(u, truth.domain.basis, strict=True))
             for j, o in enumerate(truth.domain.origin)]
            for u in points
        ]  # fmt: skip
        # the network that is opened has the nodes' units, though it may have other nodes
        assert_so(ra.stability(net, domain), to_nodes(net), [c.pattern for c in truth.cells], inputs)
        n_checked += 1
    assert n_checked > 0


def whole_network(seed):
    """Return a residual network of small whole numbers with windows, and its exact evaluation in integers."""
    rng = np.random.default_rng(seed)
    b = Builder((3,))
    sizes = (3, 16, 16, 16)
    weights = [(rng.integers(-3, 4, (m, n)), rng.integers(-40, 41, m)) for n, m in pairwise(sizes)]
    first = b.relu(b.dense(0, weights[0][0] * 1.0, weights[0][1] / 4))
    second = b.abs(b.dense(first, weights[1][0] * 1.0, weights[1][1] / 4))
    joined = b.add([first, second], [1.0, -1.0])
    groups = [rng.choice(16, int(rng.integers(2, 5)), replace=False) for _ in range(10)]
    groups += [rng.choice(16, 12, replace=False)]
    pooled = b.max_windows(joined, groups, shape=(11,))
    weight, bias = rng.integers(-3, 4, (8, 11)), rng.integers(-100, 101, 8)
    last = b.clip(b.dense(pooled, weight * 1.0, bias / 4), -16.0, 16.0)
    net = b.finish(last)

    def evaluate(x):
        # in units of 2^-12; of each layer what is read, the pieces, and where they are those of a cell: at no tie
        out = []
        z = x @ weights[0][0].T + (weights[0][1] << 10)
        out.append((z, (z > 0).astype(np.int64), z != 0))
        h = np.maximum(z, 0)
        z = h @ weights[1][0].T + (weights[1][1] << 10)
        out.append((z, (z > 0).astype(np.int64), z != 0))
        h = h - np.abs(z)
        values = np.stack([h[:, g].max(axis=1) for g in groups], axis=1)
        winner = np.stack([h[:, g].argmax(axis=1) for g in groups], axis=1)
        alone = np.stack(
            [(h[:, g] == v[:, None]).sum(axis=1) == 1 for g, v in zip(groups, values.T, strict=True)], axis=1
        )
        out.append((values, winner, alone))
        z = values @ weight.T + (bias << 10)
        out.append((z, (z > -(16 << 12)).astype(np.int64) + (z > (16 << 12)), np.abs(z) != 16 << 12))
        return out, np.clip(z, -(16 << 12), 16 << 12)

    return net, evaluate


@pytest.mark.parametrize("seed", range(4))
def test_a_million_points_each_evaluated_in_integers(seed):
    net, evaluate = whole_network(seed)
    rng = np.random.default_rng([seed, 1])
    low = rng.integers(-3 << 12, 3 << 12, 3)
    width = (1 << 9, 1 << 11, 1 << 12, 1 << 13)[seed]
    found = ra.stability(net, ra.Box(low / 4096, (low + width) / 4096))
    assert 0 < found.n_open < found.n_units
    for _ in range(10):
        x = low + rng.integers(0, width + 1, (100_000, 3))
        x[:10_000] = low + width * rng.integers(0, 2, (10_000, 3))
        x[10_000:20_000, 0] = low[0]
        layers, outputs = evaluate(x)
        assert np.all(found.low * 4096 <= outputs) and np.all(outputs <= found.high * 4096)
        for layer, (read, piece, is_sure) in zip(found.layers, layers, strict=True):
            assert np.all(layer.low * 4096 <= read) and np.all(read <= layer.high * 4096)
            for i in range(layer.n_units):
                seen = set(np.unique(piece[is_sure[:, i], i]).tolist())
                assert seen <= set(layer.pieces(i))


def test_fewer_symbols_tell_less_and_nothing_wrong(monkeypatch):
    rng = np.random.default_rng(5)
    b = Builder((2,))
    here = b.relu(b.dense(0, rng.normal(size=(40, 2)), rng.normal(size=40)))
    for _ in range(3):
        here = b.add([here, b.relu(b.dense(here, rng.normal(size=(40, 40)) / 6, rng.normal(size=40)))])
    net = b.finish(b.dense(here, rng.normal(size=(2, 40)), np.zeros(2)))
    box = ra.Box(-0.25, 0.25, dim=2)
    patterns = net.patterns(rng.uniform(-0.25, 0.25, (20_000, 2)))
    n_open = []
    for most in (1024, 60, 16, 2, 1):
        monkeypatch.setattr(walk, "MOST_SYMBOLS", most)
        monkeypatch.setattr(walk, "FEWEST", most)
        found = ra.stability(net, box)
        constant = found.pattern >= 0
        assert np.all(patterns[:, constant] == found.pattern[constant])
        n_open.append(found.n_open)
    assert n_open == sorted(n_open) and n_open[0] < n_open[-1]


def test_parts_of_a_domain_within_a_cell_of_the_first_layer():
    rng = np.random.default_rng(8)
    sizes = (2, 12, 12, 12, 2)
    net = ra.load([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise(sizes)])
    box = ra.Box(-2, 2, dim=2)
    n_box = n_part = 0
    for _ in range(60):
        corners = rng.uniform(-1.5, 1.5, 2) + 0.2 * rng.uniform(-1, 1, (3, 2))
        points = rng.dirichlet((0.4, 0.4, 0.4), 400) @ corners
        patterns = net.patterns(points)
        first = patterns[0, :12].astype(np.int32)
        inside = (patterns[:, :12] == first).all(axis=1)
        if not (net.patterns(corners)[:, :12] == first).all():
            continue
        assert inside.all()
        for given in (first, first[:0]):
            part = walk.Part(corners, 1e-12, given)
            layers = list(walk.possibilities(net, box, part))
            can = np.concatenate([layer.possible.reshape(-1, 2) for layer in layers[:-1]])
            assert np.all(can[np.arange(36), patterns])
            assert np.all(layers[-1].low <= net(points)) and np.all(net(points) <= layers[-1].high)
            assert given.size == 0 or np.all(can[:12].sum(axis=1) == 1)
            n_part += int((can.sum(axis=1) == 2).sum())
        hull = ra.Box(corners.min(axis=0), corners.max(axis=0))
        n_box += 2 * ra.stability(net, hull).n_open
    assert 0 < n_part < n_box


def test_segments_and_boxes_of_many_inputs():
    rng = np.random.default_rng(3)
    net = ra.load([(rng.normal(size=(30, 50)) / 7, rng.normal(size=30)), (rng.normal(size=(20, 30)) / 5,
                   rng.normal(size=20)), (rng.normal(size=(3, 20)), np.zeros(3))])  # fmt: skip
    middle = rng.normal(size=50)
    for domain, points in (
        (ra.Box(middle - 0.02, middle + 0.02), middle + rng.uniform(-0.02, 0.02, (5000, 50))),
        (ra.Segment(middle, middle + 0.1), middle + 0.1 * rng.random((5000, 1))),
    ):
        found, patterns = ra.stability(net, domain), net.patterns(points)
        constant = found.pattern >= 0
        assert constant.sum() > 10 and np.all(patterns[:, constant] == found.pattern[constant])


def test_a_broken_claim_is_found():
    domain = ra.Box(-1, 1, dim=2)
    net = ra.load([(np.array([[1.0, 0.5], [0.25, 1.0]]), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    problem = to_problem(net, domain)
    cells = rational.enumerate_cells(problem)
    found, layer = ra.stability(net, domain), ra.stability(net, domain).layers[0]
    patterns, points = [c.pattern for c in cells], corners(cells)
    assert_so(found, problem.nodes, patterns, points)
    only_on = np.array([False, True, True, True])
    for wrong in (
        replace(layer, possible=only_on),
        replace(layer, needed=only_on),
        replace(layer, low=np.array([-1.5 + 1e-12, -1.25])),
        replace(layer, high=np.array([1.5, 1.25 - 1e-12])),
    ):
        with pytest.raises(AssertionError):
            assert_so(replace(found, layers=(wrong,)), problem.nodes, patterns, points)
    with pytest.raises(AssertionError):
        assert_so(replace(found, low=found.high), problem.nodes, patterns, points)


def test_what_overflows_is_not_known():
    def larger(b, z):
        return b.relu(b.dense(z, [[2.0**600]], [-1.0]))

    net = one_input(larger, larger, larger)
    assert ra.stability(net, ra.Box(-1, 1, dim=1)).pattern.tolist() == [-1, -1, -1]
    assert ra.stability(net, ra.Box(1, 2, dim=1)).pattern.tolist()[0] == 1
    assert ra.stability(net, ra.Box(-2, -1, dim=1)).pattern.tolist() == [0, 0, 0]


def test_what_does_not_fit_is_refused():
    net = ra.load([([[1.0, 1.0]], [0.0]), ([[1.0]], [0.0])])
    with pytest.raises(DimensionError, match="takes 2 inputs"):
        ra.stability(net, ra.Box(0, 1, dim=3))
    with pytest.raises(DomainError, match="str"):
        ra.stability(net, "box")  # type: ignore[arg-type]
