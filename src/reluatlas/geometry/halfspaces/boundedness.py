"""Do these rows leave a direction open? Proved either way, or not known: float64 guesses, and is checked exactly.

The only d with `G d <= 0` is 0 if and only if the rows span the space and some positive multiples of them add up to
zero (E. Stiemke, 1915). A linear program gives multiples that nearly do; the small rest is taken up by k independent
rows, whose multiples must stay positive. How much they change is bounded by an approximate inverse (S. M. Rump,
*Verification methods*, 2010, section 10). A direction that is left open is moved exactly into the null space of the
rows that do not change along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import WholeRow
from reluatlas.geometry.halfspaces.system import FloatArray
from reluatlas.geometry.programs.highs import Program

_EPS = 2.0**-52
_SLACK = 1 + 2.0**-30


def is_surely_bounded(G: FloatArray, error: FloatArray) -> bool:
    """Return whether `{z : G z <= h}` is certainly bounded, for any h.

    True is proven. False means that nothing is proven.

    Parameters
    ----------
    G : ndarray, shape (p, k)
        No row is zero.
    error : ndarray, shape (p,)
        Bound on the error of each coefficient of a row.
    """
    p, k = G.shape
    if p <= k:
        return False
    scale = _scales(G)
    W, error = G * scale[:, None], error * scale
    weight = _positive(W)
    if weight is None:
        return False
    with np.errstate(all="ignore"):  # what is not finite proves nothing
        return _proves(W, error, weight)


def _proves(W: FloatArray, error: FloatArray, weight: FloatArray) -> bool:
    """Return whether positive multiples of rows that nearly add up to zero prove that nothing is left open."""
    p, k = W.shape
    rest = np.abs(weight @ W) + (p + 2.0) * _EPS * (weight @ np.abs(W)) + weight @ error
    from scipy.linalg import qr

    order: Any = qr(W.T, mode="r", pivoting=True)
    chosen = np.asarray(order[1])[:k]
    M = W[chosen].T
    try:
        R = np.linalg.inv(M)
    except np.linalg.LinAlgError:
        return False
    size = np.abs(R)
    off = np.abs(np.eye(k) - R @ M) + (k + 2.0) * _EPS * (size @ np.abs(M) + 1.0)
    off += size.sum(axis=1)[:, None] * error[chosen]
    distance = float(off.sum(axis=1).max()) * _SLACK
    if not distance < 0.5:
        return False
    change = float((size @ rest).max()) / (1 - distance) * (1 + (k + 8.0) * _EPS) * _SLACK
    return change < float(weight[chosen].min())


def open_direction(G: FloatArray, rows: Sequence[WholeRow]) -> list[Fraction] | None:
    """Return a direction d, not 0, with `G d <= 0` exactly: `{z : G z <= h}` is unbounded when it is not empty.

    None means that none was found, not that there is none.

    Parameters
    ----------
    G : ndarray, shape (p, k)
        Rows in float64; none is zero.
    rows : sequence of WholeRow
        The same rows in whole numbers.
    """
    from flint import fmpz_mat

    guess = _falling(G * _scales(G)[:, None])
    if guess is None:
        return None
    direction, falls = guess
    level = [row.a for row, does in zip(rows, falls, strict=True) if not does]
    if level:
        table, rank = fmpz_mat(level).nullspace()
        k = G.shape[1]
        columns = [[int(table[i, j]) for i in range(k)] for j in range(rank)]
        basis = [[Fraction(v, max(map(abs, column))) for v in column] for column in columns]
        if not basis:
            return None
        factors = np.linalg.lstsq(np.array(basis, dtype=np.float64).T, direction, rcond=None)[0]
        exact = [sum((Fraction(f) * b[i] for f, b in zip(factors.tolist(), basis, strict=True)), Fraction(0))
                 for i in range(k)]  # fmt: skip
    else:
        exact = [Fraction(v) for v in direction.tolist()]
    if not any(exact):
        return None
    rates = (sum(a * v for a, v in zip(row.a, exact, strict=True) if a) for row in rows)
    return exact if all(rate <= 0 for rate in rates) else None


def _scales(G: FloatArray) -> FloatArray:
    """Return factors that bring rows to one size: powers of two, so that nothing is rounded."""
    return 2.0 ** -np.frexp(np.abs(G).max(axis=1))[1]


def _falling(W: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]] | None:
    """Return a direction along which no row seems to grow and as many as can be fall, and which do; None for 0."""
    p, k = W.shape
    # the largest sum of s with W d + s <= 0, 0 <= s <= 1: one for each row that can fall
    table = np.concatenate([W, np.eye(p)], axis=1)
    low, high = np.full(k + p, -np.inf), np.full(k + p, np.inf)
    low[k:], high[k:] = 0.0, 1.0
    answer = Program(table, np.zeros(p), low, high).maximize(np.concatenate([np.zeros(k), np.ones(p)]))
    if answer.status != "optimal" or not np.any(answer.point[k:] > 0.5):
        return None
    return answer.point[:k], answer.point[k:] > 0.5


def _positive(W: FloatArray) -> FloatArray | None:
    """Return positive multiples (p,) of rows that nearly add up to zero; None when there are none to be seen."""
    p, k = W.shape
    # the largest t with W^T y = 0, y >= t, sum y <= 1
    table = np.zeros((2 * k + p + 1, p + 1))
    table[:k, :p], table[k : 2 * k, :p] = W.T, -W.T
    table[2 * k : 2 * k + p, :p], table[2 * k : 2 * k + p, p] = -np.eye(p), 1.0
    table[-1, :p] = 1.0
    right = np.zeros(table.shape[0])
    right[-1] = 1.0
    answer = Program(table, right, np.zeros(p + 1), np.ones(p + 1)).maximize(np.eye(p + 1)[p])
    if answer.status != "optimal" or not answer.point[:p].min() > 0:
        return None
    return answer.point[:p]
