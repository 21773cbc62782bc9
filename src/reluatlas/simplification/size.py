"""How large is a network: how many units, how many numbers in its file, how many multiplications? `size_of`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator
from reluatlas.network.record import Affine, Breakpoints, Graph, Max


class Size(NamedTuple):
    """How large a network is.

    Attributes
    ----------
    units : int
        Units with breakpoints, and windows of which the largest entry is taken.
    numbers : int
        Stored numbers: weights, biases that are not all zero, places that entries are taken from, the knots and slopes
        of units that are no ReLU.
    multiply_adds : int
        Multiplications by weights other than 0 and 1 in one evaluation.
    """

    units: int
    numbers: int
    multiply_adds: int


def size_of(network: Graph) -> Size:
    """Return how large a network is."""
    numbers = products = 0
    for node in network.nodes:
        if isinstance(node, Affine):
            numbers += node.bias.size if node.bias.any() else 0
            for operator in node.operators:
                stored, multiplied = _of_operator(operator)
                numbers += stored
                products += multiplied
        elif isinstance(node, Breakpoints) and not node.is_relu:
            held = np.isfinite(node.knots)
            numbers += 3 * int(held.sum()) + 2 * node.knots.shape[0]
            products += node.knots.shape[0]
        elif isinstance(node, Max):
            numbers += node.candidates.size
    return Size(network.n_neurons + network.n_windows, numbers, products)


def _of_operator(operator: LinearOperator) -> tuple[int, int]:
    if isinstance(operator, Dense):
        return operator.weight.size, int(np.count_nonzero(operator.weight))
    if isinstance(operator, Convolution):
        return operator.weight.size, operator.n_entries
    if isinstance(operator, Gather):
        scaled = int(np.count_nonzero((operator.scale != 1) & (operator.index >= 0)))
        is_whole = operator.n_in == operator.n_out and np.array_equal(operator.index, np.arange(operator.n_in))
        return (0 if is_whole else operator.index.size) + (operator.index.size if scaled else 0), scaled
    return operator.values.size + operator.indices.size, operator.values.size
