"""How is a polytope subdivided into cells? The subdivision tree in k dimensions, depth first, in one compiled kernel.

As in the plane (`reluatlas.subdivision.polygons.tree`): a work item is a polytope that lies in one cell of all levels
before `level`; the kernel subdivides it until a budget of cells is reached, and what is left on its stack are items
again.
"""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.bits import EMPTY, ONE_BIT, WORD, lowest_bit
from reluatlas.compiled.jit import inner, kernel
from reluatlas.geometry.vertices.extremes import extremes
from reluatlas.geometry.vertices.polytope import keep_facets, keep_part
from reluatlas.subdivision.items import DONE, NO_OUTPUT_ROOM, NO_ROOM
from reluatlas.subdivision.path.composition import (
    S_DOUBTFUL_VISITS,
    S_DOUBTS,
    S_VISITS,
    complete_block,
    copy_run,
    prepare_block,
)
from reluatlas.subdivision.path.exact_rows import line_reference
from reluatlas.subdivision.path.pieces import (
    ABOVE,
    ACROSS,
    BELOW,
    DOUBTFUL,
    WINDOW,
    classify,
    classify_relu,
    close,
    list_window,
    rehash,
    settle,
    write_cell,
)
from reluatlas.subdivision.polytopes.cuts import find_cut, polytope_sides
from reluatlas.subdivision.polytopes.sections import count_parts
from reluatlas.subdivision.polytopes.signs import polytope_signs
from reluatlas.subdivision.program.layout import BREAK, M_INFINITE, M_K, M_LEVELS

F_LEVEL, F_NEXT, F_CHOICE, F_LOW, F_HIGH, F_FACETS, F_END, F_POOL = range(8)


@inner
def _enter_breaks(P, S, pool, W, level, lo, hi, flo, fhi):
    """Find which units of a breakpoint node cut the polytope; settle the pieces of the others."""
    t = P.cut[level]
    s, size, n_knots = P.off[P.src[t]], P.size[t], P.n_knots[t]
    side = W.side
    extremes(
        S.rows, s, P.err_g[s : s + size], P.err_c[s : s + size], size, pool.x, pool.size, pool.r,
        W.arena_v[lo:hi], hi - lo, W.low, W.high, W.error,
    )  # fmt: skip
    if P.relu[t]:
        doubt = classify_relu(W.low, W.high, W.error, size, side)
    elif P.meta[M_INFINITE]:
        # a value at infinity is the factor of M, which a knot cannot be compared with
        doubt = True
        for j in range(size * n_knots):
            side[j] = BELOW if P.knot[P.k_at[t] + j] == np.inf else DOUBTFUL
    else:
        doubt = classify(W.low, W.high, W.error, P.knot[P.k_at[t] :], n_knots, size, side)
    if doubt:
        for j in range(size):
            for q in range(n_knots):
                if side[j * n_knots + q] == DOUBTFUL:
                    above, below = polytope_sides(P, S, pool, W, level, j, q, np.int64(0), lo, hi, flo, fhi)
                    side[j * n_knots + q] = ACROSS if above and below else (ABOVE if above else BELOW)
    settle(P, S, level, side)


@inner
def _winner(P, S, pool, W, level, unit, count, lo, hi, flo, fhi):
    """Return the candidate that wins a window on the whole polytope, or -1."""
    begin = P.m_ptr[P.m_at[P.cut[level]] + unit]
    base = P.off[P.src[P.cut[level]]]
    k = P.meta[M_K]
    # the likely winner, by the value at the first vertex; the exact tests follow
    best, top = 0, -np.inf
    v = W.arena_v[lo]
    for c in range(count):
        i = base + P.m_cand[begin + c]
        value = 0.0
        for a in range(k + 1):
            value += S.rows[a, i] * pool.x[v, a]
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
            above, below = polytope_sides(P, S, pool, W, level, unit, c, d, lo, hi, flo, fhi)
            if below:
                wins = False
                break
            if not above and d < lowest:
                lowest = d
        if wins:
            return lowest
    return -1


@inner
def _enter_windows(P, S, pool, W, level, lo, hi, flo, fhi):
    """Find which windows of a max node change their winner on the polytope; settle the others."""
    t = P.cut[level]
    at, first_cut = P.pat_off[level], S.cut_at[level]
    n_cut = 0
    for j in range(P.size[t]):
        pointer = P.m_at[t] + j
        winner = _winner(P, S, pool, W, level, j, P.m_ptr[pointer + 1] - P.m_ptr[pointer], lo, hi, flo, fhi)
        S.settled[at + j] = winner >= 0
        S.piece[at + j] = max(winner, 0)
        if winner < 0:
            list_window(S, first_cut + n_cut, j)
            n_cut += 1
    S.n_cut[level] = n_cut


@inner
def _enter(P, S, pool, W, level, lo, hi, flo, fhi):
    """Start a level on the polytope at `lo:hi`."""
    doubts = S.stats[S_DOUBTS]
    if P.kind[P.cut[level]] == BREAK:
        _enter_breaks(P, S, pool, W, level, lo, hi, flo, fhi)
    else:
        _enter_windows(P, S, pool, W, level, lo, hi, flo, fhi)
    S.stats[S_VISITS] += 1
    if S.stats[S_DOUBTS] != doubts:
        S.stats[S_DOUBTFUL_VISITS] += 1


@inner
def _number_facets(W, lo, hi, n_facets, numbers):
    """Write the numbers of the facets that hold a vertex; return (how many, whether their bits are their numbers)."""
    for w in range(W.common.size):
        bits = EMPTY
        for j in range(lo, hi):
            bits |= W.arena_m[j, w]
        W.common[w] = bits
    found = last = 0
    for b in range(n_facets):
        if W.common[b // WORD] & (ONE_BIT << np.uint64(b % WORD)) != EMPTY:
            numbers[b] = found
            found += 1
            last = b + 1
    return found, found == last


@inner
def _emit(P, S, pool, W, out, cell, corner, facet, lo, hi, flo, fhi):
    """Write a finished cell, its facets numbered anew; return the next free corner and facet, or -1 without room."""
    n, n_facets, numbers = hi - lo, fhi - flo, W.part_f
    if cell >= out.hash.size or corner + n > out.radius.size or facet + n_facets > out.line.size:
        return -1, -1
    write_cell(P, S, W, out, cell)
    found, kept = _number_facets(W, lo, hi, n_facets, numbers)
    for b in range(n_facets):
        if W.common[b // WORD] & (ONE_BIT << np.uint64(b % WORD)) != EMPTY:
            out.line[facet + numbers[b]] = W.arena_f[flo + b]
    x, rows, mask = out.x, out.rows, out.mask
    k, words = rows.shape[1], mask.shape[1]
    for j in range(n):
        v, at = W.arena_v[lo + j], corner + j
        for c in range(k):
            x[at, c] = pool.x[v, c]
            rows[at, c] = pool.rows[v, c]
        x[at, k] = pool.x[v, k]
        out.radius[at] = pool.r[v]
        for w in range(words):
            mask[at, w] = W.arena_m[lo + j, w] if kept else EMPTY
        if kept:
            continue
        for w in range(words):
            bits = W.arena_m[lo + j, w]
            while bits != EMPTY:
                number = numbers[w * WORD + lowest_bit(bits)]
                mask[at, number // WORD] |= ONE_BIT << np.uint64(number % WORD)
                bits &= bits - ONE_BIT
    out.n_vertices[cell], out.n_facets[cell] = n, found
    return corner + n, facet + found


@inner
def _split_window(P, S, pool, W, level, cutter, lo, hi, flo, fhi, n_pool, depth, coarse):
    """Push one frame for each candidate that wins a window on some part of the polytope.

    Returns (depth, status).
    """
    unit = S.cut_unit[S.cut_at[level] + cutter]
    pointer = P.m_at[P.cut[level]] + unit
    count = P.m_ptr[pointer + 1] - P.m_ptr[pointer]
    half, table = W.part_v.size // 2, W.part_f.size // 2
    words = W.arena_m.shape[1]
    top, ftop = hi, fhi
    for c in range(count - 1, -1, -1):
        n, n_facets = hi - lo, fhi - flo
        here = 0
        for j in range(n):
            W.part_v[j] = W.arena_v[lo + j]
            for w in range(words):
                W.part_m[j, w] = W.arena_m[lo + j, w]
        copy_run(W.arena_f, flo, W.part_f, 0, n_facets)
        alive = True
        for d in range(count):
            if d == c:
                continue
            v, f = here * half, here * table
            vertices, mask, facets = W.part_v[v : v + half], W.part_m[v : v + half], W.part_f[f : f + table]
            above, below = polytope_signs(
                P, S, pool, W, level, unit, c, d, vertices, mask, n, facets, n_facets
            )  # fmt: skip
            if not above:
                alive = not below and d > c
                if not alive:
                    break
            elif below:
                line = line_reference(level, unit, c, d)
                status, n_new, bit = find_cut(
                    P, S, pool, W, n_pool, line, vertices, mask, n, facets, n_facets, coarse
                )  # fmt: skip
                if status != DONE:
                    return depth, status
                here = 1 - here
                v, f = here * half, here * table
                n = keep_part(
                    np.int64(1), W.sign, n, vertices, mask, W.alive[1], bit, n_pool, W.pairs, n_new,
                    W.part_v[v : v + half], W.part_m[v : v + half],
                )  # fmt: skip
                n_facets = keep_facets(facets, n_facets, W.alive[1], bit, line, W.part_f[f : f + table])
                n_pool += n_new
        if alive:
            if top + n > W.arena_v.size or ftop + n_facets > W.arena_f.size or depth >= W.frame.shape[0]:
                return depth, NO_ROOM
            for j in range(n):
                W.arena_v[top + j] = W.part_v[here * half + j]
                for w in range(words):
                    W.arena_m[top + j, w] = W.part_m[here * half + j, w]
            copy_run(W.part_f, here * table, W.arena_f, ftop, n_facets)
            frame = W.frame[depth]
            frame[F_LEVEL], frame[F_NEXT], frame[F_CHOICE] = level, cutter + 1, c
            frame[F_LOW], frame[F_HIGH], frame[F_FACETS], frame[F_END] = top, top + n, ftop, ftop + n_facets
            frame[F_POOL] = n_pool
            depth += 1
            top += n
            ftop += n_facets
    return depth, DONE


@kernel
def subdivide(P, S, pool, W, out, depth, budget, stop, collect, coarse):
    """Subdivide the frames on the stack until it is empty, `budget` cells are found, or `stop[0]` is set.

    Returns (status, number of cells, corners and facets written, frames left). With `collect` cells are written to
    `out`. After a status other than DONE nothing of the result may be used.
    """
    last = P.meta[M_LEVELS] - 1
    n_cells = corner = facet = np.int64(0)
    while depth > 0 and n_cells < budget and stop[0] == 0:
        depth -= 1
        frame = W.frame[depth]
        level, cutter = frame[F_LEVEL], frame[F_NEXT]
        lo, hi, flo, fhi, n_pool = frame[F_LOW], frame[F_HIGH], frame[F_FACETS], frame[F_END], frame[F_POOL]
        top, ftop = hi, fhi
        if cutter > 0:
            S.cut_choice[S.cut_at[level] + cutter - 1] = frame[F_CHOICE]
        while True:
            if level > last:
                if collect:
                    corner, facet = _emit(P, S, pool, W, out, n_cells, corner, facet, lo, hi, flo, fhi)
                    if corner < 0:
                        return NO_OUTPUT_ROOM, n_cells, 0, 0, depth
                n_cells += 1
                break
            if cutter < 0:
                if 2 * (hi - lo) > W.sign.size:
                    return NO_ROOM, n_cells, corner, facet, depth
                _enter(P, S, pool, W, level, lo, hi, flo, fhi)
                if level == last and not collect and P.kind[P.cut[level]] == BREAK:
                    status, parts = count_parts(P, S, pool, W, level, lo, hi, flo, fhi, n_pool, coarse)
                    if status != DONE:
                        return status, n_cells, corner, facet, depth
                    n_cells += parts
                    break
                if collect:
                    rehash(P, S, W, level, True)
                if collect or level < last:
                    prepare_block(P, S, level)
                cutter = 0
            first_cut, n_cut = S.cut_at[level], S.n_cut[level]
            split = False
            while cutter < n_cut:
                unit, knot = S.cut_unit[first_cut + cutter], S.cut_knot[first_cut + cutter]
                if knot == WINDOW:
                    depth, status = _split_window(
                        P, S, pool, W, level, cutter, lo, hi, flo, fhi, n_pool, depth, coarse
                    )  # fmt: skip
                    if status != DONE:
                        return status, n_cells, corner, facet, depth
                    split = True
                    break
                n, n_facets = hi - lo, fhi - flo
                above, below = polytope_sides(P, S, pool, W, level, unit, knot, np.int64(0), lo, hi, flo, fhi)
                if above and below:
                    line = line_reference(level, unit, knot, np.int64(0))
                    vertices, mask, facets = W.arena_v[lo:hi], W.arena_m[lo:hi], W.arena_f[flo:fhi]
                    status, n_new, bit = find_cut(
                        P, S, pool, W, n_pool, line, vertices, mask, n, facets, n_facets, coarse
                    )  # fmt: skip
                    if status != DONE:
                        return status, n_cells, corner, facet, depth
                    most = max(n_facets, bit + 1)
                    if top + 2 * n + 2 * n_new > W.arena_v.size or ftop + 2 * most > W.arena_f.size:
                        return NO_ROOM, n_cells, corner, facet, depth
                    if depth >= W.frame.shape[0]:
                        return NO_ROOM, n_cells, corner, facet, depth
                    n_below = keep_part(
                        np.int64(-1), W.sign, n, vertices, mask, W.alive[0], bit, n_pool, W.pairs, n_new,
                        W.arena_v[top:], W.arena_m[top:],
                    )  # fmt: skip
                    f_below = keep_facets(facets, n_facets, W.alive[0], bit, line, W.arena_f[ftop:])
                    after, fafter = top + n_below, ftop + f_below
                    n_above = keep_part(
                        np.int64(1), W.sign, n, vertices, mask, W.alive[1], bit, n_pool, W.pairs, n_new,
                        W.arena_v[after:], W.arena_m[after:],
                    )  # fmt: skip
                    f_above = keep_facets(facets, n_facets, W.alive[1], bit, line, W.arena_f[fafter:])
                    n_pool += n_new
                    frame = W.frame[depth]
                    frame[F_LEVEL], frame[F_NEXT], frame[F_CHOICE] = level, cutter + 1, 0
                    frame[F_LOW], frame[F_HIGH], frame[F_FACETS], frame[F_END] = top, after, ftop, fafter
                    frame[F_POOL] = n_pool
                    depth += 1
                    lo, hi, flo, fhi = after, after + n_above, fafter, fafter + f_above
                    top, ftop = hi, fhi
                S.cut_choice[first_cut + cutter] = 1 if above else 0
                cutter += 1
            if split:
                break
            close(P, S, level)
            if collect:
                rehash(P, S, W, level, False)
            if collect or level < last:
                complete_block(P, S, level)
            level += 1
            cutter = -1
    return DONE, n_cells, corner, facet, depth
