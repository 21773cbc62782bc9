"""How far apart are two networks on boxes, for certain? One walk through both at once, many boxes side by side.

Of each tensor it carries g's zonotope and that of the difference; f's is their sum. So what both networks have in
common, the relaxed parts above all, cancels, and what is left is of the size of the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.paired.carry import Symbols, differences, outputs
from reluatlas.comparison.paired.forms import SLACK, Forms, combined, of_boxes, sound
from reluatlas.comparison.paired.layers import AffinePair, Layers
from reluatlas.comparison.paired.units import Apart, Bent, Range, jumps, units_of
from reluatlas.comparison.paired.windows import Windows
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.network.interpret import sources
from reluatlas.network.record import Breakpoints, Input
from reluatlas.stable.enclosure import ROUNDOFF, TINY
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


class Bend(NamedTuple):
    """A pair of ReLUs that may bend on a box, after all before it.

    `unit` counts the units of all layers, -1 for none; nothing is known of a box with bends of another kind. `is_open`
    says whether f's may bend, and g's; `rows` (2, k + 2) have center, shares of the box's coordinates, and rest.
    """

    unit: int
    is_open: tuple[bool, bool]
    rows: FloatArray


NO_BEND = Bend(-1, (False, False), np.zeros((2, 0)))


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
        blame = _Blame(self._k, len(low))
        second: list[Forms | None] = []
        apart: list[Forms | None] = []
        n_open = np.zeros(len(low), dtype=np.int64)
        first_bends = _FirstBends(len(low), self._k)
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
        self, position: int, z: Forms, d: Forms, blame: _Blame, room: int, given: NDArray[np.int8] | None,
        first_bends: _FirstBends,
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
        self, d: Forms, low: FloatArray, high: FloatArray, n_open: IntArray, blame: _Blame, first_bends: _FirstBends
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


class _FirstBends:
    """The first units that may bend, box by box, as layers are walked through."""

    def __init__(self, n_boxes: int, k: int) -> None:
        self._k = k
        self._found: list[Bend | None] = [None] * n_boxes
        self._refused = np.zeros(n_boxes, dtype=bool)
        self.offset = 0

    def refuse(self, several: NDArray[np.bool_]) -> None:
        """Note boxes on which something else than a ReLU bends."""
        self._refused |= several.any(axis=1)

    def note(self, y: Forms, z: Forms, found: Apart, by: Bent) -> None:
        """Note what may bend in this layer, on boxes where nothing did before."""
        several = found.f_several | by.several
        weight = np.where(several, found.radius + 1e-3 * by.radius + TINY, -1.0)
        unit = weight.argmax(axis=1)
        for b in np.flatnonzero(several.any(axis=1)).tolist():
            if self._found[b] is None:
                i = int(unit[b])
                rows = np.stack([_row(y, b, i, self._k), _row(z, b, i, self._k)])
                is_open = bool(found.f_several[b, i]), bool(by.several[b, i])
                self._found[b] = Bend(self.offset + i, is_open, rows)

    def told(self) -> tuple[Bend, ...]:
        """Return the first unit of each box that may bend."""
        return tuple(
            NO_BEND if bend is None or refused else bend
            for bend, refused in zip(self._found, self._refused.tolist(), strict=True)
        )


def _row(z: Forms, box: int, unit: int, k: int) -> FloatArray:
    """Return center, shares of the coordinates, and how far an entry may be from that."""
    terms = z.terms[box, :, unit]
    rest = (np.abs(terms[1 + k :]).sum() + np.abs(z.own[box, :, unit]).sum() + z.rest[box, unit]) * SLACK
    return np.concatenate([terms[: 1 + k], [rest]])


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
