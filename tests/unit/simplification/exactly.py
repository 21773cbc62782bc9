"""What does a network give at a point, in fractions? From the oracles' plain nodes: nothing of the package computes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from reluatlas.domain import Box, Segment, Slice
from reluatlas.network.network import Network
from tests.convert import to_nodes
from tests.oracles import plain


def outputs_at(nodes: Sequence[plain.Node], output: int, x: Sequence[Fraction]) -> list[Fraction]:
    """Return the outputs at a point."""
    values: list[list[Fraction]] = []
    for node in nodes[: output + 1]:
        if isinstance(node, plain.Input):
            row = list(x)
        elif isinstance(node, plain.Affine):
            row = [Fraction(b) for b in node.bias]
            for source, rows in node.terms:
                row = [
                    r + sum((w * values[source][j] for j, w in one), Fraction(0))
                    for r, one in zip(row, rows, strict=True)
                ]
        elif isinstance(node, plain.Breakpoints):
            row = []
            for i, z in enumerate(values[node.source]):
                piece = sum(k < z for k in node.knots[i])
                row.append(node.slopes[i][piece] * z + node.intercepts[i][piece])
        else:
            row = [max(values[node.source][e] for e in window) for window in node.windows]
        values.append(row)
    return values[output]


def points_of(domain: Box | Slice | Segment, n: int, seed: int = 0) -> list[list[Fraction]]:
    """Return exact points of a domain: corners, and points with few and with many bits inside."""
    rng = np.random.default_rng(seed)
    if isinstance(domain, Segment):
        ends = [[Fraction(v) for v in end.tolist()] for end in (domain.a, domain.b)]
        shares = [Fraction(int(s), 1 << 30) for s in rng.integers(0, (1 << 30) + 1, n)]
        return [[a + t * (b - a) for a, b in zip(*ends, strict=True)] for t in shares]
    origin, basis = domain.frame()
    low, high = domain.box.low, domain.box.high
    share = rng.random((n, low.size))
    share[::3] = np.round(share[::3])
    share[1::3] = np.round(share[1::3] * 8) / 8
    inside = np.clip(low + share * (high - low), low, high)
    start = [Fraction(v) for v in origin.tolist()]
    rows = [[Fraction(v) for v in row.tolist()] for row in basis]
    return [
        [o + sum((Fraction(c) * row[j] for c, row in zip(u.tolist(), rows, strict=True)), Fraction(0))
         for j, o in enumerate(start)]
        for u in inside
    ]  # fmt: skip


def largest_difference(f: Network, g: Network, points: Sequence[Sequence[Fraction]]) -> Fraction:
    """Return by how much outputs differ at most, at points; exactly."""
    mine, theirs = to_nodes(f), to_nodes(g)
    return max(
        abs(a - b)
        for x in points
        for a, b in zip(outputs_at(mine, f.output, x), outputs_at(theirs, g.output, x), strict=True)
    )
