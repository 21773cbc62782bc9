"""Where do k hyperplanes meet? A small linear system, with a bound on the error of its solution."""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.constants import LOST, SLACK_PLANE, UNIT_ROUNDOFF
from reluatlas.compiled.jit import inner

"""More than k products lose by underflow."""


@inner
def solve_bounded(A, b, error, b_error, k, inverse, work, rest, spread, x):
    """Solve A x = b for k unknowns; return a bound on the error in each unknown, or infinity when none is found.

    Row i of A may be off by `error[i]` in each entry, b by `b_error[i]`. With an approximate inverse R, the residual
    r and D = |I - R A|: |x - x*| <= |R| r / (1 - D), norms being maxima over rows (Rump, *Verification methods*,
    2010, section 10). `inverse`, `work` (k, k) and `rest`, `spread` (k,) are room.
    """
    for i in range(k):
        for j in range(k):
            work[i, j] = A[i, j]
            inverse[i, j] = 1.0 if i == j else 0.0
    for col in range(k):
        best = col
        for i in range(col + 1, k):
            if abs(work[i, col]) > abs(work[best, col]):
                best = i
        if work[best, col] == 0.0:
            return np.inf
        pivot, own = work[col], inverse[col]
        if best != col:
            for j in range(k):
                work[best, j], pivot[j] = pivot[j], work[best, j]
                inverse[best, j], own[j] = own[j], inverse[best, j]
        factor = 1.0 / pivot[col]
        for j in range(k):
            pivot[j] *= factor
            own[j] *= factor
        for i in range(k):
            row, other = work[i], inverse[i]
            factor = row[col]
            if i != col and factor != 0.0:
                for j in range(k):
                    row[j] -= factor * pivot[j]
                for j in range(k):
                    other[j] -= factor * own[j]
    reach = 0.0
    for i in range(k):
        total = 0.0
        for j in range(k):
            total += inverse[i, j] * b[j]
        x[i] = total
        reach += abs(total)
    for j in range(k):
        residual, size, largest = -b[j], abs(b[j]), 0.0
        for c in range(k):
            term = A[j, c] * x[c]
            residual += term
            size += abs(term)
            largest += abs(A[j, c])
        rest[j] = abs(residual) + (k + 3.0) * UNIT_ROUNDOFF * size + error[j] * reach + b_error[j] + LOST
        spread[j] = largest * (k + 2.0) * UNIT_ROUNDOFF + k * error[j]
    distance = correction = 0.0
    for i in range(k):
        row = inverse[i]
        off, moved = k * UNIT_ROUNDOFF, k * LOST
        for j in range(k):
            total = 1.0 if i == j else 0.0
            for c in range(k):
                total -= row[c] * A[c, j]
            off += abs(total) + abs(row[j]) * spread[j]
            moved += abs(row[j]) * rest[j]
        if not off < 0.5 or not moved < np.inf:
            return np.inf
        distance, correction = max(distance, off), max(correction, moved)
    return correction / (1.0 - distance) * SLACK_PLANE
