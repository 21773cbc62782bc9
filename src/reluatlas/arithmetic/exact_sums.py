"""Which products and sums of float64 numbers are float64 numbers themselves? `times` and `sums`, for whole arrays."""

from __future__ import annotations

from math import fsum

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import SLACK_LONG
from reluatlas.arithmetic.floats import NO_BIT, low_bits, width
from reluatlas.typing import FloatArray, IntArray

_LEAST_EXPONENT = -1074
_DIGITS = 53


def times(a: FloatArray, b: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return `a * b`, and where nothing was rounded."""
    with np.errstate(over="ignore", under="ignore"):
        value = a * b
    zero = (a == 0) | (b == 0)
    is_exact = zero | (width(a) + width(b) <= _DIGITS)
    unsure = np.flatnonzero(~is_exact)
    if unsure.size:
        (m, _), (n, _) = np.frexp(a[unsure]), np.frexp(b[unsure])
        # the error of a product of mantissas is a float64 itself [Dekker1971]
        high_m, high_n = _upper_half(m), _upper_half(n)
        low_m, low_n = m - high_m, n - high_n
        p = m * n
        is_exact[unsure] = ((high_m * high_n - p) + high_m * low_n + low_m * high_n) + low_m * low_n == 0
    is_exact &= np.isfinite(value) & (zero | (low_bits(a) + low_bits(b) >= _LEAST_EXPONENT))
    return value, is_exact


def _upper_half(x: FloatArray) -> FloatArray:
    shifted = (2.0**27 + 1) * x
    return shifted - (shifted - x)


def sums(values: FloatArray, starts: IntArray, owner: IntArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the sums of runs of `values`, and where nothing was rounded.

    Parameters
    ----------
    values : ndarray, shape (p,)
    starts : ndarray of int, shape (g,)
        Where each run begins; each goes to the beginning of the next.
    owner : ndarray of int, shape (g,)
        Of runs that have an owner in common, only the first one that is rounded is certainly told: one is enough to
        say that the owner's sums are not all exact.
    """
    if not starts.size:
        return np.zeros(0), np.zeros(0, dtype=bool)
    with np.errstate(over="ignore"):
        total = np.add.reduceat(values, starts)
        size = np.add.reduceat(np.abs(values), starts)
    low = np.minimum.reduceat(low_bits(values), starts)
    # all partial sums are whole multiples of the lowest bit, and fit into a float64
    is_exact = (low == NO_BIT) | (np.frexp(size * SLACK_LONG)[1] <= low + _DIGITS)
    ends = np.append(starts[1:], values.size)
    rounded: set[int] = set()
    for g in np.flatnonzero(~is_exact).tolist():
        if owner[g] in rounded or not np.isfinite(total[g]):
            continue
        run = values[starts[g] : ends[g]].tolist()
        total[g] = fsum(run)
        is_exact[g] = fsum([*run, -total[g]]) == 0.0
        if not is_exact[g]:
            rounded.add(int(owner[g]))
    return total, is_exact & np.isfinite(total)
