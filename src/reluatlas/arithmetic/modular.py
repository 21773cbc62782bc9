"""Are the rows of a matrix linearly independent? Full rank modulo a prime proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look

PRIME = 2**31 - 1
_EXTRA = 16
_PANEL = 128  # rows that are eliminated at once
_TERMS = 2**20  # products of 32 bits, of which so many add up to less than 2^53
_AT_ONCE = 2**22


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


def product(left: NDArray[np.int64], right: NDArray[np.int64] | Any, prime: int = PRIME) -> NDArray[np.int64]:
    """Return `left @ right` modulo a prime below 2^31; `right` may be a sparse SciPy array, of residues as well.

    Residues are taken apart into 16 bits and the rest: sums of so many products as are taken at once are whole numbers
    below 2^53 in float64, and below 2^63 in int64.
    """
    n, m = left.shape[0], right.shape[1]
    is_sparse = not isinstance(right, np.ndarray)
    kind = np.int64 if is_sparse else np.float64
    out = np.zeros((n, m), dtype=np.int64)
    step = max(1, _AT_ONCE // max(1, left.shape[1], m))
    for start in range(0, n, step):
        look()
        part = left[start : start + step]
        low, high = (part & 0xFFFF).astype(kind), (part >> 16).astype(kind)
        if is_sparse:
            # at most 2^15 terms of 47 bits
            found = _scaled((right.T @ high.T).T % prime, prime) + (right.T @ low.T).T % prime
        else:
            found = np.zeros((part.shape[0], m), dtype=np.int64)
            for first in range(0, part.shape[1], _TERMS):
                terms = slice(first, first + _TERMS)
                for half, shift in ((right[terms] & 0xFFFF, 0), (right[terms] >> 16, 16)):
                    for own, own_shift in ((low[:, terms], 0), (high[:, terms], 16)):
                        there = (own @ half.astype(np.float64)).astype(np.int64) % prime
                        for _ in range((shift + own_shift) // 16):
                            there = _scaled(there, prime)
                        found += there
                found %= prime
        out[start : start + step] = found % prime
    return out


def _scaled(residues: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
    """Return residues times 2^16."""
    return (residues << 16) % prime


def _pivots(residues: NDArray[np.int64], prime: int) -> NDArray[np.int64] | None:
    """Return, for each row, a column that holds its pivot after elimination; None when the rank is smaller."""
    rest = residues.copy()
    m = rest.shape[0]
    pivots = np.empty(m, dtype=np.int64)
    for start in range(0, m, _PANEL):
        look()
        rows = slice(start, min(start + _PANEL, m))
        reduced = _reduced(rest[rows], prime)
        if reduced is None:
            return None
        pivots[rows] = (reduced != 0).argmax(axis=1)
        below = slice(rows.stop, m)
        if rows.stop < m:
            # each pivot's column is a unit vector in the reduced rows
            rest[below] = (rest[below] - product(rest[below][:, pivots[rows]], reduced, prime)) % prime
    return pivots


def _reduced(residues: NDArray[np.int64], prime: int) -> NDArray[np.int64] | None:
    from flint import nmod_mat

    m, n = residues.shape
    reduced, rank = nmod_mat(m, n, residues.reshape(-1).tolist(), prime).rref()
    if rank < m:
        return None
    return np.array([int(v) for v in reduced.entries()], dtype=np.int64).reshape(m, n)
