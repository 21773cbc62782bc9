"""Where exactly is a vertex, and what is the sign of a row there? In any dimension, in integers.

A vertex is where k independent rows vanish. Its homogeneous coordinates are the k x k minors of these rows, built up
row by row over the sets of columns, without a division. On an unbounded domain the sides lie at +-M with M infinite:
coordinates are then U + M W, and a sign is that of the factor of M unless it is zero.
"""

from __future__ import annotations

import math

import numpy as np

from reluatlas.arithmetic import limbs
from reluatlas.arithmetic.bits import EMPTY, ONE_BIT, WORD, popcount
from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polygon import FARTHEST, NEAREST
from reluatlas.subdivision.path.composition import S_SIGNS, S_VERTICES
from reluatlas.subdivision.path.exact_rows import load_line, slot_of
from reluatlas.subdivision.program.layout import M_INFINITE, M_K, M_ROW_LIMBS

UNIT = np.ones(1, dtype=np.uint64)


@inner
def _minors(P, S, pool, W, v, last):
    """Fill the table of minors of a vertex's rows: columns 0 to k - 1, and the one in slot `last` as column k."""
    k = P.meta[M_K]
    number = W.minor.shape[1]
    W.minor[0, 0] = np.uint64(1)
    W.minor_len[0] = 1
    for i in range(k):
        load_line(P, S, pool.rows[v, i], np.int64(0))
        for chosen in range(1 << (k + 1)):
            if popcount(np.uint64(chosen)) != i + 1:
                continue
            limbs.clear(W.acc, number)
            negate = (i & 1) == 1
            for c in range(k + 1):
                if (chosen >> c) & 1:
                    slot = last if c == k else c
                    rest = chosen & ~(1 << c)
                    limbs.add_product(
                        W.acc, number, S.buf, slot_of(P, slot), S.buf_len[slot], W.minor[rest], np.int64(0),
                        W.minor_len[rest], negate,
                    )  # fmt: skip
                    negate = not negate
            W.minor_len[chosen] = limbs.store(W.acc, number, W.minor[chosen], np.int64(0))


@inner
def _take_minors(P, pool, W, v, first, n):
    """Store the coordinates of a vertex (k numbers from `first` on, and W if `n` is k + 1) from the minors."""
    k = P.meta[M_K]
    number = W.minor.shape[1]
    full = (1 << (k + 1)) - 1
    for c in range(n):
        chosen = full & ~(1 << c)
        length = W.minor_len[chosen]
        for w in range(abs(length)):
            pool.words[v, (first + c) * number + w] = W.minor[chosen, w]
        # X_c / X_k = (-1)^(k - c) * minor without c / minor without k
        pool.length[v, first + c] = -length if (k - c) & 1 else length


@inner
def is_infinite(P, pool, v):
    """Return whether a vertex is at infinity: on an unbounded domain, one of its rows is a side."""
    if P.meta[M_INFINITE]:
        for i in range(pool.rows.shape[1]):
            if pool.rows[v, i] < 0:
                return True
    return False


@inner
def exact_vertex(P, S, pool, W, v):
    """Compute vertex v exactly; take its float coordinates from that if they get better."""
    k = P.meta[M_K]
    number = W.minor.shape[1]
    infinite = is_infinite(P, pool, v)
    _minors(P, S, pool, W, v, np.int64(k))
    _take_minors(P, pool, W, v, np.int64(0), k + 1)
    if infinite:
        _minors(P, S, pool, W, v, np.int64(k + 1))
        _take_minors(P, pool, W, v, np.int64(k + 1), k)
    else:
        pool.length[v, k + 1 :] = 0
    if pool.length[v, k] < 0:
        for c in range(2 * k + 1):
            pool.length[v, c] = -pool.length[v, c]
    pool.known[v] = 1
    S.stats[S_VERTICES] += 1
    first = k + 1 if infinite else 0
    w, w_exp = limbs.to_float(pool.words[v], k * number, pool.length[v, k])
    radius = least = 0.0
    for c in range(k):
        x, x_exp = limbs.to_float(pool.words[v], (first + c) * number, pool.length[v, first + c])
        W.vector[0, c] = math.ldexp(x / w, x_exp - w_exp) if w != 0.0 else 0.0
        radius = max(radius, abs(W.vector[0, c]))
        if x != 0.0:
            least = NEAREST
    radius = radius * 2.0**-49 + least if radius < FARTHEST else np.inf
    if (radius < pool.r[v] or radius == np.inf) and w != 0.0:
        set_place(pool, v, W.vector[0], radius, infinite)


@inner
def set_place(pool, v, x, radius, infinite):
    """Set the float coordinates of a vertex, or its direction."""
    k = pool.rows.shape[1]
    size = 0.0
    for c in range(k):
        pool.x[v, c] = x[c]
        size += abs(x[c])
    pool.x[v, k] = 0.0 if infinite else 1.0
    pool.size[v] = size
    pool.r[v] = radius


@inner
def _sum_sign(P, S, pool, W, v, first, n):
    """Return the sign of the row in the buffer on n of a vertex's numbers from `first` on."""
    number = W.minor.shape[1]
    width = number + P.meta[M_ROW_LIMBS] + 2
    limbs.clear(W.acc, width)
    for c in range(n):
        limbs.add_product(
            W.acc, width, S.buf, slot_of(P, c), S.buf_len[c], pool.words[v], (first + c) * number,
            np.int64(pool.length[v, first + c]), False,
        )  # fmt: skip
    return limbs.sign(W.acc, width)


@inner
def exact_sign(P, S, pool, W, line, v):
    """Return the exact sign of a line's row at vertex v."""
    k = P.meta[M_K]
    if not pool.known[v]:
        exact_vertex(P, S, pool, W, v)
    load_line(P, S, line, np.int64(0))
    S.stats[S_SIGNS] += 1
    if is_infinite(P, pool, v):
        far = _sum_sign(P, S, pool, W, v, k + 1, k)
        if far != 0:
            return far
    return _sum_sign(P, S, pool, W, v, np.int64(0), k + 1)


@inner
def independent_rows(P, S, W, facets, n_facets, common, new):
    """Write the references of k - 1 independent rows among some facets in `new`; return how many were found.

    Rows that are independent modulo a prime are independent. Fewer than k - 1 are found where the facets have no
    edge in common, or with a probability of about 2^-60.
    """
    k = P.meta[M_K]
    found = 0
    for b in range(n_facets):
        if not common[b // WORD] & (ONE_BIT << np.uint64(b % WORD)):
            continue
        load_line(P, S, facets[b], np.int64(0))
        row = W.reduced[found]
        for c in range(k):
            row[c] = limbs.residue(S.buf, slot_of(P, c), S.buf_len[c])
        for i in range(found):
            # the pivot of an earlier row is its first entry that is not zero; earlier rows are zero before theirs
            pivot = 0
            while W.reduced[i, pivot] == EMPTY:
                pivot += 1
            own, other = W.reduced[i, pivot], row[pivot]
            if other != EMPTY:
                for c in range(k):
                    left = limbs.mul_mod(row[c], own)
                    right = limbs.mul_mod(W.reduced[i, c], other)
                    row[c] = left - right if left >= right else left + limbs.PRIME - right
        independent = False
        for c in range(k):
            independent |= row[c] != EMPTY
        if independent:
            new[found] = facets[b]
            found += 1
            if found == k - 1:
                break
    return found
