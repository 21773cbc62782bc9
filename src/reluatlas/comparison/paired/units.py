"""What do units make of a pair of pre-activations and their difference? `bent`: outputs, and the difference of outputs.

Let z = g's pre-activation, y = f's, d = y - z, all three known on a box, and s the unit's function: continuous, affine
between knots, with the slopes k_p on pieces p. What is to be enclosed is D = s(y) - s(z). Every case below is an affine
function of (d, z), give or take a radius; of those that hold, the one with the least radius is taken.

**Any y and z.** s is the integral of its slopes, so D = t d for some t between m and M, the least and the largest slope
on pieces that meet the range of y or of z, or lie between. With a = (m + M) / 2 and r = (M - m) / 2:
|D - a d| = |t - a| |d| <= r max|d|. So D = a d, give or take r max|d|; where d is zero, so is D, exactly. (Where the
intercepts of a piece were rounded, s jumps a little at a knot, by j say, and D by at most the sum of these.)

**y on one piece** with slope k and intercept c, z on several: D = k y + c - s(z) = k d + e(z), where
e(z) = k z + c - s(z) is a known function of z, bounded over the range of z by its values at knots and ends. And by the
first case e = D - k d = (t - k) d, so e is between the least and the largest of (m - k) d and (M - k) d over the range
of d. Both ranges hold; D = k d + their middle, give or take half their width. For a ReLU that is on in f,
e(z) = min(z, 0), which is not below low z, nor below -max(d, 0); for one that is off in f, e(z) = -max(z, 0).

**z on one piece** with slope k and intercept c, y on several: D = s(y) - k z - c = k d + e'(y) with
e'(y) = s(y) - k y - c = (t - k) d, likewise.

**Each on one piece**, y with k, c and z with l, b: D = k y + c - l z - b = k d + (k - l) z + (c - b), no radius at all.
For a ReLU: both on: D = d; both off: D = 0; on in f only: D = d + z; on in g only: D = -z.

These cases are those of [PaulsenWangWang2020] for ReLUs, for any slopes, and with the difference kept as a zonotope.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.paired.forms import SLACK
from reluatlas.network.record import Breakpoints
from reluatlas.stable.enclosure import ROUNDOFF, TINY
from reluatlas.stable.knots import Pieces, bend
from reluatlas.typing import FloatArray, IntArray


class Range(NamedTuple):
    """Certain bounds on numbers, entry by entry; with the names that `reluatlas.stable.knots` reads."""

    low: FloatArray
    high: FloatArray


class Bent(NamedTuple):
    """What units give: `slope z + shift`, give or take `radius`; all (B, n)."""

    slope: FloatArray
    shift: FloatArray
    radius: FloatArray
    several: NDArray[np.bool_]


class Apart(NamedTuple):
    """The difference of what units give: `by_d d + by_z z + shift`, give or take `radius`; all (B, n).

    Where each unit is on one piece, `by_z` and `shift` are rounded once. `f_several` says where f's unit may be on
    several pieces.
    """

    by_d: FloatArray
    by_z: FloatArray
    shift: FloatArray
    radius: FloatArray
    f_several: NDArray[np.bool_]


def units_of(node: Breakpoints, n_boxes: int, jump: FloatArray | None = None) -> Units | Relus:
    """Return the functions of one layer of units, for many boxes at once; `jump` is that of `jumps`, where known."""
    return Relus() if node.is_relu else Units(node, n_boxes, jumps(node) if jump is None else jump)


class Relus:
    """The cases above for ReLUs: slopes 0 and 1, a knot at zero, and so no jumps and nothing to look up."""

    def alone(self, z: Range) -> Bent:
        """Return what is known of the outputs of units that read z: `slope z`, and at most so much more."""
        on, off = z.low >= 0.0, z.high <= 0.0
        several = ~(on | off)
        slope = np.clip(z.high / (z.high - z.low), 0.0, 1.0)
        slope = np.where(several & np.isfinite(slope), slope, (~off) & (on | (z.high < np.inf)))
        # max(z, 0) - slope z is not negative for a slope in [0, 1], and largest at an end
        above = np.maximum(-slope * z.low, (1.0 - slope) * z.high)
        above = np.where(several, above * SLACK + TINY, 0.0)
        above = np.where(np.isnan(above), np.inf, above)
        half = np.where(np.isfinite(above), above / 2, 0.0)
        slope, radius = np.where(off, 0.0, slope), np.where(several & ~np.isfinite(above), np.inf, half)
        return Bent(slope, half, radius, several)

    def apart(self, y: Range, z: Range, d: Range) -> Apart:
        """Return what is known of the difference of the outputs of units that read y and z, where d = y - z."""
        f_on, g_on = y.low >= 0.0, z.low >= 0.0
        f_off, g_off = (y.high <= 0.0) & ~f_on, (z.high <= 0.0) & ~g_on
        f_one, g_one = f_on | f_off, g_on | g_off
        up, down = np.maximum(d.high, 0.0), np.maximum(-d.low, 0.0)
        radius = np.maximum(up, down) / 2
        by_d, shift = np.full(radius.shape, 0.5), np.zeros(radius.shape)
        # how far e, or e', is from zero, and on which side
        size = np.where(f_on, np.minimum(-z.low, up), np.where(f_off, np.minimum(z.high, down), np.inf))
        side = np.where(g_one, 1.0, -1.0)
        other = np.where(g_on, np.minimum(-y.low, down), np.where(g_off, np.minimum(y.high, up), np.inf))
        size = np.where(g_one, other, size)
        better = (f_one ^ g_one) & (size / 2 < radius)
        slope = np.where(g_one, g_on, f_on)
        by_d, shift = np.where(better, slope, by_d), np.where(better, side * size / 2, shift)
        radius = np.where(better, size / 2, radius)
        radius = np.where(radius > 0.0, radius * SLACK + TINY, radius)
        one = f_one & g_one
        by_d, by_z = np.where(one, f_on, by_d), np.where(one, f_on.astype(np.float64) - g_on, 0.0)
        return Apart(by_d, by_z, np.where(one, 0.0, shift), np.where(one, 0.0, radius), ~f_one)


class Units:
    """The cases above for any units."""

    def __init__(self, node: Breakpoints, n_boxes: int, jump: FloatArray) -> None:
        self._shape = n_boxes, node.knots.shape[0]
        tiled = [np.tile(table, (n_boxes, 1)) for table in (node.knots, node.slopes, node.intercepts)]
        self._node = Breakpoints(node.input, *tiled, shape=(tiled[0].shape[0],))
        self._rows = np.arange(tiled[0].shape[0])
        self._jump = np.tile(jump, n_boxes)

    def alone(self, z: Range) -> Bent:
        """Return what is known of the outputs of units that read z."""
        z = Range(z.low.reshape(-1), z.high.reshape(-1))
        pieces = self._pieces(z)
        by = bend(self._node, z, pieces)  # type: ignore[arg-type]
        several = pieces.first_needed != pieces.last_needed
        made = by.slope, by.shift, by.radius
        slope, shift, radius = (part.reshape(self._shape) for part in made)
        return Bent(slope, shift, radius, several.reshape(self._shape))

    def apart(self, y: Range, z: Range, d: Range) -> Apart:
        """Return what is known of the difference of the outputs of units that read y and z, where d = y - z."""
        y, z, d = (Range(r.low.reshape(-1), r.high.reshape(-1)) for r in (y, z, d))
        mine, theirs, node, rows = self._pieces(y), self._pieces(z), self._node, self._rows
        first, last = np.minimum(mine[0], theirs[0]), np.maximum(mine[1], theirs[1])
        least, most = self._slopes(first, last)
        middle = least / 2 + most / 2
        reach = np.nextafter(np.maximum(most - middle, middle - least), np.inf) * (most > least)
        far = np.maximum(np.abs(d.low), np.abs(d.high))
        by_d, by_z, shift = middle, np.zeros(rows.size), np.zeros(rows.size)
        radius = np.where(reach > 0.0, reach * far * SLACK + TINY * (far > 0.0), 0.0) + self._jump
        f_one, g_one = mine[0] == mine[1], theirs[0] == theirs[1]
        for one, sign, pieces, other in ((f_one & ~g_one, 1.0, mine, z), (g_one & ~f_one, -1.0, theirs, y)):
            if not one.any():
                continue
            # the rows for which this case holds alone: mostly few
            at = np.flatnonzero(one)
            slope, intercept = node.slopes[at, pieces[0][at]], node.intercepts[at, pieces[0][at]]
            there = Range(other.low[at], other.high[at])
            low, high = self._off_line(at, slope, intercept, there)
            low, high = (low, high) if sign > 0 else (-high, -low)
            ends = [(edge[at] - slope) * end[at] for edge in (least, most) for end in d]
            bound = (4.0 * ROUNDOFF * np.maximum(np.abs(least[at]), np.abs(most[at])) * far[at] + TINY) * SLACK
            bound += self._jump[at]
            low = np.fmax(low, np.minimum.reduce(ends) - bound)
            high = np.fmin(high, np.maximum.reduce(ends) + bound)
            center = low / 2 + high / 2
            off = np.nextafter(np.maximum(high - center, center - low), np.inf)
            better = off < radius[at]
            chosen = at[better]
            by_d[chosen], shift[chosen], radius[chosen] = slope[better], center[better], off[better]
        one = np.flatnonzero(f_one & g_one)
        k, a = node.slopes[one, mine[0][one]], node.intercepts[one, mine[0][one]]
        q, b = node.slopes[one, theirs[0][one]], node.intercepts[one, theirs[0][one]]
        same = mine[0][one] == theirs[0][one]
        by_d[one], by_z[one], shift[one] = k, np.where(same, 0.0, k - q), np.where(same, 0.0, a - b)
        # at a knot itself, the piece below it is the unit's
        radius[one] = self._jump[one]
        nothing = far == 0.0
        by_z[nothing], shift[nothing], radius[nothing] = 0.0, 0.0, 0.0
        by_d, by_z, shift, radius = (part.reshape(self._shape) for part in (by_d, by_z, shift, radius))
        return Apart(by_d, by_z, shift, radius, ~f_one.reshape(self._shape))

    def _pieces(self, z: Range) -> Pieces:
        """Return the first and the last piece that the functions need; where z is a knot all over, the lower one."""
        knots = self._node.knots
        last = (z.high[:, None] > knots).sum(axis=1)
        first = np.minimum((z.low[:, None] >= knots).sum(axis=1), last)
        return Pieces(first, last, first, last)

    def _slopes(self, first: IntArray, last: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the least and the largest slope on pieces from `first` to `last`."""
        slopes = self._node.slopes
        piece = np.arange(slopes.shape[1])
        held = (piece >= first[:, None]) & (piece <= last[:, None])
        return np.where(held, slopes, np.inf).min(axis=1), np.where(held, slopes, -np.inf).max(axis=1)

    def _off_line(self, at: IntArray, slope: FloatArray, shift: FloatArray, x: Range) -> tuple[FloatArray, FloatArray]:
        """Return bounds of `slope x + shift - s(x)` over ranges of x, for the units `at`."""
        node = self._node
        low, high = np.full(at.size, np.inf), np.full(at.size, -np.inf)
        places = [x.low, x.high, *(np.clip(node.knots[at, q], x.low, x.high) for q in range(node.knots.shape[1]))]
        for here in places:
            for p in range(node.slopes.shape[1]):
                # at a knot, both pieces are looked at: where they do not meet to the last bit, either may count
                ends = node.knots[at, p - 1] if p else -np.inf, node.knots[at, p] if p < node.knots.shape[1] else np.inf
                own, own_shift = node.slopes[at, p], node.intercepts[at, p]
                on_line, on_piece = _times(slope, here), _times(own, here)
                gap = (on_line - on_piece) + (shift - own_shift)
                off = 6.0 * ROUNDOFF * (np.abs(on_line) + np.abs(on_piece) + np.abs(shift) + np.abs(own_shift)) + TINY
                held = (here >= ends[0]) & (here <= ends[1])
                low, high = np.where(held, np.fmin(low, gap - off), low), np.where(held, np.fmax(high, gap + off), high)
        unknown = ~(np.isfinite(x.low) & np.isfinite(x.high) & np.isfinite(low) & np.isfinite(high))
        return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def _times(slope: FloatArray, x: FloatArray) -> FloatArray:
    return np.where(slope == 0.0, 0.0, slope * x)


def jumps(node: Breakpoints) -> FloatArray:
    """Return how far the pieces of each unit are from meeting at its knots, in the sum over knots: mostly nothing."""
    tables, unit = np.unique(
        np.concatenate([node.knots, node.slopes, node.intercepts], axis=1), axis=0, return_inverse=True
    )  # fmt: skip
    q = node.knots.shape[1]
    found = []
    for row in tables.tolist():
        knots, slopes, shifts = row[:q], row[q : 2 * q + 1], row[2 * q + 1 :]
        gaps = (
            (Fraction(slopes[i + 1]) - Fraction(slopes[i])) * Fraction(knot)
            + Fraction(shifts[i + 1])
            - Fraction(shifts[i])
            for i, knot in enumerate(knots)
            if isfinite(knot)
        )
        total = float(sum((abs(gap) for gap in gaps), Fraction(0)))
        found.append(total * SLACK + TINY if total > 0.0 else 0.0)
    return np.array(found)[unit.reshape(-1)]
