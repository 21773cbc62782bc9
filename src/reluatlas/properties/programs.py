"""Can all of some linear functions be at most 0 on a box? Weights that say no, or a point that comes closest.

In float64 by HiGHS, to propose; in ratios where that leaves it open, to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import NamedTuple

import numpy as np

from reluatlas.geometry.programs.exact import maximize
from reluatlas.geometry.programs.highs import Program
from reluatlas.typing import FloatArray

MOST_EXACT = 12
"""Coordinates up to which the question is decided in ratios: a basis of more takes too long."""


class Proposal(NamedTuple):
    """The least that the largest function can be, where, and weights that prove it."""

    least: float
    point: FloatArray
    weights: FloatArray


def least_largest(
    coefficients: FloatArray, constants: FloatArray, size: FloatArray, low: FloatArray, high: FloatArray
) -> Proposal:
    """Return where the largest of functions `coefficients @ x + constants`, each over its `size`, is least on a box.

    The sizes are of what was added up to get them. The weights are not negative; the sum of the functions with them is
    at least `least` on all of the box.
    """
    q = constants.size
    free = np.flatnonzero(low < high)
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    shares = coefficients[:, free] * half[free]
    center = constants + coefficients @ middle
    size = np.maximum(size, np.abs(center) + np.abs(shares).sum(axis=1))
    size = np.where(size > 0.0, size, 1.0)
    left = np.column_stack([shares / size[:, None], -np.ones(q)])
    if not (np.isfinite(left).all() and np.isfinite(center).all()):
        return Proposal(-np.inf, middle, np.zeros(q))
    n = free.size
    reach = np.append(np.ones(n), 2.0)
    found = Program(left, -center / size, -reach, reach).maximize(np.append(np.zeros(n), -1.0))
    if found.status != "optimal":
        return Proposal(-np.inf, middle, np.zeros(q))
    point = middle.copy()
    point[free] += half[free] * found.point[:-1]
    return Proposal(float(found.point[-1]), np.clip(point, low, high), found.multipliers / size)


def decide(
    rows: Sequence[Sequence[Fraction]], constants: Sequence[Fraction], low: Sequence[Fraction], high: Sequence[Fraction]
) -> tuple[list[Fraction] | None, list[Fraction]]:
    """Return a point of a box at which all functions `rows[i] . x + constants[i]` are at most 0; or None, and weights.

    The sum of the functions with these weights is positive on all of the box. Exact.
    """
    free = [j for j, (a, b) in enumerate(zip(low, high, strict=True)) if a < b]
    whole = []
    for row, constant in zip(rows, constants, strict=True):
        fixed = sum((row[j] * low[j] for j in range(len(low)) if low[j] == high[j]), constant)
        whole.append(_whole([*(row[j] for j in free), -fixed]))
    if not free:
        bad = next((i for i, (*_, room) in enumerate(whole) if room < 0), None)
        if bad is None:
            return list(low), []
        return None, [Fraction(int(i == bad)) for i in range(len(rows))]
    for place, j in enumerate(free):
        unit = [Fraction(int(place == i)) for i in range(len(free))]
        whole.append(_whole([*unit, high[j]]))
        whole.append(_whole([*(-v for v in unit), -low[j]]))
    answer = maximize([numbers for numbers in whole], [0] * len(free))
    if answer.status == "infeasible":
        weights = []
        for i, row in enumerate(rows):
            factor = answer.multipliers.get(i)
            fixed = sum((row[j] * low[j] for j in range(len(low)) if low[j] == high[j]), constants[i])
            scale = lcm(*(row[j].denominator for j in free), fixed.denominator)
            weights.append(Fraction(0) if factor is None else Fraction(int(factor.p), int(factor.q)) * scale)
        return None, weights
    point = list(low)
    for place, j in enumerate(free):
        value = answer.point[place]
        point[j] = Fraction(int(value.p), int(value.q))
    return point, []


def thin_weights(
    rows: Sequence[Sequence[Fraction]], constants: Sequence[Fraction], low: Sequence[Fraction], high: Sequence[Fraction]
) -> list[Fraction] | None:
    """Return weights whose sum of functions is nowhere negative on a box; None: somewhere all are negative. Exact."""
    free = [j for j, (a, b) in enumerate(zip(low, high, strict=True)) if a < b]
    k = len(free)
    whole, scales = [], []
    for row, constant in zip(rows, constants, strict=True):
        fixed = sum((row[j] * low[j] for j in range(len(low)) if low[j] == high[j]), constant)
        line = [*(row[j] for j in free), Fraction(1), -fixed]
        scales.append(lcm(*(v.denominator for v in line)))
        whole.append(_whole(line))
    for place, j in enumerate(free):
        unit = [Fraction(int(place == i)) for i in range(k)]
        whole.append(_whole([*unit, Fraction(0), high[j]]))
        whole.append(_whole([*(-v for v in unit), Fraction(0), -low[j]]))
    answer = maximize(whole, [*([0] * k), 1])
    if answer.status != "optimal" or answer.point[k] > 0:
        return None
    found = [answer.multipliers.get(i) for i in range(len(rows))]
    return [
        Fraction(0) if v is None else Fraction(int(v.p), int(v.q)) * scale
        for v, scale in zip(found, scales, strict=True)
    ]


def _whole(row: Sequence[Fraction]) -> list[int]:
    shared = lcm(*(v.denominator for v in row))
    return [v.numerator * (shared // v.denominator) for v in row]
