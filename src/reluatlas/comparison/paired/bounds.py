"""How far apart are two networks on boxes, for certain? One walk through both at once, many boxes side by side.

Of each tensor it carries g's zonotope and that of the difference; f's is their sum. So what both networks have in
common, the relaxed parts above all, cancels, and what is left is of the size of the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reluatlas.comparison.paired.carry import Symbols, differences, outputs
from reluatlas.comparison.paired.forms import Forms, combined, of_boxes, sound
from reluatlas.comparison.paired.layers import AffinePair, Layers
from reluatlas.comparison.paired.units import Apart, Range, Units
from reluatlas.comparison.paired.windows import Windows
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.network.interpret import sources
from reluatlas.network.record import Affine, Breakpoints, Input
from reluatlas.stable.enclosure import ROUNDOFF, SLACK, TINY
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
    """

    low: FloatArray
    high: FloatArray
    n_open: IntArray
    split: IntArray
    corner: FloatArray


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

    def room(self, n_boxes: int) -> int:
        """Return how many symbols a tensor may have, for so many boxes at once."""
        return max(8, MOST_NUMBERS // (n_boxes * self._layers.widest) - self._k - 1)

    @property
    def at_once(self) -> int:
        """Number of boxes that are well looked at together."""
        return int(np.clip(MOST_NUMBERS // (self._layers.widest * (self._k + 400)), 1, 64))

    def __call__(self, low: FloatArray, high: FloatArray) -> BoxBounds:
        """Return what is certain on boxes between `low` and `high` (B, k), in the domain's coordinates."""
        with np.errstate(all="ignore"):  # what is not finite is taken for unknown
            return self._walk(low, high)

    def _walk(self, low: FloatArray, high: FloatArray) -> BoxBounds:
        layers, room = self._layers, self.room(len(low))
        first = of_boxes(self._origin, self._basis, low, high)
        blame = _Blame(self._k, len(low))
        second: list[Forms | None] = []
        apart: list[Forms | None] = []
        n_open = np.zeros(len(low), dtype=np.int64)
        for position, node in enumerate(layers.nodes):
            look()
            if isinstance(node, Input):
                zero = np.zeros_like(first.terms[:, :1])
                z, d = first, Forms(zero, first.own, np.zeros_like(first.rest))
            elif isinstance(node, AffinePair):
                z, d = self._affine(node, second, apart, first)
            else:
                z, d = _held(second, node.input), _held(apart, node.input)
                z, d, opened = self._cut(node, z, d, blame, room)
                n_open += opened
            second.append(z)
            apart.append(d)
            for i in self._last[position]:
                second[i] = apart[i] = None
        z, d = _held(second, layers.output), _held(apart, layers.output)
        return self._told(d if layers.is_pair else z, low, high, n_open, blame)

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
        self, node: object, z: Forms, d: Forms, blame: _Blame, room: int
    ) -> tuple[Forms, Forms, IntArray]:  # fmt: skip
        """Return forms behind a layer of units or windows, and how many of them may bend."""
        n_rows, n_own = 1 + self._k + blame.n_second, blame.n_apart
        z_room, d_room = max(0, room - blame.n_second), max(0, room - n_own)
        if isinstance(node, Breakpoints):
            units = Units(node, len(z.rest))
            by, pieces = units.alone(Range(*z.range))
            made, new = outputs(z, by, n_rows, z_room)
            blame.of_second(new, z)
            if not self._layers.is_pair:
                return made, made, by.several.sum(axis=1)
            y = total(z, d)
            found: Apart = units.apart(Range(*y.range), Range(*z.range), Range(*d.range), pieces)
            gap, own = differences(d, z, found, n_own, d_room)
            blame.of_apart(own, z)
            return made, gap, found.several.sum(axis=1)
        windows = Windows(node)  # type: ignore[arg-type]
        made, new, needed, lead = windows.alone(z, n_rows, z_room)
        blame.of_second(new, z, lead)
        if not self._layers.is_pair:
            return made, made, (needed.sum(axis=2) > 1).sum(axis=1)
        gap, own, several = windows.apart(total(z, d), d, needed, lead, n_own, d_room)
        blame.of_apart(own, z, lead)
        return made, gap, several.sum(axis=1)

    def _told(self, d: Forms, low: FloatArray, high: FloatArray, n_open: IntArray, blame: _Blame) -> BoxBounds:
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
        return BoxBounds(bottom, top, n_open, split, corner)


class _Blame:
    """Along which coordinates does what a symbol stands for bend? Shares of each, by symbol."""

    def __init__(self, k: int, n_boxes: int) -> None:
        self._k, self._n = k, n_boxes
        self._second: list[FloatArray] = []
        self._apart: list[FloatArray] = []

    @property
    def n_second(self) -> int:
        """Number of symbols of units so far."""
        return sum(part.shape[1] for part in self._second)

    @property
    def n_apart(self) -> int:
        """Number of symbols of differences so far."""
        return sum(part.shape[1] for part in self._apart)

    def of_second(self, new: Symbols, z: Forms, entry: IntArray | None = None) -> None:
        """Note the new symbols of units that read z."""
        self._second.append(self._shares(new, z, entry))

    def of_apart(self, new: Symbols, z: Forms, entry: IntArray | None = None) -> None:
        """Note the new symbols of differences."""
        self._apart.append(self._shares(new, z, entry))

    def _shares(self, new: Symbols, z: Forms, entry: IntArray | None) -> FloatArray:
        out = np.zeros((self._n, new.rows.shape[1], self._k))
        unit = new.unit if entry is None else entry[new.box, new.unit]
        along = np.abs(z.terms[new.box, 1 : 1 + self._k, unit])
        out[new.box, new.symbol] = along / np.maximum(along.sum(axis=1, keepdims=True), TINY)
        return out

    def weights(self, second: FloatArray, apart: FloatArray) -> FloatArray:
        """Return how much of an output's bound each coordinate is to blame for, (B, k)."""
        out = np.zeros((self._n, self._k))
        for terms, shares in ((second, self._second), (apart, self._apart)):
            if shares:
                all_ = np.concatenate(shares, axis=1)
                n = min(all_.shape[1], terms.shape[1])
                out += np.einsum("bs,bsk->bk", np.abs(terms[:, :n]), all_[:, :n])
        return out


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
