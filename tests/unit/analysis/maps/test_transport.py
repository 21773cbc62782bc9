from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from reluatlas.affine import AffineMaps
from reluatlas.analysis.maps.dual_points import DualPoints, as_maps, as_points, decision_maps, dual_points
from reluatlas.analysis.maps.transport import transport_distance, transport_plan
from reluatlas.domain import Box
from reluatlas.errors import DimensionError
from tests.unit.analysis.paths import moving


def _random(n, seed, d=3):
    rng = np.random.default_rng(seed)
    return DualPoints(rng.standard_normal((n, d)), rng.dirichlet(np.ones(n)))


def test_equal_shares_are_matched_by_the_best_permutation():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        P, Q = rng.standard_normal((2, 5, 3))
        shares = np.full(5, 0.2)
        best = min(np.mean(((P - Q[list(order)]) ** 2).sum(axis=1)) for order in permutations(range(5)))
        assert transport_distance(DualPoints(P, shares), DualPoints(Q, shares)) == pytest.approx(np.sqrt(best))


def test_it_is_a_distance():
    a, b, c = _random(7, 0), _random(9, 1), _random(4, 2)
    assert transport_distance(a, a) == pytest.approx(0, abs=1e-7)
    assert transport_distance(a, b) == pytest.approx(transport_distance(b, a))
    assert transport_distance(a, c) <= transport_distance(a, b) + transport_distance(b, c) + 1e-9
    split = DualPoints(np.repeat(a.points, 2, axis=0), np.repeat(a.shares / 2, 2))
    assert transport_distance(a, split) == pytest.approx(0, abs=1e-7)
    moved = DualPoints(a.points + np.array([3, 4, 0]), a.shares)
    assert transport_distance(a, moved) == pytest.approx(5)


def test_the_plan_has_the_shares_as_its_sums_also_for_one_point():
    one = DualPoints(np.zeros((1, 3)), np.ones(1))
    for a, b in ((_random(6, 3), _random(8, 4)), (_random(5, 5), one), (one, _random(5, 5))):
        plan = transport_plan(a, b)
        assert plan.min() >= 0
        assert np.allclose(plan.sum(axis=1), a.shares) and np.allclose(plan.sum(axis=0), b.shares)
    with pytest.raises(DimensionError, match="compare maps of one kind"):
        transport_distance(_random(3, 0), _random(3, 0, d=6))


def test_distances_of_points_are_mean_square_differences_of_maps():
    box = Box([-1, 0], [3, 0.5])
    rng = np.random.default_rng(0)
    slopes, constants = rng.standard_normal((2, 1, 2)), rng.standard_normal((2, 1))
    points = as_points(slopes, constants, box)
    X = rng.uniform(box.low, box.high, (200_000, 2))
    values = np.einsum("nmk,xk->xnm", slopes, X) + constants
    sampled = np.sqrt(np.mean((values[:, 0] - values[:, 1]) ** 2))
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(sampled, rel=0.01)
    back = as_maps(points, box)
    assert np.allclose(back[0], slopes) and np.allclose(back[1], constants)


def test_dual_points_of_a_complex_are_its_decision_maps_weighted_by_area():
    cx = moving().complex(2)
    points = dual_points(cx)
    assert len(points) == cx.n_affine_maps and points.shares.sum() == pytest.approx(1)
    slopes, constants = decision_maps(cx.affine)
    mean = np.average(as_points(slopes, constants, cx.domain.box), axis=0, weights=cx.volumes)
    assert np.allclose(points.mean, mean)
    three = AffineMaps(np.ones((2, 3, 2)), np.ones((2, 3)))
    assert decision_maps(three)[0].shape == (2, 3, 2)
