"""Where do k hyperplanes meet? A small linear system, with a bound on the error of its solution."""

from __future__ import annotations

import numpy as np

from reluatlas.compiled.jit import inner

ROUNDOFF = 2.0**-53
_LOST = 2.0**-1000
"""More than k products lose by underflow."""


@inner
def solve_bounded(A, b, error, b_error, k, inverse, work, x):
    """Solve A x = b for k unknowns; return a bound on the error in each unknown, or infinity when none is found.

    Row i of A may be off by `error[i]` in each entry, b by `b_error[i]`. With an approximate inverse R, the residual
    r and D = |I - R A|: |x - x*| <= |R| r / (1 - D), norms being maxima over rows (Rump, *Verification methods*,
    2010, section 10).
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
        if best != col:
            for j in range(k):
                work[best, j], work[col, j] = work[col, j], work[best, j]
                inverse[best, j], inverse[col, j] = inverse[col, j], inverse[best, j]
        factor = 1.0 / work[col, col]
        for j in range(k):
            work[col, j] *= factor
            inverse[col, j] *= factor
        for i in range(k):
            if i != col and work[i, col] != 0.0:
                factor = work[i, col]
                for j in range(k):
                    work[i, j] -= factor * work[col, j]
                    inverse[i, j] -= factor * inverse[col, j]
    for i in range(k):
        total = 0.0
        for j in range(k):
            total += inverse[i, j] * b[j]
        x[i] = total
    distance = correction = 0.0
    for i in range(k):
        off = moved = 0.0
        for j in range(k):
            total = 1.0 if i == j else 0.0
            size = 0.0
            for c in range(k):
                total -= inverse[i, c] * A[c, j]
                size += abs(inverse[i, c]) * (abs(A[c, j]) * (k + 2.0) * ROUNDOFF + error[c])
            off += abs(total) + size + ROUNDOFF
        if not off < 0.5:
            return np.inf
        for j in range(k):
            residual, size, reach = -b[j], abs(b[j]), 0.0
            for c in range(k):
                residual += A[j, c] * x[c]
                size += abs(A[j, c] * x[c])
                reach += abs(x[c])
            rest = abs(residual) + (k + 3.0) * ROUNDOFF * size + error[j] * reach + b_error[j] + _LOST
            moved += abs(inverse[i, j]) * rest + _LOST
        if not moved < np.inf:
            return np.inf
        distance, correction = max(distance, off), max(correction, moved)
    return correction / (1.0 - distance) * (1.0 + 1e-12)
