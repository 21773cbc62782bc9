"""How does one go through a network, node by node? Forward as two functions say, or backward by the chain rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.operators import Convolution, FloatArray
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max

Choice = dict[int, NDArray]
"""Per cut node: pieces or winners of each unit (rows of points, or one row)."""


def sources(node: object) -> tuple[int, ...]:
    """Return the indices of the nodes that a node reads."""
    if isinstance(node, Affine):
        return node.inputs
    if isinstance(node, Breakpoints | Max):
        return (node.input,)
    return ()


def slopes_of(node: Breakpoints, piece: NDArray, flat: NDArray | None = None) -> FloatArray:
    """Return the slope of each unit on its piece; zero where `flat` is set."""
    if node.is_relu and flat is None:
        return piece.astype(np.float64)
    slope = node.slopes[np.arange(node.knots.shape[0]), piece]
    return slope if flat is None else np.where(flat, 0.0, slope)


def winners_of(node: Max, winner: NDArray) -> NDArray[np.int64]:
    """Return the winning entry of the node's input for each window."""
    return node.candidates[node.offsets[:-1] + winner]


def has_images(network: Graph) -> bool:
    """Return whether the network convolves anything."""
    return any(isinstance(o, Convolution) for n in network.nodes if isinstance(n, Affine) for o in n.operators)


def sweep(network: Graph, upto: int, first: Any, affine: Callable, cut: Callable) -> Any:
    """Return what `affine(node, done)` and `cut(node, position, done)` make of node `upto`, from `first` at the input.

    What no later node reads is let go.
    """
    last_use = {source: t for t, here in enumerate(network.nodes[: upto + 1]) for source in sources(here)}
    done: list[Any] = [first]
    for t, here in enumerate(network.nodes[1 : upto + 1], start=1):
        done.append(affine(here, done) if isinstance(here, Affine) else cut(here, t, done))
        for source in sources(here):
            if last_use[source] == t:
                done[source] = None
    return done[upto]


def pull(network: Graph, node: int, row: Any, choice: Choice, arithmetic: Any, flat: Choice | None = None) -> Any:
    """Return coefficients on the input tensor from coefficients `row` on a node's tensor, by the chain rule.

    `arithmetic` says how rows of coefficients are carried through operators: in float64, with error bounds,
    or in integers. None when no path leads to the input.
    """
    rows = {node: row}
    for t in range(node, -1, -1):
        if t not in rows:
            continue
        look()
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
