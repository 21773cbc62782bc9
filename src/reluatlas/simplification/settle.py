"""Which units are one affine function on the domain, and what stands in their place? `settled`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.record import Affine, Breakpoints, Max
from reluatlas.simplification.draft import Draft, Writer, placed
from reluatlas.simplification.removals import METHODS, Method, Reason, Removal
from reluatlas.stable.walk import Possible
from reluatlas.typing import FloatArray, IntArray


def settled(
    draft: Draft, found: Mapping[int, Possible], how: Mapping[int, NDArray[np.int8]], gone: list[Removal]
) -> Draft:
    """Return a draft in which units with one function are affine, and others have no piece or candidate too many.

    A layer of which some units stay becomes two nodes: the units that stay, and an affine one that puts them beside
    what the others are: a bypass. Nothing is rounded: slopes and intercepts are coefficients as they are.

    Parameters
    ----------
    draft : Draft
    found : dict
        What units and windows can do on the domain, by node.
    how : dict
        By node, what settled each of them: a place in `METHODS`; where there is none, bounds.
    gone : list
        Takes up what was removed.
    """
    writer = Writer()
    for t, node in enumerate(draft.nodes):
        if t not in found:
            writer.keep(draft, t)
        elif isinstance(node, Breakpoints):
            _units(writer, draft, t, node, found[t], how.get(t), gone)
        else:
            assert isinstance(node, Max)
            _windows(writer, draft, t, node, found[t], how.get(t), gone)
    return writer.finish(draft.output)


def _units(
    writer: Writer,
    draft: Draft,
    t: int,
    node: Breakpoints,
    found: Possible,
    how: NDArray[np.int8] | None,
    gone: list[Removal],
) -> None:
    n, n_pieces = node.slopes.shape
    needed = found.needed.reshape(n, n_pieces)
    first, last = needed.argmax(axis=1), n_pieces - 1 - needed[:, ::-1].argmax(axis=1)
    rows = np.arange(n)
    is_one = first == last
    slope, shift = node.slopes[rows, first], node.intercepts[rows, first]
    kept = np.flatnonzero(~is_one)
    for i in np.flatnonzero(is_one).tolist():
        reason: Reason = "on" if slope[i] else "off" if shift[i] == 0 else "constant"
        if slope[i] and found.low[i] == found.high[i]:
            reason = "constant"
        gone.append(
            Removal(
                int(draft.origins[t][i]), reason, int(first[i]), float(found.low[i]), float(found.high[i]),
                _method(how, i),
            )
        )  # fmt: skip
    split(writer, draft, t, node, Kept(kept, first, last), slope, np.where(is_one, shift, 0.0))


class Kept(NamedTuple):
    """The units of a layer that stay, and the first and last piece of each unit of the layer."""

    units: IntArray
    first: IntArray
    last: IntArray


def split(
    writer: Writer, draft: Draft, t: int, node: Breakpoints, kept: Kept, slope: FloatArray, shift: FloatArray
) -> None:
    """Write a layer of which some units stay; the others are `slope * z + shift`."""
    n, source = node.slopes.shape[0], writer.home[node.input]
    units, first, last = kept
    if units.size == n:
        writer.home[t] = writer.add(_fewer_pieces(node, source, units, first, last), draft.origins[t])
        return
    is_kept = np.zeros(n, dtype=bool)
    is_kept[units] = True
    linear = np.flatnonzero(~is_kept & (slope != 0))
    inputs, operators = [], []
    if units.size:
        read = writer.take(source, units, node.name)
        bent = writer.add(_fewer_pieces(node, read, units, first, last), draft.origins[t][units])
        inputs.append(bent)
        operators.append(placed(units, np.arange(units.size), n, units.size))
    if linear.size:
        inputs.append(source)
        operators.append(placed(linear, linear, n, n, slope[linear]))
    writer.home[t] = writer.affine(inputs, operators, np.where(is_kept, 0.0, shift), node.shape, node.name)


def _method(how: NDArray[np.int8] | None, i: int) -> Method:
    return METHODS[0 if how is None else int(how[i])]


def _fewer_pieces(node: Breakpoints, source: int, kept: IntArray, first: IntArray, last: IntArray) -> Breakpoints:
    """Return the units `kept`, each with its pieces from `first` to `last`."""
    first, last = first[kept], last[kept]
    width = int((last - first).max(initial=0))
    place = first[:, None] + np.arange(width + 1)
    held = place <= last[:, None]
    at = np.minimum(place, node.slopes.shape[1] - 1)
    rows = kept[:, None]
    slopes, shifts = np.where(held, node.slopes[rows, at], 0.0), np.where(held, node.intercepts[rows, at], 0.0)
    knots: FloatArray = np.full((kept.size, width), np.inf)
    inner = held[:, 1:]
    knots[inner] = node.knots[rows, np.minimum(place[:, :-1], max(node.knots.shape[1] - 1, 0))][inner]
    shape = node.shape if kept.size == node.knots.shape[0] else (kept.size,)
    return Breakpoints(source, knots, slopes, shifts, shape, node.name)


def _windows(
    writer: Writer,
    draft: Draft,
    t: int,
    node: Max,
    found: Possible,
    how: NDArray[np.int8] | None,
    gone: list[Removal],
) -> None:
    n = node.n_windows
    start = node.offsets[:-1]
    count = np.add.reduceat(found.needed.astype(np.int64), start)
    owner = np.repeat(np.arange(n), np.diff(node.offsets))
    entries = node.candidates[found.needed]
    is_one = count == 1
    kept = np.flatnonzero(~is_one)
    source = writer.home[node.input]
    winner = entries[np.searchsorted(owner[found.needed], np.arange(n))]
    place = np.flatnonzero(found.needed)[np.searchsorted(owner[found.needed], np.arange(n))] - start
    for i in np.flatnonzero(is_one).tolist():
        gone.append(
            Removal(
                int(draft.origins[t][i]), "one winner", int(place[i]), float(found.low[i]), float(found.high[i]),
                _method(how, i),
            )
        )  # fmt: skip
    inputs, operators = [], []
    if kept.size:
        shape = node.shape if kept.size == n else (kept.size,)
        offsets = np.concatenate([[0], np.cumsum(count[kept])]).astype(np.int64)
        candidates = entries[np.isin(owner[found.needed], kept)]
        largest = writer.add(Max(source, offsets, candidates, shape, node.name), draft.origins[t][kept])
        if kept.size == n:
            writer.home[t] = largest
            return
        inputs.append(largest)
        operators.append(placed(kept, np.arange(kept.size), n, kept.size))
    one = np.flatnonzero(is_one)
    size = draft.sizes()[node.input]
    inputs.append(source)
    operators.append(placed(one, winner[one], n, size))
    writer.home[t] = writer.add(Affine(tuple(inputs), tuple(operators), np.zeros(n), node.shape, node.name))
