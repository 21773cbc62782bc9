"""Which sign does a row have at a vertex? In whole numbers, where float64 does not tell.

A vertex is where its facets meet: their rows are composed in whole numbers and solved. A network is continuous, so the
value there of what a unit sees is that of the network at this point, whichever cell it is looked at from. A part of
the check of trees: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm, prod

import numpy as np

from reluatlas.certify.whole import Row, Tensor, affine, chosen, fractions, start
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.network.record import Affine, Breakpoints, Graph, Max

Name = tuple[int, int, int]
Prefix = tuple[int, ...]
_KEPT = 2000


class Exact:
    """The network in whole numbers: rows by the pieces before them, values at points."""

    def __init__(self, net: Graph, domain: Box | Slice) -> None:
        self.net, self.domain, self.k = net, domain, domain.dim
        self.cuts = net.cuts
        self.begin = np.cumsum([0, *(prod(net.nodes[t].shape) for t in self.cuts)]).tolist()
        self.n_settled = 0
        self._composed: dict[tuple[int, Prefix], dict[int, Tensor]] = {}
        self._vertices: dict[tuple[Prefix, tuple[Name, ...]], tuple[Fraction, ...]] = {}
        self._values: dict[tuple[Fraction, ...], list[list[Fraction]]] = {}

    def sign(self, prefix: Prefix, facets: Sequence[Name], name: Name) -> int:
        """Return the sign of a row where facets meet; `prefix` are the pieces of all units before the row's layer."""
        look()
        self.n_settled += 1
        layer, a, b = name
        z = self._at(self._vertex(prefix, tuple(facets)))[layer]
        node = self.net.nodes[self.cuts[layer]]
        value = z[a] - (Fraction(float(node.knots[a, b])) if isinstance(node, Breakpoints) else z[b])
        return (value > 0) - (value < 0)

    def is_zero(self, pattern: Prefix) -> bool:
        """Return whether all outputs are 0 on the cell of a pattern."""
        look()
        tensors = self._tensors(len(self.cuts), pattern)
        return not any(any(a) or b for a, b in fractions(tensors[self.net.output]))

    def _row(self, prefix: Prefix, name: Name) -> Row:
        layer, a, b = name
        if layer < 0:
            side = self.domain.box.high if b else self.domain.box.low
            return [Fraction(int(i == a)) for i in range(self.k)], -Fraction(float(side[a]))
        node = self.net.nodes[self.cuts[layer]]
        assert isinstance(node, Breakpoints | Max)
        rows = fractions(self._tensors(layer, prefix)[node.input])
        g, c = rows[a]
        if isinstance(node, Breakpoints):
            return g, c - Fraction(float(node.knots[a, b]))
        h, d = rows[b]
        return [v - w for v, w in zip(g, h, strict=True)], c - d

    def _tensors(self, layer: int, prefix: Prefix) -> dict[int, Tensor]:
        """Return all tensors before a layer."""
        key = layer, prefix[: self.begin[layer]]
        if key not in self._composed:
            if layer == 0:
                tensors, t = {0: start(self.domain)}, 0
            else:
                tensors, t = dict(self._tensors(layer - 1, prefix)), self.cuts[layer - 1]
                node = self.net.nodes[t]
                assert isinstance(node, Breakpoints | Max)
                pieces = prefix[self.begin[layer - 1] : self.begin[layer]]
                tensors[t] = chosen(node, fractions(tensors[node.input]), pieces, self.k)
            self._affine(tensors, t + 1, layer, self.k)
            _make_room(self._composed)
            self._composed[key] = tensors
        return self._composed[key]

    def _affine(self, tensors: dict[int, Tensor], begin: int, layer: int, k: int) -> None:
        end = self.cuts[layer] if layer < len(self.cuts) else len(self.net.nodes)
        for t in range(begin, end):
            node = self.net.nodes[t]
            assert isinstance(node, Affine)
            tensors[t] = affine(node, tensors, k)

    def _vertex(self, prefix: Prefix, facets: tuple[Name, ...]) -> tuple[Fraction, ...]:
        key = prefix, facets
        if key not in self._vertices:
            from flint import fmpz_mat

            table = []
            for g, c in (self._row(prefix, name) for name in facets):
                shared = lcm(c.denominator, *(v.denominator for v in g))
                table.append([int(v * shared) for v in (*g, c)])
            reduced, denominator, rank = fmpz_mat(table).rref()
            assert rank == self.k, "the facets of a vertex meet in a point"
            point = tuple(-Fraction(int(reduced[i, self.k]), int(denominator)) for i in range(self.k))
            _make_room(self._vertices)
            self._vertices[key] = point
        return self._vertices[key]

    def _at(self, point: tuple[Fraction, ...]) -> list[list[Fraction]]:
        """Return, for each layer, the values that its units see at a point."""
        if point not in self._values:
            from flint import fmpz_mat

            shared = lcm(*(v.denominator for v in point))
            first = start(self.domain)
            column = fmpz_mat([[int(v * shared)] for v in (*point, Fraction(1))])
            tensors = {0: Tensor(first.matrix * column, first.scale * shared)}
            seen = []
            t = 0
            for layer, cut in enumerate(self.cuts):
                self._affine(tensors, t + 1, layer, 0)
                t, node = cut, self.net.nodes[cut]
                assert isinstance(node, Breakpoints | Max)
                rows = fractions(tensors[node.input])
                seen.append([c for _, c in rows])
                tensors[cut] = chosen(node, rows, _pieces(node, seen[-1]), 0)
            _make_room(self._values)
            self._values[point] = seen
        return self._values[point]


def _pieces(node: Breakpoints | Max, z: list[Fraction]) -> list[int]:
    if isinstance(node, Breakpoints):
        return [sum(v > knot for knot in row) for v, row in zip(z, node.knots.tolist(), strict=True)]
    windows = [node.candidates[a:b].tolist() for a, b in zip(node.offsets, node.offsets[1:], strict=False)]
    return [max(range(len(w)), key=lambda place: z[w[place]]) for w in windows]


def _make_room(kept: dict) -> None:
    if len(kept) >= _KEPT:
        kept.clear()
