"""What is a network made of? A graph in topological order of affine, breakpoint and max nodes: what functions read.

Tensors are flat vectors along edges; a shape is carried beside each node for users and importers,
so reshaping costs nothing. The graph knows no geometry: `reluatlas.cells` reads it. Nor does it know who
reads it: `reluatlas.network.network.Network` is this record with the methods that call functions of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.network import parts as named_parts
from reluatlas.network.operators import FloatArray, LinearOperator, coefficients, is_sound

Part = named_parts.Part
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Input:
    """The input tensor; `parts` where it joins several inputs of a model."""

    shape: Shape
    name: str = "input"
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, eq=False)
class Affine:
    """`sum_s operators[s](tensor inputs[s]) + bias`; `inputs` are indices of earlier nodes."""

    inputs: tuple[int, ...]
    operators: tuple[LinearOperator, ...]
    bias: FloatArray
    shape: Shape
    name: str = ""


@dataclass(frozen=True, eq=False)
class Breakpoints:
    """A continuous piecewise-linear function of one variable, applied to each unit.

    Unit i on its piece p is `slopes[i, p] * z + intercepts[i, p]`, where p is the number of its
    `knots` that are strictly below z. Rows of `knots` ascend strictly and are padded with +inf.

    Attributes
    ----------
    knots : ndarray, shape (n, q)
    slopes, intercepts : ndarray, shape (n, q + 1)
    """

    input: int
    knots: FloatArray
    slopes: FloatArray
    intercepts: FloatArray
    shape: Shape
    name: str = ""

    @property
    def is_relu(self) -> bool:
        """Whether every unit is max(0, z)."""
        return (
            self.knots.shape[1] == 1
            and not self.knots.any()
            and not self.intercepts.any()
            and not self.slopes[:, 0].any()
            and bool(np.all(self.slopes[:, 1] == 1))
        )


@dataclass(frozen=True, eq=False)
class Max:
    """Window w is the largest of the input's entries `candidates[offsets[w]:offsets[w + 1]]`."""

    input: int
    offsets: NDArray[np.int64]
    candidates: NDArray[np.int64]
    shape: Shape
    name: str = ""

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return self.offsets.size - 1


Node = Input | Affine | Breakpoints | Max
CutNode = Breakpoints | Max


@dataclass(frozen=True)
class Note:
    """Something that import did: a rounding, a folding, a dropped node, a check that took a second opinion."""

    kind: Literal["rounded", "folded", "dropped", "checked"]
    node: str
    text: str


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A continuous piecewise-linear network as functions read it: nodes, checked to fit on each other, and names.

    The help of `reluatlas.Network` describes the fields at length.
    """

    nodes: tuple[Node, ...]  # in topological order; node 0 is the input
    output: int  # the node whose tensor is the output
    notes: tuple[Note, ...] = ()  # all that import rounded, folded or dropped
    source: str = "network"  # where it came from, for messages
    classes: Literal["max", "min"] | None = "max"  # what decides on a class
    class_names: tuple[str, ...] = ()  # one for each class, or none
    _cuts: tuple[int, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        for position, node in enumerate(self.nodes):
            _check_node(self.nodes, position, node)
        object.__setattr__(
            self, "_cuts", tuple(i for i, n in enumerate(self.nodes) if isinstance(n, Breakpoints | Max))
        )
        if self.classes not in ("max", "min", None):
            raise ArgumentError(f'`classes` is {self.classes!r}; expected "max", "min" or None.')
        n_classes = max(2, self.n_outputs)
        if self.class_names and len(self.class_names) != n_classes:
            raise DimensionError(
                f"`class_names` has {len(self.class_names)} names; expected {n_classes}, one for each class."
            )

    @property
    def input_shape(self) -> Shape:
        """Shape of one input, without a batch axis."""
        return self.nodes[0].shape

    @property
    def input_parts(self) -> tuple[Part, ...]:
        """The named parts of the input, where it joins several inputs of a model; else empty."""
        first = self.nodes[0]
        return first.parts if isinstance(first, Input) else ()

    @property
    def output_shape(self) -> Shape:
        """Shape of one output, without a batch axis."""
        return self.nodes[self.output].shape

    @property
    def n_inputs(self) -> int:
        """Number of input coordinates."""
        return prod(self.input_shape)

    @property
    def n_outputs(self) -> int:
        """Number of output coordinates."""
        return prod(self.output_shape)

    @property
    def cuts(self) -> tuple[int, ...]:
        """Indices of the breakpoint and max nodes, in topological order."""
        return self._cuts

    @property
    def n_neurons(self) -> int:
        """Number of units of all breakpoint nodes."""
        return sum(prod(self.nodes[i].shape) for i in self.cuts if isinstance(self.nodes[i], Breakpoints))

    @property
    def n_windows(self) -> int:
        """Number of windows of all max nodes."""
        return sum(node.n_windows for node in self.nodes if isinstance(node, Max))

    def pattern_slices(self) -> dict[int, slice]:
        """Return, for each cut node's index, its columns in an activation pattern."""
        start, out = 0, {}
        for i in self.cuts:
            size = prod(self.nodes[i].shape)
            out[i] = slice(start, start + size)
            start += size
        return out

    def points(self, X: ArrayLike | Mapping[str, ArrayLike]) -> tuple[FloatArray, bool]:
        """Return `X` as float64 rows (N, n_inputs), and whether it was a single point.

        Raises
        ------
        DimensionError
            When `X` is not (N, *input_shape), (N, n_inputs), input_shape or (n_inputs,), or the same of each part.
        NonFiniteError
            When `X` holds NaN or an infinite number.
        """
        if isinstance(X, Mapping):
            X = named_parts.join(self.input_parts, X)
        rows, single = self.split(np.asarray(X, dtype=np.float64))
        if not np.all(np.isfinite(rows)):
            raise NonFiniteError("`X` holds NaN or an infinite number. Pass finite inputs.")
        return rows, single

    def split(self, array: NDArray) -> tuple[NDArray, bool]:
        """Return an array as rows (N, n_inputs), and whether it was a single point; see `points`."""
        n = self.n_inputs
        if array.shape == self.input_shape or array.shape == (n,):
            return array.reshape(1, n), True
        if array.ndim >= 1 and (array.shape[1:] == self.input_shape or array.shape[1:] == (n,)):
            return array.reshape(array.shape[0], n), False
        raise DimensionError(
            f"`X` has shape {array.shape} but the network takes points of shape {self.input_shape}. "
            f"Pass (N, {', '.join(map(str, self.input_shape))}), or one point."
        )

    def __repr__(self) -> str:
        windows = f", {self.n_windows} max windows" if self.n_windows else ""
        return (
            f"{type(self).__name__}({self.input_shape} -> {self.output_shape}, {self.n_neurons} neurons{windows}, "
            f"from {self.source})"
        )


def _check_node(nodes: Sequence[Node], position: int, node: Node) -> None:
    if isinstance(node, Input) != (position == 0):
        raise DimensionError(f"node {position} of a network: the input, and only the input, comes first.")
    sizes = [prod(n.shape) for n in nodes[:position]]
    here, label = prod(node.shape), getattr(node, "name", "") or f"node {position}"
    if isinstance(node, Affine):
        for source, operator in zip(node.inputs, node.operators, strict=True):
            if not 0 <= source < position:
                raise DimensionError(f"`{label}` reads node {source}, which does not come before it.")
            if not is_sound(operator):
                raise DimensionError(f"`{label}` has a {type(operator).__name__} operator whose arrays do not fit.")
            if operator.n_in != sizes[source] or operator.n_out != here:
                raise DimensionError(
                    f"`{label}` maps {operator.n_in} to {operator.n_out} numbers; expected {sizes[source]} to {here}."
                )
            if not np.all(np.isfinite(coefficients(operator))):
                raise NonFiniteError(f"`{label}` has NaN or infinite weights. Check the model's training.")
        if node.bias.shape != (here,):
            raise DimensionError(f"`{label}` has {node.bias.size} bias numbers; expected {here}.")
        if not np.all(np.isfinite(node.bias)):
            raise NonFiniteError(f"`{label}` has NaN or infinite biases. Check the model's training.")
    elif isinstance(node, Breakpoints):
        if not 0 <= node.input < position or sizes[node.input] != here or node.knots.shape[0] != here:
            raise DimensionError(f"`{label}` does not fit its input.")
        if not (np.all(np.isfinite(node.slopes)) and np.all(np.isfinite(node.intercepts))):
            raise NonFiniteError(f"`{label}` has NaN or infinite slopes. Check the model's training.")
    elif isinstance(node, Max):
        if not 0 <= node.input < position or node.n_windows != here or np.any(np.diff(node.offsets) < 1):
            raise DimensionError(f"`{label}` does not fit its input.")
        if node.candidates.size and not (node.candidates.min() >= 0 and node.candidates.max() < sizes[node.input]):
            raise DimensionError(f"`{label}` reads entries that its input does not have.")
