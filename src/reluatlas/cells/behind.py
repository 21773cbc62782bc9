"""Which cell lies behind a facet, when more than one unit changes its piece there? Decided exactly.

Behind a facet, in topological order, only rows that vanish on the facet can change their piece. A row on the
far side that vanishes there is a multiple of the facet's line, so one coefficient gives its sign.
"""

from __future__ import annotations

import numpy as np

from reluatlas.cells.exact import line_reference, load_line, slot_of, split_reference
from reluatlas.cells.program import BREAK, M_LEVELS, M_ROW_LIMBS
from reluatlas.cells.signs import row_of, value_at
from reluatlas.cells.state import complete_block, prepare_block
from reluatlas.geometry import integers
from reluatlas.kernels import inner, kernel

_LINE, _ROW = 0, 3
IDENTICAL = 2
"""Sign of a row that is zero on the whole cell behind the facet."""


@inner
def _minor(P, S, i, j):
    """Return the sign of the minor (i, j) of the rows in the buffer."""
    width = 2 * P.meta[M_ROW_LIMBS] + 4
    integers.clear(S.acc, width)
    integers.add_product(
        S.acc, width, S.buf, slot_of(P, _LINE + i), S.buf_len[_LINE + i], S.buf, slot_of(P, _ROW + j),
        S.buf_len[_ROW + j], False,
    )  # fmt: skip
    integers.add_product(
        S.acc, width, S.buf, slot_of(P, _LINE + j), S.buf_len[_LINE + j], S.buf, slot_of(P, _ROW + i),
        S.buf_len[_ROW + i], True,
    )  # fmt: skip
    return integers.sign(S.acc, width)


@inner
def _side(P, S, level, unit, first, second, line, inside, ends):
    """Return the sign of a row just behind the facet if it vanishes there, else 0; `IDENTICAL` for a zero row.

    `inside` is the sign of the facet's line in the cell; `ends` holds (x, y, radius) of the facet's ends.
    """
    a, b, c, err_g, err_c = row_of(P, S, level, unit, first, second)
    for e in range(2):
        value, bound = value_at(a, b, c, err_g, err_c, ends[e, 0], ends[e, 1], ends[e, 2])
        if abs(value) > bound:
            return 0
    load_line(P, S, line, np.int64(_LINE))
    load_line(P, S, line_reference(level, unit, first, second), np.int64(_ROW))
    if S.buf_len[_ROW] == 0 and S.buf_len[_ROW + 1] == 0:
        return 0 if S.buf_len[_ROW + 2] != 0 else IDENTICAL
    for i in range(2):
        for j in range(i + 1, 3):
            if _minor(P, S, i, j) != 0:
                return 0
    along = 0 if S.buf_len[_LINE] != 0 else 1
    row, facet = S.buf_len[_ROW + along], S.buf_len[_LINE + along]
    return -inside if (row > 0) == (facet > 0) else inside


@inner
def _break_piece(P, S, level, unit, old, line, inside, ends):
    """Return the piece of a unit behind the facet."""
    t = P.cut[level]
    for knot in range(P.n_knots[t]):
        if P.knot[P.k_at[t] + unit * P.n_knots[t] + knot] == np.inf:
            break
        side = _side(P, S, level, unit, knot, np.int64(0), line, inside, ends)
        if side != 0:
            return knot + 1 if side == 1 else knot
    return old


@inner
def _winner(P, S, level, unit, old, line, inside, ends):
    """Return the winner of a window behind the facet: the largest there of those that tie on it."""
    pointer = P.m_at[P.cut[level]] + unit
    count = P.m_ptr[pointer + 1] - P.m_ptr[pointer]
    best = old
    for candidate in range(count):
        if candidate == best:
            continue
        side = _side(P, S, level, unit, candidate, best, line, inside, ends)
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
def pattern_behind(P, S, pieces, line, ends):
    """Overwrite a cell's pieces by those of the cell behind its facet on `line`."""
    first_level, unit, first, _ = split_reference(line)
    at = P.pat_off[first_level] + unit
    inside = -1 if P.kind[P.cut[first_level]] == BREAK and pieces[at] <= first else 1
    for level in range(P.meta[M_LEVELS]):
        if level >= first_level:
            t = P.cut[level]
            start = P.pat_off[level]
            for j in range(P.size[t]):
                if P.kind[t] == BREAK:
                    pieces[start + j] = _break_piece(P, S, level, j, np.int64(pieces[start + j]), line, inside, ends)
                else:
                    pieces[start + j] = _winner(P, S, level, j, np.int64(pieces[start + j]), line, inside, ends)
        _write_level(P, S, level, pieces)


@kernel
def vanishes_on(P, S, pieces, level, unit, first, second, line, ends):
    """Return whether a row of a cell is zero on the cell's facet on `line`, and not on the whole cell."""
    for lower in range(level):
        _write_level(P, S, lower, pieces)
    side = _side(P, S, level, unit, first, second, line, 1, ends)
    return side == 1 or side == -1
