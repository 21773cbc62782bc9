"""How far apart are two networks on boxes, for certain? One walk through both at once, many boxes side by side.

Of each tensor it carries g's zonotope and that of the difference; f's is their sum. So what both networks have in
common, the relaxed parts above all, cancels, and what is left is of the size of the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.paired.bends import Bend, FirstBends
from reluatlas.comparison.paired.blame import Blame
from reluatlas.comparison.paired.carry import differences, outputs
from reluatlas.comparison.paired.forms import SLACK, Forms, combined, of_boxes, sound
from reluatlas.comparison.paired.layers import AffinePair, Layers
from reluatlas.comparison.paired.units import Range, jumps, units_of
from reluatlas.comparison.paired.windows import Windows
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.network.interpret import sources
from reluatlas.network.record import Breakpoints, Input
from reluatlas.stable.enclosure import ROUNDOFF
from reluatlas.typing import FloatArray, IntArray

MOST_NUMBERS = 2**22
"""Numbers of the terms of one tensor, of all boxes of a batch together."""
_LINEAR = 0.25
"""Weight of what an input does by itself, beside what units bend along it, when a box is to be split."""


@dataclass(frozen=True, eq=False)
class BoxBounds:
    """What is certain of the difference on B boxes.

    Attributes
    ----------
    low, high : ndarray, shape (B, m)
        Of each output of f - g.
    n_open : ndarray of int, shape (B,)
        Units and windows, in either network, that may bend there.
    split : ndarray of int, shape (B,)
        The coordinate whose halving promises most.
    corner : ndarray, shape (B, k)
        Where in the box a large difference is likely, in the domain's coordinates.
    center, along, slack : ndarray, shapes (B, m), (B, k, m), (B, m)
        The difference is within `slack` of `center + e @ along`, with e in [-1, 1]^k the box's own coordinates.
    bends : tuple of Bend
        Of each box, the first unit that may bend.
    """

    low: FloatArray
    high: FloatArray
    n_open: IntArray
    split: IntArray
    corner: FloatArray
    center: FloatArray
    along: FloatArray
    slack: FloatArray
    bends: tuple[Bend, ...]


class Bounder:
    """Bounds of the difference on boxes of one domain.

    Parameters
    ----------
    layers : Layers
        Both networks, or one that is the difference itself.
    domain : Box or Slice
    """

    def __init__(self, layers: Layers, domain: Box | Slice) -> None:
        self._layers = layers
        self._origin, self._basis = domain.frame()
        self._k = domain.dim
        self._last = _last_readers(layers)
        self._columns, self.n_units = _columns(layers)
        self._jumps = {
            t: jumps(node) for t, node in enumerate(layers.nodes) if isinstance(node, Breakpoints) and not node.is_relu
        }

    def room(self, n_boxes: int) -> int:
        """Return how many symbols a tensor may have, for so many boxes at once."""
        return max(8, MOST_NUMBERS // (n_boxes * self._layers.widest) - self._k - 1)

    @property
    def at_once(self) -> int:
        """Number of boxes that are well looked at together."""
        return int(np.clip(MOST_NUMBERS // (self._layers.widest * (self._k + 400)), 1, 256))

    def __call__(self, low: FloatArray, high: FloatArray, fixed: NDArray[np.int8] | None = None) -> BoxBounds:
        """Return what is certain on boxes between `low` and `high` (B, k), in the domain's coordinates.

        With `fixed` (B, 2, units), only where the ReLUs of f and g with 0 are off, with 1 on, or between; -1: anywhere.
        """
        with np.errstate(all="ignore"):  # what is not finite is taken for unknown
            return self._walk(low, high, fixed)

    def _walk(self, low: FloatArray, high: FloatArray, fixed: NDArray[np.int8] | None) -> BoxBounds:
        layers, room = self._layers, self.room(len(low))
        first = of_boxes(self._origin, self._basis, low, high)
        blame = Blame(self._k, len(low))
        second: list[Forms | None] = []
        apart: list[Forms | None] = []
        n_open = np.zeros(len(low), dtype=np.int64)
        first_bends = FirstBends(len(low), self._k)
        for position, node in enumerate(layers.nodes):
            look()
            if isinstance(node, Input):
                z, d = first, Forms(np.zeros_like(first.terms), first.own, np.zeros_like(first.rest))
            elif isinstance(node, AffinePair):
                z, d = self._affine(node, second, apart, first)
            else:
                z, d = _held(second, node.input), _held(apart, node.input)
                given = None if fixed is None else fixed[:, :, self._columns[position]]
                z, d, opened = self._cut(position, z, d, blame, room, given, first_bends)
                n_open += opened
            second.append(z)
            apart.append(d)
            for i in self._last[position]:
                second[i] = apart[i] = None
        z, d = _held(second, layers.output), _held(apart, layers.output)
        return self._told(d if layers.is_pair else z, low, high, n_open, blame, first_bends)

    def _affine(
        self, node: AffinePair, second: list[Forms | None], apart: list[Forms | None], like: Forms
    ) -> tuple[Forms, Forms]:
        zs = [_held(second, i) for i in node.inputs]
        z = combined(list(zip(node.second, zs, strict=True)), node.bias, np.zeros_like(node.bias), like)
        if not self._layers.is_pair:
            return z, z
        parts = [(apply, _held(apart, i)) for apply, i in zip(node.first, node.inputs, strict=True)]
        parts += [(apply, z_in) for each, z_in in zip(node.apart, zs, strict=True) for apply in each]
        return z, combined(parts, node.bias_apart, node.bias_error, like)

    def _cut(
        self, position: int, z: Forms, d: Forms, blame: Blame, room: int, given: NDArray[np.int8] | None,
        first_bends: FirstBends,
    ) -> tuple[Forms, Forms, IntArray]:  # fmt: skip
        """Return forms behind a layer of units or windows, and how many of them may bend."""
        node = self._layers.nodes[position]
        n_rows, n_own = 1 + self._k + blame.n_second, blame.n_apart
        z_room, d_room = max(0, room - blame.n_second), max(0, room - n_own)
        if isinstance(node, Breakpoints):
            units = units_of(node, len(z.rest), self._jumps.get(position))
            z_range = _within(z.range, None if given is None else given[:, 1])
            by = units.alone(z_range)
            made, new = outputs(z, by, n_rows, z_room)
            blame.of_second(new, z)
            if not self._layers.is_pair:
                return made, made, by.several.sum(axis=1)
            y = total(z, d)
            y_range = _within(y.range, None if given is None else given[:, 0])
            found = units.apart(y_range, z_range, Range(*d.range))
            gap, own = differences(d, z, found, n_own, d_room)
            blame.of_apart(own, z)
            if node.is_relu:
                first_bends.note(y, z, found, by)
            else:
                first_bends.refuse(found.f_several | by.several)
            first_bends.offset += z.rest.shape[1]
            return made, gap, (found.f_several | by.several).sum(axis=1)
        windows = Windows(node)  # type: ignore[arg-type]
        made, new, needed, lead = windows.alone(z, n_rows, z_room)
        blame.of_second(new, z, lead)
        if not self._layers.is_pair:
            return made, made, (needed.sum(axis=2) > 1).sum(axis=1)
        gap, own, several = windows.apart(total(z, d), d, needed, lead, n_own, d_room)
        blame.of_apart(own, z, lead)
        first_bends.refuse(several)
        first_bends.offset += several.shape[1]
        return made, gap, several.sum(axis=1)

    def _told(
        self, d: Forms, low: FloatArray, high: FloatArray, n_open: IntArray, blame: Blame, first_bends: FirstBends
    ) -> BoxBounds:
        bottom, top = d.range
        bottom = np.where(np.isnan(bottom), -np.inf, bottom)
        top = np.where(np.isnan(top), np.inf, top)
        size = np.maximum(-bottom, top)
        row = np.arange(len(low))
        output = size.argmax(axis=1)
        terms, own = d.terms[row, :, output], d.own[row, :, output]
        along = terms[:, 1 : 1 + self._k]
        sign = np.where(top[row, output] >= -bottom[row, output], 1.0, -1.0)
        corner = np.where(along * sign[:, None] >= 0.0, high, low)
        weight = blame.weights(terms[:, 1 + self._k :], own) + _LINEAR * np.abs(along)
        wide = high - low > 4.0 * ROUNDOFF * np.maximum(np.abs(low), np.abs(high))
        split = np.where(wide, weight + 1e-9 * (high - low) / (high - low).max(initial=0.0), -1.0).argmax(axis=1)
        symbols = np.abs(d.terms[:, 1 + self._k :]).sum(axis=1) + np.abs(d.own).sum(axis=1)
        return BoxBounds(
            bottom, top, n_open, split, corner, d.terms[:, 0], d.terms[:, 1 : 1 + self._k],
            (symbols + d.rest) * SLACK, first_bends.told(),
        )  # fmt: skip


def _within(known: tuple[FloatArray, FloatArray], given: NDArray[np.int8] | None) -> Range:
    """Return ranges of what ReLUs read, where some are certainly on or off."""
    low, high = known
    if given is None:
        return Range(low, high)
    low, high = np.where(given == 1, np.maximum(low, 0.0), low), np.where(given == 0, np.minimum(high, 0.0), high)
    # where there is no such point, anything holds
    return Range(np.minimum(low, high), np.maximum(low, high))


def _columns(layers: Layers) -> tuple[dict[int, slice], int]:
    """Return where the units of each layer are among all of them, and how many there are."""
    out, start = {}, 0
    for position, node in enumerate(layers.nodes):
        if not isinstance(node, Input | AffinePair):
            size = int(np.prod(node.shape))
            out[position] = slice(start, start + size)
            start += size
    return out, start


def total(z: Forms, d: Forms) -> Forms:
    """Return the forms of z + d."""
    terms = np.zeros((len(z.rest), max(z.terms.shape[1], d.terms.shape[1]), z.rest.shape[1]))
    terms[:, : z.terms.shape[1]] = z.terms
    terms[:, : d.terms.shape[1]] += d.terms
    rounding = np.where(d.sizes > 0.0, 2.0 * ROUNDOFF * (z.sizes + d.sizes) * SLACK, 0.0)
    return sound(Forms(terms, d.own, (z.rest + d.rest + rounding) * SLACK))


def _held(forms: list[Forms | None], i: int) -> Forms:
    there = forms[i]
    assert there is not None
    return there


def _last_readers(layers: Layers) -> list[list[int]]:
    """Return, for each node, the nodes that nothing reads any more behind it."""
    last: dict[int, int] = {}
    for position, node in enumerate(layers.nodes):
        reads = node.inputs if isinstance(node, AffinePair) else sources(node)
        for i in reads:
            last[i] = position
    return [[i for i, at in last.items() if at == p and i != layers.output] for p in range(len(layers.nodes))]
