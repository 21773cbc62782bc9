"""How far does a linear function rise near a point, and how near can it reach zero? `Around`, with certain bounds.

Steps d lead away from a point x of a domain with sides. In the inputs themselves the length of a step is its norm; on
a slice each coordinate of a step of length r is at most `reach` times r, which is all that is used of it here.
Every bound is rounded to its safe side: a sum of n products is off by at most n + 2 units of roundoff of the sum of
their sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reluatlas.arithmetic.constants import UNIT_ROUNDOFF
from reluatlas.stable.enclosure import TINY
from reluatlas.typing import FloatArray

_TRIES = (2.0**-44, 2.0**-38, 2.0**-30, 2.0**-20)


@dataclass(frozen=True, eq=False)
class Around:
    """A point, and how far the domain goes on around it.

    Attributes
    ----------
    x : ndarray, shape (k,)
        In the domain's coordinates.
    up, down : ndarray, shape (k,)
        How far each coordinate can rise and fall, rounded up; inf without end.
    norm : 1, 2 or inf
        By which steps are measured; inf on slices.
    reach : ndarray, shape (k,)
        How far a coordinate moves at most in a step of length 1.
    """

    x: FloatArray
    up: FloatArray
    down: FloatArray
    norm: float
    reach: FloatArray

    @property
    def slack(self) -> float:
        """What sums over all coordinates are off by, as a share of their size."""
        return (self.x.size + 16) * 2.0 * UNIT_ROUNDOFF

    def room(self, radius: float) -> tuple[FloatArray, FloatArray]:
        """Return how far coordinates can rise and fall in steps of at most a length, rounded up."""
        with np.errstate(invalid="ignore"):
            most = self.reach * radius * (1.0 + 4.0 * UNIT_ROUNDOFF)
        return np.minimum(self.up, most), np.minimum(self.down, most)

    def rise(self, W: FloatArray, radius: float) -> FloatArray:
        """Return what each linear function (q, k) rises by at most, in steps of at most a finite length."""
        up, down = self.room(radius)
        plus, minus = np.maximum(W, 0.0), np.maximum(-W, 0.0)
        most = plus @ up + minus @ down
        if self.norm != np.inf:
            movable = np.where(up > 0.0, plus, 0.0) + np.where(down > 0.0, minus, 0.0)
            if self.norm == 2:
                ball = radius * np.sqrt(np.einsum("ij,ij->i", movable, movable) + TINY)
            else:
                ball = radius * movable.max(axis=1, initial=0.0)
            most = np.minimum(most, ball)
        return most * (1.0 + self.slack) + TINY

    def distance(self, w: FloatArray, at: float) -> float:
        """Return a certain lower bound on the length of steps d with `at + w . d >= 0`; inf where there is none."""
        if not at < 0.0 or not np.all(np.isfinite(w)):
            return 0.0
        size, gap = np.abs(w), -at
        room = np.where(w > 0.0, self.up, self.down)
        movable = (size > 0.0) & (room > 0.0)
        size, room, reach = size[movable], room[movable], self.reach[movable]
        if not size.size:
            return float("inf")
        with np.errstate(over="ignore", invalid="ignore"):
            if float(size @ np.minimum(room, 1e300)) * (1.0 + self.slack) < gap and np.all(np.isfinite(room)):
                return float("inf")
            if self.norm == 2:
                return self._euclidean(size, room, gap)
            return self._summed(size, room, gap) if self.norm == 1 else self._largest(size, room, reach, gap)

    def _largest(self, size: FloatArray, room: FloatArray, reach: FloatArray, gap: float) -> float:
        guess = _reached(size, room, reach, gap)
        for shrink in _TRIES:
            radius = guess * (1.0 - shrink)
            if float(size @ np.minimum(room, reach * radius)) * (1.0 + self.slack) + TINY < gap:
                return max(0.0, radius * (1.0 - 4.0 * UNIT_ROUNDOFF))
        return 0.0

    def _euclidean(self, size: FloatArray, room: FloatArray, gap: float) -> float:
        step = _reached(size, room, size, gap)
        if not 0.0 < step < 1e300:
            return 0.0
        # for any step: w . d <= sum max (w e - e^2 / (2 step)) + |d|^2 / (2 step)
        e = np.minimum(room, step * size)
        held = float((e * (size - e / (2.0 * step))).sum())
        rest = gap - held * (1.0 + self.slack) - 2.0 * self.slack * gap
        return float(np.sqrt(max(0.0, 2.0 * step * rest))) * (1.0 - 8.0 * UNIT_ROUNDOFF)

    def _summed(self, size: FloatArray, room: FloatArray, gap: float) -> float:
        order = np.argsort(-size, kind="stable")
        gained = np.cumsum((size * np.minimum(room, 1e300))[order])
        i = min(int(np.searchsorted(gained, gap)), size.size - 1)
        level = float(size[order[i]])
        above = size > level
        # for any level: w . d <= sum (w - level) room + level |d|
        held = float(((size[above] - level) * room[above]).sum())
        rest = gap - held * (1.0 + self.slack) - 2.0 * self.slack * gap
        return max(0.0, rest / level) * (1.0 - 4.0 * UNIT_ROUNDOFF)

    def foot(self, w: FloatArray, at: float) -> FloatArray:
        """Return the shortest step d with `at + w . d >= 0`, nearly; as far as it goes where there is none."""
        sign, size = np.sign(w), np.abs(w)
        room = np.where(w > 0.0, self.up, self.down)
        gap = max(0.0, -at)
        if self.norm == 1:
            order = np.argsort(-size, kind="stable")
            out, left = np.zeros_like(w), gap
            for j in order.tolist():
                if left <= 0.0 or size[j] == 0.0:
                    break
                e = min(float(room[j]), left / float(size[j]))
                out[j] = sign[j] * e
                left -= size[j] * e
            return out
        rate = size if self.norm == 2 else self.reach
        return sign * np.minimum(room, _reached(size, room, rate, gap) * rate)


def _reached(size: FloatArray, room: FloatArray, rate: FloatArray, gap: float) -> float:
    """Return t at which the sum of `size min(room, rate t)` is the gap, nearly; the last end where it is never."""
    total = float(size @ rate)
    if total > 0.0 and np.all(rate * (gap / total) <= room):
        return gap / total
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.where(rate > 0.0, room / rate, np.inf)
    order = np.argsort(ends, kind="stable")
    # up to the i-th end: what has ended gives its room, the others go on
    ended = np.concatenate([[0.0], np.cumsum((size * np.where(np.isfinite(room), room, 0.0))[order])])
    still = np.concatenate([np.cumsum((size * rate)[order][::-1])[::-1], [0.0]])
    starts = np.concatenate([[0.0], ends[order]])
    finite = np.isfinite(starts)
    values = ended[finite] + still[finite] * starts[finite]
    i = max(0, int(np.searchsorted(values, gap)) - 1)
    return float((gap - ended[i]) / still[i] if still[i] > 0.0 else starts[i])
