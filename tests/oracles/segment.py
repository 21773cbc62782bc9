"""Which pieces does a network have along a segment? Exact, slow and obvious: fractions, one unit after another.

A row is the pair (value at t = 0, value at t = 1) of an affine function of t. Every row is cut at every knot, every
window at every crossing of two candidates. Nothing here is shared with reluatlas, nor with the plane's oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tests.oracles.plain import Affine, Breakpoints, Input, Max, Node, Number

Row = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Piece:
    """One pattern on an interval of positive length: `start`, `end`, and one row per output."""

    start: Fraction
    end: Fraction
    pattern: tuple[int, ...]
    map: tuple[Row, ...]


@dataclass(frozen=True)
class _Part:
    start: Fraction
    end: Fraction
    pattern: tuple[int, ...]
    tensors: tuple[tuple[Row, ...], ...]

    def between(self, start: Fraction, end: Fraction, pattern: tuple[int, ...]) -> _Part:
        return _Part(start, end, pattern, self.tensors)

    def with_tensor(self, rows: Sequence[Row]) -> _Part:
        return _Part(self.start, self.end, self.pattern, (*self.tensors, tuple(rows)))


def trace(nodes: Sequence[Node], output: int, a: Sequence[Number], b: Sequence[Number]) -> list[Piece]:
    """Return the pieces of a network on the segment from a to b, in order."""
    first = tuple((Fraction(x), Fraction(y)) for x, y in zip(a, b, strict=True))
    parts = [_Part(Fraction(0), Fraction(1), (), (first,))]
    for node in nodes[1:]:
        if isinstance(node, Affine):
            parts = [_affine(node, part) for part in parts]
        elif isinstance(node, Breakpoints):
            parts = [p for part in parts for p in _breakpoints(node, part)]
        elif isinstance(node, Max):
            parts = [p for part in parts for p in _max(node, part)]
        else:
            assert not isinstance(node, Input), "the input comes first, and only there"
    return [Piece(p.start, p.end, p.pattern, p.tensors[output]) for p in parts]


def classes(pieces: Sequence[Piece]) -> list[tuple[Fraction, int]]:
    """Return (where it starts, class) for each run of one class: the largest output, or whether the only one is > 0."""
    out: list[tuple[Fraction, int]] = []
    for piece in pieces:
        if len(piece.map) == 1:
            found = _by_knot([(piece.start, piece.end, ())], piece.map[0], Fraction(0))
        else:
            found = _by_winner(piece.start, piece.end, piece.map)
        for start, _, (winner,) in found:
            if not out or out[-1][1] != winner:
                out.append((start, winner))
    return out


def linear_regions(pieces: Sequence[Piece]) -> int:
    """Return the number of runs of pieces with one map."""
    return sum(i == 0 or piece.map != pieces[i - 1].map for i, piece in enumerate(pieces))


def _affine(node: Affine, part: _Part) -> _Part:
    rows = []
    for i, bias in enumerate(node.bias):
        u = v = Fraction(bias)
        for source, table in node.terms:
            for j, weight in table[i]:
                u, v = u + weight * part.tensors[source][j][0], v + weight * part.tensors[source][j][1]
        rows.append((u, v))
    return part.with_tensor(rows)


def _breakpoints(node: Breakpoints, part: _Part) -> list[_Part]:
    rows = part.tensors[node.source]
    found: list[tuple[Fraction, Fraction, tuple[int, ...]]] = [(part.start, part.end, ())]
    for row, knots in zip(rows, node.knots, strict=True):
        out = []
        for start, end, before in found:
            cut = [(start, end, ())]
            for knot in knots:
                cut = _by_knot(cut, row, Fraction(knot))
            out += [(s, e, (*before, sum(above))) for s, e, above in cut]
        found = out
    parts = []
    for start, end, pieces in found:
        values = []
        for i, ((u, v), p) in enumerate(zip(rows, pieces, strict=True)):
            slope, shift = Fraction(node.slopes[i][p]), Fraction(node.intercepts[i][p])
            values.append((slope * u + shift, slope * v + shift))
        parts.append(part.between(start, end, part.pattern + pieces).with_tensor(values))
    return parts


def _by_knot(found: list, row: Row, knot: Fraction) -> list:
    """Cut intervals where the row takes the value `knot`, and append to each whether the row is above it."""
    out = []
    u, v = row
    for start, end, before in found:
        ends = [start, end]
        if u != v and start < (root := (knot - u) / (v - u)) < end:
            ends.insert(1, root)
        for s, e in pairwise(ends):
            middle = (s + e) / 2
            out.append((s, e, (*before, int(u + middle * (v - u) > knot))))
    return out


def _max(node: Max, part: _Part) -> list[_Part]:
    rows = part.tensors[node.source]
    found: list[tuple[Fraction, Fraction, tuple[int, ...]]] = [(part.start, part.end, ())]
    for window in node.windows:
        found = [
            (s, e, before + won)
            for start, end, before in found
            for s, e, won in _by_winner(start, end, [rows[entry] for entry in window])
        ]
    parts = []
    for start, end, won in found:
        values = [rows[window[p]] for window, p in zip(node.windows, won, strict=True)]
        parts.append(part.between(start, end, part.pattern + won).with_tensor(values))
    return parts


def _by_winner(start: Fraction, end: Fraction, rows: Sequence[Row]) -> list[tuple[Fraction, Fraction, tuple[int]]]:
    """Cut at every crossing, take the first largest in the middle of each part, and join parts of one winner."""
    cuts = {start, end}
    for i, (u, v) in enumerate(rows):
        for w, z in rows[:i]:
            gap, rise = u - w, (v - z) - (u - w)
            if rise and start < (root := -gap / rise) < end:
                cuts.add(root)
    ends = sorted(cuts)
    out: list[tuple[Fraction, Fraction, tuple[int]]] = []
    for s, e in pairwise(ends):
        middle = (s + e) / 2
        values = [u + middle * (v - u) for u, v in rows]
        winner = values.index(max(values))
        if out and out[-1][2] == (winner,):
            out[-1] = (out[-1][0], e, (winner,))
        else:
            out.append((s, e, (winner,)))
    return out
