from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.datasets.toy import symmetries
from reluatlas.studies.toy.cuts import MEASURES, compare_cuts, turned
from tests.unit.analysis.paths import moving


def test_runs_are_compared_within_and_across_shapes_beside_starts():
    runs = [moving((2, 3, 2), seed=0), moving((2, 3, 2), seed=1), moving((2, 4, 2), seed=2)]
    found = compare_cuts(runs, jobs=1)
    assert {kind: len(cuts.found) for kind, cuts in found.items()} == {"within 2-3-2": 1, "across 2-3-2, 2-4-2": 2}
    first, second = (run.network(-1) for run in runs[:2])
    start = runs[1].network(0)
    plain = ra.compare_structure(first, second, runs[0].domain, chance=[start])
    within = found["within 2-3-2"]
    for measure in MEASURES:
        assert getattr(within.found[0], measure) == pytest.approx(getattr(plain.scores, measure), rel=1e-12)
        assert getattr(within.chance[0], measure) == pytest.approx(getattr(plain.chance[0], measure), rel=1e-12)
    assert all(len(cuts.chance) == 2 * len(cuts.found) for cuts in found.values())
    assert compare_cuts(runs, jobs=2) == found


def test_a_turned_network_is_the_same_up_to_symmetries_only():
    run = moving((2, 5, 2))
    for name in ("xor", "moons"):
        Q, sign = symmetries(name)[-1]
        layers = turned(run, -1, Q, sign).network.dense_layers()
        other = ra.Trajectory.from_layers([run.layers(0), layers], domain=run.domain)
        as_it_is = compare_cuts([run, other])["within 2-5-2"].found[0]
        best = compare_cuts([run, other], symmetries=symmetries(name))["within 2-5-2"].found[0]
        assert as_it_is.regions < 0.9
        assert best.regions == pytest.approx(1.0, abs=1e-9)
        X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
        carried = turned(run, -1, Q, sign).network(X @ Q.T)
        np.testing.assert_allclose(carried if sign > 0 else carried[:, ::-1], run.network(-1)(X), atol=1e-12)
