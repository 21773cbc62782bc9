from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.analysis.maps.dual_points import DualPoints, dual_points
from reluatlas.analysis.maps.transport import transport_distance
from reluatlas.datasets.toy import symmetries
from reluatlas.studies.toy.alike import carried, compare_runs, group, reduce_maps, reduction_curve, scattered
from tests.unit.analysis.paths import moving


def _random(n, seed):
    rng = np.random.default_rng(seed)
    return DualPoints(rng.standard_normal((n, 3)) * [1, 5, 0.2] + [3, 0, 1], rng.dirichlet(np.ones(n)))


def test_scattered_points_keep_shares_mean_and_covariance_and_nothing_else():
    points = _random(30, 0)
    drawn = scattered(points, np.random.default_rng(1))
    assert np.array_equal(drawn.shares, points.shares) and np.allclose(drawn.mean, points.mean)
    for p in (points, drawn):
        assert p.spread == pytest.approx(points.spread)
    covariances = [(p.points - p.mean).T @ (p.shares[:, None] * (p.points - p.mean)) for p in (points, drawn)]
    assert np.allclose(*covariances) and transport_distance(points, drawn) > 0.1
    flat = DualPoints(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([0.5, 0.5]))
    assert np.allclose(scattered(flat, np.random.default_rng(0)).points[:, 1:], 0)


def test_a_turned_network_has_turned_dual_points():
    trajectory = moving((2, 5, 2), dtype=np.float64)
    (weight, bias), last = trajectory.layers(0)
    for Q, sign in symmetries("xor"):
        out = last if sign == 1 else (last[0][::-1], last[1][::-1])
        turned = ra.Trajectory.from_layers([[(weight @ Q.T, bias), out]], domain=trajectory.domain)
        moved = carried(dual_points(trajectory.complex(0)), Q, sign)
        assert transport_distance(moved, dual_points(turned.complex(0))) < 1e-6


def test_groups_are_the_obvious_ones_and_all_maps_give_the_networks_accuracy():
    points = DualPoints(np.array([[0.0, 0, 0], [0.1, 0, 0], [5, 0, 0], [5, 0.1, 0]]), np.array([0.1, 0.3, 0.2, 0.4]))
    groups, labels = group(points, 2)
    order = np.argsort(groups.points[:, 0])
    assert np.allclose(groups.shares[order], [0.4, 0.6]) and np.allclose(groups.points[order][0], [0.075, 0, 0])
    assert labels[0] == labels[1] != labels[2] == labels[3]
    trajectory = moving((2, 3, 2))
    own = dual_points(trajectory.complex(-1))
    assert reduce_maps(trajectory, own, 1000).accuracy == trajectory.accuracy(-1)
    curve = reduction_curve(trajectory, own, up_to=4)
    assert len(curve) == 4 and reduce_maps(trajectory, own, 3).accuracy == curve[2]
    mean = reduce_maps(trajectory, own, 1).groups
    assert np.allclose(mean.points[0], own.mean)


def test_runs_are_compared_within_and_across_shapes():
    runs = [moving((2, 3, 2), seed=0), moving((2, 3, 2), seed=1), moving((2, 4, 2), seed=2)]
    alike = compare_runs(runs)
    assert list(alike) == ["within 2-3-2", "across 2-3-2, 2-4-2"]
    last = [dual_points(run.complex(-1)) for run in runs]
    assert alike["within 2-3-2"].distances == [transport_distance(last[0], last[1])]
    assert alike["across 2-3-2, 2-4-2"].distances == [transport_distance(last[i], last[2]) for i in (0, 1)]
    for pairs in alike.values():
        assert len(pairs.same_moments) == len(pairs.untrained) == 2 * len(pairs.distances)
    assert compare_runs(runs) == alike
    turned = compare_runs(runs, symmetries=symmetries("xor"))
    for kind, pairs in turned.items():
        assert all(a <= b + 1e-9 for a, b in zip(pairs.distances, alike[kind].distances, strict=True))
