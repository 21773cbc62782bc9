"""How do affine states move along the graph? Compiled kernels for one worker's state.

`State.rows` holds, for every tensor of the current path of the tree, its rows as affine functions of
the coordinates. A block after a cut is composed in two steps: `prepare_block` once for a cell, with
the units whose piece is settled on all of it; `complete_block` for each child, adding only the units
that cut the cell. Units are added one after another and nothing is ever subtracted, so exact zeros
stay exact zeros and the result does not depend on who computes it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel
from reluatlas.compiled.structs import Pack, pack
from reluatlas.subdivision.path.products import add_dense, add_dense_rows, add_gather, add_straight
from reluatlas.subdivision.program.blocks import LANES, add_blocks
from reluatlas.subdivision.program.layout import (
    BREAK,
    CUT,
    DENSE,
    FIXED,
    INNER,
    M_EXACT_WORDS,
    M_K,
    M_LEVELS,
    M_ROW_LIMBS,
    M_ROWS,
    M_TENSORS,
    M_UNITS,
    MAX,
    Program,
)


class State(NamedTuple):
    """One worker's state along the current path of the tree.

    T tensors with R rows in all, the largest of Z; L levels, U units, Q rows that may cut; k coordinates of the domain.
    What is computed on demand (`tight_*`, `x_*`) holds for one serial of its level: for one child.

    | arrays | shape | what they hold | written by |
    |---|---|---|---|
    | `rows` | (k + 1, R) | rows of all tensors on the current path, constant last | `complete_block` |
    | `base` | (k + 1, R) | the same without the units that cut | `prepare_block` |
    | `piece` | (max(U, 1),) | piece or winner of each unit | `settle`, `close`, `choose`, `enter` |
    | `settled` | (max(U, 1),) | 1 where it holds on the whole parent cell | `settle`, `enter`, `narrow` |
    | `cut_unit`, `cut_knot` | (Q + 1,) | cutters of the parent cell: unit; knot, or WINDOW | `settle`, `list_window` |
    | `cut_base` | (Q + 1,) | number of the unit's knots that are below the whole cell | `settle` |
    | `cut_choice` | (Q + 1,) | side of the current child, or winner | `choose`, `narrow`, `tree` |
    | `cut_at` | (L + 1,) | where a level's cutters begin | `new_state` |
    | `n_cut` | (L + 1,) | number of a level's cutters | `settle`, `enter` |
    | `serial` | (L + 1,) | number of the current child at level l, at entry l + 1 | `complete_block`, `touch` |
    | `active` | (Z + 8,) | units whose row is not zero, listed | `prepare_block`, `complete_block` |
    | `mark` | (Z,) | the same as 0 and 1, for blocks | `_add_edge` |
    | `place`, `listed` | (w,) | entries of one block that are on | `add_blocks` |
    | `values` | (k + 1, w) | rows of these | `add_blocks` |
    | `part` | (k + 1, v) | sums of one block's rows | `add_blocks` |
    | `tight_g`, `tight_c` | (R,) | as `err_g`, `err_c` of the program, for the current path | `path_bounds` |
    | `tight_tensor` | (T,) | serial for which these hold | `tighten` |
    | `x_words` | (X + 1,) | exact rows, in limbs of 64 bits; at `x_at` of the program | `exact_rows` |
    | `x_len` | (R, k + 1) | limbs in use, negative for a negative number | `exact_rows` |
    | `x_row` | (R,) | serial for which an exact row holds | `exact_rows` |
    | `x_tensor` | (T,) | serial for which all exact rows of a tensor hold | `exact_rows` |
    | `chain` | (16, 2) | cuts that follow each other directly: tensor, row | `exact_row` |
    | `acc` | (4 * limbs + 8,) | sum of products, in limbs | `limbs` |
    | `buf` | (2 * (k + 2) * (2 * limbs + 4),) | numbers of one or two lines, in slots | `load_line` |
    | `buf_len` | (2 * (k + 2),) | limbs in use of each slot, with its sign | `load_line` |
    | `link` | (2,) | local: addresses of the whole network's program and state | `new_state` |
    | `synced` | (L + 1,) | local: serial for which the whole network's state follows | `exact_rows` |
    | `stats` | (8,) | counts that are named `S_...` below | all |
    """

    rows: NDArray[np.float64]
    base: NDArray[np.float64]
    piece: NDArray[np.int32]
    settled: NDArray[np.uint8]
    cut_unit: NDArray[np.int64]
    cut_knot: NDArray[np.int64]
    cut_base: NDArray[np.int64]
    cut_choice: NDArray[np.int64]
    cut_at: NDArray[np.int64]
    n_cut: NDArray[np.int64]
    serial: NDArray[np.int64]
    active: NDArray[np.int32]
    mark: NDArray[np.uint8]
    place: NDArray[np.int64]
    listed: NDArray[np.int64]
    values: NDArray[np.float64]
    part: NDArray[np.float64]
    tight_g: NDArray[np.float64]
    tight_c: NDArray[np.float64]
    tight_tensor: NDArray[np.int64]
    x_words: NDArray[np.uint64]
    x_len: NDArray[np.int32]
    x_row: NDArray[np.int64]
    x_tensor: NDArray[np.int64]
    chain: NDArray[np.int64]
    acc: NDArray[np.uint64]
    buf: NDArray[np.uint64]
    buf_len: NDArray[np.int64]
    link: NDArray[np.int64]
    synced: NDArray[np.int64]
    stats: NDArray[np.int64]


MANY = 8
"""Blocks are taken when more than one unit in so many is added."""

# entries of State.stats
S_COUNTER, S_SIGNS, S_ROWS, S_VERTICES, S_DOUBTS, S_VISITS, S_DOUBTFUL_VISITS = range(7)


def state_bytes(program: Program) -> int:
    """Return the memory that a worker's state takes, but for a little: one path of the tree, however many cells.

    Two sets of float64 rows, the integers of all rows, and what the levels list.
    """
    meta = program.meta
    columns, n, units = int(meta[M_K]) + 1, int(meta[M_ROWS]), int(meta[M_UNITS])
    cutters = sum(int(program.size[c]) * max(1, int(program.n_knots[c])) for c in program.cut)
    return 8 * (2 * columns * n + int(meta[M_EXACT_WORDS]) + 4 * cutters) + n * (4 * columns + 24) + 5 * units


def new_state(program: Program, packed_program: Pack | None = None, *, whole: tuple[Pack, Pack] | None = None) -> State:
    """Return a fresh state for a worker, with the block before the first cut composed.

    `packed_program` is the program as kernels take it, if that is there. Of a local network, `whole` are the program
    and a state of the whole one, with which it shares the room for integers; the caller keeps them.
    """
    meta = program.meta
    k, n, units, levels = int(meta[M_K]), int(meta[M_ROWS]), int(meta[M_UNITS]), int(meta[M_LEVELS])
    knots = np.maximum(program.n_knots, 1)
    room = np.array([int(program.size[c] * knots[c]) for c in program.cut], dtype=np.int64)
    limbs = int(meta[M_ROW_LIMBS])
    widest = int(np.diff(program.q_col_ptr).max(initial=0)) + 1
    state = State(
        rows=program.rows0.copy(),
        base=np.zeros((k + 1, n)),
        piece=np.zeros(max(units, 1), dtype=np.int32),
        settled=np.zeros(max(units, 1), dtype=np.uint8),
        cut_unit=np.zeros(int(room.sum()) + 1, dtype=np.int64),
        cut_knot=np.zeros(int(room.sum()) + 1, dtype=np.int64),
        cut_base=np.zeros(int(room.sum()) + 1, dtype=np.int64),
        cut_choice=np.zeros(int(room.sum()) + 1, dtype=np.int64),
        cut_at=np.concatenate([[0], np.cumsum(room)]).astype(np.int64),
        n_cut=np.zeros(levels + 1, dtype=np.int64),
        serial=np.zeros(levels + 1, dtype=np.int64),
        active=np.zeros(int(program.size.max()) + 8, dtype=np.int32),
        mark=np.zeros(int(program.size.max()), dtype=np.uint8),
        place=np.zeros(widest, dtype=np.int64),
        listed=np.zeros(widest, dtype=np.int64),
        values=np.zeros((k + 1, widest)),
        part=np.zeros((k + 1, int(np.diff(program.q_row_ptr).max(initial=0)) + LANES)),
        tight_g=np.zeros(n),
        tight_c=np.zeros(n),
        tight_tensor=np.full(int(meta[M_TENSORS]), -1, dtype=np.int64),
        x_words=np.zeros(int(meta[M_EXACT_WORDS]) + 1, dtype=np.uint64),
        x_len=np.zeros((n, k + 1), dtype=np.int32),
        x_row=np.full(n, -1, dtype=np.int64),
        x_tensor=np.full(int(meta[M_TENSORS]), -1, dtype=np.int64),
        chain=np.zeros((16, 2), dtype=np.int64),
        acc=np.zeros(4 * limbs + 8, dtype=np.uint64),
        buf=np.zeros(2 * (k + 2) * (2 * limbs + 4), dtype=np.uint64),
        buf_len=np.zeros(2 * (k + 2), dtype=np.int64),
        link=np.zeros(2, dtype=np.int64),
        synced=np.full(levels + 1, -1, dtype=np.int64),
        stats=np.zeros(8, dtype=np.int64),
    )
    if whole is not None:
        other: State = whole[1].arrays
        state = state._replace(acc=other.acc, buf=other.buf, buf_len=other.buf_len)
        state.link[:] = [p.address for p in whole]
    packed = packed_program or pack(program), pack(state)
    prepare_block(*packed, -1)
    complete_block(*packed, -1)
    return state


@inner
def _add_edge(P, S, e, t, units, n_units, start, out, copy, whole):
    """Write tensor t's rows in `out`: those in `start` plus what some units of edge e's source contribute.

    `copy` says whether `start` and `out` are not the same, `whole` whether all rows but those of the units are zero.
    """
    s = P.e_src[e]
    at = P.e_at[e, 0]
    lo, hi, first, end = P.off[t], P.off[t + 1], P.off[s], P.off[s + 1]
    rows = S.rows
    if P.e_kind[e] == DENSE:
        weight = P.weight[at : at + (end - first) * (hi - lo)].reshape((end - first, hi - lo))
        if rows.shape[0] != 3:
            add_dense_rows(weight, units, n_units, rows, first, start, lo, out)
            return
        # rows one by one: a slice of a matrix's columns is not contiguous, and would not be vectorized
        add_dense(
            weight, units, n_units, rows[0][first:end], rows[1][first:end], rows[2][first:end],
            start[0][lo:hi], start[1][lo:hi], start[2][lo:hi], out[0][lo:hi], out[1][lo:hi], out[2][lo:hi],
        )  # fmt: skip
        return
    if whole and P.e_straight[e] >= 0 and MANY * n_units > end - first:
        for c in range(out.shape[0]):
            add_straight(
                P.weight[at : at + hi - lo], rows[c][first + P.e_straight[e] :], start[c][lo:hi], out[c][lo:hi]
            )  # fmt: skip
    elif P.q_edge[e + 1] > P.q_edge[e] and MANY * n_units > end - first:
        for q in range(n_units):
            S.mark[units[q]] = 1
        add_blocks(P, S, e, lo, first, start, out)
        for q in range(n_units):
            S.mark[units[q]] = 0
    else:
        if copy:
            for c in range(out.shape[0]):
                copy_run(start[c], lo, out[c], lo, hi - lo)
        add_gather(P.weight, P.g_row, P.g_ptr[P.e_at[e, 1] :], units, n_units, first, lo, rows, out)


@inner
def _not_zero(rows, at, size, active):
    """List the units whose row is not zero; return how many."""
    n = 0
    for j in range(size):
        for c in range(rows.shape[0]):
            if rows[c, at + j] != 0.0:
                active[n] = j
                n += 1
                break
    return n


@inner
def _write_relu(rows, to, source, size, piece, settled, active):
    """Write the rows of a ReLU's settled units, zero the others; list the units that are on."""
    n = 0
    for j in range(size):
        if settled[j] and piece[j] == 1:
            active[n] = j
            n += 1
            for c in range(rows.shape[0]):
                rows[c, to + j] = rows[c, source + j]
        else:
            for c in range(rows.shape[0]):
                rows[c, to + j] = 0.0
    return n


@inner
def _write_windows(rows, to, source, size, pointers, candidates, piece, settled, active):
    """Write the rows of a max node's settled windows, zero the others; list the settled ones."""
    k = rows.shape[0] - 1
    n = 0
    for j in range(size):
        if settled[j]:
            active[n] = j
            n += 1
            i = source + candidates[pointers[j] + piece[j]]
            for c in range(k):
                rows[c, to + j] = rows[c, i]
            rows[k, to + j] = rows[k, i] + 0.0
        else:
            for c in range(k + 1):
                rows[c, to + j] = 0.0
    return n


@inner
def write_unit(P, S, level, j):
    """Write the row of unit j of a cut from its current piece; return whether it is not zero."""
    rows = S.rows
    k = rows.shape[0] - 1
    t = P.cut[level]
    s = P.src[t]
    at = P.off[t] + j
    piece = S.piece[P.pat_off[level] + j]
    if P.kind[t] == BREAK:
        f = P.s_at[t] + j * (P.n_knots[t] + 1) + piece
        slope, shift = P.slope[f], P.shift[f]
        z = P.off[s] + j
    else:
        slope, shift = 1.0, 0.0
        z = P.off[s] + P.m_cand[P.m_ptr[P.m_at[t] + j] + piece]
    if slope == 0.0:
        for c in range(k + 1):
            rows[c, at] = 0.0
    else:
        for c in range(k + 1):
            rows[c, at] = slope * rows[c, z]
    rows[k, at] += shift
    return slope != 0.0 or shift != 0.0


@inner
def _write_cut_relu(rows, to, source, cut_unit, first, n_cut, piece, active):
    """Write the rows of a ReLU's units that cut; list those that are on."""
    n = 0
    for q in range(first, first + n_cut):
        j = cut_unit[q]
        if piece[j] == 1:
            active[n] = j
            n += 1
            for c in range(rows.shape[0]):
                rows[c, to + j] = rows[c, source + j]
        else:
            for c in range(rows.shape[0]):
                rows[c, to + j] = 0.0
    return n


@inner
def _write_settled(P, S, level):
    """Write the rows of all settled units of a cut; list those that are not zero."""
    t = P.cut[level]
    at, size = P.pat_off[level], P.size[t]
    if P.relu[t]:
        return _write_relu(
            S.rows, P.off[t], P.off[P.src[t]], size, S.piece[at : at + size], S.settled[at : at + size], S.active
        )  # fmt: skip
    if P.kind[t] == MAX:
        return _write_windows(
            S.rows, P.off[t], P.off[P.src[t]], size, P.m_ptr[P.m_at[t] :], P.m_cand, S.piece[at : at + size],
            S.settled[at : at + size], S.active,
        )  # fmt: skip
    n = 0
    for j in range(size):
        if S.settled[at + j]:
            if write_unit(P, S, level, j):
                S.active[n] = j
                n += 1
        else:
            S.rows[:, P.off[t] + j] = 0.0
    return n


@inner
def copy_run(source, at, target, to, n):
    """Copy n entries of a vector to another (a sliced assignment would allocate)."""
    for i in range(n):
        target[to + i] = source[at + i]


@inner
def _start(base, bias, lo, hi):
    """Set rows to zero gradient and the bias as constant."""
    last = base.shape[0] - 1
    for c in range(last):
        base[c][lo:hi] = 0.0
    copy_run(bias, lo, base[last], lo, hi - lo)


@kernel
def prepare_block(P, S, level):
    """Compose block `level` from everything but the units that cut the current cell."""
    n_on = _write_settled(P, S, level) if level >= 0 else 0
    first, end = P.block_ptr[level + 1], P.block_ptr[level + 2]
    for b in range(first, end):
        t = P.block[b]
        _start(S.base, P.bias, P.off[t], P.off[t + 1])
        for e in range(P.e_ptr[t], P.e_ptr[t + 1]):
            if P.e_stage[e] == CUT:
                _add_edge(P, S, e, t, S.active, n_on, S.base, S.base, False, True)
    for b in range(first, end):
        t = P.block[b]
        for e in range(P.e_ptr[t], P.e_ptr[t + 1]):
            if P.e_stage[e] == FIXED:
                s = P.e_src[e]
                n = _not_zero(S.rows, P.off[s], P.size[s], S.active)
                _add_edge(P, S, e, t, S.active, n, S.base, S.base, False, True)


@kernel
def complete_block(P, S, level):
    """Compose block `level` for the current child: the prepared part and the units that cut."""
    S.stats[S_COUNTER] += 1
    S.serial[level + 1] = S.stats[S_COUNTER]
    n_on = 0
    if level >= 0:
        cut = P.cut[level]
        at = S.cut_at[level]
        if P.relu[cut]:
            n_on = _write_cut_relu(
                S.rows, P.off[cut], P.off[P.src[cut]], S.cut_unit, at, S.n_cut[level],
                S.piece[P.pat_off[level] :], S.active,
            )  # fmt: skip
        else:
            last = -1
            for q in range(at, at + S.n_cut[level]):
                j = S.cut_unit[q]
                if j != last and write_unit(P, S, level, j):
                    S.active[n_on] = j
                    n_on += 1
                last = j
    first, end = P.block_ptr[level + 1], P.block_ptr[level + 2]
    for b in range(first, end):
        t = P.block[b]
        lo, hi = P.off[t], P.off[t + 1]
        begun = False
        for e in range(P.e_ptr[t], P.e_ptr[t + 1]):
            if P.e_stage[e] == CUT and n_on:
                _add_edge(P, S, e, t, S.active, n_on, S.rows if begun else S.base, S.rows, not begun, False)
                begun = True
        if not begun:
            for c in range(S.rows.shape[0]):
                copy_run(S.base[c], lo, S.rows[c], lo, hi - lo)
    for b in range(first, end):
        t = P.block[b]
        for e in range(P.e_ptr[t], P.e_ptr[t + 1]):
            if P.e_stage[e] == INNER:
                s = P.e_src[e]
                n = _not_zero(S.rows, P.off[s], P.size[s], S.active)
                _add_edge(P, S, e, t, S.active, n, S.rows, S.rows, False, True)


@kernel
def restore_path(P, S, level, pieces):
    """Compose all blocks before `level` for a path given by its pieces."""
    for lower in range(level):
        t = P.cut[lower]
        at = P.pat_off[lower]
        for j in range(P.size[t]):
            S.piece[at + j] = pieces[at + j]
            S.settled[at + j] = 1
        S.n_cut[lower] = 0
        prepare_block(P, S, lower)
        complete_block(P, S, lower)
