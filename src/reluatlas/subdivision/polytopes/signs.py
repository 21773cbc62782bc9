"""On which side of a row does each vertex of a polytope lie? Certain signs, by a bound or exactly."""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.bits import EMPTY, ONE_BIT, WORD, lowest_bit
from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.intersection import solve_bounded
from reluatlas.geometry.vertices.polygon import FARTHEST, NEAREST
from reluatlas.geometry.vertices.polytope import ROUNDOFF, count_common, crossing
from reluatlas.subdivision.path.composition import S_DOUBTS
from reluatlas.subdivision.path.exact_rows import line_reference, split_reference
from reluatlas.subdivision.polygons.signs import may_err
from reluatlas.subdivision.polytopes.exact import exact_sign, exact_vertex, independent_rows, is_infinite, set_place
from reluatlas.subdivision.program.layout import BREAK, M_CERTAIN, M_K

DOUBT = 2
FINE = 1e-2
NO_EDGE = -2


@inner
def load_row(P, S, level, unit, first, second, row):
    """Write a breakpoint row or a difference of candidates; return the errors of its gradient and constant."""
    k = P.meta[M_K]
    t = P.cut[level]
    s = P.off[P.src[t]]
    rows = S.rows
    if P.kind[t] == BREAK:
        i = s + unit
        for c in range(k + 1):
            row[c] = rows[c, i]
        row[k] -= P.knot[P.k_at[t] + unit * P.n_knots[t] + first]
        return P.err_g[i], P.err_c[i]
    begin = P.m_ptr[P.m_at[t] + unit]
    i, j = s + P.m_cand[begin + first], s + P.m_cand[begin + second]
    on_i, on_j = may_err(P, S, P.src[t], i - s), may_err(P, S, P.src[t], j - s)
    size = 0.0
    for c in range(k + 1):
        row[c] = rows[c, i] - rows[c, j]
        if c < k:
            size += abs(row[c])
    return on_i * P.err_g[i] + on_j * P.err_g[j] + ROUNDOFF * size, on_i * P.err_c[i] + on_j * P.err_c[j]


@inner
def load_side(P, S, line, row):
    """Write the row of a line reference, a side of the domain too; see `load_row`."""
    if line >= 0:
        level, unit, first, second = split_reference(line)
        return load_row(P, S, level, unit, first, second, row)
    k = P.meta[M_K]
    side = -line - 1
    for c in range(k):
        row[c] = 1.0 if c == side >> 1 else 0.0
    row[k] = -P.side_val[side]
    return 0.0, 0.0


@inner
def bound_factors(row, err_g, err_c):
    """Return (a, b, c): the value of a row at a vertex is off by at most a w + b size + c radius.

    w is the vertex's last coordinate. A sum of k + 1 products is off by (k + 2) roundings of their sizes.
    """
    k = row.size - 1
    total = largest = 0.0
    for c in range(k):
        total += abs(row[c])
        largest = max(largest, abs(row[c]))
    rounding = (k + 4.0) * ROUNDOFF
    return err_c + rounding * abs(row[k]), err_g + rounding * largest, total + k * err_g


@inner
def bounded_signs(row, err_g, err_c, pool, vertices, n, value, bound, sign):
    """Write value, bound and sign at each vertex, `DOUBT` where the bound cannot tell.

    Returns (any positive, any negative, any doubt). A value at infinity is the factor of M; 0 is in doubt there.
    """
    a, b, c = bound_factors(row, err_g, err_c)
    x, size, r = pool.x, pool.size, pool.r
    k = row.size - 1
    positive = negative = doubt = False
    for j in range(n):
        v = vertices[j]
        total = row[k] * x[v, k]
        for i in range(k):
            total += row[i] * x[v, i]
        off = a * x[v, k] + b * size[v] + c * r[v]
        value[j], bound[j] = total, off
        if total > off:
            sign[j] = 1
            positive = True
        elif total < -off:
            sign[j] = -1
            negative = True
        elif off == 0.0 and x[v, k] == 1.0:
            sign[j] = 0
        else:
            sign[j] = DOUBT
            doubt = True
    return positive, negative, doubt


@inner
def _value_again(row, err_g, err_c, pool, v):
    a, b, c = bound_factors(row, err_g, err_c)
    k = row.size - 1
    total = row[k] * pool.x[v, k]
    for i in range(k):
        total += row[i] * pool.x[v, i]
    return total, a * pool.x[v, k] + b * pool.size[v] + c * pool.r[v]


@inner
def _is_on(facets, n_facets, mask, line):
    """Return whether one of a vertex's facets has a reference."""
    found = False
    for b in range(n_facets):
        found |= facets[b] == line and mask[b // WORD] & (ONE_BIT << np.uint64(b % WORD)) != EMPTY
    return found


@inner
def _settle(P, S, pool, W, line, row, err_g, err_c, v):
    """Return the sign at vertex v when the first bound could not tell; may refresh the vertex."""
    if pool.known[v] == 0:
        exact_vertex(P, S, pool, W, v)
        value, bound = _value_again(row, err_g, err_c, pool, v)
        if value > bound:
            return 1
        if value < -bound:
            return -1
        if bound == 0.0 and pool.x[v, row.size - 1] == 1.0:
            return 0
    return exact_sign(P, S, pool, W, line, v)


@inner
def polytope_signs(P, S, pool, W, level, unit, first, second, vertices, mask, n, facets, n_facets):
    """Write value, bound and certain sign of a row at each vertex; return (any positive, any negative)."""
    row, value, bound, sign = W.row, W.value, W.bound, W.sign
    err_g, err_c = load_row(P, S, level, unit, first, second, row)
    positive, negative, doubt = bounded_signs(row, err_g, err_c, pool, vertices, n, value, bound, sign)
    if doubt:
        line = line_reference(level, unit, first, second)
        for j in range(n):
            if sign[j] != DOUBT:
                continue
            v = vertices[j]
            S.stats[S_DOUBTS] += 1
            if P.meta[M_CERTAIN] == 0:
                sign[j] = 1 if value[j] > 0.0 else (-1 if value[j] < 0.0 else 0)
            elif _is_on(facets, n_facets, mask[j], line):
                sign[j] = 0
            else:
                sign[j] = _settle(P, S, pool, W, line, row, err_g, err_c, v)
                value[j], bound[j] = _value_again(row, err_g, err_c, pool, v)
            positive |= sign[j] > 0
            negative |= sign[j] < 0
    return positive, negative


@inner
def _place(P, S, pool, W, v):
    """Place vertex v where its k rows vanish, if that gives a smaller radius."""
    k = P.meta[M_K]
    infinite = is_infinite(P, pool, v)
    for i in range(k):
        line = pool.rows[v, i]
        err_g, err_c = load_side(P, S, line, W.row)
        for c in range(k):
            W.system[0, i, c] = W.row[c]
        W.vector[1, i] = err_g
        if infinite:
            # the factors of M: a side is at +-M, all else has none
            W.vector[0, i], W.vector[2, i] = (-W.row[k] if line < 0 else 0.0), 0.0
        else:
            W.vector[0, i], W.vector[2, i] = -W.row[k], err_c
    radius = solve_bounded(
        W.system[0], W.vector[0], W.vector[1], W.vector[2], k, W.system[1], W.system[2], W.vector[3]
    )  # fmt: skip
    if radius < pool.r[v] and radius < FARTHEST:
        set_place(pool, v, W.vector[3], radius + NEAREST, infinite)


@inner
def name_vertex(P, S, pool, W, v, line, mask, p, q, facets, n_facets):
    """Write the k rows that meet in the new vertex v: the cut and k - 1 independent facets of the edge pq.

    Returns whether there are so many.
    """
    k = P.meta[M_K]
    rows = pool.rows[v]
    if count_common(mask, p, q, W.common) == k - 1:
        at = 0
        for w in range(W.common.size):
            bits = W.common[w]
            while bits != EMPTY:
                rows[at] = facets[w * WORD + lowest_bit(bits)]
                at += 1
                bits &= bits - ONE_BIT
    elif independent_rows(P, S, W, facets, n_facets, W.common, rows) != k - 1:
        return False
    rows[k - 1] = line
    pool.known[v] = 0
    return True


@inner
def make_vertices(P, S, pool, W, n_pool, line, vertices, mask, n_new, facets, n_facets, coarse):
    """Make the vertices where a row crosses the edges in `W.pairs`; return DONE (0), or `NO_EDGE`.

    A vertex whose radius would exceed a small share of `coarse` is computed from its rows; above `coarse`, exactly,
    and rounded.
    """
    k = P.meta[M_K]
    for i in range(n_new):
        new, p, q = n_pool + i, W.pairs[i, 0], W.pairs[i, 1]
        if not name_vertex(P, S, pool, W, new, line, mask, p, q, facets, n_facets):
            return NO_EDGE
        u, v = vertices[p], vertices[q]
        if pool.x[u, k] == 1.0 and pool.x[v, k] == 1.0:
            radius = crossing(pool, new, u, v, W.value[p], W.value[q], W.bound[p], W.bound[q])
        else:
            radius = pool.r[new] = np.inf
        if radius > FINE * coarse:
            _place(P, S, pool, W, new)
            if pool.r[new] > coarse and (P.meta[M_CERTAIN] or pool.r[new] == np.inf):
                exact_vertex(P, S, pool, W, new)
    return 0
