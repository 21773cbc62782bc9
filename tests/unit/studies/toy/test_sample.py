from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.studies.toy.sample import grid_points, sample_regions
from tests.unit.analysis.paths import moving


def test_it_finds_what_a_plain_loop_over_the_points_finds():
    trajectory = moving((2, 4, 3, 2), dtype=np.float64)
    for t in (0, 3):
        layers = trajectory.layers(t)
        patterns, rounded = set(), set()
        for x in grid_points(trajectory.domain, 15):
            A, b, pattern = np.eye(2), np.zeros(2), ()
            for i, (weight, bias) in enumerate(layers):
                A, b = weight @ A, weight @ b + bias
                if i < 2:
                    on = A @ x + b > 0
                    A, b, pattern = A * on[:, None], b * on, (*pattern, *on.tolist())
            patterns.add(pattern)
            rounded.add(tuple(np.round([*(A[1] - A[0]), b[1] - b[0]], 2) + 0.0))
        found = sample_regions(trajectory, t, side=15)
        assert (found.n_patterns, found.n_rounded) == (len(patterns), len(rounded))


@pytest.mark.parametrize("sizes", [(2, 3, 2), (2, 6, 6, 2), (2, 30, 20, 20, 1)])
def test_the_exact_count_is_never_lower(sizes):
    trajectory = moving(sizes, 4)
    measures = trajectory.measure(jobs=1)
    for t in range(4):
        found = sample_regions(trajectory, t, side=101)
        assert found.n_rounded <= measures.n_affine_maps[t] <= measures.n_linear_regions[t]
        assert found.n_rounded <= found.n_patterns <= measures.n_cells[t]


def test_slivers_are_missed_and_near_maps_are_taken_for_one():
    box = ra.Box(-1, 1, dim=2)
    slab = ra.Trajectory.from_layers([[([[1, 0], [1, 0]], [0.3021, 0.3022]), ([[1.0, -2.0]], [0.0])]], domain=box)
    assert slab.measure().n_linear_regions[0] == 3
    assert sample_regions(slab, 0, side=101).n_rounded == 2
    slight = ra.Trajectory.from_layers([[([[1, 0]], [0.0]), ([[0.001]], [0.0])]], domain=box)
    assert slight.measure().n_linear_regions[0] == 2
    assert sample_regions(slight, 0, side=101).n_patterns == 2 and sample_regions(slight, 0, side=101).n_rounded == 1
