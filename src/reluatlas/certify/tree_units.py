"""Which rows do the units of a layer ask about, and which piece has each on a cell? Breakpoints, and windows of a max.

A piece is bounded by *walls*, rows that are >= 0 on it. Those between two pieces that a node of the tree lists are what
it cuts by; all others must keep their sign on the whole cell. Lists of units (B, m) end with -1 where a cell has fewer.
A part of the check of trees: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.tree_parts import Bools, Parts, sides
from reluatlas.certify.tree_rows import U
from reluatlas.network.record import Breakpoints, Max
from reluatlas.typing import FloatArray, IntArray

Sure = NDArray[np.int8]
Walls = tuple[IntArray, IntArray, IntArray, IntArray]
Exactly = Callable[[int, int, int, int], int]
"""Returns the sign of a row at a vertex: (polytope, vertex, and the row's two numbers, as its name has them)."""


@dataclass(eq=False)
class Seen:
    """What a layer's units see on B cells: entries (B, n, k + 1), and bounds on their errors."""

    value: FloatArray
    error: FloatArray


@dataclass(eq=False)
class Cut:
    """Children of nodes: the unit of each one's parent, its piece, and which others the parent lists."""

    unit: IntArray
    piece: IntArray
    low: IntArray
    high: IntArray
    pieces: list[tuple[int, ...]]


class Breaks:
    """Rows z[a] - knot b of a; `sure` (B, m, knots) says that they are above (1) or below (-1), or does not (0)."""

    def __init__(self, node: Breakpoints) -> None:
        self.is_row = np.isfinite(node.knots)
        self.knots = np.where(self.is_row, node.knots, 0.0)
        self.n, self.n_rows = node.knots.shape
        self.n_pieces = self.is_row.sum(axis=1) + 1

    def rows(self, seen: Seen, cell: IntArray, a: IntArray, b: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return rows and bounds on their errors, one for each cell, a and b."""
        return self._moved(seen.value[cell, a], seen.error[cell, a], self.knots[a, b])

    def walls(self, node: Cut) -> Iterator[Walls]:
        """Yield (which children, a, b, side), until all walls between their pieces and others listed were given."""
        is_upper = node.piece > node.low
        place = np.where(is_upper, node.piece - 1, node.piece)
        yield np.arange(place.size), node.unit, place, np.where(is_upper, 1, -1)
        both = np.flatnonzero(is_upper & (node.piece < node.high))
        if both.size:
            yield both, node.unit[both], node.piece[both], np.full(both.size, -1)

    def note(self, sure: Sure, column: IntArray, node: Cut) -> None:
        """Note what a child's walls say of its unit, which is in this column."""
        for j in range(self.n_rows):
            is_above, is_below = (
                (j < node.piece) & (node.piece > node.low),
                (j >= node.piece) & (node.piece < node.high),
            )
            sure[np.arange(column.size), column, j] = np.where(is_above, 1, np.where(is_below, -1, 0))

    def decide(
        self, seen: Seen, parts: Parts, cell: IntArray, units: IntArray, given: IntArray, sure: Sure, exactly: Exactly
    ) -> tuple[IntArray, Bools]:
        """Return the piece of each unit (B, m), and which have none on the whole cell, or another than the given one.

        A given piece of -1 may be any.
        """
        q = self.n_rows
        if units.strides[0] == 0 and units.shape[1] == self.n:  # all, of each cell
            value, error = seen.value[cell], seen.error[cell]
        else:
            value, error = seen.value[cell[:, None], units], seen.error[cell[:, None], units]
        if q != 1:
            value, error = np.repeat(value, q, axis=1), np.repeat(error, q, axis=1)
        row, error = self._moved(value, error, self.knots[units].reshape(len(units), -1))
        sure = sure.reshape(len(units), -1)
        wanted = (sure == 0) & (self.is_row[units] & (units >= 0)[:, :, None]).reshape(len(units), -1)

        def settle(part: int, vertex: int, r: int) -> int:
            return exactly(part, vertex, int(units[part, r // q]), r % q)

        above, below = sides(parts, row, error, wanted, settle)
        shape = (*units.shape, q)
        found = np.where(wanted, above, sure > 0).reshape(shape).sum(axis=2)
        return found, (above & below).reshape(shape).any(axis=2) | ((given >= 0) & (given != found))

    def _moved(self, row: FloatArray, error: FloatArray, knot: FloatArray) -> tuple[FloatArray, FloatArray]:
        if knot.any():
            row, error = row.copy(), error.copy()
            row[..., -1] -= knot
            error[..., -1] += np.where(knot == 0, 0.0, 2 * U * np.abs(row[..., -1]))
        return row, error


class Windows:
    """Rows z[a] - z[b] of two entries of a window; pieces are places in it; `sure` (B, m, places) says which lose."""

    def __init__(self, node: Max) -> None:
        self.n_pieces = np.diff(node.offsets)
        self.n, self.n_rows = node.n_windows, int(self.n_pieces.max(initial=1))
        place = np.arange(self.n_rows)
        self.is_place = place < self.n_pieces[:, None]
        at = np.minimum(node.offsets[:-1, None] + place, max(node.candidates.size - 1, 0))
        self.entry = np.where(self.is_place, node.candidates[at], 0)

    def rows(self, seen: Seen, cell: IntArray, a: IntArray, b: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return rows and bounds on their errors, one for each cell, a and b."""
        row = seen.value[cell, a] - seen.value[cell, b]
        error = seen.error[cell, a] + seen.error[cell, b] + 2 * U * np.abs(row)
        error[a == b] = 0.0
        return row, error

    def walls(self, node: Cut) -> Iterator[Walls]:
        """Yield (which children, a, b, side), until all walls between their pieces and others listed were given."""
        others = [[v for v in p if v != w] for p, w in zip(node.pieces, node.piece.tolist(), strict=True)]
        for turn in range(max(map(len, others), default=0)):
            which = np.array([i for i, o in enumerate(others) if len(o) > turn], dtype=np.int64)
            loser = np.array([others[i][turn] for i in which], dtype=np.int64)
            entry = self.entry[node.unit[which]]
            at = np.arange(which.size)
            yield which, entry[at, node.piece[which]], entry[at, loser], np.ones(which.size, dtype=np.int64)

    def note(self, sure: Sure, column: IntArray, node: Cut) -> None:
        """Note what a child's walls say of its window, which is in this column."""
        for i, (c, listed) in enumerate(zip(column.tolist(), node.pieces, strict=True)):
            sure[i, c, list(listed)] = 1

    def decide(
        self, seen: Seen, parts: Parts, cell: IntArray, units: IntArray, given: IntArray, sure: Sure, exactly: Exactly
    ) -> tuple[IntArray, Bools]:
        """Return the winner of each window (B, m), and which have none on the whole cell, or not the given one.

        The largest in the middle of the cell is tried first, and each candidate that turns out to be larger, or the
        same and earlier, after it.
        """
        middle = np.where(parts.is_there[:, :, None], parts.x, 0.0).sum(axis=1) / parts.is_there.sum(axis=1)[:, None]
        height = np.einsum("bnk,bk->bn", seen.value[cell, :, :-1], middle) + seen.value[cell, :, -1]
        entry, is_place = self.entry[units], self.is_place[units] & (units >= 0)[:, :, None]
        height = np.where(is_place, height[np.arange(len(cell))[:, None, None], entry], -np.inf)
        winner, wrong = np.where(given >= 0, given, height.argmax(axis=2)), np.zeros(units.shape, dtype=bool)
        place, todo = np.arange(self.n_rows), np.arange(len(parts))
        while todo.size:
            b, best = entry[todo], winner[todo][:, :, None]
            a = np.broadcast_to(np.take_along_axis(b, best, axis=2), b.shape)
            wanted = (sure[todo] == 0) & is_place[todo] & (place != best)
            flat = (len(todo), -1)
            row, error = self.rows(seen, cell[todo, None], a.reshape(flat), b.reshape(flat))

            def settle(part: int, vertex: int, r: int, asked: tuple[IntArray, ...] = (todo, a, b)) -> int:
                of, first, second = asked
                i, j = divmod(r, self.n_rows)
                x, y = int(first[part, i, j]), int(second[part, i, j])
                return 0 if x == y else exactly(int(of[part]), vertex, x, y)

            above, below = (
                s.reshape(b.shape) for s in sides(parts.take(todo), row, error, wanted.reshape(flat), settle)
            )
            loses = wanted & ~above & (below | (place < best))
            wrong[todo] = (above & below).any(axis=2) | (loses.any(axis=2) & (given[todo] >= 0))
            again = loses.any(axis=2) & ~wrong[todo]
            winner[todo] = np.where(again, loses.argmax(axis=2), winner[todo])
            todo = todo[again.any(axis=1)]
        return winner, wrong
