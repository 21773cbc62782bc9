"""What are the forms of units' outputs, and of their differences? With a new symbol for each unit that may bend."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reluatlas.comparison.paired.forms import SLACK, Forms, sound
from reluatlas.comparison.paired.units import Apart, Bent
from reluatlas.stable.enclosure import ROUNDOFF, TINY
from reluatlas.typing import FloatArray, IntArray


class Symbols(NamedTuple):
    """New symbols of B boxes: rows (B, S, n) of one number each, and where these are."""

    rows: FloatArray
    box: IntArray
    symbol: IntArray
    unit: IntArray


def outputs(z: Forms, by: Bent, n_rows: int, room: int) -> tuple[Forms, Symbols]:
    """Return forms of what units give that read z, with at most `room` new symbols, behind `n_rows` rows of terms."""
    new = with_symbols(by.radius, room)
    terms = behind(z.terms * by.slope[:, None], n_rows, new.rows)
    terms[:, 0] += by.shift
    rest = np.where(by.slope == 0.0, 0.0, np.abs(by.slope) * z.rest)
    is_plain = (by.slope == 0.0) | ((np.abs(by.slope) == 1.0) & (by.shift == 0.0))
    rounding = 4.0 * ROUNDOFF * (np.abs(by.slope) * z.sizes + np.abs(by.shift)) * SLACK + TINY
    rest = np.where(is_plain, rest, (rest + rounding) * SLACK)
    return sound(Forms(terms, z.own, _with_radius(rest, by.radius, new))), new


def differences(d: Forms, z: Forms, by: Apart, n_own: int, room: int) -> tuple[Forms, Symbols]:
    """Return forms of the differences of what units give, with at most `room` new symbols, behind `n_own` others."""
    new = with_symbols(by.radius, room)
    terms = np.zeros((len(d.rest), max(d.terms.shape[1], z.terms.shape[1]), d.rest.shape[1]))
    np.multiply(d.terms, by.by_d[:, None], out=terms[:, : d.terms.shape[1]])
    size = np.abs(by.by_d) * d.sizes
    rest = np.where(by.by_d == 0.0, 0.0, np.abs(by.by_d) * d.rest)
    if by.by_z.any():
        terms[:, : z.terms.shape[1]] += z.terms * by.by_z[:, None]
        size = size + np.abs(by.by_z) * z.sizes
        rest = rest + np.where(by.by_z == 0.0, 0.0, np.abs(by.by_z) * z.rest)
    terms[:, 0] += by.shift
    own = behind(d.own * by.by_d[:, None], n_own, new.rows)
    # zero is zero, and a number itself, or its negative, is not rounded
    is_alone = (by.by_z == 0.0) & (by.shift == 0.0)
    is_plain = is_alone & ((d.sizes == 0.0) | (by.by_d == 0.0) | (np.abs(by.by_d) == 1.0))
    rounding = 6.0 * ROUNDOFF * (size + np.abs(by.shift)) * SLACK + TINY
    rest = np.where(is_plain, rest, (rest + rounding) * SLACK)
    return sound(Forms(terms, own, _with_radius(rest, by.radius, new))), new


def behind(rows: FloatArray, n_rows: int, new: FloatArray) -> FloatArray:
    """Return new rows (B, S, n) behind the first `n_rows`, of which `rows` has some: a symbol has one place in all."""
    out = np.zeros((rows.shape[0], n_rows + new.shape[1], rows.shape[2]))
    out[:, : rows.shape[1]] = rows
    out[:, n_rows:] = new
    return out


def _with_radius(rest: FloatArray, radius: FloatArray, new: Symbols) -> FloatArray:
    """Return rests, with the radius of units that have no symbol."""
    left = radius.copy()
    left[new.box, new.unit] = 0.0
    return np.where(left > 0.0, (rest + left) * SLACK, rest)


def with_symbols(radius: FloatArray, room: int) -> Symbols:
    """Return new symbols for radii (B, n) above zero; in each box for at most `room`, the largest."""
    n_boxes, n = radius.shape
    has = np.isfinite(radius) & (radius > 0.0)
    if room < n and int(has.sum(axis=1).max(initial=0)) > room:
        sizes = np.where(has, radius, -np.inf)
        least = np.partition(sizes, n - room - 1, axis=1)[:, n - room - 1]
        has &= sizes > least[:, None]
    box, unit = np.nonzero(has)
    symbol = (np.cumsum(has, axis=1) - 1)[box, unit]
    rows = np.zeros((n_boxes, int(symbol.max(initial=-1)) + 1, n))
    rows[box, symbol, unit] = radius[box, unit]
    return Symbols(rows, box, symbol, unit)
