"""How is a polygon subdivided into cells? The subdivision tree, depth first, in one compiled kernel.

A work item is a polygon that lies in one cell of all levels before `level`, with that cell's pieces.
The kernel subdivides it until a budget of cells is reached; what is left on its stack are work items
again. Frames on the stack hold (level, next cutter on the list, the choice for the one before, polygon, vertices in
use, and the runs on the list; see `cutters.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel
from reluatlas.geometry.vertices.polygon import keep_side
from reluatlas.subdivision.items import DONE, NO_OUTPUT_ROOM, NO_ROOM
from reluatlas.subdivision.path.composition import complete_block, copy_run, prepare_block
from reluatlas.subdivision.path.exact_rows import line_reference
from reluatlas.subdivision.path.pieces import WINDOW, close, rehash, write_cell
from reluatlas.subdivision.polygons.chords import MOST, count_parts
from reluatlas.subdivision.polygons.enter import enter, row_sides
from reluatlas.subdivision.polygons.narrow import FEW, begin, choose, is_direct, narrow, touch
from reluatlas.subdivision.polygons.signs import bounded_signs, cut_edges, polygon_signs
from reluatlas.subdivision.program.layout import BREAK, M_K, M_LEVELS, M_MAX_SIZE, M_UNITS, Program

F_LEVEL, F_NEXT, F_CHOICE, F_LOW, F_HIGH, F_POOL, F_END, F_OPEN, F_OPEN_END, F_FREE = range(10)


class Work(NamedTuple):
    """One worker's buffers: the stack of frames, the polygons on it, and scratch space.

    Polygons of at most s vertices, `room` on the stack in all; tensors of at most Z rows; L levels; Q rows that cut.

    | arrays | shape | what they hold | written by |
    |---|---|---|---|
    | `frame` | (room // 4, 10) | stack: the numbers named `F_...` above | `subdivide`, `_split_window` |
    | `list` | (4 * Q + room,) | runs of cutters and of open windows, used as a stack | `begin`, `narrow` |
    | `stamp` | (Z + 8,) | clock at which a unit was last listed | `begin`, `narrow` |
    | `clock` | (1,) | number of lists made | `begin`, `narrow` |
    | `arena_v` | (room,) | vertices (places in the pool) of the polygons on the stack | `keep_side`, `_split_window` |
    | `arena_e` | (room,) | reference of the line from each vertex to the next | `keep_side`, `_split_window` |
    | `scratch_v`, `scratch_e` | (2 * s,) | the same of two polygons in work | `_split_window` |
    | `value`, `bound` | (s,) | value of a row at each vertex; bound on its error | `polygon_signs` |
    | `sign` | (s,) | -1, 0 or 1 where certain, else DOUBT | `polygon_signs` |
    | `side` | (y,) | ABOVE, BELOW, ACROSS or DOUBTFUL, of each unit and knot | `classify`, `enter` |
    | `low`, `high`, `error` | (Z + 8,) | least and largest value of each row, bound on their errors | `extremes` |
    | `hash` | (L + 2,) | hash of all pieces up to a level | `rehash` |
    | `settled_hash` | (L + 2,) | hash of a level's settled pieces | `rehash` |
    | `chord_edge` | (24, 2) | edges on which a chord ends | `count_parts` |
    | `chord_place`, `chord_slack` | (24, 2) | how far along the edge, 0 to 1; bound on its error | `count_parts` |
    | `chord_cross` | (24, 24) | 1 where two chords cross | `count_parts` |
    """

    frame: NDArray[np.int64]
    list: NDArray[np.int64]
    stamp: NDArray[np.int64]
    clock: NDArray[np.int64]
    arena_v: NDArray[np.int64]
    arena_e: NDArray[np.int64]
    scratch_v: NDArray[np.int64]
    scratch_e: NDArray[np.int64]
    value: NDArray[np.float64]
    bound: NDArray[np.float64]
    sign: NDArray[np.int64]
    side: NDArray[np.int8]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]
    hash: NDArray[np.uint64]
    settled_hash: NDArray[np.uint64]
    chord_edge: NDArray[np.int64]
    chord_place: NDArray[np.float64]
    chord_slack: NDArray[np.float64]
    chord_cross: NDArray[np.int64]


class Cells(NamedTuple):
    """Cells as the kernel writes them; vertices of all cells one after another."""

    pattern: NDArray[np.integer]
    affine: NDArray[np.float64]
    hash: NDArray[np.uint64]
    n_vertices: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    line: NDArray[np.int64]


def new_work(program: Program, room: int) -> Work:
    """Return buffers with room for `room` polygon corners on the stack."""
    sides, size = max(64, room // 16), int(program.meta[M_MAX_SIZE]) + 8
    levels = int(program.meta[M_LEVELS]) + 2
    cutters = sum(int(program.size[c]) * max(1, int(program.n_knots[c])) for c in program.cut)
    return Work(
        frame=np.zeros((room // 4, 10), dtype=np.int64),
        list=np.zeros(4 * cutters + room, dtype=np.int64),
        stamp=np.zeros(size, dtype=np.int64),
        clock=np.zeros(1, dtype=np.int64),
        arena_v=np.zeros(room, dtype=np.int64),
        arena_e=np.zeros(room, dtype=np.int64),
        scratch_v=np.zeros(2 * sides, dtype=np.int64),
        scratch_e=np.zeros(2 * sides, dtype=np.int64),
        value=np.zeros(sides),
        bound=np.zeros(sides),
        sign=np.zeros(sides, dtype=np.int64),
        side=np.zeros(size * max(1, int(program.n_knots.max(initial=1))), dtype=np.int8),
        low=np.zeros(size),
        high=np.zeros(size),
        error=np.zeros(size),
        hash=np.zeros(levels, dtype=np.uint64),
        settled_hash=np.zeros(levels, dtype=np.uint64),
        chord_edge=np.zeros((MOST, 2), dtype=np.int64),
        chord_place=np.zeros((MOST, 2)),
        chord_slack=np.zeros((MOST, 2)),
        chord_cross=np.zeros((MOST, MOST), dtype=np.int64),
    )


def new_cells(program: Program, n_cells: int, n_corners: int, n_outputs: int, dtype: np.dtype) -> Cells:
    """Return room for some cells with some vertices in all."""
    return Cells(
        pattern=np.empty((n_cells, int(program.meta[M_UNITS])), dtype=dtype),
        affine=np.empty((n_cells, n_outputs, int(program.meta[M_K]) + 1)),
        hash=np.empty(n_cells, dtype=np.uint64),
        n_vertices=np.empty(n_cells, dtype=np.int64),
        x=np.empty(n_corners),
        y=np.empty(n_corners),
        radius=np.empty(n_corners),
        line=np.empty(n_corners, dtype=np.int64),
    )


@inner
def _emit(P, S, pool, W, out, cell, corner, lo, hi):
    """Write a finished cell; return the next free corner, or -1 when there is no room."""
    n = hi - lo
    if cell >= out.hash.size or corner + n > out.x.size:
        return -1
    write_cell(P, S, W, out, cell)
    out.n_vertices[cell] = n
    for j in range(n):
        v = W.arena_v[lo + j]
        out.x[corner + j] = pool.x[v]
        out.y[corner + j] = pool.y[v]
        out.radius[corner + j] = pool.r[v]
        out.line[corner + j] = W.arena_e[lo + j]
    return corner + n


@inner
def _split_window(P, S, pool, W, level, cutter, lo, hi, n_pool, depth, runs, coarse):
    """Push one frame for each candidate that wins a window on some part of the polygon.

    `cutter` is the window's place on the list, `runs` are the runs of the frames. Returns (depth, status).
    """
    unit = S.cut_unit[S.cut_at[level] + W.list[cutter]]
    pointer = P.m_at[P.cut[level]] + unit
    count = P.m_ptr[pointer + 1] - P.m_ptr[pointer]
    half = W.scratch_v.size // 2
    top = hi
    for c in range(count - 1, -1, -1):
        n = hi - lo
        here = 0
        copy_run(W.arena_v, lo, W.scratch_v, 0, n)
        copy_run(W.arena_e, lo, W.scratch_e, 0, n)
        alive = True
        for d in range(count):
            if d == c:
                continue
            vertices, edges = W.scratch_v[here : here + half], W.scratch_e[here : here + half]
            above, below = polygon_signs(
                P, S, pool, level, unit, c, d, vertices, n, W.value, W.bound, W.sign
            )  # fmt: skip
            if not above:
                alive = not below and d > c
                if not alive:
                    break
            elif below:
                if n + 2 > half or n_pool + 2 > pool.x.size:
                    return depth, NO_ROOM
                line = line_reference(level, unit, c, d)
                n_pool += cut_edges(
                    P, S, pool, n_pool, line, vertices, edges, n, W.value, W.bound, W.sign, coarse
                )  # fmt: skip
                there = half - here
                made = _made(W.sign, n)
                n = keep_side(
                    np.int64(1), W.sign, n_pool - made, n_pool - 1, vertices, edges, n, line,
                    W.scratch_v[there : there + half], W.scratch_e[there : there + half],
                )  # fmt: skip
                here = there
        if alive:
            if top + n > W.arena_v.size or depth >= W.frame.shape[0]:
                return depth, NO_ROOM
            copy_run(W.scratch_v, here, W.arena_v, top, n)
            copy_run(W.scratch_e, here, W.arena_e, top, n)
            frame = W.frame[depth]
            frame[F_LEVEL], frame[F_NEXT], frame[F_CHOICE] = level, cutter + 1, c
            frame[F_LOW], frame[F_HIGH], frame[F_POOL] = top, top + n, n_pool
            frame[F_END], frame[F_OPEN], frame[F_OPEN_END], frame[F_FREE] = runs
            depth += 1
            top += n
    return depth, DONE


@inner
def _made(sign, n):
    """Return the number of edges whose ends have strictly opposite signs."""
    made = 0
    for j in range(n):
        made += sign[j] * sign[j + 1 if j + 1 < n else 0] < 0
    return made


@kernel
def subdivide(P, S, pool, W, out, depth, budget, stop, collect, coarse):
    """Subdivide the frames on the stack until it is empty, `budget` cells are found, or `stop[0]` is set.

    Returns (status, number of cells, number of corners written, frames left). With `collect` cells
    are written to `out`. After a status other than DONE nothing of the result may be used.
    """
    last = P.meta[M_LEVELS] - 1
    n_cells = corner = np.int64(0)
    while depth > 0 and n_cells < budget and stop[0] == 0:
        depth -= 1
        level, cutter = W.frame[depth, F_LEVEL], W.frame[depth, F_NEXT]
        lo, hi, n_pool = W.frame[depth, F_LOW], W.frame[depth, F_HIGH], W.frame[depth, F_POOL]
        top = hi
        end, opened, open_end, free = (
            W.frame[depth, F_END], W.frame[depth, F_OPEN], W.frame[depth, F_OPEN_END], W.frame[depth, F_FREE]
        )  # fmt: skip
        if cutter > 0:
            choose(P, S, level, W.list[cutter - 1], W.frame[depth, F_CHOICE])
            if end - cutter > FEW:
                cutter, (end, opened, open_end, free) = (
                    free, narrow(P, S, pool, W, level, lo, hi, cutter, end, opened, open_end, free)
                )  # fmt: skip
                if end < 0:
                    return NO_ROOM, n_cells, corner, depth
        while True:
            if level > last:
                if collect:
                    corner = _emit(P, S, pool, W, out, n_cells, corner, lo, hi)
                    if corner < 0:
                        return NO_OUTPUT_ROOM, n_cells, 0, depth
                n_cells += 1
                break
            if cutter < 0:
                if hi - lo + 2 > W.sign.size:
                    return NO_ROOM, n_cells, corner, depth
                enter(P, S, pool, W, level, lo, hi, opened, open_end)
                if level == last and not collect and P.kind[P.cut[level]] == BREAK:
                    parts = count_parts(P, S, pool, W, level, W.arena_v[lo:hi], hi - lo)
                    if parts > 0:
                        n_cells += parts
                        break
                if collect:
                    rehash(P, S, W, level, True)
                if collect or level < last:
                    prepare_block(P, S, level)
                cutter, (end, opened, open_end, free) = free, begin(P, S, pool, W, level, lo, hi, free)
                if end < 0:
                    return NO_ROOM, n_cells, corner, depth
            first_cut = S.cut_at[level]
            split = False
            while cutter < end:
                q = W.list[cutter]
                unit, knot = S.cut_unit[first_cut + q], S.cut_knot[first_cut + q]
                if knot == WINDOW:
                    depth, status = _split_window(
                        P, S, pool, W, level, cutter, lo, hi, n_pool, depth, (end, opened, open_end, free), coarse
                    )  # fmt: skip
                    if status != DONE:
                        return status, n_cells, corner, depth
                    split = True
                    break
                n = hi - lo
                row = P.off[P.src[P.cut[level]]] + unit
                place = P.k_at[P.cut[level]] + unit * P.n_knots[P.cut[level]] + knot
                above, below, doubt = bounded_signs(
                    S.rows[0, row], S.rows[1, row], S.rows[2, row] - P.knot[place], P.err_g[row], P.err_c[row],
                    pool.x, pool.y, pool.r, W.arena_v[lo:hi], n, W.value, W.bound, W.sign,
                )  # fmt: skip
                if doubt:
                    above, below = row_sides(P, S, pool, W, level, unit, knot, np.int64(0), lo, n)
                if above and below:
                    if top + 2 * n + 4 > W.arena_v.size or n_pool + 2 > pool.x.size:
                        return NO_ROOM, n_cells, corner, depth
                    if depth >= W.frame.shape[0] or n + 4 > W.sign.size:
                        return NO_ROOM, n_cells, corner, depth
                    line = line_reference(level, unit, knot, np.int64(0))
                    vertices, edges = W.arena_v[lo:hi], W.arena_e[lo:hi]
                    made = cut_edges(
                        P, S, pool, n_pool, line, vertices, edges, n, W.value, W.bound, W.sign, coarse
                    )  # fmt: skip
                    n_below = keep_side(
                        np.int64(-1), W.sign, n_pool, n_pool + 1, vertices, edges, n, line,
                        W.arena_v[top:], W.arena_e[top:]
                    )  # fmt: skip
                    after = top + n_below
                    n_above = keep_side(
                        np.int64(1), W.sign, n_pool, n_pool + 1, vertices, edges, n, line,
                        W.arena_v[after:], W.arena_e[after:]
                    )  # fmt: skip
                    n_pool += made
                    frame = W.frame[depth]
                    frame[F_LEVEL], frame[F_NEXT], frame[F_CHOICE] = level, cutter + 1, 0
                    frame[F_LOW], frame[F_HIGH], frame[F_POOL] = top, after, n_pool
                    frame[F_END], frame[F_OPEN], frame[F_OPEN_END], frame[F_FREE] = end, opened, open_end, free
                    depth += 1
                    lo, hi = after, after + n_above
                    top = hi
                choose(P, S, level, q, 1 if above else 0)
                cutter += 1
                if above and below and end - cutter > FEW:
                    cutter, (end, opened, open_end, free) = (
                        free, narrow(P, S, pool, W, level, lo, hi, cutter, end, opened, open_end, free)
                    )  # fmt: skip
                    if end < 0:
                        return NO_ROOM, n_cells, corner, depth
            if split:
                break
            if not P.relu[P.cut[level]]:
                close(P, S, level)
            if collect:
                rehash(P, S, W, level, False)
            if is_direct(P, level):
                touch(S, level)
            elif collect or level < last:
                complete_block(P, S, level)
            level += 1
            cutter = -1
    return DONE, n_cells, corner, depth
