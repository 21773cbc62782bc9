"""On which side of a row does each vertex of a polygon lie? Certain signs, by a bound or exactly."""

from __future__ import annotations

from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polygon import FARTHEST, NEAREST, ROUNDOFF, crossing
from reluatlas.subdivision.path.composition import S_DOUBTS
from reluatlas.subdivision.path.exact_rows import exact_sign, exact_vertex, is_zero_row, line_reference, split_reference
from reluatlas.subdivision.path.path_bounds import tight_bounds
from reluatlas.subdivision.program.layout import BREAK, M_CERTAIN

_SIX = 6.0 * ROUNDOFF
DOUBT = 2
FINE = 1e-4
_LOST = 2.0**-1000
"""More than a few products lose by underflow."""
_NOISE = 2.0**-46
"""A value below this share of its terms is rounding, most likely, of a zero: no tighter bound would tell."""


@inner
def may_err(P, S, t, unit):
    """Return 0.0 for a unit on a flat piece, whose row is a constant and exact, else 1.0: most ties are among them."""
    if P.kind[t] != BREAK:
        return 1.0
    piece = S.piece[P.pat_off[P.level[t]] + unit]
    return 0.0 if P.slope[P.s_at[t] + unit * (P.n_knots[t] + 1) + piece] == 0.0 else 1.0


@inner
def row_of(P, S, level, unit, first, second):
    """Return (a, b, c, error of a and b, error of c) of a breakpoint row or a difference of candidates."""
    t = P.cut[level]
    s = P.off[P.src[t]]
    rows = S.rows
    if P.kind[t] == BREAK:
        i = s + unit
        knot = P.knot[P.k_at[t] + unit * P.n_knots[t] + first]
        return rows[0, i], rows[1, i], rows[2, i] - knot, P.err_g[i], P.err_c[i]
    begin = P.m_ptr[P.m_at[t] + unit]
    i, j = s + P.m_cand[begin + first], s + P.m_cand[begin + second]
    a, b, c = rows[0, i] - rows[0, j], rows[1, i] - rows[1, j], rows[2, i] - rows[2, j]
    on_i, on_j = may_err(P, S, P.src[t], i - s), may_err(P, S, P.src[t], j - s)
    err_g, err_c = on_i * P.err_g[i] + on_j * P.err_g[j], on_i * P.err_c[i] + on_j * P.err_c[j]
    return a, b, c, err_g + ROUNDOFF * (abs(a) + abs(b)), err_c


@inner
def tight_row_of(P, S, level, unit, first, second):
    """Do what `row_of` does, with bounds for the pattern of the current path."""
    t = P.cut[level]
    a, b, c, _, _ = row_of(P, S, level, unit, first, second)
    if P.kind[t] == BREAK:
        err_g, err_c = tight_bounds(P, S, P.src[t], unit)
        return a, b, c, err_g, err_c
    begin = P.m_ptr[P.m_at[t] + unit]
    g_i, c_i = tight_bounds(P, S, P.src[t], P.m_cand[begin + first])
    g_j, c_j = tight_bounds(P, S, P.src[t], P.m_cand[begin + second])
    return a, b, c, g_i + g_j + ROUNDOFF * (abs(a) + abs(b)), c_i + c_j


@inner
def value_at(a, b, c, err_g, err_c, x, y, r):
    """Return the value of a row at a vertex, and a bound on the error of both together."""
    value = a * x + b * y + c
    size = abs(a * x) + abs(b * y) + abs(c)
    return value, err_c + err_g * (abs(x) + abs(y) + 2.0 * r) + (abs(a) + abs(b)) * r + _SIX * size


@inner
def _line_row(P, S, line, tight):
    """Return the row of a line reference, a side of the domain too; see `row_of` and `tight_row_of`."""
    if line < 0:
        side = -line - 1
        a = 1.0 if side < 2 else 0.0
        return a, 1.0 - a, -P.side_val[side], 0.0, 0.0
    level, unit, first, second = split_reference(line)
    if tight:
        return tight_row_of(P, S, level, unit, first, second)
    return row_of(P, S, level, unit, first, second)


@inner
def recompute(P, S, pool, v, tight):
    """Place vertex v where its two defining rows vanish, if that gives a smaller radius.

    Radii compound over nested cuts; this one depends on the two rows alone. With r_i the values there
    and t_i their bounds, |dx| <= (|b_2| (|r_1| + t_1) + |b_1| (|r_2| + t_2)) / |a_1 b_2 - a_2 b_1|.
    """
    a1, b1, c1, g1, e1 = _line_row(P, S, pool.line_a[v], tight)
    a2, b2, c2, g2, e2 = _line_row(P, S, pool.line_b[v], tight)
    det = a1 * b2 - a2 * b1
    error = g1 * (abs(a2) + abs(b2)) + g2 * (abs(a1) + abs(b1)) + 2.0 * g1 * g2
    sure = abs(det) - error - 4.0 * ROUNDOFF * (abs(a1 * b2) + abs(a2 * b1)) - _LOST
    if not sure > 0.0:
        return
    x, y = (b1 * c2 - b2 * c1) / det, (a2 * c1 - a1 * c2) / det
    value_1, bound_1 = value_at(a1, b1, c1, g1, e1, x, y, 0.0)
    value_2, bound_2 = value_at(a2, b2, c2, g2, e2, x, y, 0.0)
    r1, r2 = abs(value_1) + bound_1 + _LOST, abs(value_2) + bound_2 + _LOST
    dx = (abs(b2) + g2) * r1 + (abs(b1) + g1) * r2
    dy = (abs(a2) + g2) * r1 + (abs(a1) + g1) * r2
    radius = (max(dx, dy) + _LOST) / sure * (1.0 + 1e-12) + NEAREST
    if radius < pool.r[v] and radius < FARTHEST and abs(x) < FARTHEST and abs(y) < FARTHEST:
        pool.x[v], pool.y[v], pool.r[v] = x, y, radius


@inner
def bounded_signs(a, b, c, err_g, err_c, px, py, pr, vertices, n, value, bound, sign):
    """Write value, bound and sign at each vertex, `DOUBT` where the bound cannot tell.

    Returns (any positive, any negative, any doubt).
    """
    positive = negative = doubt = False
    for j in range(n):
        v = vertices[j]
        value[j], bound[j] = value_at(a, b, c, err_g, err_c, px[v], py[v], pr[v])
        if value[j] > bound[j]:
            sign[j] = 1
            positive = True
        elif value[j] < -bound[j]:
            sign[j] = -1
            negative = True
        elif bound[j] == 0.0:
            sign[j] = 0
        else:
            sign[j] = DOUBT
            doubt = True
    return positive, negative, doubt


@inner
def _settle(P, S, pool, line, a, b, c, err_g, err_c, v):
    """Return the sign at vertex v when no bound could tell; may refresh the vertex."""
    if pool.known[v] == 0:
        exact_vertex(P, S, pool, v)
        value, bound = value_at(a, b, c, err_g, err_c, pool.x[v], pool.y[v], pool.r[v])
        if value > bound:
            return 1
        if value < -bound:
            return -1
        if bound == 0.0:
            return 0
    return exact_sign(P, S, pool, line, v)


@inner
def polygon_signs(P, S, pool, level, unit, first, second, vertices, n, value, bound, sign):
    """Write value, bound and certain sign of a row at each vertex; return (any positive, any negative)."""
    a, b, c, err_g, err_c = row_of(P, S, level, unit, first, second)
    positive, negative, doubt = bounded_signs(
        a, b, c, err_g, err_c, pool.x, pool.y, pool.r, vertices, n, value, bound, sign
    )  # fmt: skip
    if not doubt:
        return positive, negative
    line = line_reference(level, unit, first, second)
    tight = zero = looked = False
    for j in range(n):
        if sign[j] != DOUBT:
            continue
        v = vertices[j]
        S.stats[S_DOUBTS] += 1
        if P.meta[M_CERTAIN] == 0:
            sign[j] = 1 if value[j] > 0.0 else (-1 if value[j] < 0.0 else 0)
        elif pool.line_a[v] == line or pool.line_b[v] == line or zero:
            sign[j] = 0
        else:
            if not tight and abs(value[j]) > _NOISE * (abs(a * pool.x[v]) + abs(b * pool.y[v]) + abs(c)):
                a, b, c, err_g, err_c = tight_row_of(P, S, level, unit, first, second)
                tight = True
            value[j], bound[j] = value_at(a, b, c, err_g, err_c, pool.x[v], pool.y[v], pool.r[v])
            if abs(value[j]) > bound[j]:
                sign[j] = 1 if value[j] > 0.0 else -1
            else:
                if not looked:
                    zero, looked = is_zero_row(P, S, line), True
                sign[j] = 0 if zero else _settle(P, S, pool, line, a, b, c, err_g, err_c, v)
        value[j], bound[j] = value_at(a, b, c, err_g, err_c, pool.x[v], pool.y[v], pool.r[v])
        positive |= sign[j] > 0
        negative |= sign[j] < 0
    return positive, negative


@inner
def cut_edges(P, S, pool, n_pool, line, vertices, edges, n, value, bound, sign, coarse):
    """Make the vertices where a row crosses the edges of a polygon; return how many (at most two).

    Their indices are `n_pool`, `n_pool + 1` in the polygon's order. A vertex whose radius would exceed
    a small share of `coarse` is computed from its rows; above `coarse`, exactly, and rounded.
    """
    made = 0
    for j in range(n):
        following = j + 1 if j + 1 < n else 0
        if sign[j] * sign[following] < 0:
            new = n_pool + made
            radius = crossing(
                pool.x, pool.y, pool.r, new, vertices[j], vertices[following], value[j], value[following],
                bound[j], bound[following],
            )  # fmt: skip
            pool.line_a[new] = edges[j]
            pool.line_b[new] = line
            pool.known[new] = 0
            if radius > FINE * coarse:
                recompute(P, S, pool, new, False)
                if pool.r[new] > coarse:
                    recompute(P, S, pool, new, True)
                if pool.r[new] > coarse and P.meta[M_CERTAIN]:
                    exact_vertex(P, S, pool, new)
            made += 1
    return made
