"""What should one know before one believes a comparison? Other normalization, classes in another order."""

from __future__ import annotations

import numpy as np

from reluatlas.comparison import words
from reluatlas.domain import Box, Slice
from reluatlas.network.network import Network
from reluatlas.network.operators import Gather
from reluatlas.network.record import Affine, Graph
from reluatlas.network.values.float64 import outputs as outputs_at
from reluatlas.typing import FloatArray

_SAMPLES, _FEW = 256, 16
_MANY = 200
"""Outputs up to which an order of classes is looked for."""
_ALIKE = 1e-5
"""Of the size of the outputs: what float32 copies of one network differ by at most. Nothing is decided by it."""


def notices_of(f: Network, g: Network, where: Box | Slice | FloatArray) -> tuple[str, ...]:
    """Return what to know about a pair of networks on a domain or at points."""
    out = []
    if normalization_differs(f, g):
        out.append(words.NORMALIZED)
    order = permutation(f, g, samples(where))
    if order is not None:
        out.append(words.permuted(order, f, g))
    return tuple(out)


def samples(where: Box | Slice | FloatArray) -> FloatArray:
    """Return some inputs (n, n_inputs) of a domain, or of points."""
    if isinstance(where, np.ndarray):
        step = max(1, len(where) // _SAMPLES)
        return where[::step]
    low, high = where.box.low, where.box.high
    share = np.random.default_rng(0).uniform(size=(_SAMPLES, where.dim))
    return np.asarray(where.embed(low + share * (high - low)))


def permutation(f: Network, g: Network, X: FloatArray) -> list[int] | None:
    """Return the order of g's outputs in which they are f's at points, where it is another one than theirs; else None.

    Output i of f is output `order[i]` of g.
    """
    m = f.n_outputs
    if f.classes is None or g.classes is None or not 1 < m <= _MANY or len(X) < 2:
        return None
    apart, least = _apart(f, g, X[:: max(1, len(X) // _FEW)])  # these alone tell nearly all pairs
    if np.all(np.diagonal(apart) <= least) or not (apart <= least).any(axis=1).all():
        return None
    apart, least = _apart(f, g, X)
    if not np.isfinite(apart).all() or np.all(np.diagonal(apart) <= least):
        return None
    from scipy.optimize import linear_sum_assignment

    row, column = linear_sum_assignment(apart)
    return column.tolist() if np.all(apart[row, column] <= least) else None


def _apart(f: Network, g: Network, X: FloatArray) -> tuple[FloatArray, float]:
    """Return by how much each two outputs of f and g differ at points, and by how much copies of one may."""
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = outputs_at(f, X), outputs_at(g, X)
        apart = np.abs(first[:, :, None] - second[:, None, :]).max(axis=0)
        return apart, _ALIKE * float(max(np.abs(first).max(initial=0.0), np.abs(second).max(initial=0.0)))


def normalization_differs(f: Graph, g: Graph) -> bool:
    """Return whether one network scales its inputs first, input by input, and the other one does not, or otherwise."""
    mine, theirs = _normalization(f), _normalization(g)
    if mine is None or theirs is None:
        return (mine is None) != (theirs is None)
    return not all(map(np.array_equal, mine, theirs))


def _normalization(network: Graph) -> tuple[FloatArray, FloatArray] | None:
    """Return by what inputs are multiplied, and what is added, where the network's first node does just that."""
    for node in network.nodes[1:]:
        if isinstance(node, Affine) and node.inputs == (0,):
            (operator,) = node.operators
            if isinstance(operator, Gather) and np.array_equal(operator.index, np.arange(operator.n_in)):
                scale, shift = operator.scale, node.bias
                return None if np.all(scale == 1) and not shift.any() else (scale, shift)
            return None
    return None
