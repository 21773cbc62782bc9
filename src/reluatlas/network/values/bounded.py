"""How wrong can float64 be here? Rows of numbers with a rigorous bound on the error of each.

A bound of zero means that the number is exact, which is what lets whole families of networks (small integer
weights at points with few digits, units that are off, inputs that are zero) be decided without exact arithmetic.
NaN and infinity, in a value or in its bound, mean that nothing is known; every comparison with them fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.operators import (
    Convolution,
    Dense,
    FloatArray,
    Gather,
    LinearOperator,
    Sparse,
    apply_operator,
    mapped,
    numerator_product,
    terms,
)

SLACK = 1 + 2.0**-40
"""Covers the rounding of the bounds themselves, and of one comparison with them."""

_TINY = 2.0**-960
_NO_BIT = 4096
_WORK = 2**26  # multiplications between two looks at the clock


class Bounded(NamedTuple):
    """Rows `value` (N, size), each entry at most `error` away from the exact number."""

    value: FloatArray
    error: FloatArray


def exactly(value: FloatArray) -> Bounded:
    """Return rows that are exact."""
    return Bounded(value, np.zeros(value.shape))


def low_bits(array: FloatArray) -> NDArray[np.int64]:
    """Return the exponent of the lowest set bit of each number; 4096 for zero, -4096 for NaN and infinity."""
    mantissa, exponent = np.frexp(array)
    known = np.isfinite(array)
    whole = np.where(known, np.ldexp(mantissa, 53), 0.0).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return np.where(known, np.where(whole == 0, _NO_BIT, exponent - 53 + lowest), -_NO_BIT).astype(np.int64)


def _width(array: FloatArray) -> NDArray[np.int64]:
    # Number of bits from the highest to the lowest set one.
    return np.where(array == 0, 0, np.frexp(array)[1] - low_bits(array))


def _least(magnitude: FloatArray) -> float:
    return float(magnitude.min(initial=np.inf, where=magnitude > 0))


@dataclass(frozen=True, eq=False)
class Factor:
    """A matrix (n_in, n_out) to multiply rows by, with what its error bounds need.

    `product` and `magnitude` multiply rows by it and by its absolute values; `low`, `rounding` belong to the outputs.
    """

    product: Callable[[FloatArray], FloatArray]
    magnitude: Callable[[FloatArray], FloatArray]
    terms: int
    low: NDArray[np.int64]
    rounding: FloatArray
    smallest: float
    may_be_exact: bool

    @classmethod
    def of(cls, matrix: FloatArray) -> Factor:
        """Return the factor of `matrix` (n_in, n_out)."""
        magnitude = np.abs(matrix)
        low = low_bits(matrix).min(axis=0, initial=_NO_BIT)
        terms = np.count_nonzero(matrix, axis=0)
        rounding = _rounding(terms, _width(matrix).max(axis=0, initial=0))
        top = magnitude.max(axis=0, initial=0.0)
        spread = np.frexp(top)[1] - low
        return cls(
            lambda rows: rows @ matrix, lambda rows: rows @ magnitude, matrix.shape[0], low, rounding,
            _least(magnitude), bool(np.any(spread <= 53)),
        )  # fmt: skip

    @classmethod
    def of_sparse(cls, operator: Sparse) -> Factor:
        """Return the factor of the transposed numerators of a sparse operator."""
        whole = Sparse(operator.indptr, operator.indices, operator.values, operator.n_in)
        magnitude = mapped(whole, np.abs)
        row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
        low, wide = np.full(operator.n_out, _NO_BIT), np.zeros(operator.n_out, dtype=np.int64)
        top = np.zeros(operator.n_out)
        np.minimum.at(low, row, low_bits(operator.values))
        np.maximum.at(wide, row, _width(operator.values))
        np.maximum.at(top, row, np.abs(operator.values))
        terms = np.bincount(row[operator.values != 0], minlength=operator.n_out)
        return cls(
            lambda rows: numerator_product(whole, rows), lambda rows: apply_operator(magnitude, rows),
            int(terms.max(initial=0)), low, _rounding(terms, wide),
            _least(np.abs(operator.values)), bool(np.any(np.frexp(top)[1] - low <= 53)),
        )  # fmt: skip

    @classmethod
    def of_convolution(cls, operator: Convolution) -> Factor:
        """Return the factor of the transposed matrix of a convolution; taps on the padding count as terms."""
        weight = operator.weight.reshape(operator.weight.shape[0], -1)
        magnitude = mapped(operator, np.abs)
        low = low_bits(weight).min(axis=1, initial=_NO_BIT)
        terms = np.count_nonzero(weight, axis=1)
        spread = np.frexp(np.abs(weight).max(axis=1, initial=0.0))[1] - low
        each = operator.places.shape[0]
        return cls(
            lambda rows: apply_operator(operator, rows), lambda rows: apply_operator(magnitude, rows),
            int(terms.max(initial=0)), np.repeat(low, each),
            np.repeat(_rounding(terms, _width(weight).max(axis=1, initial=0)), each),
            _least(np.abs(weight)), bool(np.any(spread <= 53)),
        )  # fmt: skip


def _rounding(terms: NDArray, width: NDArray) -> FloatArray:
    # One term times a power of two is not rounded at all.
    return np.where((terms <= 1) & (width <= 1), 0.0, (terms + 4.0) * 2.0**-52)


def times(rows: Bounded, factor: Factor) -> Bounded:
    """Return `rows @ factor`, for any order of summation, with or without fused products."""
    magnitude = np.abs(rows.value)
    value = factor.product(rows.value)
    size = factor.magnitude(magnitude)
    error = size * factor.rounding
    noisy: NDArray[np.bool_] = np.any(rows.error != 0, axis=1)
    terms = factor.terms
    if min(_least(magnitude), _least(rows.error)) * factor.smallest < _TINY:
        error = error + terms * 2.0**-1000
    if factor.may_be_exact and not noisy.all():
        # All terms are multiples of 2^q and no partial sum passes 2^(53 + q): nothing is rounded.
        q = low_bits(rows.value).min(axis=1, initial=_NO_BIT)[:, None] + factor.low
        limit = np.ldexp(1.0, (np.clip(q, -1074, 900) + 53).astype(np.int32))
        exact = (size * SLACK <= limit) & (q >= -1074) & ~noisy[:, None]
        error = np.where(exact, 0.0, error)
    if noisy.any():
        error = error + factor.magnitude(rows.error) * (1 + (terms + 4.0) * 2.0**-52)
    return Bounded(value, np.where(size > 2.0**1020, np.inf, error * SLACK))


def scaled(rows: Bounded, factor: FloatArray) -> Bounded:
    """Return `rows * factor`, entry by entry; where `factor` is zero the result is exactly zero."""
    off = factor == 0
    error = np.where(off, 0.0, np.abs(factor) * rows.error)
    if np.all(off | (np.abs(factor) == 1)):
        return Bounded(np.where(off, 0.0, rows.value * factor), error)
    value = np.where(off, 0.0, rows.value * factor)
    wide, narrow = _width(rows.value), _width(factor)
    exact = (wide <= 1) | (narrow <= 1) | (wide + narrow <= 53)
    size = np.abs(value)
    error = error + np.where(exact, 0.0, size * 2.0**-52)
    tiny = ((size < _TINY) & (rows.value != 0)) | ((error < _TINY) & (rows.error != 0))
    error = error + np.where(tiny & ~off, 2.0**-959, 0.0)
    return Bounded(value, np.where(np.isfinite(value), error * SLACK, np.inf))


def divided(rows: Bounded, divisor: int) -> Bounded:
    """Return `rows / divisor` for a whole number below 2^53."""
    if divisor == 1:
        return rows
    value = rows.value / divisor
    # with few enough bits, the product with the divisor is exact, and tells whether the quotient is
    exact = (_width(value) + divisor.bit_length() <= 53) & (value * divisor == rows.value)
    error = rows.error / divisor + np.where(exact, 0.0, np.abs(value) * 2.0**-52)
    tiny = ((np.abs(value) < _TINY) & (rows.value != 0)) | ((error < _TINY) & (rows.error != 0))
    return Bounded(value, (error + np.where(tiny, 2.0**-959, 0.0)) * SLACK)


def plus(rows: Bounded, other: Bounded | FloatArray) -> Bounded:
    """Return the sum; the rounding of an addition is itself computed exactly."""
    value, error = (other.value, other.error) if isinstance(other, Bounded) else (other, np.zeros(1))
    if not value.any() and not error.any():
        return rows
    total = rows.value + value
    part = total - rows.value
    lost = (rows.value - (total - part)) + (value - part)
    return Bounded(total, (rows.error + error + np.abs(lost)) * SLACK)


class FloatBounds:
    """Applies linear operators to bounded rows; keeps what was computed of each operator."""

    def __init__(self) -> None:
        self._factors: dict[int, tuple[LinearOperator, Factor]] = {}

    def apply(self, operator: LinearOperator, rows: Bounded) -> Bounded:
        """Return the operator applied to rows (N, n_in): (N, n_out)."""
        n, step = rows.value.shape[0], max(1, _WORK // max(1, operator.n_in, operator.n_out * terms(operator)))
        if n > step:
            out = exactly(np.empty((n, operator.n_out)))
            for start in range(0, n, step):
                look()
                part = slice(start, start + step)
                found = self._apply(operator, Bounded(rows.value[part], rows.error[part]))
                out.value[part], out.error[part] = found
            return out
        look()
        return self._apply(operator, rows)

    def _apply(self, operator: LinearOperator, rows: Bounded) -> Bounded:
        if isinstance(operator, Sparse):
            return divided(times(rows, self._factor(operator)), operator.denominator)
        if not isinstance(operator, Gather):
            return times(rows, self._factor(operator))
        return scaled(take(rows, operator.index), np.where(operator.index < 0, 0.0, operator.scale))

    def _factor(self, operator: Dense | Sparse | Convolution) -> Factor:
        if id(operator) not in self._factors:
            if isinstance(operator, Dense):
                made = Factor.of(operator.weight.T)
            elif isinstance(operator, Sparse):
                made = Factor.of_sparse(operator)
            else:
                made = Factor.of_convolution(operator)
            self._factors[id(operator)] = (operator, made)
        return self._factors[id(operator)][1]


def take(rows: Bounded, index: NDArray) -> Bounded:
    """Return the columns `index` of the rows; -1 gives exact zeros."""
    padded = index < 0
    if not rows.value.shape[1]:
        return exactly(np.zeros((rows.value.shape[0], index.size)))
    value, error = rows.value[:, np.where(padded, 0, index)], rows.error[:, np.where(padded, 0, index)]
    value[:, padded] = 0.0
    error[:, padded] = 0.0
    return Bounded(value, error)
