"""How are units' rows added, times their weights? In the order of the units, and nothing is subtracted.

Every access to an array inside a named tuple costs a reference count, so what loops over rows takes
the arrays themselves.
"""

from __future__ import annotations

from reluatlas.compiled.jit import inner


@inner(fastmath={"contract"}, error_model="numpy")
def add_dense(weight, units, n_units, a, b, c, from_a, from_b, from_c, out_a, out_b, out_c):
    """Write contiguous rows: others plus the products of some units' rows (a, b, c) with their weights (units, n)."""
    n = out_a.size
    q = 0
    if n_units >= 4:
        j0, j1, j2, j3 = units[0], units[1], units[2], units[3]
        w0, w1, w2, w3 = weight[j0], weight[j1], weight[j2], weight[j3]
        a0, a1, a2, a3 = a[j0], a[j1], a[j2], a[j3]
        b0, b1, b2, b3 = b[j0], b[j1], b[j2], b[j3]
        c0, c1, c2, c3 = c[j0], c[j1], c[j2], c[j3]
        for i in range(n):
            x0, x1, x2, x3 = w0[i], w1[i], w2[i], w3[i]
            out_a[i] = from_a[i] + x0 * a0 + x1 * a1 + x2 * a2 + x3 * a3
            out_b[i] = from_b[i] + x0 * b0 + x1 * b1 + x2 * b2 + x3 * b3
            out_c[i] = from_c[i] + x0 * c0 + x1 * c1 + x2 * c2 + x3 * c3
        q = 4
    elif n_units > 0:
        j0 = units[0]
        w0 = weight[j0]
        a0, b0, c0 = a[j0], b[j0], c[j0]
        for i in range(n):
            x0 = w0[i]
            out_a[i] = from_a[i] + x0 * a0
            out_b[i] = from_b[i] + x0 * b0
            out_c[i] = from_c[i] + x0 * c0
        q = 1
    while q + 4 <= n_units:
        j0, j1, j2, j3 = units[q], units[q + 1], units[q + 2], units[q + 3]
        w0, w1, w2, w3 = weight[j0], weight[j1], weight[j2], weight[j3]
        a0, a1, a2, a3 = a[j0], a[j1], a[j2], a[j3]
        b0, b1, b2, b3 = b[j0], b[j1], b[j2], b[j3]
        c0, c1, c2, c3 = c[j0], c[j1], c[j2], c[j3]
        for i in range(n):
            x0, x1, x2, x3 = w0[i], w1[i], w2[i], w3[i]
            out_a[i] = out_a[i] + x0 * a0 + x1 * a1 + x2 * a2 + x3 * a3
            out_b[i] = out_b[i] + x0 * b0 + x1 * b1 + x2 * b2 + x3 * b3
            out_c[i] = out_c[i] + x0 * c0 + x1 * c1 + x2 * c2 + x3 * c3
        q += 4
    while q < n_units:
        j0 = units[q]
        w0 = weight[j0]
        a0, b0, c0 = a[j0], b[j0], c[j0]
        for i in range(n):
            x0 = w0[i]
            out_a[i] += x0 * a0
            out_b[i] += x0 * b0
            out_c[i] += x0 * c0
        q += 1


@inner(fastmath={"contract"}, error_model="numpy")
def _add_units(out, source, at, w0, w1, w2, w3, x0, x1, x2, x3):
    for i in range(w0.size):
        out[at + i] = source[at + i] + w0[i] * x0 + w1[i] * x1 + w2[i] * x2 + w3[i] * x3


@inner(fastmath={"contract"}, error_model="numpy")
def _add_unit(out, source, at, w0, x0):
    for i in range(w0.size):
        out[at + i] = source[at + i] + w0[i] * x0


@inner
def add_dense_rows(weight, units, n_units, rows, first, start, lo, out):
    """Do what `add_dense` does for any number of coordinates, one of them after another."""
    n = weight.shape[1]
    for c in range(out.shape[0]):
        source, target, row = start[c], out[c], rows[c]
        q = 0
        while q + 4 <= n_units:
            j0, j1, j2, j3 = units[q], units[q + 1], units[q + 2], units[q + 3]
            x0, x1, x2, x3 = row[first + j0], row[first + j1], row[first + j2], row[first + j3]
            _add_units(target, source, lo, weight[j0], weight[j1], weight[j2], weight[j3], x0, x1, x2, x3)
            source = target
            q += 4
        while q < n_units:
            _add_unit(target, source, lo, weight[units[q]], row[first + units[q]])
            source = target
            q += 1
        if n_units == 0:
            for i in range(n):
                target[lo + i] = source[lo + i]


@inner
def add_gather(weight, target, pointers, units, n_units, first, lo, rows, out):
    """Add some units' rows through a gather: weight[g] times unit j to row target[g]."""
    for q in range(n_units):
        j = units[q]
        for g in range(pointers[j], pointers[j + 1]):
            i = lo + target[g]
            w = weight[g]
            for c in range(rows.shape[0]):
                out[c, i] += w * rows[c, first + j]


@inner
def add_straight(weight, row, start, out):
    """Write `start + weight * row`, entry by entry."""
    for i in range(weight.size):
        out[i] = start[i] + weight[i] * row[i]
