"""Which cell lies behind a facet, when more than one unit changes its piece there? Decided exactly.

Behind a facet, in topological order, only rows that vanish on the facet can change their piece. A row on the
far side that vanishes there is a multiple of the facet's line, so one coefficient gives its sign.
"""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic import limbs
from reluatlas.compiled.jit import inner, kernel
from reluatlas.subdivision.path.composition import complete_block, prepare_block
from reluatlas.subdivision.path.exact_rows import line_reference, load_line, slot_of, split_reference
from reluatlas.subdivision.polytopes.signs import bound_factors, load_row
from reluatlas.subdivision.program.layout import BREAK, M_K, M_LEVELS, M_ROW_LIMBS

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
def _break_piece(P, S, level, unit, old, line, inside, row, corners):
    """Return the piece of a unit behind the facet."""
    t = P.cut[level]
    for knot in range(P.n_knots[t]):
        if P.knot[P.k_at[t] + unit * P.n_knots[t] + knot] == np.inf:
            break
        side = side_behind(P, S, level, unit, knot, np.int64(0), line, inside, row, corners)
        if side != 0:
            return knot + 1 if side == 1 else knot
    return old


@inner
def _winner(P, S, level, unit, old, line, inside, row, corners):
    """Return the winner of a window behind the facet: the largest there of those that tie on it."""
    pointer = P.m_at[P.cut[level]] + unit
    count = P.m_ptr[pointer + 1] - P.m_ptr[pointer]
    best = old
    for candidate in range(count):
        if candidate == best:
            continue
        side = side_behind(P, S, level, unit, candidate, best, line, inside, row, corners)
        if side == 1 or (side == IDENTICAL and candidate < best):
            best = candidate
    return best


@inner
def _write_level(P, S, level, pieces):
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


@kernel
def pattern_behind(P, S, pieces, line, row, corners):
    """Overwrite a cell's pieces by those of the cell behind its facet on `line`.

    Returns the sign of the line's row in the cell.
    """
    first_level, unit, first, _ = split_reference(line)
    at = P.pat_off[first_level] + unit
    inside = -1 if P.kind[P.cut[first_level]] == BREAK and pieces[at] <= first else 1
    for level in range(P.meta[M_LEVELS]):
        if level >= first_level:
            t = P.cut[level]
            start = P.pat_off[level]
            for j in range(P.size[t]):
                if P.kind[t] == BREAK:
                    pieces[start + j] = _break_piece(
                        P, S, level, j, np.int64(pieces[start + j]), line, inside, row, corners
                    )
                else:
                    pieces[start + j] = _winner(P, S, level, j, np.int64(pieces[start + j]), line, inside, row, corners)
        _write_level(P, S, level, pieces)
    return inside


@inner
def facet_named(P, S, lines, begin, end, line, inside, row, corners):
    """Return which of the facets `begin:end` of the cell behind a facet on `line` is that facet; -1 when none is.

    Call after `pattern_behind`. What separates two cells first is one cut of one unit, so the facet has the same level
    and unit from both sides, and a knot names one row. A window's facet is named by the winner and one of those that
    tie with it there, which may be others from the two sides: the row decides.
    """
    level, unit, _, _ = split_reference(line)
    is_break = P.kind[P.cut[level]] == BREAK
    for j in range(begin, end):
        if lines[j] < 0:
            continue
        at_level, at_unit, first, second = split_reference(lines[j])
        if at_level != level or at_unit != unit:
            continue
        if is_break:
            if lines[j] == line:
                return j
            continue
        side = side_behind(P, S, level, unit, first, second, line, inside, row, corners)
        if side == 1 or side == -1:
            return j
    return -1
