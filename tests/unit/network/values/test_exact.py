from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from reluatlas.network.network import Convolution, Dense, Gather
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.values import exact
from reluatlas.network.values.exact import Dyadic, ExactPoint, IntegerArithmetic, compare, dyadic, to_float
from tests.unit.network.nets import FAMILIES, network
from tests.unit.network.reference import germ


def fractions(vector: Dyadic) -> list[Fraction]:
    return [Fraction(n) * Fraction(2) ** vector.exponent / vector.denominator for n in vector.numbers]


@pytest.mark.parametrize(
    "values",
    [[], [0.0, -0.0], [1.0, 0.1, -3.5], [5e-324, 1e308], [2.0**-1074, 1.0], [1e-300, -1e300, 0.0, 0.3], [2.0**62, 1.0]],
)
def test_floats_become_integers_exactly(values):
    assert fractions(dyadic(values)) == [Fraction(v) for v in values]


def test_floats_from_integers_are_as_near_as_they_say():
    rng = np.random.default_rng(0)
    cases = [
        (int(n), int(e)) for n, e in zip(rng.integers(-(2**62), 2**62, 50), rng.integers(-1150, 900, 50), strict=True)
    ]
    cases += [(0, 5), (3**60, -200), (-(3**60), -1160), (2**53 - 1, 0), (2**54 - 1, 0), (-(2**200) + 1, -3), (1, -1080)]
    for number, exponent in cases:
        value, error = to_float(number, exponent)
        difference = abs(Fraction(value) - Fraction(number) * Fraction(2) ** exponent)
        assert difference <= Fraction(error)
        assert (error == 0) == (difference == 0)
    for number, exponent in ((1, 2000), (-7, 1022), (3**2000, 0), (-(3**2000), 0)):
        value, error = to_float(number, exponent)
        assert value == np.inf * np.sign(float(number > 0) - 0.5) and error == np.inf


def test_comparison_with_a_float():
    assert compare(1, 0, 1.0) == 0 and compare(-1, -1, -0.5) == 0 and compare(3, 2, 12.0) == 0
    assert compare(1, -1100, 0.0) == 1 and compare(-1, -1100, 0.0) == -1
    assert [compare((3 << 200) + d, -20, 3 * 2.0**180) for d in (-1, 0, 1)] == [-1, 0, 1]
    assert compare(5, 3, 1e300) == -1 and compare(1, 4000, 1e300) == 1


@pytest.mark.parametrize("shape", [(3, 4), (5, 1), (1, 6)])
def test_operators_equal_fractions(shape):
    rng = np.random.default_rng(shape[0])
    weight = rng.uniform(-1, 1, shape) * 10.0 ** rng.integers(-30, 30, shape)
    arithmetic, operator = IntegerArithmetic(), Dense(weight)
    x, row = rng.uniform(-1, 1, shape[1]), rng.uniform(-1, 1, shape[0])
    matrix = [[Fraction(w) for w in r] for r in weight.tolist()]
    expected = [sum(w * Fraction(v) for w, v in zip(r, x.tolist(), strict=True)) for r in matrix]
    assert fractions(arithmetic.apply(operator, dyadic(x))) == expected
    single = [fractions(arithmetic.entry(operator, dyadic(x), i))[0] for i in range(shape[0])]
    assert single == expected
    columns = zip(*matrix, strict=True)
    expected = [sum(w * Fraction(v) for w, v in zip(c, row.tolist(), strict=True)) for c in columns]
    assert fractions(arithmetic.adjoint(operator, dyadic(row))) == expected


def test_gathers():
    operator = Gather(np.array([2, -1, 0, 2]), np.array([3.0, 9.0, -1.0, 0.1]), 3)
    arithmetic, x = IntegerArithmetic(), dyadic([1.0, 2.0, 4.0])
    expected = [Fraction(12), Fraction(0), Fraction(-1), 4 * Fraction(0.1)]
    assert fractions(arithmetic.apply(operator, x)) == expected
    assert [fractions(arithmetic.entry(operator, x, i))[0] for i in range(4)] == expected
    back = fractions(arithmetic.adjoint(operator, dyadic([1.0, 5.0, 2.0, 10.0])))
    assert back == [-2, 0, 3 + 10 * Fraction(0.1)]


@pytest.mark.parametrize("flint_from", [0, 10**9])
@pytest.mark.parametrize("family", FAMILIES)
def test_values_at_a_point(family, flint_from, monkeypatch):
    monkeypatch.setattr(exact, "_FLINT_FROM", flint_from)
    net = network(family, 7, n_inputs=3)
    X = np.array([[0.1, -0.7, 0.3], [1.0, 0.0, -1.0]])
    walk = Walk(net, X)
    for i, x in enumerate(X):
        point = ExactPoint(net, IntegerArithmetic(), x, walk.choice, i)
        _, forms, _ = germ(net, x, perturb=False)
        found = [Fraction(n) * Fraction(2) ** e / d for n, e, d in point.entries(net.output, range(net.n_outputs))]
        assert found == [f[0] for f in forms]
        assert fractions(point.values(net.output)) == found


@pytest.mark.parametrize("n_used", [0, 1, 3])
def test_rows_that_are_nearly_zero_go_back_through_few_weights(n_used, monkeypatch):
    rng = np.random.default_rng(5)
    weight = rng.normal(size=(4, 2, 3)) * 10.0 ** rng.integers(-20, 20, (4, 2, 3))
    places = np.array([[i + k - 1 if 0 <= i + k - 1 < 40 else -1 for k in range(3)] for i in range(40)])
    convolution = Convolution(weight, places, 40, 1)
    averages = replace(convolution.sparse, denominator=9)
    row = [0] * convolution.n_out
    for i in rng.choice(len(row), n_used, replace=False).tolist():
        row[i] = int(rng.integers(-(2**60), 2**60)) * 3**40
    for operator in (convolution, averages):
        few = IntegerArithmetic().adjoint(operator, Dyadic(row, -7, 5))
        with monkeypatch.context() as patch:
            patch.setattr(exact, "_SPARSE_FROM", 10**9)
            whole = IntegerArithmetic().adjoint(operator, Dyadic(row, -7, 5))
        assert fractions(few) == fractions(whole) and any(few.numbers) == bool(n_used)
