"""Cutting a convex polygon by a line whose signs at the vertices are certain.

Compiled kernels. Vertices live in a pool used as a stack (`Pool`); a polygon is a run of vertex
numbers in counter-clockwise order together with, for each vertex, a reference to the line of the
edge that starts there. References mean nothing here; whoever made them can turn them into exact
lines. Coordinates are float64 with a radius that bounds their error in each coordinate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner

ROUNDOFF = 2.0**-53
NEAREST = 2.0**-700
"""Least radius of a vertex that is not where its float64 numbers say, or has a number between 0 and this one.

Rows are exact, with numbers that are 0 or at least 2^-150, or their errors are at least 2^-300 (`RowBounds`): so what
products with a vertex lose by underflow, 2^-1075 each, is below what the radius, or the size, adds to every bound.
"""
FARTHEST = 2.0**500
"""Rows are below it (`RowBounds`); a vertex beyond it has an infinite radius, since products with it may overflow."""


class Pool(NamedTuple):
    """Vertices: coordinates, error radius, the two lines each lies on, and exact coordinates on demand.

    `words`, `length` hold homogeneous integer coordinates (X, Y, W > 0) once `known` is 1.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    r: NDArray[np.float64]
    line_a: NDArray[np.int64]
    line_b: NDArray[np.int64]
    known: NDArray[np.uint8]
    words: NDArray[np.uint64]
    length: NDArray[np.int32]


def corner_radius(*coordinates: NDArray[np.float64]) -> float:
    """Return the radius of exact corners: `NEAREST` where a number lies between 0 and it, else 0."""
    return NEAREST if any(np.any((c != 0) & (np.abs(c) < NEAREST)) for c in coordinates) else 0.0


def new_pool(capacity: int, limbs: int) -> Pool:
    """Return an empty pool for `capacity` vertices with exact coordinates of up to `limbs` limbs."""
    return Pool(
        x=np.zeros(capacity),
        y=np.zeros(capacity),
        r=np.zeros(capacity),
        line_a=np.zeros(capacity, dtype=np.int64),
        line_b=np.zeros(capacity, dtype=np.int64),
        known=np.zeros(capacity, dtype=np.uint8),
        words=np.zeros((capacity, 3 * limbs), dtype=np.uint64),
        length=np.zeros((capacity, 3), dtype=np.int32),
    )


@inner
def crossing(x, y, r, new, p, q, value_p, value_q, bound_p, bound_q):
    """Place vertex `new` on the edge from p to q, where a row's values have opposite certain signs.

    Returns its radius, which follows from the errors of the values (each at most its bound) and of the
    ends.
    """
    size_p, size_q = abs(value_p), abs(value_q)
    total = size_p + size_q
    t = size_p / total if total > 0.0 else 0.5
    dx, dy = x[q] - x[p], y[q] - y[p]
    x[new] = x[p] + t * dx
    y[new] = y[p] + t * dy
    sure = total - bound_p - bound_q
    share = 1.0
    if sure > 0.0:
        share = min(1.0, max(bound_p, bound_q) / sure)
    here = max(abs(x[new]), abs(y[new]))
    radius = max(r[p], r[q]) + max(abs(dx), abs(dy)) * (share + 8.0 * ROUNDOFF) + 4.0 * ROUNDOFF * here + NEAREST
    r[new] = radius if here < FARTHEST and radius < FARTHEST else np.inf
    return r[new]


@inner
def keep_side(side, signs, new_first, new_second, vertices, edges, n, line, out_v, out_e):
    """Write the closed part of a polygon where `side * sign >= 0`; return its number of vertices.

    `new_first` and `new_second` are the vertices made on the first and second edge whose ends have
    strictly opposite signs (in the order of the polygon); `line` is the reference of the cut.
    """
    m = 0
    made = 0
    for j in range(n):
        following = j + 1 if j + 1 < n else 0
        here, there = side * signs[j], side * signs[following]
        if here >= 0:
            out_v[m] = vertices[j]
            out_e[m] = line if (here == 0 and there < 0) else edges[j]
            m += 1
        if here * there < 0:
            fresh = new_first if made == 0 else new_second
            made += 1
            out_v[m] = fresh
            out_e[m] = line if here > 0 else edges[j]
            m += 1
    return m


@inner
def _range3(a, b, c, x0, y0, x1, y1, x2, y2):
    """Return the smallest and largest value of a row at three points."""
    u, v, w = a * x0 + b * y0 + c, a * x1 + b * y1 + c, a * x2 + b * y2 + c
    low, high = (u, v) if u < v else (v, u)
    return (w if w < low else low), (w if w > high else high)


@inner(error_model="numpy")
def extremes(a, b, c, errors_g, errors_c, px, py, pr, vertices, n, lowest, highest, bound):
    """Return the smallest and largest value of every row at the vertices, and a bound on their error.

    Row i is `a[i] x + b[i] y + c[i]`; `errors_*` bound the error of gradient and constant entries.
    """
    p = a.size
    reach = radius = 0.0
    for j in range(n):
        reach = max(reach, abs(px[vertices[j]]) + abs(py[vertices[j]]))
        radius = max(radius, pr[vertices[j]])
    for j in range(0, n, 3):
        # three vertices at once, the last one again where there are fewer
        j1, j2 = vertices[min(j + 1, n - 1)], vertices[min(j + 2, n - 1)]
        x0, y0, x1, y1, x2, y2 = px[vertices[j]], py[vertices[j]], px[j1], py[j1], px[j2], py[j2]
        if j == 0:
            for i in range(p):
                lowest[i], highest[i] = _range3(a[i], b[i], c[i], x0, y0, x1, y1, x2, y2)
        else:
            for i in range(p):
                low, high = _range3(a[i], b[i], c[i], x0, y0, x1, y1, x2, y2)
                lowest[i] = low if low < lowest[i] else lowest[i]
                highest[i] = high if high > highest[i] else highest[i]
    if not reach < FARTHEST:
        radius = np.inf
    spread = radius + 4.0 * ROUNDOFF * reach
    wide = reach + 2.0 * radius
    for i in range(p):
        bound[i] = errors_c[i] + errors_g[i] * wide + (abs(a[i]) + abs(b[i])) * spread + 4.0 * ROUNDOFF * abs(c[i])
