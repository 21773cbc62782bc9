"""How does one go through a network, node by node? Forward as an algebra says, or backward by the chain rule.

An algebra says what becomes of a node: values in float64 or float32, with bounds, exactly, levels of a filter, rows
that are affine functions of the input. Not of this form, and loops of their own:

- `paths/sweep.py`, `subdivision/constraints/tree.py`: each cut node splits what arrives, and parts go on by themselves;
- `stable/walk.py`, `simplification/bounds.py`: what a node adds (symbols, linear programs) changes tensors that came
  before, and answers are yielded on the way;
- `subdivision/program/error_bounds.py`: three passes in one, level by level, into arrays of all tensors;
- `exporters/rounded.py`, `simplification`: nodes are rewritten, or bounded with what was found of them before;
- the kernels of `subdivision`, and what is written a second time on purpose: `certify`, `testing`.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.operators import Convolution
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max, Node
from reluatlas.typing import FloatArray

Choice = dict[int, NDArray]
"""Per cut node: pieces or winners of each unit (rows of points, or one row)."""
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


def sources(node: object) -> tuple[int, ...]:
    """Return the indices of the nodes that a node reads."""
    if isinstance(node, Affine):
        return node.inputs
    if isinstance(node, Breakpoints | Max):
        return (node.input,)
    return ()


def last_uses(network: Graph, output: int | None = None) -> list[int]:
    """Return, for each node, the last one that reads it: itself where none does, for the output one past the last.

    With `output`, of that node in place of the network's output.
    """
    out = list(range(len(network.nodes)))
    for t, node in enumerate(network.nodes):
        for source in sources(node):
            out[source] = t
    out[network.output if output is None else output] = len(network.nodes)
    return out


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


class Done(Protocol[T_co]):
    """What was made of nodes, by node: a list, or a mapping where only some are needed."""

    def __getitem__(self, t: int, /) -> T_co:
        """Return what was made of node t."""
        ...


class Algebra(Protocol[T]):
    """What to make of a node from what was made of those before it; `done` is all of that, by node."""

    def affine(self, t: int, node: Affine, done: Done[T]) -> T:
        """Return what is made of an affine node."""
        ...

    def breakpoints(self, t: int, node: Breakpoints, done: Done[T]) -> T:
        """Return what is made of units of breakpoints."""
        ...

    def max(self, t: int, node: Max, done: Done[T]) -> T:
        """Return what is made of windows."""
        ...


def through(algebra: Algebra[T], t: int, node: Node, done: Done[T]) -> T:
    """Return what an algebra makes of node t, which is not the input."""
    if isinstance(node, Affine):
        return algebra.affine(t, node, done)
    if isinstance(node, Breakpoints):
        return algebra.breakpoints(t, node, done)
    assert isinstance(node, Max)
    return algebra.max(t, node, done)


def walk(network: Graph, first: T, algebra: Algebra[T], *, upto: int | None = None) -> list[T]:
    """Return what an algebra makes of every node, up to node `upto`, from `first` at the input.

    It looks at the clock between nodes.
    """
    done: list[T] = []
    for t, node in enumerate(network.nodes[: None if upto is None else upto + 1]):
        look()
        done.append(through(algebra, t, node, done) if t else first)
    return done


def outcome(network: Graph, first: T, algebra: Algebra[T], *, upto: int | None = None) -> T:
    """Return what an algebra makes of the output, from `first` at the input; what no later node reads is let go.

    All nodes are gone through, also those behind the output; with `upto`, no node behind that one, of which it returns
    what was made.
    """
    asked = network.output if upto is None else upto
    last = last_uses(network, asked)
    done: list[Any] = [first]
    for t, node in enumerate(network.nodes[1 : None if upto is None else upto + 1], start=1):
        done.append(through(algebra, t, node, done))
        for source in sources(node):
            if last[source] == t:
                done[source] = None
    return done[asked]


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
