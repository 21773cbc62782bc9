"""What are the smallest and largest values of many rows at the vertices of a polytope? One loop over rows a vertex."""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polygon import FARTHEST

ROUNDOFF = 2.0**-53


def _for_columns(columns: int) -> Any:
    """Return the loop for rows of a fixed number of columns, so that it is unrolled."""

    @inner(error_model="numpy", fastmath={"contract"})
    def update(rows, at, n, x, y, first, lowest, highest):
        """Take the values of n rows at two vertices x and y into account."""
        for i in range(n):
            u, v = 0.0, 0.0
            for c in range(columns):
                w = rows[c, at + i]
                u += w * x[c]
                v += w * y[c]
            low, high = (u, v) if u < v else (v, u)
            if not first:
                low = low if low < lowest[i] else lowest[i]
                high = high if high > highest[i] else highest[i]
            lowest[i], highest[i] = low, high

    return update


_two, _three, _four, _five, _six, _seven = (_for_columns(c) for c in range(2, 8))


@inner(error_model="numpy")
def extremes(rows, at, errors_g, errors_c, n_rows, x, size, r, vertices, n, lowest, highest, bound):
    """Return the smallest and largest value of rows `at`, ... at n vertices, and a bound on their error.

    `rows` is (k + 1, ...), at most seven columns; `x` holds homogeneous coordinates, `size` the sums of the absolute
    values of the first k, `r` their errors; `errors_*` bound the error of gradient and constant entries.
    """
    columns = rows.shape[0]
    k = columns - 1
    reach = radius = 0.0
    for j in range(n):
        reach = max(reach, size[vertices[j]])
        radius = max(radius, r[vertices[j]])
    for j in range(0, n, 2):
        # two vertices at once, the last one again when their number is odd
        p, q = x[vertices[j]], x[vertices[min(j + 1, n - 1)]]
        first = j == 0
        if columns == 4:
            _four(rows, at, n_rows, p, q, first, lowest, highest)
        elif columns == 5:
            _five(rows, at, n_rows, p, q, first, lowest, highest)
        elif columns == 6:
            _six(rows, at, n_rows, p, q, first, lowest, highest)
        elif columns == 7:
            _seven(rows, at, n_rows, p, q, first, lowest, highest)
        elif columns == 3:
            _three(rows, at, n_rows, p, q, first, lowest, highest)
        else:
            _two(rows, at, n_rows, p, q, first, lowest, highest)
    if not reach < FARTHEST:
        radius = np.inf
    rounding = (k + 4.0) * ROUNDOFF
    spread = radius + rounding * reach
    wide = reach + k * radius
    for i in range(n_rows):
        bound[i] = errors_c[i] + errors_g[i] * wide + rounding * abs(rows[k, at + i])
    for c in range(k):
        for i in range(n_rows):
            bound[i] += abs(rows[c, at + i]) * spread
