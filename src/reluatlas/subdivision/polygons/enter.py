"""Which units of a level cut a polygon that meets it? `enter`: they are listed, the pieces of the others settled."""

from __future__ import annotations

import numpy as np

from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polygon import extremes
from reluatlas.subdivision.path.composition import S_DOUBTFUL_VISITS, S_DOUBTS, S_VISITS
from reluatlas.subdivision.path.pieces import (
    ABOVE,
    ACROSS,
    BELOW,
    DOUBTFUL,
    classify,
    classify_relu,
    list_window,
    settle,
)
from reluatlas.subdivision.polygons.signs import polygon_signs
from reluatlas.subdivision.program.layout import BREAK


@inner
def row_sides(P, S, pool, W, level, unit, first, second, lo, n):
    """Return (any vertex certainly above, any below) for one row and the polygon at `lo`."""
    return polygon_signs(
        P, S, pool, level, unit, first, second, W.arena_v[lo : lo + n], n, W.value, W.bound, W.sign
    )  # fmt: skip


@inner
def _enter_breaks(P, S, pool, W, level, lo, n):
    """Find which units of a breakpoint node cut the polygon; settle the pieces of the others."""
    t = P.cut[level]
    s, size, n_knots = P.off[P.src[t]], P.size[t], P.n_knots[t]
    side = W.side
    extremes(
        S.rows[0][s : s + size], S.rows[1][s : s + size], S.rows[2][s : s + size],
        P.err_g[s : s + size], P.err_c[s : s + size],
        pool.x, pool.y, pool.r, W.arena_v[lo : lo + n], n, W.low, W.high, W.error,
    )  # fmt: skip
    if P.relu[t]:
        doubt = classify_relu(W.low, W.high, W.error, size, side)
    else:
        doubt = classify(W.low, W.high, W.error, P.knot[P.k_at[t] :], n_knots, size, side)
    if doubt:
        for j in range(size):
            for q in range(n_knots):
                if side[j * n_knots + q] == DOUBTFUL:
                    above, below = row_sides(P, S, pool, W, level, j, q, np.int64(0), lo, n)
                    side[j * n_knots + q] = ACROSS if above and below else (ABOVE if above else BELOW)
    settle(P, S, level, side)


@inner
def winner_of(P, S, pool, W, level, unit, count, lo, n):
    """Return the candidate that wins a window on the whole polygon, or -1."""
    begin = P.m_ptr[P.m_at[P.cut[level]] + unit]
    base = P.off[P.src[P.cut[level]]]
    # the likely winner, by the value at the first vertex; the exact tests follow
    best, top = 0, -np.inf
    v = W.arena_v[lo]
    for c in range(count):
        i = base + P.m_cand[begin + c]
        value = S.rows[0, i] * pool.x[v] + S.rows[1, i] * pool.y[v] + S.rows[2, i]
        if value > top:
            best, top = c, value
    for attempt in range(count + 1):
        c = best if attempt == 0 else attempt - 1
        if attempt > 0 and c == best:
            continue
        wins = True
        lowest = c
        for d in range(count):
            if d == c:
                continue
            above, below = row_sides(P, S, pool, W, level, unit, c, d, lo, n)
            if below:
                wins = False
                break
            if not above and d < lowest:
                lowest = d
        if wins:
            return lowest
    return -1


@inner
def _enter_windows(P, S, pool, W, level, lo, n, open_at, open_end):
    """Find which windows of a max node change their winner on the polygon; settle the others.

    Those between `open_at` and `open_end` on the list are open; the others are settled. Without a list, all are open.
    """
    t = P.cut[level]
    at, first_cut = P.pat_off[level], S.cut_at[level]
    n_cut = 0
    for q in range(open_at, open_end) if open_at >= 0 else range(P.size[t]):
        j = W.list[q] if open_at >= 0 else q
        pointer = P.m_at[t] + j
        winner = winner_of(P, S, pool, W, level, j, P.m_ptr[pointer + 1] - P.m_ptr[pointer], lo, n)
        S.settled[at + j] = winner >= 0
        S.piece[at + j] = max(winner, 0)
        if winner < 0:
            list_window(S, first_cut + n_cut, j)
            n_cut += 1
    S.n_cut[level] = n_cut


@inner
def enter(P, S, pool, W, level, lo, hi, open_at, open_end):
    """Start a level on the polygon at `lo:hi`; for the list of open windows see `_enter_windows`."""
    doubts = S.stats[S_DOUBTS]
    if P.kind[P.cut[level]] == BREAK:
        _enter_breaks(P, S, pool, W, level, lo, hi - lo)
    else:
        _enter_windows(P, S, pool, W, level, lo, hi - lo, open_at, open_end)
    S.stats[S_VISITS] += 1
    if S.stats[S_DOUBTS] != doubts:
        S.stats[S_DOUBTFUL_VISITS] += 1
