"""Cutting a convex polytope of any dimension by a hyperplane whose signs at the vertices are certain.

Compiled kernels. A polytope is a run of vertices, each with a *mask*: a bit set that says on which of the polytope's
facets it lies. A table names each bit's facet by a reference, which means nothing here. Everything combinatorial
follows from the masks and the signs alone; coordinates are float64, with a radius.

Two rules carry the combinatorics.

- *Edges.* Two vertices are the ends of an edge when no third one lies on all facets that they share. If one of them
  lies on exactly k facets, sharing k - 1 is enough: these meet in one edge from it.
- *Facets.* When a hyperplane has vertices strictly on both sides, a facet of the polytope is one of the part on a
  side exactly when it has a vertex strictly on that side, and the cut is a facet of both parts. So equal or smaller
  faces never count as facets, however many vertices they have.

Coordinates are homogeneous: k numbers and a last one, 1. On an unbounded domain a vertex at infinity has 0 there, and
its numbers are a direction (the domain's sides lie at +-M with M infinite).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bits import EMPTY, ONE_BIT, WORD, lowest_bit, popcount
from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polygon import FARTHEST, NEAREST

ROUNDOFF = 2.0**-53
FREE = np.int64(-(1 << 62))
"""Reference of a bit that names no facet."""


class Corners(NamedTuple):
    """Vertices, used as a stack: place, error radius, k rows that meet there, exact place on demand.

    `x` holds k coordinates and 1 (or a direction and 0), `size` the sum of their absolute values without the last.
    Once `known` is 1, `words` and `length` hold integers X_0, ..., X_(k-1), W with W > 0, and, where the vertex is at
    infinity, the factors of M in X_0, ..., X_(k-1).
    """

    x: NDArray[np.float64]
    size: NDArray[np.float64]
    r: NDArray[np.float64]
    rows: NDArray[np.int64]
    known: NDArray[np.uint8]
    words: NDArray[np.uint64]
    length: NDArray[np.int32]


def new_corners(capacity: int, k: int, limbs: int) -> Corners:
    """Return an empty pool for `capacity` vertices in k dimensions, exact to `limbs` limbs a number."""
    return Corners(
        x=np.zeros((capacity, k + 1)),
        size=np.zeros(capacity),
        r=np.zeros(capacity),
        rows=np.zeros((capacity, k), dtype=np.int64),
        known=np.zeros(capacity, dtype=np.uint8),
        words=np.zeros((capacity, (2 * k + 1) * limbs), dtype=np.uint64),
        length=np.zeros((capacity, 2 * k + 1), dtype=np.int32),
    )


@inner
def count_common(mask, p, q, common):
    """Write the bits that two masks share; return how many."""
    total = 0
    for w in range(common.size):
        common[w] = mask[p, w] & mask[q, w]
        total += popcount(common[w])
    return total


@inner
def _alone(mask, n, common, p, q):
    """Return whether no vertex but p and q has all of some bits."""
    for v in range(n):
        if v in (p, q):
            continue
        inside = True
        for w in range(common.size):
            inside &= (mask[v, w] & common[w]) == common[w]
        if inside:
            return False
    return True


@inner
def _is_simple(mask, v, k):
    """Return whether a vertex lies on exactly k facets."""
    bits = 0
    for w in range(mask.shape[1]):
        bits += popcount(mask[v, w])
    return bits == k


@inner
def _list_holders(mask, sign, n, holders, n_words):
    """Write, for each facet, the set of vertices above that lie on it; the last entry is the set of all of them."""
    top = holders.shape[0] - 1
    for b in range(top + 1):
        for w in range(n_words):
            holders[b, w] = EMPTY
    for j in range(n):
        if sign[j] <= 0:
            continue
        word, flag = j // WORD, ONE_BIT << np.uint64(j % WORD)
        holders[top, word] |= flag
        for w in range(mask.shape[1]):
            bits = mask[j, w]
            while bits != EMPTY:
                holders[w * WORD + lowest_bit(bits), word] |= flag
                bits &= bits - ONE_BIT


@inner
def _edges_of_simple(mask, p, holders, n_words, found, pairs):
    """Append the edges from p, on exactly k facets, to vertices above: these miss one of its facets."""
    top = holders.shape[0] - 1
    for word in range(n_words):
        none, one = holders[top, word], EMPTY  # those that miss none so far, and one
        for w in range(mask.shape[1]):
            bits = mask[p, w]
            while bits != EMPTY:
                there = holders[w * WORD + lowest_bit(bits), word]
                one = (one & there) | (none & ~there)
                none &= there
                bits &= bits - ONE_BIT
        while one != EMPTY:
            if found == pairs.shape[0]:
                return -1
            pairs[found, 0], pairs[found, 1] = p, word * WORD + lowest_bit(one)
            found += 1
            one &= one - ONE_BIT
    return found


@inner
def crossed_edges(mask, sign, n, k, holders, common, pairs):
    """Write the edges whose ends have opposite signs, as (negative end, positive end); return how many.

    -1 when they do not fit in `pairs`. `holders` has room for a set of vertices for each bit, and one more.
    """
    n_words = (n + WORD - 1) // WORD
    _list_holders(mask, sign, n, holders, n_words)
    found = 0
    for p in range(n):
        if sign[p] >= 0:
            continue
        if _is_simple(mask, p, k):
            found = _edges_of_simple(mask, p, holders, n_words, found, pairs)
            if found < 0:
                return -1
            continue
        for q in range(n):
            if sign[q] <= 0 or count_common(mask, p, q, common) < k - 1:
                continue
            if _is_simple(mask, q, k) or _alone(mask, n, common, p, q):
                if found == pairs.shape[0]:
                    return -1
                pairs[found, 0], pairs[found, 1] = p, q
                found += 1
    return found


@inner
def sides_alive(mask, sign, n, below, above):
    """Write which facets have a vertex strictly below, and strictly above."""
    for w in range(below.size):
        low = high = EMPTY
        for j in range(n):
            if sign[j] < 0:
                low |= mask[j, w]
            elif sign[j] > 0:
                high |= mask[j, w]
        below[w], above[w] = low, high


@inner
def free_bit(below, above):
    """Return the lowest bit that no facet uses; -1 when all are taken."""
    for w in range(below.size):
        unused = ~(below[w] | above[w])
        if unused != EMPTY:
            return w * WORD + lowest_bit(unused)
    return -1


@inner
def keep_part(side, sign, n, vertices, mask, alive, bit, first_new, pairs, n_new, out_v, out_m):
    """Write the closed part of a polytope where `side * sign >= 0`; return its number of vertices.

    `alive` are the facets that stay, `bit` is that of the cut; the new vertices are `first_new`, ... in the order of
    `pairs`.
    """
    word, flag = bit // WORD, ONE_BIT << np.uint64(bit % WORD)
    m = 0
    for j in range(n):
        here = side * sign[j]
        if here >= 0:
            out_v[m] = vertices[j]
            for w in range(alive.size):
                out_m[m, w] = mask[j, w] & alive[w]
            if here == 0:
                out_m[m, word] |= flag
            m += 1
    for i in range(n_new):
        out_v[m] = first_new + i
        for w in range(alive.size):
            out_m[m, w] = mask[pairs[i, 0], w] & mask[pairs[i, 1], w]
        out_m[m, word] |= flag
        m += 1
    return m


@inner
def keep_facets(facets, n, alive, bit, reference, out):
    """Write the facet table of a part: the facets that stay, and the cut; return its length."""
    top = 0
    for b in range(max(n, bit + 1)):
        flag = ONE_BIT << np.uint64(b % WORD)
        if b == bit:
            out[b] = reference
            top = b + 1
        elif b < n and alive[b // WORD] & flag:
            out[b] = facets[b]
            top = b + 1
        else:
            out[b] = FREE
    return top


@inner
def crossing(pool, new, p, q, value_p, value_q, bound_p, bound_q):
    """Place vertex `new` on the edge between two finite vertices, where a row's values have opposite certain signs.

    Returns its radius, which follows from the errors of the values (each at most its bound) and of the ends.
    """
    x = pool.x
    k = x.shape[1] - 1
    size_p, size_q = abs(value_p), abs(value_q)
    total = size_p + size_q
    t = size_p / total if total > 0.0 else 0.5
    length = here = size = 0.0
    for c in range(k):
        d = x[q, c] - x[p, c]
        at = x[p, c] + t * d
        x[new, c] = at
        length = max(length, abs(d))
        here = max(here, abs(at))
        size += abs(at)
    x[new, k] = 1.0
    pool.size[new] = size
    sure = total - bound_p - bound_q
    share = 1.0
    if sure > 0.0:
        share = min(1.0, max(bound_p, bound_q) / sure)
    radius = max(pool.r[p], pool.r[q]) + length * (share + 8.0 * ROUNDOFF) + 4.0 * ROUNDOFF * here + NEAREST
    pool.r[new] = radius if size < FARTHEST and radius < FARTHEST else np.inf
    return pool.r[new]
