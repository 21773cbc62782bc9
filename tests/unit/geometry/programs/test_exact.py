"""Exact linear programs equal the oracles', and their certificates hold."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reluatlas.geometry.programs import exact
from tests.oracles.program import eliminate, has_interior, largest
from tests.unit.geometry.drawn_programs import KINDS, draw


def _fraction(v):
    return Fraction(int(v.p), int(v.q))


def _check(rows, g, answer):
    """Check a certificate with plain fractions; return the largest value."""
    k = len(g)
    dot = lambda a, b: sum((Fraction(x) * y for x, y in zip(a, b, strict=False)), Fraction(0))  # noqa: E731
    y = {i: _fraction(v) for i, v in answer.multipliers.items()}
    z, ray = [_fraction(v) for v in answer.point], [_fraction(v) for v in answer.ray]
    assert all(v >= 0 for v in y.values())
    combined = [sum((v * rows[i][c] for i, v in y.items()), Fraction(0)) for c in range(k + 1)]
    if answer.status == "infeasible":
        assert not any(combined[:k]) and combined[k] < 0
        return "infeasible"
    assert all(dot(row[:k], z) <= row[k] for row in rows)
    if answer.status == "unbounded":
        assert all(dot(row[:k], ray) <= 0 for row in rows) and dot(g, ray) > 0
        return "unbounded"
    assert combined[:k] == list(g) and combined[k] == dot(g, z)
    return dot(g, z)


@pytest.mark.parametrize("kind", KINDS)
def test_the_oracles_agree_with_each_other(kind):
    for seed in range(60):
        rows, g, _ = draw(kind, seed, 3)
        if len(rows) <= 7:
            assert largest(rows, g) == eliminate(rows, g), seed


@pytest.mark.parametrize("kind", KINDS)
def test_programs_match_the_oracle(kind):
    for seed in range(100):
        rows, g, k = draw(kind, seed)
        expected = largest(rows, g)
        assert _check(rows, g, exact.maximize(rows, g)) == expected, seed
        bounded = all(
            largest(rows, [s * int(i == j) for i in range(k)]) != "unbounded" for j in range(k) for s in (1, -1)
        )
        point = exact.interior_point(rows, k)
        assert (point is not None) == has_interior(rows, k)
        if point is not None:
            assert all(sum(a * v for a, v in zip(row, point, strict=False)) < row[k] for row in rows)
        if expected != "infeasible":
            assert exact.is_bounded(rows, k) == bounded
            for h in (0, 1, -1):
                for basis in ((), tuple(range(min(k, len(rows))))):
                    beyond, where = exact.reaches_beyond(rows, [*g, h], basis)
                    assert beyond == (expected == "unbounded" or expected + h > 0), seed
                    if where:
                        z = [_fraction(v) for v in where]
                        assert all(sum(a * v for a, v in zip(row, z, strict=False)) <= row[k] for row in rows)
