"""What is left to look at, and how was the rest cut? Parts of a box, and the tree that becomes the certificate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from reluatlas.certify.property_form import PropertyTree, Weights
from reluatlas.typing import FloatArray

Ranges = dict[int, tuple[FloatArray, FloatArray]]


class UnitCut(NamedTuple):
    """A unit reads at most a value (sign 1), or at least it (-1)."""

    node: int
    entry: int
    value: float
    sign: int


@dataclass(frozen=True, eq=False)
class Part:
    """A box of inputs, and sides of units, on which cases are still to be refuted.

    Attributes
    ----------
    at : int
        Its node in the tree.
    low, high : ndarray
        What encloses the box, in float64.
    ranges : dict
        What units read there, by search; empty: not known.
    cuts : tuple of UnitCut
    depth : int
        How often it was cut.
    fewest, stalled : int
        How few units could bend on what it was cut from, and how often it was halved since that went down.
    care : int
        How often the check did not prove what was claimed of it.
    """

    at: int
    low: FloatArray
    high: FloatArray
    ranges: Ranges
    cuts: tuple[UnitCut, ...] = ()
    depth: int = 0
    fewest: int = 2**31
    stalled: int = 0
    care: int = 0

    @property
    def share(self) -> float:
        """What it is of the whole, when every cut is taken for a halving."""
        return 2.0**-self.depth

    def exact_ends(
        self, low: tuple[Fraction, ...], high: tuple[Fraction, ...], whole: Part
    ) -> tuple[list[Fraction], list[Fraction]]:
        """Return the exact ends of the box; `whole` is the part that is the whole box between `low` and `high`."""
        ends = []
        for mine, its, exact in ((self.low, whole.low, low), (self.high, whole.high, high)):
            same = (mine == its).tolist()
            ends.append([e if s else Fraction(float(v)) for e, s, v in zip(exact, same, mine, strict=True)])
        return ends[0], ends[1]


@dataclass(eq=False)
class Tree:
    """A tree that grows: rows of what each node cuts, and its children."""

    node: list[int] = field(default_factory=lambda: [-1])
    entry: list[int] = field(default_factory=lambda: [0])
    value: list[float] = field(default_factory=lambda: [0.0])
    low: list[int] = field(default_factory=lambda: [-1])
    high: list[int] = field(default_factory=lambda: [-1])
    claims: dict[tuple[int, int], Weights] = field(default_factory=dict)

    def cut(self, part: Part, node: int, entry: int, value: float, ranges: Ranges) -> list[Part]:
        """Return both sides of a part, cut at a value of an input (node 0) or of what a unit reads."""
        below = len(self.node)
        self.node[part.at], self.entry[part.at], self.value[part.at] = node, entry, value
        self.low[part.at], self.high[part.at] = below, below + 1
        for _ in range(2):
            self.node.append(-1)
            self.entry.append(0)
            self.value.append(0.0)
            self.low.append(-1)
            self.high.append(-1)
        child = replace(part, ranges=ranges, depth=part.depth + 1)
        out = []
        for at, sign in ((below, 1), (below + 1, -1)):
            if node == 0:
                low, high = part.low, part.high
                if sign == 1:
                    high = high.copy()
                    high[entry] = value
                else:
                    low = low.copy()
                    low[entry] = value
                out.append(replace(child, at=at, low=low, high=high))
                continue
            least, most = ranges[node][0].copy(), ranges[node][1].copy()
            if sign == 1:
                most[entry] = min(most[entry], value)
            else:
                least[entry] = max(least[entry], value)
            mine = {**ranges, node: (least, most)}
            out.append(replace(child, at=at, ranges=mine, cuts=(*part.cuts, UnitCut(node, entry, value, sign))))
        return out

    def forget(self, at: int) -> None:
        """Forget what was claimed of a leaf."""
        for key in [key for key in self.claims if key[0] == at]:
            del self.claims[key]

    def finished(self) -> PropertyTree:
        """Return the tree as a certificate has it."""
        whole = (np.array(v, dtype=np.int32) for v in (self.node, self.entry, self.low, self.high))
        node, entry, low, high = whole
        return PropertyTree(node, entry, np.array(self.value), low, high, dict(self.claims))
