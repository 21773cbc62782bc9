"""Do these multipliers prove that a constraint is implied? Float64 with bounds on every rounding, or fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from reluatlas.deadline import current
from reluatlas.errors import TimeLimitError
from reluatlas.geometry.halfspaces.system import FloatArray, System

_SLACK = 1 + 2.0**-30
_EPS = 2.0**-52
_LOST = 2.0**-1000  # more than sums of products lose by underflow
_SOLVED_S = 5e-8  # seconds to solve exactly, by the cube of the number of rows


def is_implied(system: System, c: int, factors: FloatArray, is_gone: Callable[[int], bool]) -> bool:
    """Return whether constraint `c` certainly follows from rows times `factors` (g,) >= 0 and from the bounds.

    True is proven. False means that nothing is proven, not that the constraint is needed.

    Parameters
    ----------
    is_gone : callable
        Whether a constraint may not be used.
    """
    if not isinstance(system.inside, np.ndarray):
        return False
    g, k, inside = system.g, system.k, system.inside
    used = np.flatnonzero(factors)
    weight, rows = factors[used], system.G[used]
    length = float(np.linalg.norm(inside))
    reach = float(np.abs(inside).sum()) + 1.0
    slack = system.h - system.G @ inside
    doubt = ((k + 8.0) * _EPS * (length * system.norms + np.abs(system.h)) + system.error * reach) * _SLACK + _LOST
    low, high = inside - system.lower, system.upper - inside
    if c < g:
        target, uncertain, room = system.G[c], system.error[c], slack[c] - doubt[c]
    else:
        j, is_upper = (c - g) % k, c >= g + k
        target, uncertain = np.zeros(k), 0.0
        target[j] = 1.0 if is_upper else -1.0
        room = (high[j] if is_upper else low[j]) * (1 - 4 * _EPS)
    rest = target - weight @ rows
    wrong = (
        (used.size + 8.0) * _EPS * (weight @ np.abs(rows) + np.abs(target)) + uncertain + weight @ system.error[used]
    )
    wrong = wrong * _SLACK + (2.0**-900 if used.size else 0.0)
    exact = (rest == 0) & (used.size == 0)
    wrong[exact] = uncertain
    no_low, no_high = ~np.isfinite(low), ~np.isfinite(high)
    for j in range(k):
        no_low[j] |= is_gone(g + j) or c == g + j
        no_high[j] |= is_gone(g + k + j) or c == g + k + j
    top, bottom = rest + wrong, rest - wrong
    if np.any((top > 0) & no_high) or np.any((bottom < 0) & no_low):
        return False
    with np.errstate(invalid="ignore"):
        gain = np.where(top > 0, top * high, 0.0) + np.where(bottom < 0, -bottom * low, 0.0)
    total = float(weight @ (slack[used] + doubt[used]) + gain.sum())
    return total * (1 + (used.size + k + 16.0) * _EPS) + _LOST < room


def multipliers_of_basis(
    system: System, c: int, rows: Sequence[int], free: Sequence[int], is_gone: Callable[[int], bool]
) -> dict[int, Fraction] | None:
    """Return multipliers of `rows` that prove exactly that constraint `c` is implied; None when these do not.

    They are those that leave nothing of the coordinates `free`, which no bound holds at the optimum.
    """
    from flint import fmpq_mat

    if len(rows) != len(free):
        return None
    target, lines = system.row(c), [system.row(i) for i in rows]
    factors: list[Fraction] = []
    if rows:
        if _SOLVED_S * len(rows) ** 3 > current().left():
            raise TimeLimitError("there is no time left to solve for exact multipliers. Allow more seconds.")
        left = fmpq_mat([[line.a[j] for line in lines] for j in free])
        try:
            solved = left.solve(fmpq_mat([[target.a[j]] for j in free]))
        except ZeroDivisionError:
            return None
        factors = [Fraction(int(v.p), int(v.q)) for v in solved.entries()]
    if any(f < 0 for f in factors):
        return None
    g, k = system.g, system.k
    used = [(f, line) for f, line in zip(factors, lines, strict=True) if f]
    room = target.b - sum((f * line.b for f, line in used), Fraction(0))
    for j in range(k):
        rest = target.a[j] - sum((f * line.a[j] for f, line in used if line.a[j]), Fraction(0))
        if rest:
            bound = g + j + (k if rest > 0 else 0)
            value = float((system.upper if rest > 0 else system.lower)[j])
            if not np.isfinite(value) or is_gone(bound) or bound == c:
                return None
            room -= rest * Fraction(value)
    if room < 0:
        return None
    pairs = zip(rows, factors, lines, strict=True)
    return {i: f * line.scale / target.scale for i, f, line in pairs if f}
