"""What can units with knots do, and what is known of their outputs? `possible_pieces` and `bend`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.record import Breakpoints
from reluatlas.stable.enclosure import ROUNDOFF, SLACK, TINY, Enclosure, known
from reluatlas.typing import FloatArray, IntArray


class Pieces(NamedTuple):
    """The first and last piece of each unit that cells of the domain can have, and those that its function needs."""

    first: IntArray
    last: IntArray
    first_needed: IntArray
    last_needed: IntArray


class Bend(NamedTuple):
    """A function of z, enclosed: `slope * z + shift`, give or take `radius`, and between `low` and `high`."""

    slope: FloatArray
    shift: FloatArray
    radius: FloatArray
    low: FloatArray
    high: FloatArray


def possible_pieces(node: Breakpoints, z: Enclosure) -> Pieces:
    """Return which pieces units can have where their pre-activations are as enclosed.

    The piece on a cell is the number of knots strictly below z there, not counting those that z is on the whole cell.
    So a knot is certainly passed only where z is larger than it all over the domain, or not smaller, affine on the
    domain and not the knot itself: it is then larger but on a set without an interior. The function needs less: no
    piece above a knot that z does not pass, none below a knot that z never goes below.
    """
    low, high, knots = z.low[:, None], z.high[:, None], node.knots
    leaves = (z.least_of_most()[:, None] > knots) & z.is_affine[:, None]
    first = ((low > knots) | ((low >= knots) & leaves)).sum(axis=1)
    last = (high > knots).sum(axis=1)
    # where z is a knot all over, the pieces on both sides serve; the lower one is taken
    first_needed = np.minimum((low >= knots).sum(axis=1), last)
    return Pieces(first, last, first_needed, last)


def given_pieces(pieces: IntArray) -> Pieces:
    """Return what is possible where the pieces of all units are known."""
    return Pieces(pieces, pieces, pieces, pieces)


def bend(node: Breakpoints, z: Enclosure, pieces: Pieces) -> Bend:
    """Enclose the outputs of units by one affine function of each pre-activation.

    On the range of z the function bends at knots only, so its distance from a line is greatest at an end of a piece.
    The line joins the values at the ends of the range: for a ReLU the relaxation of DeepZ
    [SinghEtAl2018].
    """
    rows = np.arange(z.low.size)
    one = pieces.first_needed == pieces.last_needed
    low, high = z.low, z.high
    slope = node.slopes[rows, pieces.first_needed]
    shift = node.intercepts[rows, pieces.first_needed]
    at_low = _value(slope, shift, low)
    at_high = _value(node.slopes[rows, pieces.last_needed], node.intercepts[rows, pieces.last_needed], high)
    with np.errstate(all="ignore"):
        secant = (at_high - at_low) / (high - low)
    secant = np.where(np.isfinite(secant), secant, 0.0)
    slope = np.where(one, slope, secant)
    least, most = np.full(low.size, np.inf), np.full(low.size, -np.inf)
    lower, upper = least.copy(), most.copy()
    padded = np.column_stack([np.full(low.size, -np.inf), node.knots, np.full(low.size, np.inf)])
    for p in range(node.slopes.shape[1]):
        held = (p >= pieces.first_needed) & (p <= pieces.last_needed)
        own, shifted = node.slopes[:, p], node.intercepts[:, p]
        for end in (np.maximum(low, padded[:, p]), np.minimum(high, padded[:, p + 1])):
            value = _value(own, shifted, end)
            own_part = np.where(own == 0.0, 0.0, np.abs(own * end))
            rounds = ~_is_plain(own, shifted) & np.isfinite(value)
            off = np.where(rounds, 4.0 * ROUNDOFF * (own_part + np.abs(shifted)) + TINY, 0.0)
            lower = np.where(held, np.minimum(lower, value - off), lower)
            upper = np.where(held, np.maximum(upper, value + off), upper)
            part = np.where(slope == 0.0, 0.0, slope * end)
            gap = value - part
            error = off + 4.0 * ROUNDOFF * (own_part + np.abs(shifted) + np.abs(part)) + TINY
            least = np.where(held, np.minimum(least, gap - error), least)
            most = np.where(held, np.maximum(most, gap + error), most)
    lower, upper = np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)
    middle, radius = _middle(least, most)
    # nothing is known of z, but of its function: a clip, say
    flat = ~np.isfinite(radius) & np.isfinite(lower) & np.isfinite(upper)
    middle, radius = np.where(flat, _middle(lower, upper), (middle, radius))
    slope = np.where(flat & ~one, 0.0, slope)
    return Bend(slope, np.where(one, shift, middle), np.where(one, 0.0, radius), lower, upper)


def _is_plain(slope: FloatArray, shift: FloatArray) -> NDArray[np.bool_]:
    """Return where `slope * z + shift` is not rounded in float64."""
    return (slope == 0.0) | ((np.abs(slope) == 1.0) & (shift == 0.0))


def _middle(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the middle and a radius of intervals; 0 and infinity where they are not bounded."""
    with np.errstate(all="ignore"):
        middle = low / 2 + high / 2
        radius = np.nextafter(np.maximum(high - middle, middle - low), np.inf)
    sound = np.isfinite(middle) & np.isfinite(radius)
    return np.where(sound, middle, 0.0), np.where(sound, radius, np.inf)


def _value(slope: FloatArray, shift: FloatArray, z: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.where(slope == 0.0, 0.0, slope * z) + shift


def bent(z: Enclosure, by: Bend, is_affine: NDArray[np.bool_], new: IntArray, n_between: int) -> Enclosure:
    """Return the enclosure of units' outputs: with own symbols for the units `new`, the radius in `rest` for others.

    Parameters
    ----------
    n_between : int
        Number of symbols after those of `z`, before the new ones.
    """
    n_rows = z.terms.shape[0]
    terms = np.zeros((n_rows + n_between + new.size, z.low.size))
    np.multiply(z.terms, by.slope, out=terms[:n_rows])
    terms[0] += by.shift
    rounding = 4.0 * ROUNDOFF * (np.abs(by.slope) * z.sizes + np.abs(by.shift)) * SLACK + TINY
    own = np.where(by.slope == 0.0, 0.0, np.abs(by.slope) * z.rest)
    rest = np.where(_is_plain(by.slope, by.shift), own, (own + rounding) * SLACK)
    radius = by.radius.copy()
    terms[n_rows + n_between + np.arange(new.size), new] = radius[new]
    radius[new] = 0.0
    rest = np.where(radius > 0.0, (rest + radius) * SLACK, rest)
    return known(z, terms, z.first, rest, by.low, by.high, is_affine)
