"""Does a row vanish on a facet, and which sign has it behind? Decided exactly.

A row that vanishes on a facet is a multiple of the facet's line, so one coefficient gives its sign on either side.
"""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic import limbs
from reluatlas.compiled.jit import inner
from reluatlas.subdivision.path.composition import complete_block, prepare_block
from reluatlas.subdivision.path.exact_rows import line_reference, load_line, slot_of
from reluatlas.subdivision.polytopes.signs import bound_factors, load_row
from reluatlas.subdivision.program.layout import M_K, M_LEVELS, M_ROW_LIMBS

IDENTICAL = 2
"""Sign of a row that is zero on the whole cell behind the facet."""


@inner
def _minor(P, S, i, j):
    """Return the sign of the minor of columns i and j of the facet's line (slot 0) and a row (slot k + 2)."""
    width = 2 * P.meta[M_ROW_LIMBS] + 4
    other = P.meta[M_K] + 2
    limbs.clear(S.acc, width)
    limbs.add_product(
        S.acc, width, S.buf, slot_of(P, i), S.buf_len[i], S.buf, slot_of(P, other + j), S.buf_len[other + j], False
    )
    limbs.add_product(
        S.acc, width, S.buf, slot_of(P, j), S.buf_len[j], S.buf, slot_of(P, other + i), S.buf_len[other + i], True
    )
    return limbs.sign(S.acc, width)


@inner
def _is_certainly_off(P, S, level, unit, first, second, row, corners):
    """Return whether a row is certainly not zero at one of a facet's vertices."""
    k = P.meta[M_K]
    err_g, err_c = load_row(P, S, level, unit, first, second, row)
    a, b, c = bound_factors(row, err_g, err_c)
    for v in range(corners.shape[0]):
        value = row[k] * corners[v, k]
        size = 0.0
        for i in range(k):
            value += row[i] * corners[v, i]
            size += abs(corners[v, i])
        if abs(value) > a * corners[v, k] + b * size + c * corners[v, k + 1]:
            return True
    return False


@inner
def side_behind(P, S, level, unit, first, second, line, inside, row, corners):
    """Return the sign of a row just behind the facet if it vanishes there, else 0; `IDENTICAL` for a zero row.

    `inside` is the sign of the facet's line in the cell; `corners` holds the homogeneous coordinates of the facet's
    vertices and their radii; `row` is space for a row.
    """
    if _is_certainly_off(P, S, level, unit, first, second, row, corners):
        return 0
    k = P.meta[M_K]
    other = np.int64(k + 2)
    load_line(P, S, line, np.int64(0))
    load_line(P, S, line_reference(level, unit, first, second), other)
    flat = True
    for c in range(k):
        flat &= S.buf_len[other + c] == 0
    if flat:
        return 0 if S.buf_len[other + k] != 0 else IDENTICAL
    along = 0
    while S.buf_len[along] == 0:
        along += 1
    for c in range(k + 1):
        if c != along and _minor(P, S, np.int64(along), np.int64(c)) != 0:
            return 0
    return -inside if (S.buf_len[other + along] > 0) == (S.buf_len[along] > 0) else inside


@inner
def write_level(P, S, level, pieces):
    """Set the pieces of one level and compose the block behind it."""
    t = P.cut[level]
    at = P.pat_off[level]
    for j in range(P.size[t]):
        S.piece[at + j] = pieces[at + j]
        S.settled[at + j] = 1
    S.n_cut[level] = 0
    if level < P.meta[M_LEVELS] - 1:
        prepare_block(P, S, level)
        complete_block(P, S, level)
