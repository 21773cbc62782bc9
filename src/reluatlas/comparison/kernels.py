"""What is an affine function of a polytope at its vertices, and in the mean? Compiled, with bounds on every number.

A polytope is divided into simplices (`geometry.vertices.volume`). On a simplex with volume V whose k + 1 vertices have
the values v, the integral of the function's positive part is V / (k + 1) times the divided difference over v of
max(x, 0)^(k + 1) (Hermite and Genocchi). Removing a positive p and a negative -n from a set S in turn gives

    [S] = (p [S without -n] + n [S without p]) / (p + n),

sums of positive terms all the way down to sets of one sign, whose divided difference is their sum, or zero. So a cell
is, in effect, cut where the function changes its sign, and nothing cancels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel
from reluatlas.geometry.vertices.volume import determinant, first_simplex, next_simplex

U = 2.0**-53
SLACK = 1.0 + 1e-9


class Measures(NamedTuple):
    """What is found of c polytopes with V vertices in all and m functions, in the domain's coordinates.

    Attributes
    ----------
    value, bound : ndarray, shape (V, m)
        Of each function at each vertex, and how far that may be off.
    volume, volume_error : ndarray, shape (c,)
    absolute, absolute_error, square, square_error : ndarray, shape (m, c)
        Integrals of |function| and of its square.
    """

    value: NDArray[np.float64]
    bound: NDArray[np.float64]
    volume: NDArray[np.float64]
    volume_error: NDArray[np.float64]
    absolute: NDArray[np.float64]
    absolute_error: NDArray[np.float64]
    square: NDArray[np.float64]
    square_error: NDArray[np.float64]


class Room(NamedTuple):
    """Space for the divided differences of one simplex."""

    positive: NDArray[np.float64]
    negative: NDArray[np.float64]
    table: NDArray[np.float64]


def new_measures(c: int, n_vertices: int, m: int) -> Measures:
    """Return space for the measures of c polytopes."""
    per_cell = [np.zeros((m, c)) for _ in range(4)]
    return Measures(np.zeros((n_vertices, m)), np.zeros((n_vertices, m)), np.zeros(c), np.zeros(c), *per_cell)


def new_room(k: int) -> Room:
    """Return space for simplices in k dimensions."""
    return Room(np.zeros(k + 1), np.zeros(k + 1), np.zeros(k + 2))


@kernel
def measure_vertices(affine, errors, x, radius, offsets, k, out):
    """Write the values of the functions `affine[i]` (m, k + 1) at the vertices of each polytope i, with bounds.

    Their coefficients are off by at most `errors[i]`.
    """
    m = affine.shape[1]
    for i in range(offsets.size - 1):
        for v in range(offsets[i], offsets[i + 1]):
            for o in range(m):
                value = affine[i, o, k]
                size = abs(value)
                slope = 0.0
                bound = errors[i, o, k]
                for j in range(k):
                    term = affine[i, o, j] * x[v, j]
                    value += term
                    size += abs(term)
                    slope += abs(affine[i, o, j])
                    bound += (abs(x[v, j]) + radius[v]) * errors[i, o, j]
                out.value[v, o] = value
                out.bound[v, o] = SLACK * (bound + radius[v] * slope + (k + 3) * U * size)


@kernel
def measure_cells(x, radius, mask, offsets, n_facets, k, wanted, means, T, R, out):
    """Write the volumes of the polytopes that are `wanted`, and with `means` the integrals over them.

    `mask` is empty in the plane, where vertices go around. `measure_vertices` is to be called before.
    """
    is_plane = mask.shape[0] == 0
    whole = 1.0
    for i in range(2, k + 1):
        whole *= i
    for i in range(out.volume.size):
        if not wanted[i]:
            continue
        lo, hi = offsets[i], offsets[i + 1]
        if is_plane:
            for j in range(1, hi - lo - 1):
                T.apex[0] = 0
                T.apex[1] = j
                T.apex[2] = j + 1
                _add(x, radius, lo, i, k, means, T, R, out)
        else:
            depth = first_simplex(hi - lo, mask[lo:hi], n_facets[i], k, T)
            while depth == k:
                _add(x, radius, lo, i, k, means, T, R, out)
                depth = next_simplex(mask[lo:hi], n_facets[i], k, T, depth)
        out.volume[i] /= whole
        out.volume_error[i] = SLACK * out.volume_error[i] / whole
        for o in range(out.absolute.shape[0]):
            out.absolute[o, i] /= whole
            out.square[o, i] /= whole
            out.absolute_error[o, i] = SLACK * out.absolute_error[o, i] / whole
            out.square_error[o, i] = SLACK * out.square_error[o, i] / whole


@inner
def _add(x, radius, lo, i, k, means, T, R, out):
    """Add a simplex with the vertices `T.apex` of polytope i, which begin at `lo`: k! times its share of everything."""
    size, error = _volume(x, radius, lo, k, T)
    out.volume[i] += size
    out.volume_error[i] += error + 64 * U * out.volume[i]
    if not means:
        return
    for o in range(out.absolute.shape[0]):
        most = 0.0
        off = 0.0
        total = 0.0
        squares = 0.0
        n_positive = 0
        n_negative = 0
        for j in range(k + 1):
            value = out.value[lo + T.apex[j], o]
            off = max(off, out.bound[lo + T.apex[j], o])
            most = max(most, abs(value))
            total += value
            squares += value * value
            if value > 0:
                R.positive[n_positive] = value
                n_positive += 1
            else:
                R.negative[n_negative] = -value
                n_negative += 1
        mean = (
            _part(R.positive, n_positive, R.negative, n_negative, R.table)
            + _part(R.negative, n_negative, R.positive, n_positive, R.table)
        ) / (k + 1)  # fmt: skip
        square = (squares + total * total) / ((k + 1) * (k + 2))
        out.absolute[o, i] += size * mean
        out.square[o, i] += size * square
        out.absolute_error[o, i] += (
            error * (mean + off) + size * (off + 64 * U * mean) + 64 * U * out.absolute[o, i]
        )  # fmt: skip
        out.square_error[o, i] += (
            error * (most + off) * (most + off)
            + size * (2.0 * most * off + off * off + 64 * U * most * most)
            + 64 * U * out.square[o, i]
        )


@inner
def _part(up, n_up, down, n_down, table):
    """Return the divided difference of max(x, 0)^n over n numbers: `up` as they are, `down` negated."""
    # table[i]: over the first i of `up` and the first j of `down`
    table[0] = 0.0
    for i in range(n_up):
        table[i + 1] = table[i] + up[i]
    for j in range(n_down):
        for i in range(1, n_up + 1):
            p, n = up[i - 1], down[j]
            table[i] = (p * table[i] + n * table[i - 1]) / (p + n)
    return table[n_up]


@inner
def _volume(x, radius, lo, k, T):
    """Return k! times the volume of a simplex, and how far that may be off.

    By Hadamard's inequality: rows e_i that are off by d_i make a determinant that is off by the product of all
    |e_i| + |d_i| less that of all |e_i|. The rounding of the elimination is a change of the rows, too [Higham2002].
    """
    first = lo + T.apex[0]
    longest = 0.0
    for i in range(k):
        for c in range(k):
            T.matrix[i, c] = x[lo + T.apex[i + 1], c] - x[first, c]
            longest = max(longest, abs(T.matrix[i, c]))
    eliminated = k * k * k * 2.0**k * U * longest
    product, error = 1.0, 0.0
    for i in range(k):
        length = 0.0
        for c in range(k):
            length += abs(T.matrix[i, c])
        off = k * (radius[lo + T.apex[i + 1]] + radius[first]) + 2 * U * length
        if k > 2:
            off += eliminated
        error = error * (length + off) + product * off
        product *= length
    if k == 2:
        size = abs(T.matrix[0, 0] * T.matrix[1, 1] - T.matrix[0, 1] * T.matrix[1, 0])
        return size, error + 4 * U * product
    size = determinant(T.matrix, k)
    return size, error + 2 * k * U * size
