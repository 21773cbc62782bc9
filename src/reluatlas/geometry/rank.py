"""Are the rows of a matrix linearly independent? Full rank modulo a prime proves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIME = 2**31 - 1
_EXTRA = 16


@dataclass(frozen=True, eq=False)
class Independent:
    """Proof that rows are independent: in these columns their determinant is not zero modulo the prime."""

    prime: int
    columns: NDArray[np.int64]


def modulo(matrix: NDArray[np.float64], prime: int = PRIME) -> NDArray[np.int64]:
    """Return a float64 matrix exactly, as residues modulo an odd prime below 2^32: powers of two have inverses."""
    mantissa, exponent = np.frexp(matrix)
    whole = np.ldexp(mantissa, 53).astype(np.int64) % prime
    exponent = exponent.astype(np.int64) - 53
    low, high = int(exponent.min(initial=0)), int(exponent.max(initial=0))
    powers = np.array([pow(2, e, prime) for e in range(low, high + 1)], dtype=np.uint64)
    return ((whole.astype(np.uint64) * powers[exponent - low]) % np.uint64(prime)).astype(np.int64)


def independent(residues: NDArray[np.int64], prime: int = PRIME) -> Independent | None:
    """Return a proof that the rows (m, n) of residues are independent; None: they are not, or the prime is unlucky."""
    m, n = residues.shape
    if m > n:
        return None
    if m == 0:
        return Independent(prime, np.zeros(0, dtype=np.int64))
    order = np.random.default_rng(0).permutation(n)
    for size in dict.fromkeys((min(n, m + _EXTRA), min(n, 2 * m + _EXTRA), n)):
        columns = np.sort(order[:size])
        pivots = _pivots(residues[:, columns], prime)
        if pivots is not None:
            return Independent(prime, columns[pivots])
    return None


def _pivots(residues: NDArray[np.int64], prime: int) -> NDArray[np.int64] | None:
    from flint import nmod_mat

    m, n = residues.shape
    reduced, rank = nmod_mat(m, n, residues.reshape(-1).tolist(), prime).rref()
    if rank < m:
        return None
    table = np.array([int(v) for v in reduced.entries()], dtype=np.int64).reshape(m, n)
    return (table != 0).argmax(axis=1)
