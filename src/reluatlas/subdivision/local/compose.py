"""What do open units read, when all others keep their piece? `composed`: coordinates and earlier open units, weighted.

Every tensor is a sum of the domain's k coordinates, a constant, and the outputs of the units before it that are kept as
they are; all other units are replaced by the one piece that they have on the domain. Beside each weight stands a size:
the error of the weight is at most `roundings` units of roundoff of it. The sum of the absolute values of the products
along all paths is one, as every product is rounded once for each term of each sum that it goes through. In networks of
several cuts that is far too large, and what `rounding` finds takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reluatlas.arithmetic.constants import SLACK_PATH, UNIT_ROUNDOFF
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.network.interpret import Done, outcome
from reluatlas.network.operators import apply_operator, coefficients, denominator, mapped
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.subdivision.local.rounding import Lost
from reluatlas.subdivision.program.error_bounds import roundings
from reluatlas.typing import FloatArray, IntArray

OUTPUT = -1
"""Stands for the output among the cut nodes: it may be one of them itself."""
_LOOSE = 2.0**14
"""Where sizes are, in the middle, so many times the weights, errors are followed through the network instead."""
_LEAST = 2.0**-900
"""Products below this may lose digits by underflow."""


class Rows(NamedTuple):
    """Some entries of a tensor: weights of coordinates, the constant and kept units, (1 + k + units so far, entries).

    `size` are the sizes of the weights, none below the weight's own; zero where no path leads.
    """

    weight: FloatArray
    size: FloatArray


class _OutOfRange(Exception):
    """Weights leave the range of float64, or lose digits at its lower end."""


def composed(
    network: Graph, domain: Box | Slice, pattern: IntArray, kept: Mapping[int, IntArray]
) -> dict[int, Rows] | None:
    """Return what each cut node with kept units reads, and the output, as `OUTPUT`; None where float64 has no room.

    Parameters
    ----------
    pattern : ndarray
        The piece of each unit, where it is not kept.
    kept : mapping
        For each cut node, its kept units in order. Of a max node that reads a cut node directly, all candidates of kept
        windows are kept there; it has no rows of its own here.
    """
    try:
        with np.errstate(all="ignore"):
            rows = _composed(network, domain, pattern, kept, None)
            if any(_is_loose(each) for each in rows.values()):
                rows = _composed(network, domain, pattern, kept, Lost(network, pattern, kept))
            return rows
    except _OutOfRange:
        return None


def _is_loose(rows: Rows) -> bool:
    there = rows.weight != 0.0
    return bool(np.median(rows.size[there] / np.abs(rows.weight[there])) > _LOOSE) if there.any() else False


def _composed(
    network: Graph, domain: Box | Slice, pattern: IntArray, kept: Mapping[int, IntArray], lost: Lost | None
) -> dict[int, Rows]:
    origin, basis = domain.frame()
    rows = np.concatenate([basis, origin[None]])
    made = _Composition(network, pattern, kept, basis.shape[0], lost)
    output = outcome(network, _checked(Rows(rows, np.abs(rows))), made)
    found = made.found | {OUTPUT: output}
    return found if lost is None else _tightened(network, found, made.taken, lost)


def _tightened(network: Graph, out: dict[int, Rows], taken: dict[int, IntArray], lost: Lost) -> dict[int, Rows]:
    """Return the rows with sizes that are no larger than errors demand."""
    read: dict[int, list[IntArray]] = {network.output: [np.arange(out[OUTPUT].weight.shape[1])]}
    for position, own in taken.items():
        node = network.nodes[position]
        assert isinstance(node, Breakpoints | Max)
        read.setdefault(node.input, []).append(own)
    errors = lost.at({t: np.concatenate(parts) for t, parts in read.items()})
    n_roundings = roundings(network)
    start = dict.fromkeys(read, 0)

    def tight(t: int, rows: Rows) -> Rows:
        here = slice(start[t], start[t] + rows.weight.shape[1])
        start[t] = here.stop
        found = np.zeros_like(rows.weight)
        part = errors[t][: rows.weight.shape[0], here]
        found[: part.shape[0]] = part
        size = np.maximum(np.abs(rows.weight), found / (n_roundings[t] * UNIT_ROUNDOFF)) * SLACK_PATH
        return Rows(rows.weight, np.minimum(size, rows.size))

    # the output's own come first in what is read of its tensor
    made = {OUTPUT: tight(network.output, out[OUTPUT])}
    for position in taken:
        node = network.nodes[position]
        assert isinstance(node, Breakpoints | Max)
        made[position] = tight(node.input, out[position])
    return {key: made[key] for key in out}


def entries_of(node: Max, windows: IntArray) -> IntArray:
    """Return the entries that some windows choose from, each once, ascending."""
    held = [node.candidates[node.offsets[w] : node.offsets[w + 1]] for w in windows]
    return np.unique(np.concatenate(held)) if held else np.zeros(0, dtype=np.int64)


def _taken(rows: Rows, entries: IntArray) -> Rows:
    return Rows(rows.weight[:, entries], rows.size[:, entries])


class _Composition:
    """Rows of all tensors, open units each a column of its own: an algebra of `reluatlas.network.interpret`.

    `found` is what cut nodes with kept units read, `taken` the entries of it; `lost` is told what is rounded.
    """

    def __init__(
        self, network: Graph, pattern: IntArray, kept: Mapping[int, IntArray], k: int, lost: Lost | None
    ) -> None:
        self.found: dict[int, Rows] = {}
        self.taken: dict[int, IntArray] = {}
        self._network, self._pattern, self._kept, self._lost = network, pattern, kept, lost
        self._slices, self._k, self._n_columns = network.pattern_slices(), k, k + 1

    def affine(self, t: int, node: Affine, done: Done[Rows]) -> Rows:
        look()
        read = [done[s] for s in node.inputs]
        if self._lost is not None:
            self._lost.affine(t, node, [rows.weight for rows in read], self._k)
        return _affine(node, read, self._k)

    def breakpoints(self, t: int, node: Breakpoints, done: Done[Rows]) -> Rows:
        source = done[node.input]
        self._take(t, source, self._kept[t])
        if self._lost is not None:
            self._lost.breakpoints(t, *_line(node, self._pattern[self._slices[t]]), source.weight, self._k)
        return self._cut(t, node, source)

    def max(self, t: int, node: Max, done: Done[Rows]) -> Rows:
        if not isinstance(self._network.nodes[node.input], Breakpoints | Max):
            self._take(t, done[node.input], entries_of(node, self._kept[t]))
        return self._cut(t, node, done[node.input])

    def _take(self, t: int, source: Rows, entries: IntArray) -> None:
        self.taken[t], self.found[t] = entries, _taken(source, entries)

    def _cut(self, t: int, node: Breakpoints | Max, source: Rows) -> Rows:
        look()
        own = self._kept[t]
        out = _cut(node, source, self._pattern[self._slices[t]], own, self._n_columns, self._k)
        self._n_columns += own.size
        return out


def _affine(node: Affine, sources: list[Rows], k: int) -> Rows:
    n_rows = max((s.weight.shape[0] for s in sources), default=k + 1)
    weight, size = np.zeros((n_rows, node.bias.size)), np.zeros((n_rows, node.bias.size))
    for operator, source in zip(node.operators, sources, strict=True):
        here = slice(0, source.weight.shape[0])
        weight[here] += apply_operator(operator, source.weight)
        size[here] += apply_operator(mapped(operator, np.abs), source.size)
        least = _least(coefficients(operator)) / denominator(operator)
        if not min(1.0, least) * min(1.0, _least(source.size)) >= _LEAST:
            raise _OutOfRange
    weight[k] += node.bias
    size[k] += np.abs(node.bias)
    return _checked(Rows(weight, size))


def _cut(node: Breakpoints | Max, source: Rows, pattern: IntArray, own: IntArray, n_columns: int, k: int) -> Rows:
    """Return the rows of a cut node: those of the pieces that units have, kept units each a column of its own."""
    n = pattern.size
    weight, size = np.zeros((n_columns + own.size, n)), np.zeros((n_columns + own.size, n))
    here = slice(0, source.weight.shape[0])
    if isinstance(node, Breakpoints):
        slope, shift = _line(node, pattern)
        slope[own] = shift[own] = 0.0
        np.multiply(source.weight, slope, out=weight[here])
        np.multiply(source.size, np.abs(slope), out=size[here])
        weight[k] += shift
        size[k] += np.abs(shift)
        if not min(1.0, _least(slope)) * min(1.0, _least(source.size)) >= _LEAST:
            raise _OutOfRange
    else:
        winner = node.candidates[node.offsets[:-1] + np.where(pattern < 0, 0, pattern)]
        weight[here], size[here] = source.weight[:, winner], source.size[:, winner]
        weight[:, own] = size[:, own] = 0.0
    column = n_columns + np.arange(own.size)
    weight[column, own] = size[column, own] = 1.0
    return _checked(Rows(weight, size))


def _line(node: Breakpoints, pattern: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return slopes and intercepts of the pieces of a pattern; of the first where it is -1."""
    unit, piece = np.arange(pattern.size), np.where(pattern < 0, 0, pattern)
    return node.slopes[unit, piece], node.intercepts[unit, piece]


def _checked(rows: Rows) -> Rows:
    if not (np.isfinite(rows.size).all() and np.isfinite(rows.weight).all()):
        raise _OutOfRange
    return rows


def _least(values: FloatArray) -> float:
    sizes = np.abs(values)
    return float(sizes.min(initial=np.inf, where=sizes > 0.0))
