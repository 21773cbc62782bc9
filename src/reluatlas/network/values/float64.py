"""What does the network compute at points? Plain float64 forward evaluation."""

from __future__ import annotations

import numpy as np

from reluatlas.deadline import look
from reluatlas.network.interpret import sources
from reluatlas.network.operators import FloatArray, apply_operator
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max


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
    out: list[FloatArray] = []
    for node in network.nodes[: None if upto is None else upto + 1]:
        look()
        out.append(_value(node, out, rows))
    return out


def outputs(network: Graph, rows: FloatArray) -> FloatArray:
    """Return the output values (N, n_outputs) at input rows (N, n_inputs)."""
    last_use = list(range(len(network.nodes)))
    for position, node in enumerate(network.nodes):
        for source in sources(node):
            last_use[source] = position
    out: list[FloatArray | None] = []
    for position, node in enumerate(network.nodes):
        out.append(_value(node, out, rows))
        for source in sources(node):
            if last_use[source] == position and source != network.output:
                out[source] = None
    result = out[network.output]
    assert result is not None
    return result


def _value(node: object, done: list, rows: FloatArray) -> FloatArray:
    if isinstance(node, Input):
        return rows
    if isinstance(node, Affine):
        total = np.broadcast_to(node.bias, (rows.shape[0], node.bias.size)).copy()
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total += apply_operator(operator, done[source])
        return total
    if isinstance(node, Breakpoints):
        z = done[node.input]
        if node.is_relu:
            return np.maximum(z, 0.0)
        piece = pieces(node, z)
        unit = np.arange(piece.shape[1])
        return node.slopes[unit, piece] * z + node.intercepts[unit, piece]
    assert isinstance(node, Max)
    z = done[node.input]
    return np.maximum.reduceat(z[:, node.candidates], node.offsets[:-1], axis=1)
