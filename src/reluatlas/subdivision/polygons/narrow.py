"""Which of a level's cutters still cut a part of the polygon that met it? `narrow`, after each cut.

A polygon that meets a level is cut by some of its rows, its parts by ever fewer. The positions of those that are left
are a run on one list, used as a stack: a frame of the tree names its run, and what it pushes lies above.

A max node may look at the units of a ReLU directly. Then its windows are settled as soon as all their units are, on
the largest part of the polygon where they have one winner, and only the open ones are looked at further down.
"""

from __future__ import annotations

from reluatlas.compiled.jit import inner
from reluatlas.subdivision.path.composition import S_COUNTER
from reluatlas.subdivision.path.pieces import WINDOW
from reluatlas.subdivision.polygons.enter import row_sides, winner_of
from reluatlas.subdivision.polygons.signs import bounded_signs
from reluatlas.subdivision.program.layout import M_LEVELS, MAX

FEW = 12
"""So many cutters are tried one after another; of more, those that are left are listed first."""


@inner
def is_direct(P, level):
    """Return whether a level is a ReLU with nothing between it and the next level."""
    return (
        level + 1 < P.meta[M_LEVELS] and P.relu[P.cut[level]] == 1 and P.block_ptr[level + 1] == P.block_ptr[level + 2]
    )


@inner
def is_pooled(P, level):
    """Return whether the next level takes the largest of this ReLU's units."""
    t = P.cut[level]
    return is_direct(P, level) and P.kind[P.cut[level + 1]] == MAX and P.src[P.cut[level + 1]] == t


@inner
def choose(P, S, level, cutter, choice):
    """Put the current part on one side of a cutter; write a ReLU's piece, and its row where it is needed next."""
    place = S.cut_at[level] + cutter
    S.cut_choice[place] = choice
    t = P.cut[level]
    if P.relu[t]:
        unit = S.cut_unit[place]
        S.piece[P.pat_off[level] + unit] = choice
        if is_direct(P, level):
            to, source = P.off[t] + unit, P.off[P.src[t]] + unit
            for c in range(S.rows.shape[0]):
                S.rows[c, to] = S.rows[c, source] if choice else 0.0


@inner
def touch(S, level):
    """Note that rows of a level have changed."""
    S.stats[S_COUNTER] += 1
    S.serial[level + 1] = S.stats[S_COUNTER]


@inner
def open_windows(P, S, pool, W, level, lo, n, open_at, open_end, free):
    """Write on the list, from `free` on, those of some windows of the next level that stay open; return the end.

    Windows stay open that have a unit marked by the current stamp, or no single winner on the polygon.
    """
    t = P.cut[level + 1]
    touch(S, level)
    stamp, now = W.stamp, W.clock[0]
    for q in range(open_at, open_end):
        j = W.list[q]
        pointer = P.m_at[t] + j
        begin, end = P.m_ptr[pointer], P.m_ptr[pointer + 1]
        waits = False
        for c in range(begin, end):
            waits |= stamp[P.m_cand[c]] == now
        winner = -1 if waits else winner_of(P, S, pool, W, level + 1, j, end - begin, lo, n)
        if winner >= 0:
            S.piece[P.pat_off[level + 1] + j] = winner
            S.settled[P.pat_off[level + 1] + j] = 1
        else:
            W.list[free] = j
            free += 1
    return free


@inner
def begin(P, S, pool, W, level, lo, hi, free):
    """List all cutters of a level that the polygon has just met, and open windows; see `narrow` for what it returns."""
    n_cut = S.n_cut[level]
    pooled = is_pooled(P, level)
    windows = P.size[P.cut[level + 1]] if pooled else 0
    if free + n_cut + 2 * windows > W.list.size:
        return -1, 0, 0, 0
    W.clock[0] += 1
    for q in range(n_cut):
        W.list[free + q] = q
        W.stamp[S.cut_unit[S.cut_at[level] + q]] = W.clock[0]
    end = free + n_cut
    if not pooled:
        return end, -1, -1, end
    for j in range(windows):
        W.list[end + windows + j] = j
    open_end = open_windows(P, S, pool, W, level, lo, hi - lo, end + windows, end + 2 * windows, end)
    return end, end, open_end, open_end


@inner
def narrow(P, S, pool, W, level, lo, hi, cutter, end, open_at, open_end, free):
    """List those cutters from `cutter` to `end` that cut the polygon at `lo:hi`, from `free` on; choose for the others.

    Returns (end of the new run, open windows from, to, free); the end is -1 when there is no room.
    """
    n = hi - lo
    if free + end - cutter + max(open_end - open_at, 0) > W.list.size:
        return -1, 0, 0, 0
    t = P.cut[level]
    source, first_cut = P.off[P.src[t]], S.cut_at[level]
    W.clock[0] += 1
    for position in range(cutter, end):
        q = W.list[position]
        unit, knot = S.cut_unit[first_cut + q], S.cut_knot[first_cut + q]
        if knot == WINDOW:
            pointer = P.m_at[t] + unit
            winner = winner_of(P, S, pool, W, level, unit, P.m_ptr[pointer + 1] - P.m_ptr[pointer], lo, n)
            cuts = winner < 0
            if not cuts:
                S.cut_choice[first_cut + q] = winner
        else:
            row, place = source + unit, P.k_at[t] + unit * P.n_knots[t] + knot
            above, below, doubt = bounded_signs(
                S.rows[0, row], S.rows[1, row], S.rows[2, row] - P.knot[place], P.err_g[row], P.err_c[row],
                pool.x, pool.y, pool.r, W.arena_v[lo:hi], n, W.value, W.bound, W.sign,
            )  # fmt: skip
            if doubt and not (above and below):
                above, below = row_sides(P, S, pool, W, level, unit, knot, 0, lo, n)
            cuts = above and below
            if not cuts:
                choose(P, S, level, q, 1 if above else 0)
        if cuts:
            W.list[free] = q
            W.stamp[unit] = W.clock[0]
            free += 1
    if open_at < 0:
        return free, -1, -1, free
    after = open_windows(P, S, pool, W, level, lo, n, open_at, open_end, free)
    return free, free, after, after
