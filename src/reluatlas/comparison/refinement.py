"""Which one network tells both maps, and both classes, on every cell? The common refinement of two networks.

Its outputs are those of f, those of g, and f - g. Where both have classes, it is cut by the decisions, too: then a
cell has one class of f and one of g, the lowest index among the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError
from reluatlas.network.decision import decision_nodes
from reluatlas.network.join import Joined, finish, join, outputs_of
from reluatlas.network.network import Network
from reluatlas.network.record import Node
from reluatlas.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Refinement:
    """Two networks as one that has the cells, and the outputs, of both.

    Attributes
    ----------
    f, g : Network
    network : Network
        Its 3 m outputs are f, g and f - g.
    n_base : int
        Columns of its patterns that are units of f or g; those of the decisions follow.
    columns : (int, int) or None
        Columns of its patterns that are the class of f, and of g.
    joined : Joined
    """

    f: Network
    g: Network
    network: Network
    n_base: int
    columns: tuple[int, int] | None
    joined: Joined

    @property
    def m(self) -> int:
        """Number of outputs of either network."""
        return self.f.n_outputs

    @cached_property
    def are_one(self) -> bool:
        """Whether f and g are the same, node by node."""
        return self.joined.f == self.joined.g

    def classes(self, patterns: NDArray[np.integer]) -> tuple[IntArray, IntArray]:
        """Return the classes of f and g in cells with these patterns."""
        assert self.columns is not None
        first, second = self.columns
        return patterns[:, first].astype(np.int64), patterns[:, second].astype(np.int64)

    def outputs(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return f, g and f - g of outputs (..., 3 m)."""
        m = self.m
        return values[..., :m], values[..., m : 2 * m], values[..., 2 * m :]


def refinement(f: Network, g: Network, *, classes: bool | None = None) -> Refinement:
    """Return the common refinement of two networks.

    Parameters
    ----------
    classes : bool, optional
        Whether to cut by the decisions; by default where both networks have classes.

    Raises
    ------
    ArgumentError
        When one is no network; when `classes=True` and one has none.
    DimensionError
        When their shapes differ.
    """
    both = join(f, g)
    cut = f.classes is not None and g.classes is not None
    if classes and not cut:
        raise ArgumentError(
            f"`classes=True`: the outputs of `{'f' if f.classes is None else 'g'}` are no classes. Open it with "
            '`classes="max"` or `classes="min"`, or leave `classes` out.'
        )
    added: list[Node] = []
    ends: list[int] = []
    if cut and classes is not False:
        for network, output in ((f, both.f), (g, both.g)):
            first = len(both.nodes) + len(added)
            added += decision_nodes(network, output, first, "class")
            ends.append(len(both.nodes) + len(added) - 1)
    output = outputs_of(both, f.n_outputs, with_difference=True)
    network = finish(f, g, both, output, cuts=tuple(added))
    slices = network.pattern_slices()
    columns = (slices[ends[0]].start, slices[ends[1]].start) if ends else None
    n_base = sum(s.stop - s.start for s in slices.values()) - len(ends)
    return Refinement(f, g, network, n_base, columns, both)
