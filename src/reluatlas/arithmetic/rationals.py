"""What is a float64 vector exactly? Whole numbers over one common denominator, so that signs need no rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Coordinates = NDArray[np.float64] | Sequence[Fraction]
"""A point: float64 numbers, read as the numbers that they are, or fractions."""


class Ratio(NamedTuple):
    """The vector `numbers / denominator`, with `denominator > 0`."""

    numbers: list[int]
    denominator: int

    @property
    def fractions(self) -> list[Fraction]:
        """The entries."""
        return [Fraction(n, self.denominator) for n in self.numbers]


class WholeRow(NamedTuple):
    """The halfspace `a . z <= b` in whole numbers: those of the exact row times the positive `scale`."""

    a: list[int]
    b: int
    scale: Fraction = Fraction(1)

    def slack(self, z: Ratio) -> int:
        """Return `b - a . z` times a positive number."""
        return self.b * z.denominator - sum(map(mul, self.a, z.numbers))


def ratio_of(z: Coordinates) -> Ratio:
    """Return a finite vector exactly."""
    if isinstance(z, np.ndarray):
        mantissa, exponent = np.frexp(np.asarray(z, dtype=np.float64))
        whole = np.ldexp(mantissa, 53).astype(np.int64).tolist()
        shift = np.where(mantissa == 0, 0, exponent - 53)
        low = min(0, int(shift.min(initial=0)))
        return Ratio([w << s for w, s in zip(whole, (shift - low).tolist(), strict=True)], 1 << -low)
    shared = lcm(*(f.denominator for f in z))
    return Ratio([f.numerator * (shared // f.denominator) for f in z], shared)


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
