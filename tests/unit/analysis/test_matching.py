"""Maps matched without their points: the optimal assignment, by trying all, and where the answer is known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.affine import AffineMaps
from reluatlas.analysis.similarity.matching import match_maps, partners, reversed_match
from reluatlas.errors import DimensionError
from tests.oracles.structure import best

RNG = np.random.default_rng(0)


def maps(n=30, m=3, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return AffineMaps(rng.normal(size=(n, m, 2, d // 2)), rng.normal(size=(n, m)))


def test_the_assignment_has_the_least_sum_of_squares():
    for n in (1, 3, 7):
        first, second = (RNG.integers(-4, 5, (n, 2)).astype(float) for _ in "fg")
        square = ((first[:, None] - second[None]) ** 2).sum(axis=2)
        most = square.max() + 1
        found = square[np.arange(n), partners(first, second)].sum()
        assert found == n * most - float(best([[Fraction(most - v) for v in row] for row in square.tolist()]))


@pytest.mark.parametrize("bias", ["mapped", "not mapped"])
def test_maps_in_another_order_are_found_again_and_score_as_their_own(bias):
    f, X = maps(), RNG.normal(size=(30, 2, 2))
    order = RNG.permutation(30)
    g = AffineMaps(f.A[order], f.b[order])
    found = match_maps(f, g, X, bias=bias)
    np.testing.assert_array_equal(order[found.partner], np.tile(np.arange(30), (3, 1)))
    own = np.einsum("nmij,nij->nm", f.A, X) + (f.b if bias == "mapped" else 0.0)
    np.testing.assert_array_equal(found.predicted, own.argmax(axis=1))
    assert found.same_point == float((order == np.arange(30)).mean())
    assert not found.distance.any() and (found.paired_distance > 1).all()
    assert match_maps(f, f, X, bias=bias).same_point == 1.0


def test_the_other_way_is_the_same_matching():
    f, g, X = maps(seed=1), maps(seed=2), RNG.normal(size=(30, 4))
    there = match_maps(f, g, X)
    back, again = reversed_match(f, g, X, there, bias="mapped"), match_maps(g, f, X)
    np.testing.assert_array_equal(back.partner, again.partner)
    np.testing.assert_array_equal(back.predicted, again.predicted)
    np.testing.assert_allclose(back.distance, there.distance)
    rows = np.concatenate([g.A.reshape(30, 3, 4), g.b[:, :, None]], axis=2)
    value = [[rows[there.partner[o, i], o] @ np.append(X[i], 1.0) for o in range(3)] for i in range(30)]
    np.testing.assert_array_equal(there.predicted, np.argmax(value, axis=1))


def test_maps_of_other_shapes_are_refused():
    with pytest.raises(DimensionError, match="at 30 points"):
        match_maps(maps(), maps(m=2), RNG.normal(size=(30, 4)))
