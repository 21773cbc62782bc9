"""Which part of a tree is looked at now? A block of its nodes, below the way to them from the root.

A part of the check of trees: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.tree_form import Block
from reluatlas.typing import IntArray


@dataclass(eq=False)
class Local:
    """Nodes of a tree, each behind its parent; the first ones lead from the root to the others.

    Attributes
    ----------
    unit, layer, label, parent : ndarray, shape (m,)
        The unit that cuts (-1: a leaf), its layer (of a leaf the number of layers), of which piece of its parent a
        node is the child, and the parent's place.
    low, high : ndarray, shape (m,)
        The least and the largest piece that a node lists.
    pieces : list of tuple of int
        All of them.
    leaf : ndarray, shape (m,)
        The place of a leaf's pattern.
    patterns : ndarray, shape (leaves, units)
    """

    unit: IntArray
    layer: IntArray
    label: IntArray
    parent: IntArray
    pieces: list[tuple[int, ...]]
    patterns: NDArray[np.int32]

    def __post_init__(self) -> None:
        self.leaf = np.cumsum(self.unit < 0) - 1
        ends = {pieces: (min(pieces, default=0), max(pieces, default=0)) for pieces in set(self.pieces)}
        self.low, self.high = np.array([ends[pieces] for pieces in self.pieces]).reshape(-1, 2).T
        self._order = np.argsort(self.parent, kind="stable")
        self._begin = np.searchsorted(self.parent[self._order], np.arange(self.parent.size + 1))

    def children(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Return the children of nodes, in their order, and for each the place of its parent among the nodes."""
        n = self._begin[nodes + 1] - self._begin[nodes]
        up = np.repeat(np.arange(nodes.size), n)
        return up, self._order[np.repeat(self._begin[nodes] - (np.cumsum(n) - n), n) + np.arange(up.size)]


@dataclass(eq=False, slots=True)
class _Open:
    """A node on the way: `taken` of its pieces were met."""

    unit: int
    pieces: tuple[int, ...]
    label: int
    taken: int = 0
    place: int = 0


class Path:
    """The way from the root to the next node.

    Parameters
    ----------
    layers : list of (ndarray, bool)
        For each layer the number of pieces of its units, and whether they are windows.
    """

    def __init__(self, layers: Sequence[tuple[IntArray, bool]]) -> None:
        self.n_nodes = 0
        # the last entry is for leaves, whose unit is -1
        self._layer = np.repeat(np.arange(len(layers) + 1), [*(n.size for n, _ in layers), 1])
        self._n_pieces = [n for units, _ in layers for n in units.tolist()]
        self._is_window = [is_window for units, is_window in layers for _ in range(units.size)]
        self._way: list[_Open] = []

    def through(self, block: Block, at_once: int) -> Iterator[Local]:
        """Yield a block in portions of at most so many nodes.

        Raises
        ------
        ValueError
            When what it says is no tree of this network.
        """
        pieces, arity = iter(block.pieces.tolist()), iter(block.arity.tolist())
        nodes, n_leaves = block.nodes.tolist(), 0
        for begin in range(0, len(nodes), at_once):
            local = self._portion(nodes[begin : begin + at_once], arity, pieces)
            n = int((local.unit < 0).sum())
            local.patterns = block.patterns[n_leaves : n_leaves + n]
            n_leaves += n
            yield local

    def require_end(self) -> None:
        """Refuse a tree that ends before all its pieces have a child.

        Raises
        ------
        ValueError
        """
        self._drop()
        if self._way or not self.n_nodes:
            raise ValueError("the tree ends before all pieces of its nodes have a child")

    def _drop(self) -> None:
        while self._way and self._way[-1].taken == len(self._way[-1].pieces):
            self._way.pop()

    def _portion(self, nodes: list[int], arity: Iterator[int], pieces: Iterator[int]) -> Local:
        self._drop()
        unit, label, parent, listed = [], [], [], []
        for i, node in enumerate(self._way):
            node.place = i
            unit.append(node.unit)
            label.append(node.label)
            parent.append(i - 1)
            listed.append(node.pieces)
        way = self._way
        for u in nodes:
            while way and way[-1].taken == len(way[-1].pieces):
                way.pop()
            if way:
                above = way[-1]
                here = above.pieces[above.taken]
                above.taken += 1
                parent.append(above.place)
                if -1 < u <= above.unit:
                    raise ValueError(f"unit {u} is cut by below unit {above.unit}")
            elif self.n_nodes:
                raise ValueError("there are nodes behind the end of the tree")
            else:
                here = -1
                parent.append(-1)
            self.n_nodes += 1
            label.append(here)
            if u < 0:
                listed.append(())
            else:
                n = next(arity)
                own = (next(pieces), next(pieces)) if n == 2 else tuple(next(pieces) for _ in range(n))
                if own not in ((0, 1), (1, 0)):
                    self._require(u, own)
                listed.append(own)
                way.append(_Open(u, own, here, 0, len(unit)))
            unit.append(u)
        units, labels, parents = (np.array(a, dtype=np.int64) for a in (unit, label, parent))
        return Local(units, self._layer[units], labels, parents, listed, np.zeros((0, 0), dtype=np.int32))

    def _require(self, unit: int, pieces: tuple[int, ...]) -> None:
        low, high = min(pieces), max(pieces)
        if len(set(pieces)) != len(pieces) or low < 0 or high >= self._n_pieces[unit]:
            raise ValueError(f"a node lists pieces of unit {unit} that there are not, or one twice")
        if not self._is_window[unit] and high - low + 1 != len(pieces):
            raise ValueError(f"a node leaves out a piece of unit {unit}")
