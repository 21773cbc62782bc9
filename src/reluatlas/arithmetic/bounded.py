"""How far may a float64 number be from the exact one? Arrays of numbers with a bound on the error of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import EPSILON, SLACK
from reluatlas.arithmetic.floats import width
from reluatlas.typing import FloatArray

TINY_FACTOR = 2.0**-960
"""Products of smaller numbers may underflow; a bound of theirs gets a floor."""


class Bounded(NamedTuple):
    """Rows `value` (N, size), each entry at most `error` away from the exact number."""

    value: FloatArray
    error: FloatArray


def exactly(value: FloatArray) -> Bounded:
    """Return rows that are exact."""
    return Bounded(value, np.zeros(value.shape))


def scaled(rows: Bounded, factor: FloatArray) -> Bounded:
    """Return `rows * factor`, entry by entry; where `factor` is zero the result is exactly zero."""
    off = factor == 0
    error = np.where(off, 0.0, np.abs(factor) * rows.error)
    if np.all(off | (np.abs(factor) == 1)):
        return Bounded(np.where(off, 0.0, rows.value * factor), error)
    value = np.where(off, 0.0, rows.value * factor)
    wide, narrow = width(rows.value), width(factor)
    exact = (wide <= 1) | (narrow <= 1) | (wide + narrow <= 53)
    size = np.abs(value)
    error = error + np.where(exact, 0.0, size * EPSILON)
    tiny = ((size < TINY_FACTOR) & (rows.value != 0)) | ((error < TINY_FACTOR) & (rows.error != 0))
    error = error + np.where(tiny & ~off, 2.0**-959, 0.0)
    return Bounded(value, np.where(np.isfinite(value), error * SLACK, np.inf))


def divided(rows: Bounded, divisor: int) -> Bounded:
    """Return `rows / divisor` for a whole number below 2^53."""
    if divisor == 1:
        return rows
    value = rows.value / divisor
    # with few enough bits, the product with the divisor is exact, and tells whether the quotient is
    exact = (width(value) + divisor.bit_length() <= 53) & (value * divisor == rows.value)
    error = rows.error / divisor + np.where(exact, 0.0, np.abs(value) * EPSILON)
    tiny = ((np.abs(value) < TINY_FACTOR) & (rows.value != 0)) | ((error < TINY_FACTOR) & (rows.error != 0))
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


def take(rows: Bounded, index: NDArray) -> Bounded:
    """Return the columns `index` of the rows; -1 gives exact zeros."""
    padded = index < 0
    if not rows.value.shape[1]:
        return exactly(np.zeros((rows.value.shape[0], index.size)))
    value, error = rows.value[:, np.where(padded, 0, index)], rows.error[:, np.where(padded, 0, index)]
    value[:, padded] = 0.0
    error[:, padded] = 0.0
    return Bounded(value, error)
