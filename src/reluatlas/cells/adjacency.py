"""Which cell lies behind which facet? Exactly one does, unless the facet is on the domain's boundary.

Nearly always one unit alone changes its piece across a facet: the one whose row made it. If a cell with that one
change exists, it is the neighbor: on the facet all other rows have the same (closed) signs on both sides, so the
facet belongs to both cells. It is found by its hash and confirmed on its pattern. Else several units change
together, and `behind` works out which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.behind import pattern_behind
from reluatlas.cells.exact import line_reference, split_reference
from reluatlas.cells.pieces import piece_key
from reluatlas.cells.program import BREAK, Lowered
from reluatlas.cells.state import new_state
from reluatlas.cells.tree import Cells
from reluatlas.errors import InternalError
from reluatlas.kernels import inner, kernel
from reluatlas.packs import pack

SIDE, UNEXPLORED, _OPEN = -1, -2, -3


@dataclass(frozen=True, eq=False)
class Facets:
    """The facets of all cells of a plane domain, one for each vertex, in the same order.

    Facet j runs from vertex j to the next vertex of its cell (counter-clockwise).

    Attributes
    ----------
    neighbor : ndarray, shape (V,)
        The cell behind it; -1 on the domain's boundary; -2 where an incomplete answer has not looked.
    twin : ndarray, shape (V,)
        The same facet in the neighbor's run; -1 without a neighbor.
    level, unit : ndarray, shape (V,)
        The layer (position among the cut nodes) and the unit that made it: the first that changes its piece
        across it. Level -1 on the domain's boundary.
    offsets : ndarray, shape (n_cells + 1,)
        Facets of cell i are `offsets[i]:offsets[i + 1]`.
    line : ndarray, shape (V,)
        Reference of the row that vanishes on it, as the engine names it; negative on the domain's boundary.
    """

    neighbor: NDArray[np.int64]
    twin: NDArray[np.int64]
    level: NDArray[np.int32]
    unit: NDArray[np.int64]
    offsets: NDArray[np.int64]
    line: NDArray[np.int64]


@inner
def _insert(table, hashes, cell):
    mask = np.uint64(table.size - 1)
    at = hashes[cell] & mask
    while table[at] >= 0:
        at = (at + np.uint64(1)) & mask
    table[at] = cell


@inner
def _differs_only_at(pattern, i, j, column):
    n = 0
    for c in range(pattern.shape[1]):
        n += pattern[i, c] != pattern[j, c]
    return n == 1 and pattern[i, column] != pattern[j, column]


@inner
def _crossed(is_break, line, piece):
    """Return (piece on the other side of a line, the line's reference from there)."""
    level, unit, first, second = split_reference(line)
    if is_break[level]:
        return (first + 1 if piece == first else first), line
    return second, line_reference(level, unit, second, first)


@inner
def _facet_on(line, begin, end, wanted):
    for j in range(begin, end):
        if line[j] == wanted:
            return j
    return -1


@kernel
def match_single(table, is_break, pat_off, pattern, hashes, offsets, line, neighbor, twin):
    """Match facets across which one unit alone changes its piece; return the number left open."""
    n_cells = hashes.size
    mask = np.uint64(table.size - 1)
    for cell in range(n_cells):
        _insert(table, hashes, cell)
    n_open = 0
    for cell in range(n_cells):
        for j in range(offsets[cell], offsets[cell + 1]):
            if twin[j] >= 0:
                continue
            if line[j] < 0:
                neighbor[j] = -1
                continue
            level, unit, _, _ = split_reference(line[j])
            column = pat_off[level] + unit
            piece = np.int64(pattern[cell, column])
            other, wanted = _crossed(is_break, line[j], piece)
            key = hashes[cell] ^ piece_key(column, piece) ^ piece_key(column, other)
            at = key & mask
            while table[at] >= 0:
                there = table[at]
                if (
                    hashes[there] == key
                    and pattern[there, column] == other
                    and _differs_only_at(pattern, cell, there, column)
                ):
                    match = _facet_on(line, offsets[there], offsets[there + 1], wanted)
                    if match >= 0:
                        neighbor[j], twin[j] = there, match
                        neighbor[match], twin[match] = cell, j
                    break
                at = (at + np.uint64(1)) & mask
            n_open += twin[j] < 0
    return n_open


@kernel
def match_several(P, S, table, pieces, ends, pattern, hashes, offsets, line, x, y, radius, neighbor, twin):
    """Match the facets left open by working out the pattern behind each."""
    mask = np.uint64(table.size - 1)
    units = pattern.shape[1]
    for cell in range(hashes.size):
        for j in range(offsets[cell], offsets[cell + 1]):
            if twin[j] >= 0 or line[j] < 0:
                continue
            following = j + 1 if j + 1 < offsets[cell + 1] else offsets[cell]
            ends[0, 0], ends[0, 1], ends[0, 2] = x[j], y[j], radius[j]
            ends[1, 0], ends[1, 1], ends[1, 2] = x[following], y[following], radius[following]
            for c in range(units):
                pieces[c] = pattern[cell, c]
            pattern_behind(P, S, pieces, line[j], ends)
            key = np.uint64(0)
            for c in range(units):
                key ^= piece_key(c, pieces[c])
            level, unit, first, second = split_reference(line[j])
            wanted = line[j]
            if P.kind[P.cut[level]] != BREAK:
                wanted = line_reference(level, unit, second, first)
            at = key & mask
            neighbor[j] = -2
            while table[at] >= 0:
                there = table[at]
                if hashes[there] == key:
                    same = True
                    for c in range(units):
                        if pattern[there, c] != pieces[c]:
                            same = False
                            break
                    if same:
                        match = _facet_on(line, offsets[there], offsets[there + 1], wanted)
                        if match >= 0:
                            neighbor[j], twin[j] = there, match
                            neighbor[match], twin[match] = cell, j
                        break
                at = (at + np.uint64(1)) & mask


def match_facets(lowered: Lowered, cells: Cells, *, is_complete: bool) -> Facets:
    """Return the facets of the cells with their neighbors.

    Guarantees: exact. Time is proportional to the number of facets where one unit changes across each, and adds a
    pass through the network for each facet where several do.

    Raises
    ------
    InternalError
        When a complete set of cells has a facet inside the domain with nothing behind it.
    """
    program = lowered.program
    n, offsets = cells.hash.size, np.concatenate([[0], np.cumsum(cells.n_vertices)]).astype(np.int64)
    neighbor, twin = np.full(cells.line.size, _OPEN), np.full(cells.line.size, -1)
    table = np.full(1 << max(2, int(2 * n).bit_length()), -1, dtype=np.int64)
    is_break = (program.kind[program.cut] == BREAK).astype(np.uint8)
    n_open = match_single(
        table, is_break, program.pat_off, cells.pattern, cells.hash, offsets, cells.line, neighbor, twin
    )
    if n_open:
        state = new_state(program)
        pieces, ends = np.zeros(cells.pattern.shape[1], dtype=np.int32), np.zeros((2, 3))
        match_several(
            lowered.packed, pack(state), table, pieces, ends, cells.pattern, cells.hash, offsets, cells.line,
            cells.x, cells.y, cells.radius, neighbor, twin,
        )  # fmt: skip
    if is_complete and np.any(neighbor == UNEXPLORED):
        raise InternalError(
            f"{int(np.sum(neighbor == UNEXPLORED))} facets inside the domain have no cell behind them. "
            "This is a bug in reluatlas: please report it with the network."
        )
    return named_facets(neighbor, twin, offsets, cells.line)


def named_facets(
    neighbor: NDArray[np.int64], twin: NDArray[np.int64], offsets: NDArray[np.int64], line: NDArray[np.int64]
) -> Facets:
    """Return facets with the level and unit that their lines name."""
    inside = line >= 0
    level = np.where(inside, line >> 50, -1).astype(np.int32)
    unit = np.where(inside, (line >> 20) & 0x3FFFFFFF, -1)
    return Facets(neighbor, twin, level, unit, offsets, line)
