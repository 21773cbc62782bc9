from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.network.network import Dense, Gather
from reluatlas.network.values.bounded import Bounded, FloatBounds, exactly, low_bits, plus, scaled

KINDS = ["uniform", "whole", "wide", "float32", "sparse", "tiny"]


def numbers(kind: str, shape, rng: np.random.Generator) -> np.ndarray:
    if kind == "whole":
        return rng.integers(-5, 6, shape).astype(float)
    if kind == "wide":
        return rng.uniform(-1, 1, shape) * 10.0 ** rng.integers(-20, 20, shape)
    if kind == "float32":
        return rng.uniform(-1, 1, shape).astype(np.float32).astype(float)
    if kind == "sparse":
        return rng.uniform(-1, 1, shape) * (rng.random(shape) < 0.2)
    if kind == "tiny":
        return rng.uniform(-1, 1, shape) * 10.0 ** rng.integers(-320, -150, shape)
    return rng.uniform(-1, 1, shape)


def within(bounded: Bounded, n: int, i: int, low: Fraction, high: Fraction) -> bool:
    """Say whether an interval of exact values lies in the bound."""
    value, error = Fraction(float(bounded.value[n, i])), Fraction(float(bounded.error[n, i]))
    return value - error <= low and high <= value + error


@pytest.mark.parametrize("weights", KINDS)
@pytest.mark.parametrize("values", KINDS)
def test_products_hold_the_exact_value(weights, values):
    rng = np.random.default_rng([KINDS.index(weights), KINDS.index(values)])
    operator = Dense(numbers(weights, (4, 7), rng))
    for errors in (np.zeros((3, 7)), rng.uniform(0, 1e-10, (3, 7)) * (rng.random((3, 7)) < 0.5)):
        rows = Bounded(numbers(values, (3, 7), rng), errors)
        bounds = FloatBounds()
        forward = bounds.apply(operator, rows)
        backward = bounds.apply(Dense(operator.weight.T), Bounded(rows.value[:, :4], rows.error[:, :4]))
        for matrix, result in ((operator.weight, forward), (operator.weight.T, backward)):
            for n in range(3):
                for i, row in enumerate(matrix):
                    terms = [(Fraction(float(w)), n, j) for j, w in enumerate(row)]
                    middle = sum(w * Fraction(float(rows.value[n, j])) for w, n, j in terms)
                    spread = sum(abs(w) * Fraction(float(rows.error[n, j])) for w, n, j in terms)
                    assert within(result, n, i, middle - spread, middle + spread)


def test_products_that_are_exact_are_known_to_be():
    rng = np.random.default_rng(0)
    ternary = Dense(rng.integers(-1, 2, (5, 50)).astype(float))
    for values in (rng.integers(0, 256, (4, 50)) / 256, (rng.integers(0, 256, (4, 50)) / 255).astype(np.float32)):
        assert not FloatBounds().apply(ternary, exactly(values.astype(float))).error.any()
    assert FloatBounds().apply(ternary, exactly(rng.uniform(-1, 1, (4, 50)))).error.all()
    assert not FloatBounds().apply(Dense(rng.uniform(-1, 1, (5, 50))), exactly(np.zeros((4, 50)))).error.any()
    # 2^53 + 1 has a bit too many.
    assert FloatBounds().apply(Dense(np.ones((1, 2))), exactly(np.array([[2.0**53, 1.0]]))).error.all()


@pytest.mark.parametrize("kind", KINDS)
def test_scaling_and_sums_hold_the_exact_value(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    rows, other = exactly(numbers(kind, (3, 6), rng)), numbers("wide", (6,), rng)
    for factor in (numbers(kind, (6,), rng), np.array([0.0, 1.0, -1.0, 2.0, 0.1, 3.0])):
        product, total = scaled(rows, factor), plus(rows, other)
        for n in range(3):
            for i in range(6):
                value = Fraction(float(rows.value[n, i]))
                exact = value * Fraction(float(factor[i]))
                assert within(product, n, i, exact, exact)
                exact = value + Fraction(float(other[i]))
                assert within(total, n, i, exact, exact)


def test_sums_that_are_exact_are_known_to_be():
    total = plus(exactly(np.array([[1.0, 0.1, 1e16]])), np.array([2.0, 0.0, 1.0]))
    assert (total.error[0] != 0).tolist() == [False, False, True]


def test_gathers():
    operator = Gather(np.array([2, -1, 0, 2]), np.array([3.0, 9.0, -1.0, 0.5]), 3)
    bounds = FloatBounds()
    assert bounds.apply(operator, exactly(np.array([[1.0, 2.0, 4.0]]))).value.tolist() == [[12.0, 0.0, -1.0, 2.0]]


def test_overflow_is_never_called_certain():
    operator = Dense(np.array([[1e200, -1e200], [1e308, 1e308]]))
    with np.errstate(all="ignore"):
        result = FloatBounds().apply(operator, exactly(np.array([[1e200, 1e200], [1.0, 1.0]])))
        assert not (np.abs(result.value) > result.error)[[0, 0, 1], [0, 1, 1]].any()


def test_low_bits():
    assert low_bits(np.array([1.0, 6.0, 0.75, -0.5, 5e-324, 2.0**60])).tolist() == [0, 1, -2, -1, -1074, 60]
    assert low_bits(np.array([0.0, np.inf, np.nan])).tolist() == [4096, -4096, -4096]
