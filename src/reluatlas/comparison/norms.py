"""How large is a difference over several outputs? Its largest entry, the sum, or the length."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.typing import FloatArray

Norm = Literal[1, 2, "inf"]
_NAMES: dict[object, Norm] = {1: 1, 2: 2, "inf": "inf", np.inf: "inf"}


def checked_norm(norm: object) -> Norm:
    """Return a norm of outputs.

    Raises
    ------
    ArgumentError
    """
    known = _NAMES.get(norm) if isinstance(norm, str | int | float) and not isinstance(norm, bool) else None
    if known is None:
        raise ArgumentError(f'`norm={norm!r}` is none of those there are. Pass 1, 2 or "inf".')
    return known


def norm_of(values: FloatArray, norm: Norm) -> FloatArray:
    """Return the norm of the last axis of numbers that are not negative; of n it is off by n + 2 units of roundoff."""
    if norm == "inf":
        return values.max(axis=-1, initial=0.0)
    n = values.shape[-1]
    found = values.sum(axis=-1) if norm == 1 else np.hypot.reduce(values, axis=-1) if n > 1 else values[..., 0]
    return found


def bounds_of(values: Sequence[Fraction], norm: Norm) -> tuple[Fraction, Fraction]:
    """Return bounds on the norm of exact numbers: equal ones, but for a square root."""
    sizes = [abs(v) for v in values]
    if norm == "inf":
        return max(sizes), max(sizes)
    if norm == 1:
        return sum(sizes, Fraction(0)), sum(sizes, Fraction(0))
    return root(sum((v * v for v in sizes), Fraction(0)))


def root(square: Fraction) -> tuple[Fraction, Fraction]:
    """Return numbers below and above the square root of a fraction, 2^-60 of it apart."""
    from math import isqrt

    if not square:
        return Fraction(0), Fraction(0)
    shift = max(0, 62 - (square.numerator.bit_length() - square.denominator.bit_length()) // 2)
    scaled = (square.numerator << 2 * shift) // square.denominator
    low = isqrt(scaled)
    return Fraction(low, 1 << shift), Fraction(low + 1, 1 << shift)
