"""What is the volume of a polytope, given by its vertices and the facets that each lies on? A sum of pyramids.

It is the sum of the pyramids from one vertex over the facets that do not hold it; each facet is divided in the same
way, down to simplices (Cohen and Hickey, *Two algorithms for determining volumes of convex polyhedra*, 1979).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bits import EMPTY, FULL, ONE_BIT, WORD
from reluatlas.compiled.jit import inner, kernel


class Scratch(NamedTuple):
    """Space for the faces on the way down: at each depth their vertices, the facets through them, the next one."""

    members: NDArray[np.int64]
    count: NDArray[np.int64]  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.count
    closure: NDArray[np.uint64]
    bit: NDArray[np.int64]
    apex: NDArray[np.int64]
    matrix: NDArray[np.float64]
    trial: NDArray[np.uint64]


def new_scratch(k: int, n_vertices: int, words: int) -> Scratch:
    """Return space for polytopes in k dimensions with up to `n_vertices` vertices."""
    return Scratch(
        members=np.zeros((k + 1, n_vertices), dtype=np.int64),
        count=np.zeros(k + 1, dtype=np.int64),
        closure=np.zeros((k + 1, words), dtype=np.uint64),
        bit=np.zeros(k + 1, dtype=np.int64),
        apex=np.zeros(k + 1, dtype=np.int64),
        matrix=np.zeros((k, k)),
        trial=np.zeros((2, words), dtype=np.uint64),
    )


@inner
def _has(bits, b):
    return bits[b // WORD] & (ONE_BIT << np.uint64(b % WORD)) != EMPTY


@inner
def _close(mask, T, depth, b, out):
    """Write the facets that all vertices of the face at `depth` with bit b have; return how many vertices these are."""
    found = 0
    for w in range(out.size):
        out[w] = FULL
    for j in range(T.count[depth]):
        v = T.members[depth, j]
        if _has(mask[v], b):
            found += 1
            for w in range(out.size):
                out[w] &= mask[v, w]
    return found


@inner
def _is_facet(mask, T, depth, b, n_facets):
    """Return whether the vertices with bit b are a facet of the face at `depth`, the first bit to give it.

    On return `T.trial[0]` holds the facets through it.
    """
    if _has(T.closure[depth], b) or _close(mask, T, depth, b, T.trial[0]) == 0:
        return False
    for other in range(n_facets):
        if other == b or not _has(T.trial[0], other) or _has(T.closure[depth], other):
            continue
        # the face lies in that of `other`: it is the same one, or smaller
        _close(mask, T, depth, other, T.trial[1])
        if not _has(T.trial[1], b) or other < b:
            return False
    return True


@inner
def determinant(M, k):
    """Return the absolute value of the determinant; M is overwritten."""
    value = 1.0
    for col in range(k):
        best = col
        for i in range(col + 1, k):
            if abs(M[i, col]) > abs(M[best, col]):
                best = i
        if M[best, col] == 0.0:
            return 0.0
        if best != col:
            for j in range(k):
                M[best, j], M[col, j] = M[col, j], M[best, j]
        value *= M[col, col]
        for i in range(col + 1, k):
            factor = M[i, col] / M[col, col]
            for j in range(col + 1, k):
                M[i, j] -= factor * M[col, j]
    return abs(value)


@inner
def first_simplex(n, mask, n_facets, k, T):
    """Begin with a polytope of n vertices; return as `next_simplex`."""
    T.count[0] = n
    for j in range(n):
        T.members[0, j] = j
    T.closure[0, :] = EMPTY
    T.bit[0] = 0
    return next_simplex(mask, n_facets, k, T, 0)


@inner
def next_simplex(mask, n_facets, k, T, depth):
    """Go on from `depth`; return k when `T.apex` are the k + 1 vertices of the next simplex, -1 when there is none."""
    if depth == k:
        depth -= 1
    while depth >= 0:
        if T.bit[depth] == 0:
            T.apex[depth] = T.members[depth, 0]
            if depth == k:
                return depth
        b = T.bit[depth]
        if b == n_facets:
            depth -= 1
            continue
        T.bit[depth] = b + 1
        if _has(mask[T.apex[depth]], b) or not _is_facet(mask, T, depth, b, n_facets):
            continue
        found = 0
        for j in range(T.count[depth]):
            v = T.members[depth, j]
            if _has(mask[v], b):
                T.members[depth + 1, found] = v
                found += 1
        T.count[depth + 1] = found
        for w in range(T.closure.shape[1]):
            T.closure[depth + 1, w] = T.trial[0, w]
        T.bit[depth + 1] = 0
        depth += 1
    return depth


@kernel
def volume(x, mask, n, n_facets, k, T):
    """Return the volume of a polytope with vertices x (n, k or more) and masks over `n_facets` facets.

    Zero for fewer than k + 1 vertices. Float64: a sum of positive terms.
    """
    total = 0.0
    depth = first_simplex(n, mask, n_facets, k, T)
    while depth == k:
        for i in range(k):
            for c in range(k):
                T.matrix[i, c] = x[T.apex[i + 1], c] - x[T.apex[0], c]
        total += determinant(T.matrix, k)
        depth = next_simplex(mask, n_facets, k, T, depth)
    for i in range(2, k + 1):
        total /= i
    return total


@kernel
def volumes(x, mask, offsets, n_facets, k, T, out):
    """Write the volumes of many polytopes; vertices of polytope i are `offsets[i]:offsets[i + 1]`."""
    for i in range(out.size):
        lo, hi = offsets[i], offsets[i + 1]
        out[i] = volume(x[lo:hi], mask[lo:hi], hi - lo, n_facets[i], k, T)
