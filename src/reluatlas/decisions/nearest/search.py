"""How near can a target be? Branch and bound on the units that can change, nearest part first, in balls of any size.

A part is where some units are held on one side of a knot. Of each, relaxations give a certain distance that no target
in it is nearer than; parts of at least the ball's radius are done with. Where no unit can change any more the network
is one affine function, and the nearest point is settled in ratios. A ball is done when no part is left in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush

import numpy as np

from reluatlas.deadline import look
from reluatlas.decisions.nearest.ball import Around
from reluatlas.decisions.nearest.exactly import Exactly, Found, length_up
from reluatlas.decisions.nearest.points import Points
from reluatlas.decisions.nearest.programs import Bound, closest, joint
from reluatlas.decisions.nearest.relax import Cut, Part, Relaxed, Rows
from reluatlas.decisions.nearest.targets import Target
from reluatlas.network.network import Network
from reluatlas.network.record import Breakpoints, Max
from reluatlas.typing import FloatArray

_TAKE = 16
_Item = tuple[float, int, Part, int, tuple[int, int]]
"""Of a part in the queue: its bound, a running number, itself, its target, and the unit to cut next."""


class Search:
    """What is shared by all balls: the network, the targets, and the best point."""

    def __init__(
        self, network: Network, around: Around, exact: Exactly, targets: Sequence[Target], points: Points, norm: float
    ) -> None:
        self.network, self.around, self.exact, self.targets = network, around, exact, targets
        self.points, self.norm = points, norm
        self.relaxed = Relaxed(network, around)
        self.n_parts, self.unsettled = 0, float("inf")
        self._wholes: dict[float, Part] = {}

    def whole(self, radius: float) -> Part:
        """Return the ball without cuts."""
        if radius not in self._wholes:
            self._wholes = {radius: self.relaxed.whole(radius)}
        return self._wholes[radius]


class BallSearch:
    """The search of one ball.

    Attributes
    ----------
    radius : float
    """

    def __init__(self, search: Search, radius: float) -> None:
        self._s, self.radius = search, radius
        self._heap: list[_Item] = []
        self._n = 0
        self._begun = False
        self._kept = float("inf")  # the least distance of parts that float64 could not settle

    @property
    def _end(self) -> float:
        return min(self.radius, self._s.points.length)

    @property
    def lower(self) -> float:
        """What no target is nearer than, at most the radius."""
        if not self._begun:
            return 0.0
        return min(self._end, self._kept, self._heap[0][0] if self._heap else float("inf"))

    @property
    def is_done(self) -> bool:
        """Whether no part is left that may hold something nearer than what was found."""
        return self._begun and (not self._heap or self._heap[0][0] >= self._end)

    @property
    def is_settled(self) -> bool:
        """Whether no part was left open by an exact step."""
        return self._kept >= self._end

    def begin(self) -> None:
        """Look at the whole ball for each target."""
        whole = self._s.whole(self.radius)
        found = [(whole, j) for j in range(len(self._s.targets))]
        for part, j in found:
            self._add(part, j, 0.0)
        self._begun = True

    def go_on(self, n: int, told: Callable[[], None]) -> None:
        """Look at up to n parts."""
        if not self._begun:
            self.begin()
        while n > 0 and not self.is_done:
            look()
            if self._heap[0][0] >= self._end:
                return
            bound, _, part, j, at = self._heap[0]
            children = self._children(part, at)
            made = []
            for cuts in children:
                child = self._s.relaxed.behind(part, cuts)
                if child is not None:
                    made.append(child)
            added = [self._made(child, j, bound) for child in made]
            heappop(self._heap)  # only now: a stop in between loses nothing
            for item in added:
                if item is not None:
                    heappush(self._heap, item)
            n -= 1
            self._s.n_parts += 1
            if self._s.n_parts % 64 == 0:
                told()

    def _add(self, part: Part, j: int, bound: float) -> None:
        item = self._made(part, j, bound)
        if item is not None:
            heappush(self._heap, item)

    def _made(self, part: Part, j: int, bound: float) -> _Item | None:
        """Return a part's place in the queue; None when there is nothing more to look for in it."""
        s, target = self._s, self._s.targets[j]
        blame: dict[int, FloatArray] = {}
        rows = s.relaxed.above(part, s.network.output, target.row(s.network.n_outputs)[None], blame)
        at = rows.at + target.shift
        rows = Rows(rows.W, at + 4.0 * 2.0**-53 * (np.abs(at) + abs(target.shift)))
        if np.all(np.isfinite(rows.W)) and np.isfinite(rows.at[0]):
            bound = max(bound, s.around.distance(rows.W[0], float(rows.at[0])))
        if bound >= self._end:
            return None
        found: Bound | None = None
        scores = self._scores(part, blame)
        if part.cuts:
            demands = s.relaxed.demands(part)
            rows = Rows(np.concatenate([rows.W, demands.W]), np.concatenate([rows.at, demands.at]))
            found = joint(s.around, rows, self._end)
            if scores is None and found.distance < self._end:
                found = closest(s.around, rows, found, self._end)
            bound = max(bound, found.distance)
            if bound >= self._end:
                return None
        if scores is None:
            self._leaf(part, j, bound, found or Bound(bound, np.zeros_like(s.around.x), np.ones(1)))
            return None
        if found is not None and self._n % _TAKE == 0:
            s.points.take(np.stack([s.around.x + np.clip(found.step, -s.around.down, s.around.up)]))
        self._n += 1
        return bound, self._n, part, j, scores

    def _scores(self, part: Part, blame: dict[int, FloatArray]) -> tuple[int, int] | None:
        """Return the unit to cut next as (node, unit); None where none may change."""
        best, at = -1.0, None
        for t in self._s.network.cuts:
            units = self._s.relaxed.open_units(part, t)
            if not units.size:
                continue
            worth = blame[t][units] if t in blame else np.zeros(units.size)
            i = int(worth.argmax())
            if at is None or worth[i] > best:
                best, at = float(worth[i]), (t, int(units[i]))
        return at

    def _children(self, part: Part, at: tuple[int, int]) -> list[list[Cut]]:
        t, unit = at
        node = self._s.network.nodes[t]
        if isinstance(node, Breakpoints):
            first, last = self._s.relaxed.pieces(part, t)
            knot = float(node.knots[unit, (int(first[unit]) + int(last[unit]) - 1) // 2])
            return [[Cut(t, unit, -1, knot)], [Cut(t, unit, 1, knot)]]
        assert isinstance(node, Max)
        return [[Cut(t, unit, 0, 0.0, int(w))] for w in self._s.relaxed.candidates_of(part, t, unit)]

    def _leaf(self, part: Part, j: int, bound: float, guess: Bound) -> None:
        """Settle a part on which the network is affine."""
        s = self._s
        choice = s.relaxed.choice(part)
        found = s.exact.nearest(part.cuts, choice, s.targets[j], self._guess(guess), guess.multipliers.tolist())
        if isinstance(found, Found):
            # beyond the ball units may change that were taken for certain
            if length_up(found.size, s.norm) <= self.radius:
                s.points.accept(found, j)
        elif found is False:
            self._kept = min(self._kept, bound)

    def _guess(self, guess: Bound) -> tuple[list[int], dict[int, int]]:
        """Return the rows and sides that float64 takes to be active, for the Euclidean norm."""
        if self._s.around.norm != 2:
            return [], {}
        around, step = self._s.around, guess.step
        sides = {int(i): 1 for i in np.flatnonzero(step >= around.up)}
        sides.update({int(i): -1 for i in np.flatnonzero(step <= -around.down)})
        most = guess.multipliers.max(initial=0.0)
        return np.flatnonzero(guess.multipliers > 1e-9 * most).tolist(), sides
