"""What do windows make of pairs of entries and their differences? `largest`: winners' values, and how far apart.

Let z_i be g's candidates of a window, y_i f's, d_i = y_i - z_i. A candidate is needed in g when it may be the largest
one somewhere in the box, likewise in f. Where i wins in f and j in g,

    max y - max z = y_i - z_j <= y_i - z_i = d_i,   and   max y - max z = y_i - z_j >= y_j - z_j = d_j:

the difference lies between the least d of those needed in g and the largest d of those needed in f. With a candidate c
whose difference is a form, the rest is between the least d_j - d_c and the largest d_i - d_c, and zero where c alone is
needed in both. Of one network: max z is z_c and what others exceed it by, between 0 and the largest z_i - z_c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.paired.carry import Symbols, behind, with_symbols
from reluatlas.comparison.paired.forms import SLACK, Forms, sound
from reluatlas.network.record import Max
from reluatlas.stable.enclosure import ROUNDOFF, TINY, down, up
from reluatlas.typing import FloatArray, IntArray


class Windows:
    """The windows of one layer, for many boxes at once; filled up to one width by their first candidates."""

    def __init__(self, node: Max) -> None:
        sizes = np.diff(node.offsets)
        place = np.minimum(np.arange(int(sizes.max(initial=1))), sizes[:, None] - 1)
        self.entries = node.candidates[node.offsets[:-1, None] + place]
        self.is_twin = np.arange(self.entries.shape[1]) >= sizes[:, None]

    def alone(self, z: Forms, n_rows: int, room: int) -> tuple[Forms, Symbols, NDArray[np.bool_], IntArray]:
        """Return forms of the winners' values, the new symbols, who is needed (B, W, c), and the leading entries."""
        lead = self._lead(z)
        needed, _, excess = self._needed(z, lead)
        radius = np.nextafter(excess / 2, np.inf) * (excess > 0.0)
        made = at(z, lead)
        new = with_symbols(radius, room)
        terms = behind(made.terms, n_rows, new.rows)
        shift = np.where(np.isfinite(radius), radius, 0.0)
        terms[:, 0] += shift
        return _finished(terms, made.own, made, shift, radius, new), new, needed, lead

    def apart(
        self, y: Forms, d: Forms, needed: NDArray[np.bool_], lead: IntArray, n_own: int, room: int
    ) -> tuple[Forms, Symbols, NDArray[np.bool_]]:
        """Return forms of the differences of winners' values, the new symbols, and where several may win."""
        mine, _, _ = self._needed(y, lead)
        low, high = np.full(lead.shape, np.inf), np.full(lead.shape, -np.inf)
        for c in range(self.entries.shape[1]):
            below, above = _gap(d, np.broadcast_to(self.entries[:, c], lead.shape), lead)
            low = np.where(needed[:, :, c], np.minimum(low, below), low)
            high = np.where(mine[:, :, c], np.maximum(high, above), high)
        low, high = np.minimum(low, high), np.maximum(low, high)
        center = low / 2 + high / 2
        known = np.isfinite(center)
        radius = np.where(known, np.nextafter(np.maximum(high - center, center - low), np.inf), np.inf)
        shift = np.where(known, center, 0.0)
        radius = np.where((low == 0.0) & (high == 0.0), 0.0, radius)
        made = at(d, lead)
        new = with_symbols(radius, room)
        terms = made.terms.copy()
        terms[:, 0] += shift
        several = (needed | mine).sum(axis=2) > 1
        return _finished(terms, behind(made.own, n_own, new.rows), made, shift, radius, new), new, several

    def _lead(self, z: Forms) -> IntArray:
        """Return the candidate of each window with the largest center, (B, W)."""
        best = z.terms[:, 0][:, self.entries].argmax(axis=2)
        return np.take_along_axis(np.broadcast_to(self.entries, (len(best), *self.entries.shape)), best[:, :, None], 2)[
            :, :, 0
        ]

    def _needed(self, z: Forms, lead: IntArray) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
        """Return which candidates may be the largest (B, W, c), the leading one among them, and the largest excess."""
        needed = np.zeros((*lead.shape, self.entries.shape[1]), dtype=bool)
        excess = np.zeros(lead.shape)
        for c in range(self.entries.shape[1]):
            entry = np.broadcast_to(self.entries[:, c], lead.shape)
            _, above = _gap(z, entry, lead)
            # never larger than the leading one: not needed
            here = (entry == lead) | ~(above <= 0.0)
            needed[:, :, c] = here & ~self.is_twin[:, c]
            excess = np.where(needed[:, :, c], np.fmax(excess, np.where(entry == lead, 0.0, above)), excess)
            excess = np.where(needed[:, :, c] & np.isnan(above), np.inf, excess)
        return needed, excess, excess


def at(z: Forms, entry: IntArray) -> Forms:
    """Return the forms of some entries (B, W)."""
    pick = entry[:, None]
    return Forms(
        np.take_along_axis(z.terms, pick, axis=2), np.take_along_axis(z.own, pick, axis=2),
        np.take_along_axis(z.rest, entry, axis=1),
    )  # fmt: skip


def _gap(z: Forms, one: IntArray, other: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return bounds of the difference of entries (B, W)."""
    a, b = at(z, one), at(z, other)
    terms, own = a.terms - b.terms, a.own - b.own
    size = np.abs(terms[:, 1:]).sum(axis=1) + np.abs(own).sum(axis=1)
    rounding = 4.0 * ROUNDOFF * (a.sizes + b.sizes) * SLACK
    rounding += TINY * (rounding > 0.0)  # nothing from nothing is nothing
    reach = (size + a.rest + b.rest + rounding) * SLACK
    reach = np.where(one == other, 0.0, reach)
    low, high = down(terms[:, 0] - reach), up(terms[:, 0] + reach)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def _finished(
    terms: FloatArray, own: FloatArray, like: Forms, shift: FloatArray, radius: FloatArray, new: Symbols
) -> Forms:
    """Return forms whose center was moved, with the radius of windows that have no symbol."""
    left = radius.copy()
    left[new.box, new.unit] = 0.0
    rounding = np.where(shift != 0.0, 4.0 * ROUNDOFF * (like.sizes + np.abs(shift)) * SLACK + TINY, 0.0)
    extra = rounding + left
    return sound(Forms(terms, own, np.where(extra > 0.0, (like.rest + extra) * SLACK, like.rest)))
