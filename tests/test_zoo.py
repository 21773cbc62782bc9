"""The zoo and the strategies give what they promise, and two oracles and point evaluation agree on it."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from reluatlas.domain import Box
from reluatlas.network.network import Affine, Breakpoints, Dense, Max
from reluatlas.network.values.float64 import values
from tests.assembled import complex_from_oracle
from tests.compare import assert_laws, assert_matches_oracle
from tests.convert import to_problem
from tests.oracles.brute import all_patterns
from tests.oracles.rational import Cell, area, enumerate_cells
from tests.strategies import problems
from tests.zoo import FAMILIES, domain_for

SEEDS = range(12)


def first_rows(network):
    layer = network.nodes[1]
    assert isinstance(layer, Affine) and isinstance(layer.operators[0], Dense)
    return layer.operators[0].weight, layer.bias


def n_patterns(network):
    units = [len(k[np.isfinite(k)]) + 1 for n in network.nodes if isinstance(n, Breakpoints) for k in n.knots]
    return prod(units) * prod(w for n in network.nodes if isinstance(n, Max) for w in np.diff(n.offsets).tolist())


@pytest.mark.parametrize("family", FAMILIES)
def test_families_fit_their_domains_and_repeat(family):
    counts = []
    for seed in SEEDS:
        network, domain = FAMILIES[family](seed), domain_for(seed)
        assert domain.dim == 2 and network.n_inputs == domain.n_inputs
        assert 1 <= network.n_outputs <= 3 and 3 <= network.n_neurons + network.n_windows <= 60
        again = FAMILIES[family](seed)
        points = domain.embed(np.random.default_rng(seed).uniform(domain.box.low, domain.box.high, (20, 2)))
        assert np.array_equal(network(points), again(points))
        counts.append(len(enumerate_cells(to_problem(network, domain))))
    assert max(counts) > 10 and len(set(counts)) > 3


@pytest.mark.parametrize("family", FAMILIES)
def test_patterns_at_inner_points_are_those_of_the_cells(family):
    for seed in SEEDS:
        network, domain = FAMILIES[family](seed), domain_for(seed)
        if isinstance(domain, Box):
            cells = enumerate_cells(to_problem(network, domain))
            middle = [np.array(c.vertices, dtype=float).mean(axis=0) for c in cells]
            inside = [i for i, (cell, point) in enumerate(zip(cells, middle, strict=True)) if holds(cell, point)]
            assert len(inside) > len(cells) / 3
            found = network.patterns(np.array([middle[i] for i in inside])).tolist()
            assert found == [list(cells[i].pattern) for i in inside]


def holds(cell: Cell, point: np.ndarray) -> bool:
    # The rounded mean of the vertices can be outside of a sliver.
    corners, inner = cell.vertices, (Fraction(float(point[0])), Fraction(float(point[1])))
    return all(area((p, q, inner)) > 0 for p, q in zip(corners, corners[1:] + corners[:1], strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_three_lines_meet_or_miss(seed):
    weight, bias = first_rows(FAMILIES["three_lines_meet"](seed))
    (a, b, c), (d, e, f), (g, h, i) = (
        [Fraction(float(v)) for v in (*w[:2], k)] for w, k in zip(weight[:3], bias[:3], strict=True)
    )
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    assert (determinant == 0) == (seed % 2 == 0)
    assert abs(determinant) < Fraction(1, 10**6)


def test_slivers_are_there():
    widths = []
    for seed in range(3):
        weight, bias = first_rows(FAMILIES["sliver"](seed))
        widths.append(abs(bias[0] - bias[1] * np.sign(weight[0, 0] * weight[1, 0])))
        cells = enumerate_cells(to_problem(FAMILIES["sliver"](seed), domain_for(seed)))
        assert any(0 < c.area < 1e-11 for c in cells)
    assert np.allclose(widths, 1e-12, rtol=1e-3)


def test_some_windows_tie_on_whole_cells():
    n_tied = 0
    for seed in SEEDS:
        network, domain = FAMILIES["max_identical"](seed), domain_for(seed)
        cells = enumerate_cells(to_problem(network, domain))
        for cell in cells:
            middle = np.mean(np.array(cell.vertices, dtype=float), axis=0)
            z = values(network, domain.embed(middle)[None])
            tops = [
                np.sort(z[n.input][0, n.candidates[a:b]])[-2:]
                for n in network.nodes
                if isinstance(n, Max)
                for a, b in pairwise(n.offsets.tolist())
            ]
            n_tied += any(len(t) == 2 and t[0] == t[1] for t in tops)
    assert n_tied > 50


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_oracles_agree_on_drawn_networks(drawn):
    network, domain = drawn
    if n_patterns(network) <= 200:
        problem = to_problem(network, domain)
        found = {c.pattern: (frozenset(c.vertices), c.map, c.area) for c in enumerate_cells(problem)}
        assert found == all_patterns(problem)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_drawn_complexes_obey_the_laws(drawn):
    cx = complex_from_oracle(*drawn)
    assert_matches_oracle(cx)
    assert_laws(cx)
