"""The nearest points of polyhedra are those of the oracle: exact, whatever float64 guessed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.decisions.nearest.exactly import fraction, ratio
from reluatlas.geometry.programs.least_norm import least_norm, settled
from reluatlas.geometry.programs.least_square import Polyhedron, least_square
from tests.convert import fractions
from tests.oracles import nearest


def problem(seed):
    """Return rows, right-hand sides, a point, and a basis that is not orthogonal, in small whole numbers."""
    rng = np.random.default_rng(seed)
    k, m = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    G, h = rng.integers(-2, 3, (m, k)).astype(float), rng.integers(-2, 3, m).astype(float)
    basis = rng.integers(-1, 2, (k, k + 1)) + 3.0 * np.eye(k, k + 1)
    return G, h, rng.integers(-2, 3, k).astype(float), basis


def exact(array):
    return [ratio(v) for v in fractions(array)]


def polyhedron(G, h, k):
    rows = [(exact(g), exact([b])[0]) for g, b in zip(G, h, strict=True)]
    return Polyhedron(rows, exact(np.full(k, -3.0)), exact(np.full(k, 2.0)))


def truth(G, h, x, norm, basis):
    k, point = len(x), fractions(x)
    rows = [(fractions(g), Fraction(b)) for g, b in zip(G, h.tolist(), strict=True)]
    for j in range(k):
        unit = [Fraction(int(i == j)) for i in range(k)]
        rows += [(unit, Fraction(2)), ([-v for v in unit], Fraction(3))]
    moved = [(a, b - sum(v * w for v, w in zip(a, point, strict=True))) for a, b in rows]
    told = [fractions(b) for b in (np.eye(k) if basis is None else basis)]
    return nearest._euclidean(moved, told, k) if norm == 2 else nearest._polyhedral(moved, told, k, norm)


@pytest.mark.parametrize("seed", range(24))
def test_all_norms_as_they_are_and_behind_a_basis(seed):
    from flint import fmpq_mat

    G, h, x, basis = problem(seed)
    k = len(x)
    within = polyhedron(G, h, k)
    gram = fmpq_mat(k, k, exact((basis @ basis.T).reshape(-1))).inv()
    inverse = [[gram[i, j] for j in range(k)] for i in range(k)]
    for guess in (((), {}), ((0,), {0: 1}), (tuple(range(len(h))), {})):
        found = least_square(exact(x), within, guess=guess)
        assert (None if found is None else fraction(found.square)) == truth(G, h, x, 2, None)
        behind = least_square(exact(x), within, inverse=inverse, guess=guess)
        assert (None if behind is None else fraction(behind.square)) == truth(G, h, x, 2, basis)
    for norm in (1, float("inf")):
        for told in (None, basis):
            least = least_norm(exact(x), within, norm, None if told is None else [exact(b) for b in told])
            assert (None if least is None else fraction(least[0])) == truth(G, h, x, norm, told)


def test_multipliers_prove_an_optimum_or_nothing():
    n_settled = 0
    for seed in range(60):
        G, h, x, _ = problem(seed)
        rng = np.random.default_rng([seed, 1])
        for norm in (1, float("inf")):
            expected = truth(G, h, x, norm, None)
            for _ in range(4):
                y = rng.uniform(0, 1, len(h)) * (rng.uniform(size=len(h)) < 0.5)
                found = settled(exact(x), polyhedron(G, h, len(x)), norm, y.tolist())
                if found is not None:
                    assert fraction(found[0]) == expected
                    n_settled += 1
    assert n_settled > 10
