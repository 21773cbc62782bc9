"""Which pieces are joined next? Of all that share a facet, always the two whose joined error is smallest.

A joined error is at least that of both sides, and grows with either. So what was found for a pair before one of its
sides grew is a bound from below for the pair as it is now: it waits in the queue under that bound, and is fitted anew
only when it comes to the front. Errors of joins in their order never fall, up to what the fits round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import numpy as np

from reluatlas.analysis.joining.ground import Ground
from reluatlas.analysis.joining.pieces import Piece, joined, single
from reluatlas.deadline import look


@dataclass(eq=False)
class Joining:
    """Pieces that are joined step by step.

    Attributes
    ----------
    pieces : dict of Piece
        Those that there are now, by number; a joined one gets the next number.
    errors : list of float
        After each step, a certain bound on the largest error of all pieces: that of the linear regions first.
    """

    ground: Ground
    pieces: dict[int, Piece] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)
    _near: dict[int, set[int]] = field(default_factory=dict)
    _queue: list[tuple[float, int, int, bool]] = field(default_factory=list)
    _made: dict[tuple[int, int], Piece | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ground = self.ground
        self.pieces = {r: single(ground, r) for r in range(ground.n_regions)}
        self.errors = [max(p.error for p in self.pieces.values())]
        self._near = {r: set(near) for r, near in enumerate(ground.neighbors)}
        self._queue = [(0.0, i, j, False) for i, near in enumerate(ground.neighbors) for j in near if i < j]
        heapify(self._queue)

    def run(self, n_pieces: int, tolerance: float = np.inf, tell: Callable[[int, int], None] | None = None) -> None:
        """Join until so few pieces are left, or no two can be joined within a tolerance.

        Stopped by a time limit between two steps, it is as it was after the last one.
        """
        first = len(self.pieces)
        while len(self.pieces) > n_pieces and self._queue:
            look()
            bound, i, j, is_known = self._queue[0]
            if i not in self.pieces or j not in self.pieces:
                heappop(self._queue)
            elif is_known:
                self._step(i, j)
                if tell is not None:
                    tell(first - len(self.pieces), first - n_pieces)
            else:
                made = joined(self.ground, (self.pieces[i], self.pieces[j]), tolerance)
                heappop(self._queue)
                self._made[i, j] = made
                if made is not None:
                    heappush(self._queue, (max(bound, made.error), i, j, True))

    def _step(self, i: int, j: int) -> None:
        heappop(self._queue)
        made, new = self._made[i, j], self.ground.n_regions + len(self.errors) - 1
        assert made is not None
        del self.pieces[i], self.pieces[j]
        self.pieces[new] = made
        self.errors.append(max(self.errors[-1], made.error))
        bounds: dict[int, float] = {}
        for old in (i, j):
            for other in self._near.pop(old):
                pair = (min(old, other), max(old, other))
                if pair in self._made:
                    before = self._made.pop(pair)
                    bound = np.inf if before is None else before.error
                else:
                    bound = made.error
                if other not in (i, j):
                    self._near[other].discard(old)
                    self._near[other].add(new)
                    bounds[other] = max(bound, bounds.get(other, made.error))
        self._near[new] = set(bounds)
        for other, bound in bounds.items():
            if bound < np.inf:  # else one side of it was too far already
                heappush(self._queue, (bound, other, new, False))
