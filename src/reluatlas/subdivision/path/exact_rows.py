"""What is the sign of a row at a vertex, when float64 cannot tell? Integers decide.

Rows of the current path are recomputed as integers on each tensor's power-of-two scale, on demand
and cached until the path changes; a vertex becomes the cross product of its two lines. A line is
named by a reference: a side of the domain (negative), or level, unit and knot of a breakpoint row,
or level, window and two candidates of a max node.
"""

from __future__ import annotations

import math

import numpy as np

from reluatlas.arithmetic import limbs as integers
from reluatlas.arithmetic.constants import NEAREST, ROUNDED_VERTEX
from reluatlas.compiled.jit import inner
from reluatlas.compiled.structs import pack_at
from reluatlas.subdivision.path.composition import S_COUNTER, S_ROWS, S_SIGNS, S_VERTICES
from reluatlas.subdivision.program.layout import (
    AFFINE,
    BREAK,
    DENSE,
    INPUT,
    M_INFINITE,
    M_K,
    M_LEVELS,
    M_LOCAL,
    M_ROW_LIMBS,
    MAX,
)

ONE = np.ones(1, dtype=np.uint64)


@inner
def line_reference(level, unit, first, second):
    """Return the reference of a row: knot `first` of a unit, or candidates `first` - `second` of a window."""
    return (level << 50) | (unit << 20) | (first << 10) | second


@inner
def split_reference(line):
    """Return (level, unit, first, second) of a reference."""
    return line >> 50, (line >> 20) & 0x3FFFFFFF, (line >> 10) & 1023, line & 1023


_HALF = np.int64(27)
_LOW = np.int64((1 << 27) - 1)


@inner
def _add_scaled(acc, width, x, x_at, x_len, mantissa, ratio, shift):
    """Add `x * mantissa * ratio * 2**shift` to an accumulator; `ratio` is at most 2^36."""
    if ratio == 1:
        integers.add_shifted(acc, width, x, x_at, x_len, mantissa, shift)
    else:
        integers.add_shifted(acc, width, x, x_at, x_len, (mantissa & _LOW) * ratio, shift)
        integers.add_shifted(acc, width, x, x_at, x_len, (mantissa >> _HALF) * ratio, shift + _HALF)


@inner
def _affine_row(P, S, t, i):
    """Compute row i of affine tensor t exactly; its inputs' rows are there."""
    k = P.meta[M_K]
    width = P.x_limbs[t] + 1
    row = P.off[t] + i
    for c in range(k + 1):
        integers.clear(S.acc, width)
        if c == k and P.b_man[row] != 0:
            _add_scaled(S.acc, width, ONE, 0, 1, P.b_man[row], P.x_den[t], P.x_scale[t] + P.b_exp[row])
        for e in range(P.e_ptr[t], P.e_ptr[t + 1]):
            s = P.e_src[e]
            at, limbs, first = P.x_at[s], P.x_limbs[s], P.off[s]
            gap = P.x_scale[t] - P.x_scale[s]
            ratio = P.e_ratio[e]
            if P.e_kind[e] == DENSE:
                w = P.e_at[e, 0] + i
                n = P.size[t]
                for j in range(P.size[s]):
                    length = S.x_len[first + j, c]
                    if length != 0 and P.w_man[w + j * n] != 0:
                        _add_scaled(
                            S.acc, width, S.x_words, at + (j * (k + 1) + c) * limbs, length,
                            P.w_man[w + j * n], ratio, gap + P.w_exp[w + j * n],
                        )  # fmt: skip
            else:
                for g in range(P.r_ptr[P.e_at[e, 2] + i], P.r_ptr[P.e_at[e, 2] + i + 1]):
                    j, w = P.g_src[g], P.g_pos[g]
                    length = S.x_len[first + j, c]
                    if length != 0 and P.w_man[w] != 0:
                        _add_scaled(
                            S.acc, width, S.x_words, at + (j * (k + 1) + c) * limbs, length,
                            P.w_man[w], ratio, gap + P.w_exp[w],
                        )  # fmt: skip
        S.x_len[row, c] = integers.store(S.acc, width, S.x_words, P.x_at[t] + (i * (k + 1) + c) * P.x_limbs[t])
    S.x_row[row] = S.serial[P.level[t] + 1]
    S.stats[S_ROWS] += 1


@inner
def _take_float(P, S, t, i):
    """Store row i of a tensor whose float64 rows are exact."""
    k = P.meta[M_K]
    width = P.x_limbs[t] + 1
    row = P.off[t] + i
    for c in range(k + 1):
        integers.clear(S.acc, width)
        value = S.rows[c, row]
        if value != 0.0:
            fraction, exponent = math.frexp(value)
            mantissa = np.int64(fraction * 9007199254740992.0)
            shift = P.x_scale[t] + exponent - 53
            if shift < 0:
                mantissa >>= -shift
                shift = 0
            integers.add_shifted(S.acc, width, ONE, 0, 1, mantissa, np.int64(shift))
        S.x_len[row, c] = integers.store(S.acc, width, S.x_words, P.x_at[t] + (i * (k + 1) + c) * P.x_limbs[t])
    S.x_row[row] = S.serial[P.level[t] + 1]


@inner
def _cut_row(P, S, t, j):
    """Compute row j of a breakpoint or max tensor exactly, from its piece on the current path."""
    k = P.meta[M_K]
    s = P.src[t]
    row = P.off[t] + j
    piece = S.piece[P.pat_off[P.level[t]] + j]
    width = P.x_limbs[t] + 1
    here = P.x_at[t] + j * (k + 1) * P.x_limbs[t]
    slope, slope_exp, shift = np.int64(1), np.int64(0), np.int64(-1)
    if P.kind[t] == BREAK:
        f = P.s_at[t] + j * (P.n_knots[t] + 1) + piece
        slope, slope_exp, shift = P.s_man[f], np.int64(P.s_exp[f]), f
        source = j
    else:
        source = P.m_cand[P.m_ptr[P.m_at[t] + j] + piece]
    if slope != 0 and P.kind[s] == AFFINE and S.x_row[P.off[s] + source] != S.serial[P.level[s] + 1]:
        if P.x_float[s]:
            _take_float(P, S, s, source)
        else:
            _affine_row(P, S, s, source)
    there = P.x_at[s] + source * (k + 1) * P.x_limbs[s]
    for c in range(k + 1):
        integers.clear(S.acc, width)
        if slope != 0:
            integers.add_shifted(
                S.acc, width, S.x_words, there + c * P.x_limbs[s], S.x_len[P.off[s] + source, c],
                slope, P.x_scale[t] - P.x_scale[s] + slope_exp,
            )  # fmt: skip
        if c == k and shift >= 0 and P.h_man[shift] != 0:
            _add_scaled(S.acc, width, ONE, 0, 1, P.h_man[shift], P.x_den[t], P.x_scale[t] + P.h_exp[shift])
        S.x_len[row, c] = integers.store(S.acc, width, S.x_words, here + c * P.x_limbs[t])


@inner
def _input_rows(P, S, t):
    """Store the rows of the input tensor (the domain's basis and origin) exactly."""
    k = P.meta[M_K]
    width = P.x_limbs[t] + 1
    n = P.size[t]
    for j in range(n):
        for c in range(k + 1):
            integers.clear(S.acc, width)
            f = c * n + j
            if P.in_man[f] != 0:
                integers.add_shifted(S.acc, width, ONE, 0, 1, P.in_man[f], P.x_scale[t] + P.in_exp[f])
            S.x_len[j, c] = integers.store(S.acc, width, S.x_words, P.x_at[t] + (j * (k + 1) + c) * P.x_limbs[t])


@inner
def exact_row(P, S, t, i):
    """Make sure that row i of tensor t is there exactly, for the current path.

    Of cuts that follow each other directly only this row is computed, not all of them.
    """
    u, n = t, 0
    while P.kind[u] == BREAK or P.kind[u] == MAX:
        if n == S.chain.shape[0] or S.x_tensor[u] == S.serial[P.level[u] + 1]:
            break
        S.chain[n, 0], S.chain[n, 1] = u, i
        if P.kind[u] == MAX:
            i = P.m_cand[P.m_ptr[P.m_at[u] + i] + S.piece[P.pat_off[P.level[u]] + i]]
        u = P.src[u]
        n += 1
    _whole_row(P, S, u, i)
    while n > 0:
        n -= 1
        _cut_row(P, S, S.chain[n, 0], S.chain[n, 1])


@inner
def _whole_row(P, S, t, i):
    """Make sure that row i of tensor t is there exactly, and all rows that it needs."""
    if S.x_row[P.off[t] + i] == S.serial[P.level[t] + 1] and P.kind[t] == AFFINE:
        return
    if P.x_float[t]:
        _take_float(P, S, t, i)
        return
    for a in range(P.anc_ptr[t], P.anc_ptr[t + 1] + 1):
        u = P.anc[a] if a < P.anc_ptr[t + 1] else t
        serial = S.serial[P.level[u] + 1]
        if S.x_tensor[u] == serial:
            continue
        if P.x_float[u] and P.x_all[u]:
            for j in range(P.size[u]):
                _take_float(P, S, u, j)
            S.x_tensor[u] = serial
            continue
        if P.kind[u] == INPUT:
            _input_rows(P, S, u)
        elif P.kind[u] == AFFINE:
            if u == t:
                if S.x_row[P.off[t] + i] != serial:
                    _affine_row(P, S, t, i)
                continue
            if not P.x_all[u]:
                continue
            for j in range(P.size[u]):
                if S.x_row[P.off[u] + j] != serial:
                    _affine_row(P, S, u, j)
        else:
            for j in range(P.size[u]):
                _cut_row(P, S, u, j)
        S.x_tensor[u] = serial


@inner
def slot_of(P, q):
    """Return where slot q of the buffer of integers starts."""
    return q * (2 * P.meta[M_ROW_LIMBS] + 4)


@inner
def load_line(P, S, line, slot):
    """Write the k + 1 integers of a line to buffer slots `slot`, `slot + 1`, ...

    Those of a local network are those of the whole one, on the path that the local one is on.
    """
    if line < 0 or P.meta[M_LOCAL] == 0:
        _load_line(P, S, line, slot)
        return
    level, unit, first, second = split_reference(line)
    whole, state = pack_at(P, S.link[0]), pack_at(S, S.link[1])
    _follow(P, S, whole, state, level)
    name = line_reference(P.to_level[level], P.to_unit[P.pat_off[level] + unit], first, second)
    _load_line(whole, state, name, slot)


@inner
def _follow(P, S, whole, state, level):
    """Put the whole network on the path of the local one, up to a level of this; what is known of a path is kept."""
    fresh = whole.meta[M_LEVELS]
    for b in range(level):
        if S.synced[b] == S.serial[b + 1]:
            continue
        S.synced[b] = S.serial[b + 1]
        for j in range(P.pat_off[b], P.pat_off[b + 1]):
            state.piece[P.column[j]] = S.piece[j]
        fresh = min(fresh, P.to_level[b])
    for b in range(fresh, whole.meta[M_LEVELS]):
        state.stats[S_COUNTER] += 1
        state.serial[b + 1] = state.stats[S_COUNTER]


@inner
def _load_line(P, S, line, slot):
    """Do what `load_line` does in a whole network.

    On an unbounded domain the sides are at +-M, M infinite: their coefficient of M comes one slot later.
    """
    k = P.meta[M_K]
    if line < 0:
        side = -line - 1
        axis = side >> 1
        scale = max(0, -P.side_exp[side])
        last = k + P.meta[M_INFINITE]
        width = P.meta[M_ROW_LIMBS] + 1
        for c in range(last + 1):
            integers.clear(S.acc, width)
            if c == axis:
                integers.add_shifted(S.acc, width, ONE, 0, 1, np.int64(1), np.int64(scale))
            elif c == last:
                integers.add_shifted(
                    S.acc, width, ONE, 0, 1, -P.side_man[side], np.int64(scale + P.side_exp[side])
                )  # fmt: skip
            S.buf_len[slot + c] = integers.store(S.acc, width, S.buf, slot_of(P, slot + c))
        return
    if P.meta[M_INFINITE]:
        S.buf_len[slot + k + 1] = 0
    level, unit, first, second = split_reference(line)
    t = P.cut[level]
    s = P.src[t]
    limbs = P.x_limbs[s]
    width = limbs + 1
    if P.kind[t] == BREAK:
        exact_row(P, S, s, unit)
        f = P.k_at[t] + unit * P.n_knots[t] + first
        for c in range(k + 1):
            integers.clear(S.acc, width)
            at = P.x_at[s] + (unit * (k + 1) + c) * limbs
            integers.add_shifted(S.acc, width, S.x_words, at, S.x_len[P.off[s] + unit, c], np.int64(1), np.int64(0))
            if c == k and P.k_man[f] != 0:
                _add_scaled(S.acc, width, ONE, 0, 1, -P.k_man[f], P.x_den[s], P.x_scale[s] + P.k_exp[f])
            S.buf_len[slot + c] = integers.store(S.acc, width, S.buf, slot_of(P, slot + c))
        return
    begin = P.m_ptr[P.m_at[t] + unit]
    i, j = P.m_cand[begin + first], P.m_cand[begin + second]
    exact_row(P, S, s, i)
    exact_row(P, S, s, j)
    for c in range(k + 1):
        integers.clear(S.acc, width)
        at = P.x_at[s] + (i * (k + 1) + c) * limbs
        integers.add_shifted(S.acc, width, S.x_words, at, S.x_len[P.off[s] + i, c], np.int64(1), np.int64(0))
        at = P.x_at[s] + (j * (k + 1) + c) * limbs
        integers.add_shifted(S.acc, width, S.x_words, at, S.x_len[P.off[s] + j, c], np.int64(-1), np.int64(0))
        S.buf_len[slot + c] = integers.store(S.acc, width, S.buf, slot_of(P, slot + c))


@inner
def cross_lines(P, S, pool, v, line_a, line_b):
    """Store the homogeneous integer coordinates of the point on two lines as those of vertex v."""
    load_line(P, S, line_a, np.int64(0))
    load_line(P, S, line_b, np.int64(3))
    room = pool.words.shape[1] // 3
    width = room
    words = pool.words[v]
    for c in range(3):
        i, j = (c + 1) % 3, (c + 2) % 3
        integers.clear(S.acc, width)
        integers.add_product(
            S.acc, width, S.buf, slot_of(P, i), S.buf_len[i], S.buf, slot_of(P, 3 + j), S.buf_len[3 + j], False
        )
        integers.add_product(
            S.acc, width, S.buf, slot_of(P, j), S.buf_len[j], S.buf, slot_of(P, 3 + i), S.buf_len[3 + i], True
        )
        pool.length[v, c] = integers.store(S.acc, width, words, c * room)
    if pool.length[v, 2] < 0:
        for c in range(3):
            pool.length[v, c] = -pool.length[v, c]
    pool.known[v] = 1


@inner
def exact_vertex(P, S, pool, v):
    """Compute vertex v exactly and refresh its float coordinates."""
    cross_lines(P, S, pool, v, pool.line_a[v], pool.line_b[v])
    S.stats[S_VERTICES] += 1
    room = pool.words.shape[1] // 3
    words = pool.words[v]
    x, x_exp = integers.to_float(words, 0, pool.length[v, 0])
    y, y_exp = integers.to_float(words, room, pool.length[v, 1])
    w, w_exp = integers.to_float(words, 2 * room, pool.length[v, 2])
    x = math.ldexp(x / w, x_exp - w_exp)
    y = math.ldexp(y / w, y_exp - w_exp)
    radius = ROUNDED_VERTEX * max(abs(x), abs(y))
    if pool.length[v, 0] != 0 or pool.length[v, 1] != 0:
        radius += NEAREST
    if radius < pool.r[v]:
        pool.x[v], pool.y[v], pool.r[v] = x, y, radius


@inner
def is_zero_row(P, S, line):
    """Return whether a line's row is zero, everywhere: two candidates that are the same function, say."""
    load_line(P, S, line, np.int64(0))
    return S.buf_len[0] == 0 and S.buf_len[1] == 0 and S.buf_len[2] == 0


@inner
def exact_sign(P, S, pool, line, v):
    """Return the exact sign of a line's row at vertex v."""
    if not pool.known[v]:
        exact_vertex(P, S, pool, v)
    load_line(P, S, line, np.int64(0))
    room = pool.words.shape[1] // 3
    words = pool.words[v]
    width = room + P.meta[M_ROW_LIMBS] + 2
    integers.clear(S.acc, width)
    for c in range(3):
        integers.add_product(
            S.acc, width, S.buf, slot_of(P, c), S.buf_len[c], words, c * room, pool.length[v, c], False
        )
    S.stats[S_SIGNS] += 1
    return integers.sign(S.acc, width)
