"""What is a number exactly? Vectors of whole numbers over a scale, halfspaces of whole numbers, ratios; no rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, inf, lcm, ldexp
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.arithmetic.constants import SLACK, SMALLEST, UNIT_ROUNDOFF
from reluatlas.arithmetic.floats import low_bits

Coordinates = NDArray[np.float64] | Sequence[Fraction]
"""A point: float64 numbers, read as the numbers that they are, or fractions."""


class ExactVector(NamedTuple):
    """The vector `numbers * 2**exponent / denominator`, with `denominator > 0`."""

    numbers: list[int]
    exponent: int = 0
    denominator: int = 1

    @property
    def fractions(self) -> list[Fraction]:
        """The entries."""
        top, bottom = 1 << max(self.exponent, 0), self.denominator << max(-self.exponent, 0)
        return [Fraction(n * top, bottom) for n in self.numbers]


_FEW = 8
"""Numbers for which Python's own are faster than arrays."""

Ratio = tuple[int, int]
"""A number as (numerator, denominator), the denominator above 0, in lowest terms."""


class WholeRow(NamedTuple):
    """The halfspace `a . z <= b` in whole numbers: those of the exact row times the positive `scale`."""

    a: list[int]
    b: int
    scale: Fraction = Fraction(1)

    def slack(self, z: ExactVector) -> int:
        """Return `b - a . z` times a positive number."""
        value = sum(map(mul, self.a, z.numbers)) << max(z.exponent, 0)
        return self.b * (z.denominator << max(-z.exponent, 0)) - value


def over_one(z: Coordinates) -> ExactVector:
    """Return a finite vector exactly, with exponent 0: as whole numbers over one common denominator."""
    if isinstance(z, np.ndarray):
        mantissa, exponent = np.frexp(np.asarray(z, dtype=np.float64))
        whole = np.ldexp(mantissa, 53).astype(np.int64).tolist()
        shift = np.where(mantissa == 0, 0, exponent - 53)
        low = min(0, int(shift.min(initial=0)))
        return ExactVector([w << s for w, s in zip(whole, (shift - low).tolist(), strict=True)], 0, 1 << -low)
    shared = lcm(*(f.denominator for f in z))
    return ExactVector([f.numerator * (shared // f.denominator) for f in z], 0, shared)


def whole_row(a: Sequence[Fraction], b: Fraction) -> WholeRow:
    """Return a row of fractions, cleared of its denominators."""
    shared = lcm(b.denominator, *(f.denominator for f in a))
    numbers = [f.numerator * (shared // f.denominator) for f in a]
    return WholeRow(numbers, b.numerator * (shared // b.denominator), Fraction(shared))


def to_floats(z: Coordinates) -> NDArray[np.float64]:
    """Return a point in float64, each number rounded; infinite where it is beyond float64."""
    return np.array([nearest(v) for v in z], dtype=np.float64)


def nearest(value: Fraction | float) -> float:
    """Return a number in float64, rounded; infinite where it is beyond float64."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def exact_vector(array: ArrayLike) -> ExactVector:
    """Return a vector of finite float64 numbers exactly."""
    values = np.asarray(array, dtype=np.float64).reshape(-1)
    if values.size <= _FEW:
        return _few(values.tolist())
    low = low_bits(values)
    nonzero = values != 0
    if not nonzero.any():
        return ExactVector([0] * values.size, 0)
    exponent = int(low[nonzero].min())
    mantissa, top = np.frexp(values)
    if int(top.max(where=nonzero, initial=exponent)) - exponent <= 62:
        whole = np.ldexp(mantissa, np.where(nonzero, top - exponent, 0))
        return ExactVector(whole.astype(np.int64).tolist(), exponent)
    wholes = np.ldexp(mantissa, 53).astype(np.int64).tolist()
    shifts = np.where(nonzero, top - 53 - exponent, 0).tolist()
    return ExactVector([w << s if s >= 0 else w >> -s for w, s in zip(wholes, shifts, strict=True)], exponent)


def _few(values: list[float]) -> ExactVector:
    # The same for a few numbers, in a tenth of the time.
    ratios = [value.as_integer_ratio() for value in values]
    bits = [below.bit_length() - 1 for _, below in ratios]
    most = max(bits, default=0)
    numbers = [above << (most - n) for (above, _), n in zip(ratios, bits, strict=True)]
    shared = 0
    for number in numbers:
        shared |= number
    zeros = (shared & -shared).bit_length() - 1 if shared else 0  # none where something was divided
    return ExactVector([number >> zeros for number in numbers], zeros - most)


def to_float(number: int, exponent: int, denominator: int = 1) -> tuple[float, float]:
    """Return `number * 2**exponent / denominator` as float64, and a bound on the error: 0.0 when there is none."""
    if number == 0:
        return 0.0, 0.0
    if denominator != 1:
        # a quotient of 64 bits or more, whose last bit says whether there is a remainder
        shift = max(0, 66 + denominator.bit_length() - abs(number).bit_length())
        whole, rest = divmod(abs(number) << shift, denominator)
        number, exponent = (2 * whole + (rest != 0)) * (1 if number > 0 else -1), exponent - shift - 1
    extra = max(abs(number).bit_length() - 53, -1074 - exponent, 0)
    kept = number >> extra
    try:
        value = ldexp(kept, exponent + extra)
        return value, 0.0 if kept << extra == number else ldexp(SLACK, exponent + extra)
    except OverflowError:
        return inf if number > 0 else -inf, inf


def compare(number: int, exponent: int, bound: float, denominator: int = 1) -> int:
    """Return the sign of `number * 2**exponent / denominator - bound` for a finite `bound`."""
    above, below = bound.as_integer_ratio()
    above *= denominator
    gap = (number << exponent) * below - above if exponent >= 0 else number * below - (above << -exponent)
    return (gap > 0) - (gap < 0)


def ratio(top: int, bottom: int) -> Ratio:
    """Return a fraction in lowest terms, its denominator above 0."""
    shared = gcd(top, bottom) * (1 if bottom > 0 else -1)
    return top // shared, bottom // shared


def is_before(t: Ratio, other: Ratio) -> bool:
    """Return whether a point comes before another."""
    return t[0] * other[1] < other[0] * t[1]


def rounded(t: Ratio) -> tuple[float, float]:
    """Return a point of [0, 1] in float64, and a bound on the error."""
    value = t[0] / t[1]
    return value, value * UNIT_ROUNDOFF + SMALLEST
