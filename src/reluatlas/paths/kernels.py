"""Which loops of a trace are compiled? Signs and winners at both ends of intervals, masking, bounds of a product."""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.constants import LOST, SLACK, UNIT_ROUNDOFF
from reluatlas.compiled.jit import kernel

_LEAST = np.float32(2.0**-60)
_TINY = 2.0**-450
"""More than a product loses by underflow."""


@kernel
def signs_at_ends(both, error, knot, low, high, loose, above, interval, unit, is_open):
    """Find where rows (N, 2, m) pass their knots inside intervals, or might; return how many there are.

    `above` is set where a row is above its knot where its interval begins; where that, or the sign at the end, is in
    doubt, `is_open` is. Only as many are written as `interval` has room for.
    """
    found = 0
    for i in range(both.shape[0]):
        for j in range(both.shape[2]):
            above[i, j] = False
            if knot[j] == np.inf:
                continue
            value, slope = both[i, 0, j] - knot[j], both[i, 1, j]
            left, right = value + low[i] * slope, value + high[i] * slope
            reach = (abs(both[i, 0, j]) + abs(slope) + abs(knot[j])) * loose[i] + error[i, j]
            if slope != 0.0:
                reach += LOST
            above[i, j] = left > 0.0
            sure = abs(left) > reach and abs(right) > reach
            if sure and (left > 0.0) == (right > 0.0):
                continue
            if reach == 0.0:
                continue
            if found < interval.size:
                interval[found], unit[found], is_open[found] = i, j, not sure
            found += 1
    return found


@kernel
def winners_at_ends(both, error, low, high, loose, offsets, candidates, label, winner, is_open):
    """Find the lowest place of the winner of each window on intervals; where it is not certain, set `is_open`.

    A candidate that is certainly the winner's function counts as the winner: the same entry, equal rows with no error,
    or an entry with the same label, (N, positions), in the same channel; no positions: nothing is known of that kind.
    """
    n_positions = label.shape[1]
    for i in range(both.shape[0]):
        value, slope, off = both[i, 0], both[i, 1], error[i]
        for w in range(offsets.size - 1):
            first, last = offsets[w], offsets[w + 1]
            best, most = candidates[first], -np.inf
            for c in range(first, last):
                x = candidates[c]
                both_ends = (value[x] + low[i] * slope[x]) + (value[x] + high[i] * slope[x])
                if both_ends > most or both_ends != both_ends:
                    best, most = x, both_ends
                    if both_ends != both_ends:
                        break
            left, right = value[best] + low[i] * slope[best], value[best] + high[i] * slope[best]
            reach = off[best] + (abs(value[best]) + abs(slope[best])) * loose[i]
            place, open_ = last - first, False
            for c in range(first, last):
                x = candidates[c]
                same = x == best
                if not same and off[x] == 0.0 and off[best] == 0.0:
                    same = value[x] == value[best] and slope[x] == slope[best]
                if not same and n_positions > 0 and x // n_positions == best // n_positions:
                    same = label[i, x % n_positions] == label[i, best % n_positions]
                if same:
                    place = min(place, c - first)
                    continue
                lead = min(left - (value[x] + low[i] * slope[x]), right - (value[x] + high[i] * slope[x]))
                if not lead > reach + (off[x] + (abs(value[x]) + abs(slope[x])) * loose[i]):
                    open_ = True
            winner[i, w], is_open[i, w] = place, open_


@kernel
def masked(both, error, of, piece, column, out, out_error):
    """Set row i of `out` (N, 2, k) to the chosen columns of row `of[i]`, times 0 or 1."""
    for i in range(of.size):
        for j in range(column.size):
            on = piece[i, column[j]] != 0
            out[i, 0, j] = both[of[i], 0, column[j]] if on else 0.0
            out[i, 1, j] = both[of[i], 1, column[j]] if on else 0.0
            out_error[i, j] = error[of[i], column[j]] if on else 0.0


@kernel
def taken(both, error, of, chosen, out, out_error):
    """Set row i of `out` (N, 2, k) to the entries `chosen[i]` of row `of[i]`."""
    for i in range(of.size):
        for j in range(chosen.shape[1]):
            x = chosen[i, j]
            out[i, 0, j], out[i, 1, j] = both[of[i], 0, x], both[of[i], 1, x]
            out_error[i, j] = error[of[i], x]


@kernel
def single_bounds(both, error, rounding, noise, out, most):
    """Set `out` (N, k) to `size * rounding + error * noise` in float32, over the largest of each row, `most`.

    What is not zero is large enough for products that do not underflow. Return False where a row has no error at all,
    or bounds that are too small.
    """
    good = True
    for i in range(error.shape[0]):
        top, any_error = 0.0, False
        for j in range(error.shape[1]):
            bound = (abs(both[i, 0, j]) + abs(both[i, 1, j])) * rounding + error[i, j] * noise
            if not bound <= top:
                top = bound
            if error[i, j] != 0.0:
                any_error = True
            if bound != 0.0 and bound < _TINY:
                good = False
        good = good and any_error
        most[i] = top if top != 0.0 else 1.0
        for j in range(error.shape[1]):
            bound = (abs(both[i, 0, j]) + abs(both[i, 1, j])) * rounding + error[i, j] * noise
            part = np.float32(bound / most[i])
            out[i, j] = _LEAST if bound > 0.0 and part < _LEAST else part
    return good


@kernel
def finished(both, single, most, slack, bias, error):
    """Add the bias to values, and set `error` to the bounds in float32 times their scale, rounding included."""
    for i in range(single.shape[0]):
        scale = most[i] * slack
        for j in range(single.shape[1]):
            bound = single[i, j] * scale
            both[i, 0, j] += bias[j]
            # a bound of zero: nothing that is not zero was added up
            error[i, j] = (bound + abs(both[i, 0, j]) * UNIT_ROUNDOFF) * SLACK if bound != 0.0 else 0.0


@kernel
def overwrite(piece, begin, row, after, unit, new):
    """Set units to new pieces from row `row` up to row `after`, in order; `piece` holds the rows from `begin` on."""
    end = begin + piece.shape[0]
    for k in range(row.size):
        for i in range(max(row[k], begin), min(after[k], end)):
            piece[i - begin, unit[k]] = new[k]
