"""What can be asked of a network? The graph of `reluatlas.network.record`, and the methods that users call.

The kinds of nodes and operators are named here, too, for those who import the network. Within this package, files that
read a network import the record, and only those that make one (`build`, `archive`, `balance`, `decision`) import this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from os import PathLike
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.domain import Box
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.network import parts as named_parts
from reluatlas.network.layers import dense_layers
from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator, Sparse
from reluatlas.network.record import (
    Affine,
    Breakpoints,
    CutNode,
    Graph,
    Input,
    Max,
    Node,
    Note,
    Part,
    Shape,
)
from reluatlas.network.values.float64 import outputs as outputs_at
from reluatlas.progress import Progress, tells
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from reluatlas.network.maps.factored import FactoredMaps

__all__ = [
    "Affine",
    "Breakpoints",
    "Convolution",
    "CutNode",
    "Dense",
    "FloatArray",
    "Gather",
    "Input",
    "LinearOperator",
    "Max",
    "Network",
    "Node",
    "Note",
    "Part",
    "Shape",
    "Sparse",
    "require_network",
]


@dataclass(frozen=True, eq=False, repr=False)
class Network(Graph):
    """A continuous piecewise-linear network.

    Made by `reluatlas.load`. Evaluation is float64; `patterns` and `affine_at` are decided exactly.

    Attributes
    ----------
    nodes : tuple of Node
        In topological order; node 0 is the input.
    output : int
        Index of the node whose tensor is the output.
    notes : tuple of Note
        Everything that import rounded, folded or dropped.
    source : str
        Where the network came from, for messages.
    classes : {"max", "min"} or None
        What decides on a class: the largest output, the smallest, or nothing (regression). Of a single output, its
        sign decides, unless it is None.
    class_names : tuple of str
        A name for each class; empty when the model has none.
    """

    def join(self, X: Mapping[str, ArrayLike]) -> FloatArray:
        """Return points given by part, as points of the joint input: (N, n_inputs), or (n_inputs,) for one.

        Raises
        ------
        ArgumentError, DimensionError
            When `X` does not name each of `input_parts`, or an array does not have that part's shape.
        """
        return named_parts.join(self.input_parts, X)

    def box(self, ranges: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Box:
        """Return the box of the joint input with `(low, high)` of each part: numbers, or arrays of its shape.

        Raises
        ------
        ArgumentError, DimensionError, DomainError
            When `ranges` does not name each of `input_parts`, shapes do not fit, or a side is empty.
        """
        return Box(*named_parts.joined_sides(self.input_parts, ranges))

    def reshaped(self, input_shape: Sequence[int]) -> Network:
        """Return the network for inputs of another shape with as many numbers, in the same (row by row) order.

        Raises
        ------
        DimensionError
            When the shape has another number of entries, or the input joins several parts.
        """
        shape = tuple(int(side) for side in input_shape)
        if prod(shape) != self.n_inputs or self.input_parts:
            raise DimensionError(
                f"`input_shape={shape}` has {prod(shape)} numbers but the network takes {self.n_inputs}"
                + (" in several parts." if self.input_parts else ".")
                + " Pass a shape with as many."
            )
        first = self.nodes[0]
        assert isinstance(first, Input)
        return replace(self, nodes=(replace(first, shape=shape), *self.nodes[1:]))

    def dense_layers(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the layers of a network that is a chain of dense layers with ReLU between: `load` takes them again.

        Returns
        -------
        list of (weight, bias)
            Arrays of shapes (out, in) and (out,), from the input on; copies.

        Raises
        ------
        UnsupportedLayerError
            When there is any other node, such as a convolution, a window, another activation or a branch.

        Examples
        --------
        >>> import numpy as np
        >>> import reluatlas as ra
        >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.array([3.0]))])
        >>> [(weight.shape, bias.tolist()) for weight, bias in net.dense_layers()]
        [((2, 2), [0.0, 0.0]), ((1, 2), [3.0])]
        """
        return dense_layers(self)

    def __call__(self, X: ArrayLike) -> FloatArray:
        """Return the outputs at `X` in float64: (N, *output_shape), or output_shape for one point.

        Raises
        ------
        DimensionError, NonFiniteError
            As `points`; also when the network's values at a point leave the range of float64.
        """
        rows, single = self.points(X)
        with np.errstate(over="ignore", invalid="ignore"):
            values = outputs_at(self, rows).reshape(-1, *self.output_shape)
        bad = np.flatnonzero(~np.isfinite(values).reshape(rows.shape[0], self.n_outputs).all(axis=1))
        if bad.size:
            raise NonFiniteError(
                f"`X` has a point (number {bad[0]}) at which the network's values leave the range of float64. Pass "
                "points nearer to 0."
            )
        return values[0] if single else values

    @tells("points", "total")
    def patterns(self, X: ArrayLike, *, memory: int | None = None, progress: Progress = None) -> NDArray[np.integer]:
        """Return the activation pattern at each point; see `reluatlas.network.maps.affine_at.patterns`."""
        from reluatlas.network.maps.affine_at import patterns

        return patterns(self, X, memory=memory, progress=progress)  # type: ignore[arg-type]

    @tells("points", "total")
    def affine_at(
        self,
        X: ArrayLike,
        outputs: Sequence[int] | int | None = None,
        *,
        ties: Literal["perturb", "torch"] = "perturb",
        dtype: DTypeLike = np.float64,
        out: str | PathLike[str] | None = None,
        memory: int | None = None,
        jobs: int | None = None,
        device: str | None = None,
        progress: Progress = None,
    ) -> AffineMaps:
        """Return the affine map at each point; see `reluatlas.network.maps.affine_at.affine_at`."""
        from reluatlas.network.maps.affine_at import affine_at

        return affine_at(
            self, X, outputs, ties=ties, dtype=dtype, out=out, memory=memory, jobs=jobs, device=device,
            progress=progress,  # type: ignore[arg-type]
        )  # fmt: skip

    def factored_affine_at(
        self, X: ArrayLike, outputs: Sequence[int] | int | None = None, *, memory: int | None = None
    ) -> FactoredMaps:
        """Return the maps of a network with one hidden layer, factored; see `reluatlas.network.maps.factored`."""
        from reluatlas.network.maps.factored import factored_affine_at

        return factored_affine_at(self, X, outputs, memory=memory)


def require_network(thing: object, name: str = "net") -> None:
    """Raise when a thing is no network: a model of another package is to be opened first.

    Raises
    ------
    ArgumentError
    """
    if not isinstance(thing, Network):
        raise ArgumentError(
            f"`{name}` is of type `{type(thing).__name__}`; expected a network. Pass the model through `ra.load` first."
        )
