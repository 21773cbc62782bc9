"""Small networks whose cells, vertices and neighbors are known exactly, from the oracle of polytopes."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

import reluatlas as ra
from tests.convert import to_nodes
from tests.oracles import meeting, solid
from tests.oracles.chebyshev import Partitions

SHAPES = [(1, 5, 1), (1, 3, 3, 2), (2, 3, 2), (2, 3, 2, 1), (3, 2, 1)]
TINY = [(1, 3, 1), (1, 2, 2, 2), (2, 2, 1), (2, 2, 2), (3, 1, 1)]
"""Networks of so few cells that all partitions can be tried."""


def network(shape, seed, *, quarters=False):
    """Return a dense network; in multiples of 1/4 coincidences are the rule."""
    rng = np.random.default_rng([seed, *shape])
    layers = []
    for n, m in pairwise(shape):
        W, b = rng.normal(size=(m, n)), rng.normal(size=m) / 2
        layers.append((np.round(4 * W) / 4, np.round(4 * b) / 4) if quarters else (W, b))
    return ra.load(layers)


def exact_cells(net, box):
    """Return the cells of the oracle by pattern, each as its vertices with the outputs there, and their neighbors."""
    domain = solid.on_box([Fraction(v) for v in box.low.tolist()], [Fraction(v) for v in box.high.tolist()])
    cells = solid.cells(to_nodes(net), net.output, domain)
    corners = {}
    for cell in cells:
        points = [tuple(Fraction(x, v[-1]) for x in v[:-1]) for v in cell.polytope.vertices]
        corners[cell.pattern] = {
            p: tuple(sum((a * x for a, x in zip(row, (*p, 1), strict=True)), Fraction(0)) for row in cell.map)
            for p in points
        }
    across = meeting.behind(cells, domain)
    pairs = {(min(i, j), max(i, j)) for i, found in enumerate(across) for j in found.values() if j != meeting.SIDE}
    return corners, sorted(pairs)


def partitions(net, box):
    """Return the partitions of the oracle's cells."""
    corners, pairs = exact_cells(net, box)
    return Partitions(list(corners.values()), pairs)


def true_errors(answer, corners):
    """Return the exact error of each piece: its float64 map, as the numbers that it has, at the exact vertices."""
    out = [Fraction(0)] * answer.n_pieces
    for pattern, piece in zip(answer.complex.patterns.tolist(), answer.labels.tolist(), strict=True):
        A, b = answer.affine.A[piece].tolist(), answer.affine.b[piece].tolist()
        for point, values in corners[tuple(pattern)].items():
            for row, constant, value in zip(A, b, values, strict=True):
                mine = sum((Fraction(a) * x for a, x in zip(row, point, strict=True)), Fraction(constant))
                out[piece] = max(out[piece], abs(mine - value))
    return out
