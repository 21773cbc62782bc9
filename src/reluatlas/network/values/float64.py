"""What does the network compute at points? Plain float64 forward evaluation."""

from __future__ import annotations

import numpy as np

from reluatlas.network.interpret import Done, outcome, walk
from reluatlas.network.operators import apply_operator
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.typing import FloatArray


def pieces(node: Breakpoints | Max, rows: FloatArray) -> np.ndarray:
    """Return the piece (or winning candidate) of each unit for rows (N, n_in) of the node's input."""
    if isinstance(node, Breakpoints):
        return (rows[:, :, None] > node.knots).sum(axis=2)
    widths = np.diff(node.offsets)
    if node.n_windows and np.all(widths == widths[0]):
        return rows[:, node.candidates.reshape(-1, widths[0])].argmax(axis=2)
    windows = np.split(node.candidates, node.offsets[1:-1])
    return np.stack([rows[:, w].argmax(axis=1) for w in windows], axis=1)


def values(network: Graph, rows: FloatArray, *, upto: int | None = None) -> list[FloatArray]:
    """Return every node's values (N, size) at input rows (N, n_inputs), nodes 0 to `upto`."""
    return walk(network, rows, _Float64(rows.shape[0]), upto=upto)


def outputs(network: Graph, rows: FloatArray) -> FloatArray:
    """Return the output values (N, n_outputs) at input rows (N, n_inputs)."""
    return outcome(network, rows, _Float64(rows.shape[0]))


class _Float64:
    """Values (N, size) of nodes at N points."""

    def __init__(self, n_points: int) -> None:
        self._n_points = n_points

    def affine(self, t: int, node: Affine, done: Done[FloatArray]) -> FloatArray:
        total = np.broadcast_to(node.bias, (self._n_points, node.bias.size)).copy()
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total += apply_operator(operator, done[source])
        return total

    def breakpoints(self, t: int, node: Breakpoints, done: Done[FloatArray]) -> FloatArray:
        z = done[node.input]
        if node.is_relu:
            return np.maximum(z, 0.0)
        piece = pieces(node, z)
        unit = np.arange(piece.shape[1])
        return node.slopes[unit, piece] * z + node.intercepts[unit, piece]

    def max(self, t: int, node: Max, done: Done[FloatArray]) -> FloatArray:
        return np.maximum.reduceat(done[node.input][:, node.candidates], node.offsets[:-1], axis=1)
