"""What does one worker need to subdivide polytopes? Its buffers, and cells as the kernel writes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.subdivision.program.layout import M_K, M_LEVELS, M_MAX_SIZE, M_ROW_LIMBS, M_UNITS, Program


class Work(NamedTuple):
    """The stack of frames, the polytopes on it, and scratch space.

    Polytopes in k dimensions of at most c vertices and 64 `words` facets, `room` vertices on the stack in all; tensors
    of at most Z rows, L levels.

    | arrays | shape | what they hold | written by |
    |---|---|---|---|
    | `frame` | (room // 8, 8) | stack: the numbers named `F_...` in `tree.py` | `subdivide`, `_split_window` |
    | `arena_v` | (room,) | vertices (places in the pool) of the polytopes on the stack | `keep_part` |
    | `arena_m` | (room, words) | mask of each: bit b for facet b of its polytope | `keep_part` |
    | `arena_f` | (room,) | references of the facets, by bit; FREE for none | `keep_facets` |
    | `part_v` | (2 * c,) | as `arena_v`, of two polytopes in work | `_split_window`, `keep_part` |
    | `part_m` | (2 * c, words) | as `arena_m` | `_split_window`, `keep_part` |
    | `part_f` | (128 * words,) | as `arena_f` | `_split_window`, `keep_facets` |
    | `value`, `bound` | (c,) | value of a row at each vertex; bound on its error | `polytope_signs` |
    | `sign` | (c,) | -1, 0 or 1 where certain, else DOUBT | `polytope_signs` |
    | `holders` | (64 * words + 1, c // 64 + 1) | vertices on each facet, as bits | `crossed_edges` |
    | `pairs` | (c, 2) | ends of the edges that a row crosses | `crossed_edges` |
    | `common` | (words,) | facets that two vertices share, as bits | `count_common` |
    | `alive` | (2, words) | facets of the parts below and above, as bits | `sides_alive` |
    | `side` | (y,) | ABOVE, BELOW, ACROSS or DOUBTFUL, of each unit and knot | `classify`, `_enter_breaks` |
    | `low`, `high`, `error` | (Z + 8,) | least and largest value of each row, bound on their errors | `extremes` |
    | `hash` | (L + 2,) | hash of all pieces up to a level | `rehash` |
    | `settled_hash` | (L + 2,) | hash of a level's settled pieces | `rehash` |
    | `row` | (k + 1,) | the row in question | `load_row` |
    | `system` | (3, k, k) | rows that meet in a vertex; scratch of the solver | `_place`, `solve_bounded` |
    | `vector` | (7, k) | right side, errors, solution, scratch, the place | `_place`, `solve_bounded` |
    | `column` | (k,) | 1 where a side of the domain gives the coordinate | `_place` |
    | `order` | (k,) | coordinates that are solved for, then those that are given | `_place` |
    | `reduced` | (k + 1, k + 1) | rows modulo a prime, eliminated | `independent_rows` |
    | `section` | (k + 2, 8) | stack of sections of the last layer | `count_parts` |
    | `section_list` | (k + 2, y) | rows that cut each section | `count_parts` |
    | `acc` | (a,) | sum of products, in limbs | `limbs` |
    | `minor` | (2 << k, b) | minors of a vertex's rows, by the set of columns, in limbs | `_minors` |
    | `minor_len` | (2 << k,) | limbs in use, negative for a negative number | `_minors` |
    """

    frame: NDArray[np.int64]
    arena_v: NDArray[np.int64]
    arena_m: NDArray[np.uint64]
    arena_f: NDArray[np.int64]
    part_v: NDArray[np.int64]
    part_m: NDArray[np.uint64]
    part_f: NDArray[np.int64]
    value: NDArray[np.float64]
    bound: NDArray[np.float64]
    sign: NDArray[np.int64]
    holders: NDArray[np.uint64]
    pairs: NDArray[np.int64]
    common: NDArray[np.uint64]
    alive: NDArray[np.uint64]
    side: NDArray[np.int8]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]
    hash: NDArray[np.uint64]
    settled_hash: NDArray[np.uint64]
    row: NDArray[np.float64]
    system: NDArray[np.float64]
    vector: NDArray[np.float64]
    column: NDArray[np.int64]
    order: NDArray[np.int64]
    reduced: NDArray[np.uint64]
    section: NDArray[np.int64]
    section_list: NDArray[np.int64]
    acc: NDArray[np.uint64]
    minor: NDArray[np.uint64]
    minor_len: NDArray[np.int64]


class Cells(NamedTuple):
    """Cells as the kernel writes them; vertices of all cells one after another, and so the facets.

    Bit b of a vertex in `mask` says whether it lies on facet b of its cell; `rows` are k independent lines through it.
    """

    pattern: NDArray[np.integer]
    affine: NDArray[np.float64]
    hash: NDArray[np.uint64]
    n_vertices: NDArray[np.int64]
    n_facets: NDArray[np.int64]
    x: NDArray[np.float64]
    radius: NDArray[np.float64]
    mask: NDArray[np.uint64]
    rows: NDArray[np.int64]
    line: NDArray[np.int64]


def new_work(program: Program, room: int, words: int) -> Work:
    """Return buffers with room for `room` vertices on the stack, and 64 `words` facets of each polytope."""
    k, limbs = int(program.meta[M_K]), int(program.meta[M_ROW_LIMBS])
    corners, facets = max(64, room // 8), 64 * words
    size, levels = int(program.meta[M_MAX_SIZE]) + 8, int(program.meta[M_LEVELS]) + 2
    knots = max(1, int(program.n_knots.max(initial=1)))
    number = exact_limbs(program)
    return Work(
        frame=np.empty((room // 8, 8), dtype=np.int64),
        arena_v=np.empty(room, dtype=np.int64),
        arena_m=np.empty((room, words), dtype=np.uint64),
        arena_f=np.empty(room, dtype=np.int64),
        part_v=np.empty(2 * corners, dtype=np.int64),
        part_m=np.empty((2 * corners, words), dtype=np.uint64),
        part_f=np.empty(2 * facets, dtype=np.int64),
        value=np.zeros(corners),
        bound=np.zeros(corners),
        sign=np.zeros(corners, dtype=np.int64),
        holders=np.zeros((facets + 1, corners // 64 + 1), dtype=np.uint64),
        pairs=np.zeros((corners, 2), dtype=np.int64),
        common=np.zeros(words, dtype=np.uint64),
        alive=np.zeros((2, words), dtype=np.uint64),
        side=np.zeros(size * knots, dtype=np.int8),
        low=np.zeros(size),
        high=np.zeros(size),
        error=np.zeros(size),
        hash=np.zeros(levels, dtype=np.uint64),
        settled_hash=np.zeros(levels, dtype=np.uint64),
        row=np.zeros(k + 1),
        system=np.zeros((3, k, k)),
        vector=np.zeros((7, k)),
        column=np.zeros(k, dtype=np.int64),
        order=np.zeros(k, dtype=np.int64),
        reduced=np.zeros((k + 1, k + 1), dtype=np.uint64),
        section=np.zeros((k + 2, 8), dtype=np.int64),
        section_list=np.zeros((k + 2, size * knots), dtype=np.int64),
        acc=np.zeros(number + limbs + 8, dtype=np.uint64),
        minor=np.zeros((2 << k, number), dtype=np.uint64),
        minor_len=np.zeros(2 << k, dtype=np.int64),
    )


def exact_limbs(program: Program) -> int:
    """Return the limbs that a determinant of k rows may take."""
    return int(program.meta[M_K]) * int(program.meta[M_ROW_LIMBS]) + 2


def new_cells(
    program: Program, n_cells: int, n_corners: int, n_outputs: int, words: int, dtype: np.dtype, n_facets: int
) -> Cells:
    """Return room for some cells with some vertices and facets in all."""
    k = int(program.meta[M_K])
    return Cells(
        pattern=np.empty((n_cells, int(program.meta[M_UNITS])), dtype=dtype),
        affine=np.empty((n_cells, n_outputs, k + 1)),
        hash=np.empty(n_cells, dtype=np.uint64),
        n_vertices=np.empty(n_cells, dtype=np.int64),
        n_facets=np.empty(n_cells, dtype=np.int64),
        x=np.empty((n_corners, k + 1)),
        radius=np.empty(n_corners),
        mask=np.empty((n_corners, words), dtype=np.uint64),
        rows=np.empty((n_corners, k), dtype=np.int64),
        line=np.empty(n_facets, dtype=np.int64),
    )
