"""What do reductions rewrite? A `Draft`: nodes of a network, and which of its units each unit once was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from reluatlas.network.network import Network
from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator, Sparse, as_sparse
from reluatlas.network.record import Affine, Breakpoints, Graph, Max, Node, Shape
from reluatlas.typing import IntArray


@dataclass(frozen=True, eq=False)
class Draft:
    """A network that is being rewritten.

    Attributes
    ----------
    nodes : tuple of Node
        In topological order, as those of a network. Operators are sparse, or convolutions that stay such.
    output : int
    origins : dict
        For each unit or window of a cut node, its column in the patterns of the network that is simplified.
    """

    nodes: tuple[Node, ...]
    output: int
    origins: Mapping[int, IntArray]

    def sizes(self) -> list[int]:
        """Return the number of entries of each node's tensor."""
        return [prod(node.shape) for node in self.nodes]

    @property
    def n_units(self) -> int:
        """Number of units and windows."""
        return sum(origin.size for origin in self.origins.values())


@dataclass(eq=False)
class Writer:
    """Writes the next draft, node by node; `home` says where nodes of the last one went."""

    nodes: list[Node] = field(default_factory=list)
    origins: dict[int, IntArray] = field(default_factory=dict)
    home: dict[int, int] = field(default_factory=dict)

    def add(self, node: Node, origin: IntArray | None = None) -> int:
        """Add a node, whose inputs are already those of the new draft, and return its index."""
        self.nodes.append(node)
        here = len(self.nodes) - 1
        if origin is not None:
            self.origins[here] = origin
        return here

    def affine(
        self, inputs: list[int], operators: list[LinearOperator], bias: np.ndarray, shape: Shape, name: str
    ) -> int:
        """Add an affine node."""
        return self.add(Affine(tuple(inputs), tuple(operators), bias, shape, name))

    def take(self, source: int, entries: IntArray, name: str) -> int:
        """Add a node that takes entries of a tensor; the tensor itself where these are all of it, in order."""
        size = prod(self.nodes[source].shape)
        if entries.size == size and np.array_equal(entries, np.arange(size)):
            return source
        return self.affine(
            [source], [placed(np.arange(entries.size), entries, entries.size, size)],
            np.zeros(entries.size), (entries.size,), name,
        )  # fmt: skip

    def moved(self, node: Node) -> Node:
        """Return a node of the last draft with its inputs renumbered."""
        if isinstance(node, Affine):
            return replace(node, inputs=tuple(self.home[i] for i in node.inputs))
        return replace(node, input=self.home[node.input]) if isinstance(node, Breakpoints | Max) else node

    def keep(self, draft: Draft, t: int) -> None:
        """Add node `t` of the last draft as it is."""
        self.home[t] = self.add(self.moved(draft.nodes[t]), draft.origins.get(t))

    def finish(self, output: int) -> Draft:
        """Return the draft whose output is node `output` of the last one."""
        return Draft(tuple(self.nodes), self.home[output], self.origins)


def placed(rows: IntArray, columns: IntArray, n_out: int, n_in: int, values: np.ndarray | None = None) -> Sparse:
    """Return the operator with one entry in each of the `rows` (ascending): 1, or `values`."""
    indptr = np.searchsorted(rows, np.arange(n_out + 1)).astype(np.int64)
    entries = np.ones(rows.size) if values is None else np.asarray(values, dtype=np.float64)
    return Sparse(indptr, np.asarray(columns, dtype=np.int64), entries, n_in)


def without_zeros(operator: LinearOperator) -> Sparse:
    """Return an operator as a sparse one, columns ascending, without zeros."""
    found = as_sparse(operator)
    row = np.repeat(np.arange(found.n_out), np.diff(found.indptr))
    order = np.lexsort((found.indices, row))
    order = order[found.values[order] != 0]
    indptr = np.searchsorted(row[order], np.arange(found.n_out + 1)).astype(np.int64)
    return Sparse(indptr, found.indices[order], found.values[order], found.n_in, found.denominator)


def begin(network: Graph, *, keeps_convolutions: bool) -> Draft:
    """Return a network as a draft."""
    nodes: list[Node] = []
    for node in network.nodes:
        if isinstance(node, Affine):
            kept = tuple(
                o if isinstance(o, Convolution) and keeps_convolutions else without_zeros(o) for o in node.operators
            )
            node = replace(node, operators=kept)
        nodes.append(node)
    places = network.pattern_slices()
    origins = {t: np.arange(s.start, s.stop) for t, s in places.items()}
    return Draft(tuple(nodes), network.output, origins)


def unrolled(draft: Draft) -> Draft:
    """Return a draft with the rows of its convolutions written out."""
    nodes = [
        replace(node, operators=tuple(without_zeros(o) for o in node.operators)) if isinstance(node, Affine) else node
        for node in draft.nodes
    ]
    return Draft(tuple(nodes), draft.output, draft.origins)


def as_network(draft: Draft, like: Network) -> Network:
    """Return a draft as a network with the names and the meaning of another, each operator as what it is."""
    nodes = [
        replace(node, operators=tuple(_plain(o) for o in node.operators)) if isinstance(node, Affine) else node
        for node in draft.nodes
    ]
    nodes[draft.output] = replace(nodes[draft.output], shape=like.output_shape)
    return Network(tuple(nodes), draft.output, (), like.source, like.classes, like.class_names)


def _plain(operator: LinearOperator) -> LinearOperator:
    """Return a sparse operator as a gather, where rows have one entry at most, or dense, where it mostly is."""
    if not isinstance(operator, Sparse) or operator.denominator != 1:
        return operator
    counts = np.diff(operator.indptr)
    if counts.max(initial=0) <= 1:
        index, scale = np.full(counts.size, -1, dtype=np.int64), np.ones(counts.size)
        index[counts == 1], scale[counts == 1] = operator.indices, operator.values
        return Gather(index, scale, operator.n_in)
    if 2 * operator.values.size >= operator.n_out * operator.n_in:
        weight = np.zeros((operator.n_out, operator.n_in))
        weight[np.repeat(np.arange(counts.size), counts), operator.indices] = operator.values
        return Dense(weight)
    return operator
