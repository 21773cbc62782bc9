"""Which boxes are still open? A heap of parts of one box, the one with the largest bound first, and what is settled."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.paired.bends import NO_BEND, Bend
from reluatlas.typing import FloatArray


class Phases(NamedTuple):
    """A part of a box: where some ReLUs are on, and others off.

    `fixed` (2, units) holds 0, 1 or -1 for either network; there, `rows @ e <= ends`, with the box's own coordinates e.
    """

    fixed: NDArray[np.int8]
    rows: FloatArray
    ends: FloatArray


class Part(NamedTuple):
    """A box in the domain's coordinates, or a part of it, with what the difference certainly does not exceed there.

    `most` is of each output, `bound` over all, in the norm that is asked for.
    """

    low: FloatArray
    high: FloatArray
    most: FloatArray
    bound: float
    n_open: int
    split: int
    bend: Bend = NO_BEND
    phases: Phases | None = None


@dataclass(eq=False)
class Tree:
    """Parts that cover a box: open ones, and what is known of the settled ones together.

    Attributes
    ----------
    settled : ndarray, shape (m,)
        What the difference does not exceed on settled parts, by output.
    settled_bound : float
        The same over all outputs.
    n_parts, n_settled : int
    """

    n_outputs: int
    settled: FloatArray = field(init=False)
    settled_bound: float = 0.0
    n_parts: int = 0
    n_settled: int = 0
    _open: list[tuple[float, int, Part]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settled = np.zeros(self.n_outputs)

    def __len__(self) -> int:
        return len(self._open)

    def put(self, part: Part) -> None:
        """Take a part that is to be looked at; put back one that was taken."""
        self.n_parts += 1
        heapq.heappush(self._open, (-part.bound, self.n_parts, part))

    def take(self) -> Part:
        """Return the open part with the largest bound, which is then no more here: put it, or its halves, back."""
        return heapq.heappop(self._open)[2]

    @property
    def top(self) -> Part:
        """The open part with the largest bound."""
        return self._open[0][2]

    def settle(self, most: FloatArray, bound: float) -> None:
        """Note what the difference does not exceed on a part that need not be looked at again."""
        self.n_settled += 1
        self.settled = np.maximum(self.settled, most)
        self.settled_bound = max(self.settled_bound, bound)

    @property
    def bound(self) -> float:
        """What the difference does not exceed on all of the box."""
        return max(self.settled_bound, -self._open[0][0]) if self._open else self.settled_bound

    @property
    def open_bound(self) -> float:
        """What it does not exceed on open parts."""
        return -self._open[0][0] if self._open else 0.0

    def most(self) -> FloatArray:
        """Return what each output of the difference does not exceed on all of the box."""
        out = self.settled.copy()
        for _, _, part in self._open:
            np.maximum(out, part.most, out=out)
        return out


def halves(part: Part) -> tuple[FloatArray, FloatArray] | None:
    """Return the ends (2, k) of both halves; None where there is no float64 number between."""
    low, high = part.low[part.split], part.high[part.split]
    middle = low / 2 + high / 2
    if not low < middle < high:
        return None
    lows, highs = np.stack([part.low, part.low]), np.stack([part.high, part.high])
    highs[0, part.split] = lows[1, part.split] = middle
    return lows, highs
