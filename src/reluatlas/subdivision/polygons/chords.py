"""How many cells does the last layer make of a polygon? Its chords are counted, no polygon is made.

The lines of m units that cut a convex polygon in chords leave 1 + m + c parts, where c is the number of pairs of
chords that cross inside, when no three meet in one point. Two chords cross when their ends alternate around the
polygon. Where an end is at a vertex, or an order or a meeting is not certain, the caller subdivides instead.
"""

from __future__ import annotations

import numpy as np

from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polygon import ROUNDOFF
from reluatlas.subdivision.polygons.signs import bounded_signs, row_of

MOST = 24
UNKNOWN = -1
_LOST = 2.0**-1000
"""More than a few products lose by underflow."""


@inner
def count_parts(P, S, pool, W, level, vertices, n):
    """Return the number of cells of the last level in a polygon, or `UNKNOWN` where that is not certain."""
    first_cut, m = S.cut_at[level], S.n_cut[level]
    if m <= 1:
        return m + 1
    if m > MOST:
        return UNKNOWN
    edge, place, slack = W.chord_edge, W.chord_place, W.chord_slack
    for q in range(m):
        a, b, c, err_g, err_c = row_of(P, S, level, S.cut_unit[first_cut + q], S.cut_knot[first_cut + q], np.int64(0))
        bounded_signs(a, b, c, err_g, err_c, pool.x, pool.y, pool.r, vertices, n, W.value, W.bound, W.sign)
        found = 0
        for j in range(n):
            following = j + 1 if j + 1 < n else 0
            if abs(W.sign[j]) != 1:
                return UNKNOWN
            if W.sign[j] != W.sign[following]:
                here, there = abs(W.value[j]), abs(W.value[following])
                sure = (here + there) * (1.0 - 4.0 * ROUNDOFF) - W.bound[j] - W.bound[following]
                if not 0.0 < sure < np.inf:
                    return UNKNOWN
                edge[q, found], place[q, found] = j, here / (here + there)
                slack[q, found] = max(W.bound[j], W.bound[following]) / sure + 8.0 * ROUNDOFF
                found += 1
    crossings = 0
    for p in range(m):
        for q in range(p):
            crosses = _alternate(edge, place, slack, p, q)
            if crosses < 0:
                return UNKNOWN
            W.chord_cross[p, q] = crosses
            crossings += crosses
    for p in range(m):
        for q in range(p):
            if W.chord_cross[p, q]:
                for r in range(q):
                    if W.chord_cross[p, r] and W.chord_cross[q, r] and not _miss(P, S, level, p, q, r):
                        return UNKNOWN
    return 1 + m + crossings


@inner
def _before(edge, place, slack, p, i, q, j):
    """Return whether end i of chord p comes before end j of chord q around the polygon; `UNKNOWN` in doubt."""
    if edge[p, i] != edge[q, j]:
        return 1 if edge[p, i] < edge[q, j] else 0
    if abs(place[p, i] - place[q, j]) <= slack[p, i] + slack[q, j]:
        return UNKNOWN
    return 1 if place[p, i] < place[q, j] else 0


@inner
def _alternate(edge, place, slack, p, q):
    """Return whether the ends of two chords alternate; `UNKNOWN` in doubt."""
    starts_inside = _before(edge, place, slack, p, 0, q, 0)
    first = _before(edge, place, slack, p, 1, q, 0)
    second = _before(edge, place, slack, p, 1, q, 1)
    other = _before(edge, place, slack, p, 0, q, 1)
    if starts_inside < 0 or first < 0 or second < 0 or other < 0:
        return UNKNOWN
    # how many of the ends of q lie between the ends of p
    between = (starts_inside == 1 and first == 0) + (other == 1 and second == 0)
    return 1 if between == 1 else 0


@inner
def _miss(P, S, level, p, q, r):
    """Return whether three lines certainly have no point in common: their determinant is certainly not zero."""
    at = S.cut_at[level]
    a1, b1, c1, g1, e1 = row_of(P, S, level, S.cut_unit[at + p], S.cut_knot[at + p], np.int64(0))
    a2, b2, c2, g2, e2 = row_of(P, S, level, S.cut_unit[at + q], S.cut_knot[at + q], np.int64(0))
    a3, b3, c3, g3, e3 = row_of(P, S, level, S.cut_unit[at + r], S.cut_knot[at + r], np.int64(0))
    d1, f1 = _minor(a2, b2, g2, a3, b3, g3)
    d2, f2 = _minor(a3, b3, g3, a1, b1, g1)
    d3, f3 = _minor(a1, b1, g1, a2, b2, g2)
    total = c1 * d1 + c2 * d2 + c3 * d3
    error = abs(c1) * f1 + abs(c2) * f2 + abs(c3) * f3
    error += e1 * (abs(d1) + f1) + e2 * (abs(d2) + f2) + e3 * (abs(d3) + f3)
    error += 8.0 * ROUNDOFF * (abs(c1 * d1) + abs(c2 * d2) + abs(c3 * d3)) + _LOST
    return abs(total) > error * (1.0 + 1e-12)


@inner
def _minor(a, b, g, c, d, h):
    """Return a d - b c and a bound on its error, for rows whose entries are off by at most g and h."""
    size = abs(a * d) + abs(b * c)
    return a * d - b * c, g * (abs(c) + abs(d)) + h * (abs(a) + abs(b)) + 2.0 * g * h + 4.0 * ROUNDOFF * size + _LOST
