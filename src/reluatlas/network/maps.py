"""What is the affine map along chosen pieces? Composed forward, or backward from the outputs asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reluatlas.network.graph import (
    Affine,
    Breakpoints,
    Convolution,
    FloatArray,
    Gather,
    Input,
    LinearOperator,
    Max,
    Network,
)
from reluatlas.network.operators import Dense, apply_operator

COMPILED_FROM = 16
"""Points from which on it pays to load compiled loops for images."""

Choice = dict[int, NDArray]
"""Per cut node: pieces or winners of each unit (rows of points, or one row)."""


def slopes_of(node: Breakpoints, piece: NDArray, flat: NDArray | None = None) -> FloatArray:
    """Return the slope of each unit on its piece; zero where `flat` is set."""
    slope = node.slopes[np.arange(node.knots.shape[0]), piece]
    return slope if flat is None else np.where(flat, 0.0, slope)


def winners_of(node: Max, winner: NDArray) -> NDArray[np.int64]:
    """Return the winning entry of the node's input for each window."""
    return node.candidates[node.offsets[:-1] + winner]


def pull(network: Network, node: int, row: Any, choice: Choice, arithmetic: Any, flat: Choice | None = None) -> Any:
    """Return coefficients on the input tensor from coefficients `row` on a node's tensor, by the chain rule.

    `arithmetic` says how rows of coefficients are carried through operators: in float64, with error bounds,
    or in integers. None when no path leads to the input.
    """
    rows = {node: row}
    for t in range(node, -1, -1):
        if t not in rows:
            continue
        row, here = rows.pop(t), network.nodes[t]
        if isinstance(here, Input):
            return row
        if isinstance(here, Affine):
            arithmetic.constant(row, here.bias)
            pairs = zip(here.inputs, here.operators, strict=True)
            sent = [(source, arithmetic.adjoint(operator, row)) for source, operator in pairs]
        elif isinstance(here, Breakpoints):
            if here.intercepts.any():
                arithmetic.constant(row, here.intercepts[np.arange(here.knots.shape[0]), choice[t]])
            slope = slopes_of(here, choice[t], None if flat is None else flat.get(t))
            sent = [(here.input, arithmetic.scale(row, slope))]
        else:
            size = int(np.prod(network.nodes[here.input].shape))
            sent = [(here.input, arithmetic.collect(row, winners_of(here, choice[t]), size))]
        for source, part in sent:
            rows[source] = arithmetic.add(rows[source], part) if source in rows else part
    return None


class FloatRows:
    """Carries rows (points or 1, m, size) of float64 coefficients backward, and adds up the constants.

    Dense operators whose ids are in `single` are multiplied in float32.
    """

    def __init__(self, n_points: int, n_rows: int, *, single: frozenset[int] = frozenset()) -> None:
        self.total = np.zeros((n_points, n_rows))
        self._single = single

    def adjoint(self, operator: LinearOperator, rows: NDArray[Any]) -> NDArray[Any]:
        """Return `rows @ matrix` of the operator."""
        if not isinstance(operator, Gather):
            flat = rows.reshape(-1, rows.shape[-1])
            if id(operator) in self._single and isinstance(operator, Dense):
                return (flat.astype(np.float32) @ operator.single).reshape(*rows.shape[:-1], operator.n_in)
            flat = flat @ operator.weight if isinstance(operator, Dense) else apply_operator(operator.transposed, flat)
            return flat.reshape(*rows.shape[:-1], operator.n_in)
        kept = np.flatnonzero(operator.index >= 0)
        return _gathered(rows[..., kept] * operator.scale[kept], operator.index[kept], operator.n_in)

    def collect(self, rows: FloatArray, index: NDArray, size: int) -> FloatArray:
        """Return rows whose entry j is the sum of the entries i with `index[point, i] == j`."""
        points, m, n = self.total.shape[0], rows.shape[1], index.shape[1]
        out = np.zeros((points, m, size))
        at = np.arange(points)[:, None, None], np.arange(m)[None, :, None], index[:, None, :]
        ranked = np.sort(index, axis=1)
        if np.any(ranked[:, 1:] == ranked[:, :-1]):
            np.add.at(out, at, np.broadcast_to(rows, (points, m, n)))
        else:
            out[at] = rows
        return out

    def scale(self, rows: FloatArray, factor: FloatArray) -> FloatArray:
        """Return the rows with every entry multiplied by its point's factor."""
        return rows * factor[:, None, :]

    def add(self, rows: FloatArray, other: FloatArray) -> FloatArray:
        """Return the sum."""
        return rows + other

    def constant(self, rows: FloatArray, vector: FloatArray) -> None:
        """Add `rows . vector` to the constants."""
        self.total += rows @ vector if vector.ndim == 1 else np.einsum("...mk,...k->...m", rows, vector)


def backward(
    network: Network,
    choice: Choice,
    n_points: int,
    outputs: NDArray,
    flat: Choice | None = None,
    *,
    dtype: DTypeLike = np.float64,
) -> tuple[NDArray[np.floating], FloatArray]:
    """Return A (n_points, m, n_inputs) and b (n_points, m), from the outputs to the input.

    With `dtype` float32, dense matrices that read the input are multiplied in float32.
    """
    seed = np.zeros((1, outputs.size, network.n_outputs))
    seed[0, np.arange(outputs.size), outputs] = 1.0
    shape = (n_points, outputs.size, network.n_inputs)
    if n_points >= COMPILED_FROM and has_images(network):
        from reluatlas.network.image_rows import ImageRows

        carried = ImageRows(n_points, outputs.size)
        entries = pull(network, network.output, carried.start(seed), choice, carried, flat)
        row, total = None if entries is None else carried.rows(entries), carried.total
    else:
        arithmetic = FloatRows(
            n_points, outputs.size, single=_on_input(network) if dtype == np.float32 else frozenset()
        )
        row, total = pull(network, network.output, seed, choice, arithmetic, flat), arithmetic.total
    return np.zeros(shape) if row is None else np.broadcast_to(row, shape), total


def _on_input(network: Network) -> frozenset[int]:
    pairs = ((s, o) for n in network.nodes if isinstance(n, Affine) for s, o in zip(n.inputs, n.operators, strict=True))
    return frozenset(id(o) for s, o in pairs if s == 0 and isinstance(o, Dense))


def has_images(network: Network) -> bool:
    """Return whether the network convolves anything."""
    return any(isinstance(o, Convolution) for n in network.nodes if isinstance(n, Affine) for o in n.operators)


def forward(
    network: Network, choice: Choice, n_points: int, outputs: NDArray, flat: Choice | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return A (n_points, m, n_inputs) and b (n_points, m), from the input to the outputs."""
    n = network.n_inputs
    columns = np.zeros((n_points, n + 1, n))
    columns[:, :n] = np.eye(n)

    def affine(here: Affine, done: list[FloatArray]) -> FloatArray:
        total = np.zeros((n_points, n + 1, here.bias.size))
        for source, operator in zip(here.inputs, here.operators, strict=True):
            rows = done[source].reshape(n_points * (n + 1), -1)
            total += apply_operator(operator, rows).reshape(total.shape)
        total[:, n] += here.bias
        return total

    def cut(here: Breakpoints | Max, t: int, done: list[FloatArray]) -> FloatArray:
        source = done[here.input]
        if isinstance(here, Max):
            return np.take_along_axis(source, winners_of(here, choice[t])[:, None, :], axis=2)
        out = source * slopes_of(here, choice[t], None if flat is None else flat.get(t))[:, None, :]
        out[:, n] += here.intercepts[np.arange(here.knots.shape[0]), choice[t]]
        return out

    done = sweep(network, network.output, columns, affine, cut)
    chosen = done[network.output][:, :, outputs]
    return chosen[:, :n].transpose(0, 2, 1), chosen[:, n]


def sweep(network: Network, upto: int, first: Any, affine: Callable, cut: Callable) -> list[Any]:
    """Return `first` and what `affine(node, done)` and `cut(node, position, done)` make of nodes 1 to `upto`."""
    done = [first]
    for t, here in enumerate(network.nodes[1 : upto + 1], start=1):
        done.append(affine(here, done) if isinstance(here, Affine) else cut(here, t, done))
    return done


def _gathered(rows: FloatArray, index: NDArray, size: int) -> FloatArray:
    # Sum of the entries that share an index, in order of position.
    out = np.zeros((*rows.shape[:-1], size))
    if index.size == 0:
        return out
    order = np.argsort(index, kind="stable")
    ranked = index[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    if starts.size == index.size:
        out[..., index] = rows
    else:
        out[..., ranked[starts]] = np.add.reduceat(rows[..., order], starts, axis=-1)
    return out
