"""Which rows do the units of a layer ask about, and which piece has each on a cell? Breakpoints, and windows of a max.

A piece is bounded by *walls*, rows that are >= 0 on it. Those between two pieces that a node of the tree lists are what
it cuts by; all others must keep their sign on the whole cell. A part of the check of trees: shares nothing with the
search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.tree_parts import Parts, sides
from reluatlas.certify.tree_rows import U
from reluatlas.network.record import Breakpoints, Max
from reluatlas.typing import FloatArray, IntArray

Asked = tuple[IntArray, IntArray, IntArray, IntArray]
Exactly = Callable[[int, int, int, int, int], int]
"""Returns the sign of a row at a vertex: (polytope, vertex, number of the row's two, as its name has them, side)."""


@dataclass(eq=False)
class Seen:
    """What a layer's units see on B cells: entries (B, n, k + 1), and bounds on their errors."""

    value: FloatArray
    error: FloatArray


class Breaks:
    """Rows z[a] - knot b of a."""

    def __init__(self, node: Breakpoints) -> None:
        self.is_row = np.isfinite(node.knots)
        self.knots = np.where(self.is_row, node.knots, 0.0)
        self.n, self.q = node.knots.shape
        self.n_pieces = self.is_row.sum(axis=1) + 1
        self.n_rows = self.n * self.q

    def rows(self, seen: Seen, cell: IntArray, a: IntArray, b: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return rows and bounds on their errors, one for each cell, a and b (broadcast)."""
        row, error, knot = seen.value[cell, a], seen.error[cell, a], self.knots[a, b]
        row[..., -1] -= knot
        error[..., -1] += np.where(knot == 0, 0.0, 2 * U * np.abs(row[..., -1]))
        return row, error

    def walls(self, unit: IntArray, piece: IntArray, pieces: list[tuple[int, ...]]) -> Iterator[Asked]:
        """Yield (which children, a, b, side), until all walls between their pieces and others listed were given."""
        low, high = (np.array([f(p) for p in pieces], dtype=np.int64) for f in (min, max))
        every = np.arange(unit.size)
        is_upper = piece > low
        yield every, unit, np.where(is_upper, piece - 1, piece), np.where(is_upper, 1, -1)
        both = np.flatnonzero(is_upper & (piece < high))
        if both.size:
            yield both, unit[both], piece[both], np.full(both.size, -1)

    def note(self, sure: NDArray[np.int8], unit: IntArray, piece: IntArray, pieces: list[tuple[int, ...]]) -> None:
        """Note in `sure` (B, rows) what a child's walls say of the rows of its unit: 1 above, -1 below."""
        low, high = (np.array([f(p) for p in pieces], dtype=np.int64) for f in (min, max))
        for j in range(self.q):
            side = np.where((j < piece) & (piece > low), 1, np.where((j >= piece) & (piece < high), -1, 0))
            sure[np.arange(unit.size), unit * self.q + j] = side

    def decide(
        self,
        seen: Seen,
        parts: Parts,
        cell: IntArray,
        given: NDArray[np.int32],
        sure: NDArray[np.int8],
        exactly: Exactly,
    ) -> tuple[IntArray, IntArray]:
        """Return the piece of each unit (B, n), and of each cell a unit that is wrong, or -1."""
        a, b = np.divmod(np.arange(self.n_rows), self.q)
        row, error = self.rows(seen, cell[:, None], a, b)
        wanted = (sure == 0) & self.is_row.reshape(-1)
        above, below = sides(parts, row, error, wanted, lambda i, v, r: exactly(i, v, int(a[r]), int(b[r]), 1))
        side = np.where(wanted, np.where(above, 1, -1), sure)
        found = (side.reshape(-1, self.n, self.q) > 0).sum(axis=2)
        is_wrong = (above & below).reshape(-1, self.n, self.q).any(axis=2) | ((given >= 0) & (given != found))
        return found, np.where(is_wrong.any(axis=1), is_wrong.argmax(axis=1), -1)


class Windows:
    """Rows z[a] - z[b] of two entries of a window; pieces are places in it."""

    def __init__(self, node: Max) -> None:
        self.n_pieces = np.diff(node.offsets)
        self.n, self.most = node.n_windows, int(self.n_pieces.max(initial=1))
        place = np.arange(self.most)
        self.is_place = place < self.n_pieces[:, None]
        at = np.minimum(node.offsets[:-1, None] + place, max(node.candidates.size - 1, 0))
        self.entry = np.where(self.is_place, node.candidates[at], 0)
        self.n_rows = self.n * self.most

    def rows(self, seen: Seen, cell: IntArray, a: IntArray, b: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return rows and bounds on their errors, one for each cell, a and b (broadcast)."""
        row = seen.value[cell, a] - seen.value[cell, b]
        error = seen.error[cell, a] + seen.error[cell, b] + 2 * U * np.abs(row)
        error[np.broadcast_to(a == b, error.shape[:-1])] = 0.0
        return row, error

    def walls(self, unit: IntArray, piece: IntArray, pieces: list[tuple[int, ...]]) -> Iterator[Asked]:
        """Yield (which children, a, b, side), until all walls between their pieces and others listed were given."""
        others = [[v for v in p if v != w] for p, w in zip(pieces, piece.tolist(), strict=True)]
        for turn in range(max(map(len, others), default=0)):
            which = np.array([i for i, o in enumerate(others) if len(o) > turn], dtype=np.int64)
            loser = np.array([others[i][turn] for i in which], dtype=np.int64)
            entry = self.entry[unit[which]]
            at = np.arange(which.size)
            yield which, entry[at, piece[which]], entry[at, loser], np.ones(which.size, dtype=np.int64)

    def note(self, sure: NDArray[np.int8], unit: IntArray, piece: IntArray, pieces: list[tuple[int, ...]]) -> None:
        """Note in `sure` (B, rows) which candidates of a child's window its walls say to lose."""
        for i, (u, listed) in enumerate(zip(unit.tolist(), pieces, strict=True)):
            sure[i, [u * self.most + v for v in listed]] = 1

    def decide(
        self,
        seen: Seen,
        parts: Parts,
        cell: IntArray,
        given: NDArray[np.int32],
        sure: NDArray[np.int8],
        exactly: Exactly,
    ) -> tuple[IntArray, IntArray]:
        """Return the winner of each window (B, n), and of each cell a window that is wrong, or -1.

        The largest in the middle of the cell is tried first, and each candidate that turns out to be larger, or the
        same and earlier, after it.
        """
        middle = np.where(parts.is_there[:, :, None], parts.x, 0.0).sum(axis=1) / parts.is_there.sum(axis=1)[:, None]
        height = np.einsum("bnk,bk->bn", seen.value[cell, :, :-1], middle) + seen.value[cell, :, -1]
        best = np.where(self.is_place, height[:, self.entry], -np.inf).argmax(axis=2)
        winner, wrong = np.where(given >= 0, given, best), np.full(len(parts), -1, dtype=np.int64)
        window, place = np.divmod(np.arange(self.n_rows), self.most)
        b = self.entry[window, place]
        todo = np.arange(len(parts))
        while todo.size:
            a = self.entry[window, winner[todo][:, window]]
            row, error = self.rows(seen, cell[todo, None], a, np.broadcast_to(b, a.shape))
            wanted = (sure[todo] == 0) & self.is_place.reshape(-1) & (place != winner[todo][:, window])

            def settle(i: int, v: int, r: int, a: IntArray = a, todo: IntArray = todo) -> int:
                return 0 if a[i, r] == b[r] else exactly(int(todo[i]), v, int(a[i, r]), int(b[r]), 1)

            above, below = sides(parts.take(todo), row, error, wanted, settle)
            is_cut = above & below
            loses = wanted & ~above & (below | (place < winner[todo][:, window]))
            is_wrong = is_cut | (loses & (given[todo] >= 0)[:, window])
            wrong[todo] = np.where(is_wrong.any(axis=1), window[is_wrong.argmax(axis=1)], -1)
            again = loses.any(axis=1) & ~is_wrong.any(axis=1)
            for i in np.flatnonzero(again):
                for r in np.flatnonzero(loses[i])[::-1]:  # the first of several stays
                    winner[todo[i], window[r]] = place[r]
            todo = todo[again]
        return winner, wrong


def kind_of(node: Breakpoints | Max) -> Breaks | Windows:
    """Return what is asked about a layer."""
    return Breaks(node) if isinstance(node, Breakpoints) else Windows(node)
