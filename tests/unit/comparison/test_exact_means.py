"""Means in fractions: those of closed forms, whatever way a polytope is divided; what has none."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.comparison.exact_means import mean_size, mean_square, simplices
from reluatlas.errors import ArgumentError
from tests.unit.certify.test_tree import UNIT, random_net


def affine(weight, bias=0.0):
    return ra.load([(np.array([weight], dtype=float), np.array([bias]))], classes=None)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_of_the_sum_of_coordinates_over_a_cube(k):
    """Of x_1 + ... + x_k - s over [0, 1]^k: the moments of Irwin and Hall."""
    s, box = Fraction(1, 2), ra.Box(0, 1, dim=k)
    found = ra.compare(affine([1.0] * k, -0.5), affine([0.0] * k), box, exact=True).exact_means
    assert found is not None
    # the integral of max(s - sum, 0) over the cube is that over the corner simplex: s^(k + 1) / (k + 1)!
    below = s ** (k + 1) / factorial(k + 1)
    mean = Fraction(k, 2) - s
    assert found.mean_difference == (mean + 2 * below,)
    assert found.mean_square == (mean**2 + Fraction(k, 12),)


def test_divided_differences_of_equal_values():
    for values in product([-1, 0, 2], repeat=4):
        d = [Fraction(v) for v in values]
        near = [v + Fraction(i, 10**9) for i, v in enumerate(d)]
        assert abs(mean_size(d) - mean_size(near)) < Fraction(1, 10**8)
        assert mean_size(d) ** 2 <= mean_square(d)
    assert mean_size([Fraction(-1), Fraction(1)]) == Fraction(1, 2)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_a_cube_is_divided_into_simplices_that_fill_it(k):
    corners = list(product((0, 1), repeat=k))
    facets = [frozenset(i for i, c in enumerate(corners) if c[a] == s) for a in range(k) for s in (0, 1)]
    parts = list(simplices(frozenset(range(2**k)), [*facets, facets[0]], k))
    volumes = [abs(np.linalg.det(np.array([np.subtract(corners[v], corners[p[0]]) for v in p[1:]]))) for p in parts]
    assert sum(volumes) == pytest.approx(factorial(k)) and min(volumes) > 0.5


def test_in_three_dimensions_they_are_within_the_bounds_of_float64():
    f, g = random_net(3, 5, 4, 2, seed=1), random_net(3, 5, 4, 2, seed=2)
    found = ra.compare(f, g, ra.Box(-1, 1, dim=3), exact=True)
    exact = found.exact_means
    assert exact is not None and found.mean_difference is not None and found.mean_square is not None
    assert found.mean_difference_error is not None and found.mean_square_error is not None
    for o in range(2):
        assert abs(exact.mean_difference[o] - Fraction(found.mean_difference[o])) <= found.mean_difference_error[o]
        assert abs(exact.mean_square[o] - Fraction(found.mean_square[o])) <= found.mean_square_error[o]
    assert exact.disagreement is not None and found.disagreement is not None and found.disagreement_error is not None
    assert 0 < exact.disagreement < 1
    assert abs(exact.disagreement - Fraction(found.disagreement)) <= found.disagreement_error
    over, under = found.to_dict()["exact_means"]["disagreement"].split("/")
    assert Fraction(int(over, 16), int(under, 16)) == exact.disagreement
    assert repr(exact).startswith("ExactMeans(mean_difference=(")


def test_shares_alone_and_what_has_none():
    f, g = random_net(2, 6, 3, seed=1), random_net(2, 6, 3, seed=2)
    shares = ra.compare(f, g, UNIT, means=False, exact=True).exact_means
    assert shares is not None and shares.mean_difference == () and shares.disagreement is not None
    assert ra.compare(f, g, UNIT).exact_means is None
    assert ra.compare(f, g, UNIT, max_cells=2, jobs=1, method="cells", exact=True).exact_means is None
    without = ra.compare(f, g, UNIT, classes=False, exact=True).exact_means
    assert without is not None and without.disagreement is None and without.f_tied is None
    with pytest.raises(ArgumentError, match="exact=True"):
        ra.compare(f, g, UNIT, method="boxes", exact=True)
    with pytest.raises(ArgumentError, match="exact=True"):
        ra.compare(f, g, X=np.zeros((3, 2)), exact=True)  # type: ignore[call-overload]
