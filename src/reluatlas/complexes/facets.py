"""Which cell lies behind which facet? Exactly one does, unless the facet is on the domain's boundary.

Nearly always one unit alone changes its piece across a facet: the one whose row made it. If a cell with that one
change exists, it is the neighbor: on the facet all other rows have the same (closed) signs on both sides, so the
facet belongs to both cells. It is found by its hash and confirmed on its pattern. Else several units change
together, or a window has more than two that tie there: `twins` compares the facets that one unit made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel
from reluatlas.compiled.structs import pack
from reluatlas.complexes.twins import Cells, Places, list_differences, match_sides, settle_pairs, sides_of
from reluatlas.deadline import flagged, interruptible
from reluatlas.errors import InternalError
from reluatlas.shown import Shown
from reluatlas.subdivision.path.composition import new_state
from reluatlas.subdivision.path.exact_rows import line_reference, split_reference
from reluatlas.subdivision.program.keys import piece_key
from reluatlas.subdivision.program.layout import BREAK, M_K, Lowered

SIDE, UNEXPLORED, _OPEN = -1, -2, -3


@dataclass(frozen=True, eq=False, repr=False)
class Facets(Shown):
    """The facets of all cells, one cell after another (F in all).

    In the plane facet j runs from vertex j to the next vertex of its cell (counter-clockwise). In other dimensions
    `Vertices.on` says which vertices lie on which facet; `PolyhedralComplex.corners` lists them either way.

    Attributes
    ----------
    neighbor : ndarray, shape (F,)
        The cell behind it; -1 on the domain's boundary; -2 where an incomplete answer has not looked.
    twin : ndarray, shape (F,)
        The same facet in the neighbor's run; -1 without a neighbor.
    level, unit : ndarray, shape (F,)
        The layer (position among the cut nodes) and the unit that made it: the first that changes its piece
        across it. Level -1 on the domain's boundary.
    offsets : ndarray, shape (n_cells + 1,)
        Facets of cell i are `offsets[i]:offsets[i + 1]`.
    line : ndarray, shape (F,)
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
def match_single(table, is_break, pat_off, pattern, hashes, offsets, line, neighbor, twin, columns):
    """Match facets across which one unit alone changes its piece; return the number left open.

    `columns` is room for two columns of the patterns.
    """
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
                    and list_differences(pattern, cell, there, columns) == 1
                ):
                    match = _facet_on(line, offsets[there], offsets[there + 1], wanted)
                    if match >= 0:
                        neighbor[j], twin[j] = there, match
                        neighbor[match], twin[match] = cell, j
                    break
                at = (at + np.uint64(1)) & mask
            n_open += twin[j] < 0
    return n_open


def match_facets(
    lowered: Lowered,
    pattern: NDArray[np.integer],
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    line: NDArray[np.int64],
    places: Callable[[], Places],
    *,
    is_complete: bool,
    stop: NDArray[np.int64] | None = None,
) -> Facets:
    """Return the facets of cells with their neighbors.

    Parameters
    ----------
    pattern, hashes
        Of the cells, shape (n_cells, units) and (n_cells,).
    offsets : ndarray, shape (n_cells + 1,)
        Facets of cell i are `offsets[i]:offsets[i + 1]`.
    line : ndarray, shape (F,)
        The reference of the row that vanishes on each.
    places : callable
        Gives the facets' vertices; asked where several units change across a facet.
    stop : ndarray, shape (1,), optional
        Set to 1 when the time is over that holds here, and to 2 by Ctrl-C: facets left then stay unexplored.

    Raises
    ------
    InternalError
        When a complete set of cells has a facet inside the domain with nothing behind it.

    Guarantees
    ----------
    Exact. Time is proportional to the number of facets, to the lengths of the patterns that are compared for those
    across which several units change, and to one pass through the network for each cell with such a facet of which
    the patterns alone do not tell what lies behind.
    """
    program = lowered.program
    stop = np.zeros(1, dtype=np.int64) if stop is None else stop
    n = hashes.size
    neighbor, twin = np.full(line.size, _OPEN), np.full(line.size, -1)
    table = np.full(1 << max(2, int(2 * n).bit_length()), -1, dtype=np.int64)
    is_break = (program.kind[program.cut] == BREAK).astype(np.uint8)
    n_open = match_single(
        table, is_break, program.pat_off, pattern, hashes, offsets, line, neighbor, twin, np.zeros(2, dtype=np.int64)
    )  # fmt: skip
    if n_open:
        neighbor[(twin < 0) & (line >= 0)] = UNEXPLORED
        _match_several(lowered, pattern, offsets, line, places(), neighbor, twin, stop)
    if is_complete and not stop[0] and np.any(neighbor == UNEXPLORED):
        raise InternalError(
            f"{int(np.sum(neighbor == UNEXPLORED))} facets inside the domain have no cell behind them. "
            "This is a bug in reluatlas: please report it with the network."
        )
    return named_facets(neighbor, twin, offsets, line)


def _match_several(
    lowered: Lowered, pattern: NDArray[np.integer], offsets: NDArray[np.int64], line: NDArray[np.int64], places: Places,
    neighbor: NDArray[np.int64], twin: NDArray[np.int64], stop: NDArray[np.int64],
) -> None:  # fmt: skip
    """Match facets across which several units change, until `stop[0]` is set."""
    program = lowered.program
    k = int(program.meta[M_K])
    is_break = (program.kind[program.cut] == BREAK).astype(np.uint8)
    sides = sides_of(np.flatnonzero(neighbor == UNEXPLORED), line, is_break, places)
    cells = Cells(pattern, np.repeat(np.arange(offsets.size - 1), np.diff(offsets)), line)
    corners = np.zeros((int(np.diff(places.offsets).max(initial=1)), k + 2))
    scratch = np.zeros(pattern.shape[1], dtype=np.int64), np.zeros(k + 1), corners
    packed = lowered.packed, pack(new_state(program, lowered.packed))
    given = pack(cells), pack(places)
    try:
        with flagged(stop):
            room = sides.facet.size
            while True:
                pairs = np.zeros((room, 2), dtype=np.int64)
                n_pairs = interruptible(
                    match_sides, *packed, pack(sides), *given, neighbor, twin, *scratch, pairs, stop, flag=stop
                )
                if n_pairs <= room:
                    break
                room = n_pairs
            # one cell after another: its path is composed once
            pairs = pairs[:n_pairs]
            pairs = np.ascontiguousarray(pairs[np.lexsort(pairs.T[::-1])])
            if n_pairs:
                interruptible(settle_pairs, *packed, *given, neighbor, twin, *scratch, pairs, stop, flag=stop)
    except KeyboardInterrupt:
        stop[0] = 2


def named_facets(
    neighbor: NDArray[np.int64], twin: NDArray[np.int64], offsets: NDArray[np.int64], line: NDArray[np.int64]
) -> Facets:
    """Return facets with the level and unit that their lines name."""
    inside = line >= 0
    level = np.where(inside, line >> 50, -1).astype(np.int32)
    unit = np.where(inside, (line >> 20) & 0x3FFFFFFF, -1)
    return Facets(neighbor, twin, level, unit, offsets, line)
