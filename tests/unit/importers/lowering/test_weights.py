"""Coefficients and their roundings, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reluatlas.errors import NonFiniteError
from reluatlas.importers.lowering.weights import batch_norm, normalization, product, reciprocal

FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100).filter(
    lambda x: x == 0 or abs(x) > 1e-100
)


@given(FLOATS, FLOATS)
def test_product_knows_when_it_is_rounded(a, b):
    value, rounded = product(a, b)
    assert rounded == (Fraction(float(value)) != Fraction(a) * Fraction(b))


@given(FLOATS.filter(bool))
def test_reciprocal_knows_when_it_is_rounded(a):
    value, rounded = reciprocal(a, "a")
    assert rounded == (Fraction(float(value)) * Fraction(a) != 1)


def test_reciprocal_of_zero_is_refused():
    with pytest.raises(NonFiniteError, match="divides by zero"):
        reciprocal([1.0, 0.0], "c")
    with pytest.raises(NonFiniteError, match="infinite"):
        reciprocal(5e-324, "c")


@given(FLOATS, st.floats(min_value=1e-3, max_value=1e3))
def test_normalization_is_rounded_once(mean, std):
    scale, offset, rounded = normalization(mean, std, (2,))
    exact = -Fraction(mean) / Fraction(std)
    assert scale[0] == 1 / std and offset[1] == float(exact)
    assert rounded == (Fraction(scale[0]) * Fraction(std) != 1 or Fraction(offset[0]) != exact)


def test_normalization_per_channel_and_per_entry():
    scale, offset, rounded = normalization([1, 2, 4], [1, 2, 4], (3, 2, 2))
    assert not rounded and scale[:, 1, 1].tolist() == [1, 0.5, 0.25] and np.all(offset == -1)
    scale, _, _ = normalization(None, [1, 2, 4, 8], (3, 4))
    assert scale[2].tolist() == [1, 0.5, 0.25, 0.125]


def test_batch_norm_is_rounded_once():
    a, b, rounded = batch_norm(np.array([3.0]), np.array([1.0]), np.array([2.0]), np.array([4.0]), 0.0)
    assert (a[0], b[0], rounded) == (1.5, -2.0, False)
    a, b, rounded = batch_norm(np.array([1.0]), np.array([0.0]), np.array([0.1]), np.array([2.0]), 1e-5)
    assert a[0] == pytest.approx(1 / np.sqrt(2.00001), rel=2e-16) and rounded
    assert b[0] == float(-Fraction(a[0]) * Fraction(0.1))
    with pytest.raises(NonFiniteError, match="variance"):
        batch_norm(np.ones(1), np.ones(1), np.ones(1), -np.ones(1), 1e-5)
