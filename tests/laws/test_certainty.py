"""What float64 cannot decide is decided right; without the exact step it would not be."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.testing import FAMILIES, assert_complex, domain_for
from tests.compare import assert_matches_oracle

BOX = ra.Box(-1, 1, dim=2)
# x + y = 0.3, x - y = 0.1 and 3 x + y = 0.7 meet at (0.2, 0.1), up to the rounding of these decimals.
WEIGHT = np.array([[1.0, 1.0], [1.0, -1.0], [3.0, 1.0]])


def three_lines(bias):
    return ra.load([(WEIGHT, np.asarray(bias)), (np.array([[1.0, 1.0, 1.0]]), np.zeros(1))])


def test_three_lines_that_meet_make_six_cells():
    # 2^-3 and 2^-4 have no rounding: (0.125, 0.0625) lies on all three lines
    meeting = three_lines([-0.1875, -0.0625, -0.4375])
    cx = ra.enumerate_cells(meeting, BOX)
    assert cx.n_cells == ra.count_cells(meeting, BOX).n_cells == 6
    assert_matches_oracle(cx)


@pytest.mark.parametrize("direction", [-np.inf, np.inf])
def test_three_lines_that_miss_by_one_unit_in_the_last_place_make_seven(direction):
    third = np.array([[1.0, 0.2], [0.3, -1.0], [1.3, -0.8]])
    for bias in ([-0.1, 0.7, 0.6], [-0.1, 0.7, np.nextafter(0.6, direction)]):
        net = ra.load([(third, np.array(bias)), (np.array([[1.0, 1.0, 1.0]]), np.zeros(1))])
        cx = ra.enumerate_cells(net, BOX)
        assert cx.exactness.n_escalated > 0 and cx.exactness.n_uncertain == 0
        assert_matches_oracle(cx)
        assert ra.count_cells(net, BOX).n_cells == cx.n_cells
    near = ra.enumerate_cells(three_lines([-0.1875, -0.0625, np.nextafter(-0.4375, direction)]), BOX)
    assert near.n_cells == 7 and near.exactness.n_escalated > 0
    assert_matches_oracle(near)


@pytest.mark.parametrize("family", ["three_lines_meet", "parallel", "duplicate", "biasless"])
def test_float_comparisons_instead_are_wrong(family):
    wrong = 0
    for seed in range(12):
        cx = ra.enumerate_cells(FAMILIES[family](seed), domain_for(seed), certain=False)
        assert cx.exactness.status == "float64"
        right = ra.enumerate_cells(cx.network, cx.domain)
        wrong += cx.n_cells != right.n_cells or not np.array_equal(cx.patterns, right.patterns)
    if family != "biasless":
        assert wrong > 0


def test_slivers_of_width_1e_12_are_found():
    net = ra.load([(np.array([[1.0, 0.3], [1.0, 0.3]]), np.array([0.1, 0.1 + 1e-12])), (np.ones((1, 2)), np.zeros(1))])
    cx = ra.enumerate_cells(net, BOX)
    assert cx.n_cells == 3 and 0 < cx.volumes.min() < 1e-11
    assert_matches_oracle(cx)


@pytest.mark.parametrize("family", ["generic", "ternary", "biasless"])
def test_wide_networks_obey_the_laws(family):
    rng = np.random.default_rng(5)
    layers = []
    for n, m in ((2, 24), (24, 24), (24, 24), (24, 2)):
        weight = rng.integers(-1, 2, (m, n)).astype(float) if family == "ternary" else rng.uniform(-1, 1, (m, n))
        layers.append((weight, np.zeros(m) if family == "biasless" else rng.uniform(-0.5, 0.5, m)))
    cx = ra.enumerate_cells(ra.load(layers), BOX)
    assert cx.n_cells > (30 if family == "biasless" else 200)
    assert_complex(cx)
    assert ra.count_cells(cx.network, BOX).n_cells == cx.n_cells
