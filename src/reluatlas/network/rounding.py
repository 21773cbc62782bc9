"""How wrong can float64 be here? Rows of numbers with a rigorous bound on the error of each.

A bound of zero means that the number is exact, which is what lets whole families of networks (small integer
weights at points with few digits, units that are off, inputs that are zero) be decided without exact arithmetic.
NaN and infinity, in a value or in its bound, mean that nothing is known; every comparison with them fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.graph import Dense, FloatArray, LinearOperator

SLACK = 1 + 2.0**-40
"""Covers the rounding of the bounds themselves, and of one comparison with them."""

_TINY = 2.0**-960
_NO_BIT = 4096


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
    """A matrix to multiply rows by, with what its error bounds need."""

    matrix: FloatArray
    magnitude: FloatArray
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
        # One term times a power of two is not rounded at all.
        lone = (terms <= 1) & (_width(matrix) <= 1).all(axis=0)
        rounding = np.where(lone, 0.0, (terms + 4.0) * 2.0**-52)
        top = magnitude.max(axis=0, initial=0.0)
        spread = np.frexp(top)[1] - low
        return cls(
            matrix, magnitude, low, rounding,
            float(magnitude[magnitude > 0].min(initial=np.inf)), bool(np.any(spread <= 53)),
        )  # fmt: skip


def times(rows: Bounded, factor: Factor) -> Bounded:
    """Return `rows @ factor`, for any order of summation, with or without fused products."""
    magnitude = np.abs(rows.value)
    value = rows.value @ factor.matrix
    size = magnitude @ factor.magnitude
    error = size * factor.rounding
    noisy: NDArray[np.bool_] = np.any(rows.error != 0, axis=1)
    terms = factor.matrix.shape[0]
    if min(_least(magnitude), _least(rows.error)) * factor.smallest < _TINY:
        error = error + terms * 2.0**-1000
    if factor.may_be_exact and not noisy.all():
        # All terms are multiples of 2^q and no partial sum passes 2^(53 + q): nothing is rounded.
        q = low_bits(rows.value).min(axis=1, initial=_NO_BIT)[:, None] + factor.low
        limit = np.ldexp(1.0, (np.clip(q, -1074, 900) + 53).astype(np.int32))
        exact = (size * SLACK <= limit) & (q >= -1074) & ~noisy[:, None]
        error = np.where(exact, 0.0, error)
    if noisy.any():
        error = error + (rows.error @ factor.magnitude) * (1 + (terms + 4.0) * 2.0**-52)
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
    return Bounded(value, error * SLACK)


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
    """Applies linear operators to bounded rows, forward and backward; keeps what was computed of each operator."""

    def __init__(self) -> None:
        self._factors: dict[tuple[int, bool], tuple[LinearOperator, Factor]] = {}

    def apply(self, operator: LinearOperator, rows: Bounded) -> Bounded:
        """Return the operator applied to rows (N, n_in): (N, n_out)."""
        if isinstance(operator, Dense):
            return times(rows, self._factor(operator, transposed=True))
        return scaled(take(rows, operator.index), np.where(operator.index < 0, 0.0, operator.scale))

    def adjoint(self, operator: LinearOperator, rows: Bounded) -> Bounded:
        """Return `rows @ matrix` for rows (N, n_out) of coefficients: (N, n_in)."""
        if isinstance(operator, Dense):
            return times(rows, self._factor(operator, transposed=False))
        parts = scaled(rows, np.where(operator.index < 0, 0.0, operator.scale))
        return self.collect(parts, operator.index, operator.n_in)

    def collect(self, rows: Bounded, index: NDArray, size: int) -> Bounded:
        """Return rows (N, size) whose entry j is the sum of the entries i with `index[..., i] == j`."""
        out = exactly(np.zeros((rows.value.shape[0], size)))
        target = np.broadcast_to(index, rows.value.shape)
        for layer in _without_repeats(target):
            n, i = np.nonzero(layer)
            part = exactly(np.zeros_like(out.value))
            part.value[n, target[n, i]] = rows.value[n, i]
            part.error[n, target[n, i]] = rows.error[n, i]
            out = plus(out, part)
        return out

    def scale(self, rows: Bounded, factor: FloatArray) -> Bounded:
        """Return `rows * factor`."""
        return scaled(rows, factor)

    def add(self, rows: Bounded, other: Bounded) -> Bounded:
        """Return `rows + other`."""
        return plus(rows, other)

    def constant(self, rows: Bounded, vector: FloatArray) -> None:
        """Ignore constants: only linear parts are followed."""

    def _factor(self, operator: Dense, *, transposed: bool) -> Factor:
        key = (id(operator), transposed)
        if key not in self._factors:
            matrix = operator.weight.T if transposed else operator.weight
            self._factors[key] = (operator, Factor.of(matrix))
        return self._factors[key][1]


def take(rows: Bounded, index: NDArray) -> Bounded:
    """Return the columns `index` of the rows; -1 gives exact zeros."""
    padded = index < 0
    if not rows.value.shape[1]:
        return exactly(np.zeros((rows.value.shape[0], index.size)))
    value, error = rows.value[:, np.where(padded, 0, index)], rows.error[:, np.where(padded, 0, index)]
    value[:, padded] = 0.0
    error[:, padded] = 0.0
    return Bounded(value, error)


def _without_repeats(target: NDArray) -> list[NDArray]:
    # Masks that split the entries so that no row of a mask names a target twice; index -1 is dropped.
    order = np.argsort(target, axis=1, kind="stable")
    ranked = np.take_along_axis(target, order, axis=1)
    column = np.broadcast_to(np.arange(target.shape[1]), target.shape)
    fresh = np.ones(target.shape, dtype=bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.maximum.accumulate(np.where(fresh, column, 0), axis=1)
    turn = np.empty(target.shape, dtype=np.int64)
    np.put_along_axis(turn, order, column - first, axis=1)
    turn = np.where(target < 0, -1, turn)
    return [turn == k for k in range(int(turn.max(initial=-1)) + 1)]
