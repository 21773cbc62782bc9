"""How far apart are two sets of affine maps? Optimal transport of area over dual points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.dual_points import DualPoints
from reluatlas.errors import DimensionError, InternalError

FloatArray = NDArray[np.float64]


def transport_distance(first: DualPoints, second: DualPoints) -> float:
    """Return the 2-Wasserstein distance of two weighted sets of dual points, in output units.

    The least root-mean-square change of the affine map over all ways to match every share of area
    of one set with a share of area of the other: zero if and only if both carry the same maps on
    the same areas, wherever the cells lie. (Kantorovich's transport problem; see Peyré and Cuturi,
    "Computational Optimal Transport", 2019.)

    Raises
    ------
    DimensionError
        When the points have different dimensions.

    Guarantees
    ----------
    The optimum of a linear program, solved in float64 by HiGHS; deterministic.
    """
    return float(np.sqrt(max(_solve(first, second)[0], 0.0)))


def transport_plan(first: DualPoints, second: DualPoints) -> FloatArray:
    """Return the optimal plan (n_first, n_second): the share of area matched between each two points."""
    return _solve(first, second)[1]


def _solve(first: DualPoints, second: DualPoints) -> tuple[float, FloatArray]:
    from scipy.optimize import linprog
    from scipy.sparse import csc_array

    P, Q = first.points, second.points
    if P.shape[1] != Q.shape[1]:
        raise DimensionError(
            f"`first` has points of {P.shape[1]} numbers, `second` of {Q.shape[1]}; compare maps of one kind."
        )
    n, m = len(P), len(Q)
    cost = ((P[:, None, :] - Q[None, :, :]) ** 2).sum(axis=2)
    if n == 1 or m == 1:
        plan = first.shares[:, None] * second.shares[None, :]
        return float((plan * cost).sum()), plan
    # column of the pair (i, j): a one in row i and a one in row n + j; the last row follows from the others
    pair = np.arange(n * m)
    rows = np.column_stack([pair // m, n + pair % m]).reshape(-1)
    matrix = csc_array((np.ones(2 * n * m), rows, 2 * np.arange(n * m + 1)), shape=(n + m, n * m))
    right = np.concatenate([first.shares, second.shares * (first.shares.sum() / second.shares.sum())])
    unit = max(float(cost.max()), np.finfo(float).tiny)
    done = linprog(
        cost.reshape(-1) / unit, A_eq=matrix.tocsr()[:-1], b_eq=right[:-1], bounds=(0, None), method="highs-ds"
    )
    if not done.success:
        raise InternalError(f"the transport problem of {n} and {m} points was not solved: {done.message}")
    plan = np.asarray(done.x).reshape(n, m)
    return float((plan * cost).sum()), plan
