"""What can every unit and window do on a domain? One pass over the graph, tensor by tensor: `possibilities`."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.domain import Box, Segment, Slice
from reluatlas.network.interpret import last_uses, sources
from reluatlas.network.record import Affine, Breakpoints, Graph, Input
from reluatlas.stable import enclosure, knots, windows
from reluatlas.stable.enclosure import Enclosure
from reluatlas.typing import FloatArray

MOST_NUMBERS = 2**24
"""Numbers that the terms of one tensor may be; on a part of a domain, which threads look at side by side, a quarter."""
MOST_SYMBOLS = 1024
"""Symbols that are held at once beside the domain's coordinates; the oldest symbols go first."""
FEWEST = 16
"""So many are held of a tensor however large."""


class Possible(NamedTuple):
    """What the units or windows of one cut node can do.

    `possible` and `needed` have an entry for each piece or candidate, those of unit i at `offsets[i]:offsets[i + 1]`.
    `low`, `high` bound the pre-activations of units and the values of windows.
    """

    node: int
    offsets: NDArray[np.int64]
    possible: NDArray[np.bool_]
    needed: NDArray[np.bool_]
    low: FloatArray
    high: FloatArray


class Part(NamedTuple):
    """A polytope in a domain, within the cell of a pattern of the first units.

    `corners` (v, k) are its vertices in the domain's coordinates, each within `radius`; `pieces` those of the first
    units, of whole layers.
    """

    corners: FloatArray
    radius: float
    pieces: NDArray[np.int32]


def possibilities(
    net: Graph, domain: Box | Slice | Segment, part: Part | None = None
) -> Iterator[Possible | Enclosure]:
    """Yield what each cut node's units can do, in topological order; at last, what is known of the output.

    On all of a domain, or on a part of it.
    """
    origin, basis, low, high = frame_of(domain)
    n_given, corners, radius = 0, None, 0.0
    if part is not None:
        n_given, corners, radius = part.pieces.size, part.corners, part.radius
        low, high = corners.min(axis=0) - 2.0 * radius, corners.max(axis=0) + 2.0 * radius
        low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    widest = max(prod(node.shape) for node in net.nodes)
    numbers = MOST_NUMBERS if part is None else MOST_NUMBERS // 4
    most = min(low.size + MOST_SYMBOLS, max(FEWEST, numbers // max(1, widest)))
    k = min(low.size, most)
    room = max(0, most - k)
    found: list[Enclosure | None] = []
    last = last_uses(net)
    made = gone = done = 0
    with np.errstate(all="ignore"):  # what is not finite is taken for unknown
        first = enclosure.of_coordinates(origin, basis, low, high, k, corners, radius)
        for position, node in enumerate(net.nodes):
            look()
            if isinstance(node, Input):
                found.append(first)
            elif isinstance(node, Affine):
                found.append(enclosure.affine(node, [_read(found, i, gone) for i in node.inputs], gone, first))
            else:
                z = _read(found, node.input, gone)
                given = None
                if part is not None and done < n_given:
                    given = part.pieces[done : done + prod(node.shape)].astype(np.int64)
                done += prod(node.shape)
                if isinstance(node, Breakpoints):
                    pieces = knots.possible_pieces(node, z) if given is None else knots.given_pieces(given)
                    by = knots.bend(node, z, pieces)
                    yield _of_pieces(position, node, z, pieces)
                    own = np.isfinite(by.radius) & (by.radius > 0.0) & np.isfinite(z.rest)
                    new = np.flatnonzero(own)[-room:] if room else np.zeros(0, dtype=np.int64)
                    z, gone = _make_room(z, made, gone, new.size, room)
                    between = made - gone - z.n_symbols
                    is_affine = z.is_affine & (pieces.first_needed == pieces.last_needed)
                    out, n_new = knots.bent(z, by, is_affine, new, between), new.size
                else:
                    winners = windows.possible_winners(node, z) if given is None else windows.given_winners(node, given)
                    z, gone = _make_room(z, made, gone, min(room, node.n_windows), room)
                    between = made - gone - z.n_symbols
                    out, n_new = windows.largest(node, z, winners, between, room)
                    yield Possible(position, node.offsets, winners.possible, winners.needed, out.low, out.high)
                made += n_new
                found.append(out)
            for i in sources(node):
                if last[i] == position:
                    found[i] = None
    output = found[net.output]
    assert output is not None
    yield output


def frame_of(domain: Box | Slice | Segment) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return origin, basis, and the bounds of the coordinates."""
    if isinstance(domain, Segment):
        # in coordinates t of [-1, 1] around the middle; what that rounds is far below the roundoff of any sum
        return domain.a, np.stack([domain.b - domain.a]), np.zeros(1), np.ones(1)
    return *domain.frame(), domain.box.low, domain.box.high


def _read(found: list[Enclosure | None], i: int, gone: int) -> Enclosure:
    """Return what is known of a tensor, without symbols that are gone."""
    there = found[i]
    assert there is not None
    found[i] = there = there.without(gone)
    return there


def _make_room(z: Enclosure, made: int, gone: int, n_new: int, room: int) -> tuple[Enclosure, int]:
    """Let the oldest symbols go until there is room for new ones."""
    gone = max(gone, min(made, made + n_new - room))
    return z.without(gone), gone


def _of_pieces(position: int, node: Breakpoints, z: Enclosure, pieces: knots.Pieces) -> Possible:
    n, n_pieces = node.slopes.shape
    piece = np.arange(n_pieces)
    possible = (piece >= pieces.first[:, None]) & (piece <= pieces.last[:, None])
    needed = (piece >= pieces.first_needed[:, None]) & (piece <= pieces.last_needed[:, None])
    offsets = np.arange(n + 1, dtype=np.int64) * n_pieces
    return Possible(position, offsets, possible.reshape(-1), needed.reshape(-1), z.low, z.high)
