"""How is the proof of a count kept? The subdivision tree of a domain, in an `.npz` file that is read in blocks.

A node of the tree is a unit that cuts, with its pieces there (of a window: its winners), or a leaf, which is a cell.
On one way from the root units ascend in the order of patterns. Below a node each piece has its child. So a tree
covers the domain, whatever it says; what has to be checked is that each leaf is one cell.

Numbers are written bottom up, children before their node, as they are found; read backwards from the last block, they
are the tree in depth-first order from its root. A leaf's pattern is told by where it differs from the one before it.

A part of the check: shares nothing with the search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from math import prod
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.domains import domain_of
from reluatlas.domain import Box, Slice
from reluatlas.errors import DimensionError, ResultFileError
from reluatlas.network.record import Graph
from reluatlas.storage.archive import Archive, Members

TREE = Archive("reluatlas tree certificate", 1, what="the certificate of a count", again="Count again")
ZERO = "zero"
"""The claim that all outputs are 0 on the whole domain."""


@dataclass(frozen=True, eq=False)
class Block:
    """A part of the tree in depth-first order.

    Attributes
    ----------
    nodes : ndarray, shape (m,)
        The unit that cuts, by its place in patterns; -1 is a leaf.
    arity, pieces : ndarray
        How many pieces each node with a unit has, and which: that of its first child first.
    patterns : ndarray, shape (leaves, units)
    """

    nodes: NDArray[np.int32]
    arity: NDArray[np.int32]
    pieces: NDArray[np.int32]
    patterns: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TreeFile:
    """What a file says of itself, and its tree."""

    domain: Box | Slice
    network: str
    n_units: int
    n_cells: int
    n_nodes: int
    n_blocks: int
    claims: list[str]
    last: NDArray[np.int32]
    arrays: Members

    def blocks(self) -> Iterator[Block]:
        """Yield the tree from its root on, in blocks.

        Raises
        ------
        ValueError
            When numbers are out of range, or do not fit on each other.
        """
        pattern = self.last.copy()
        for i in range(self.n_blocks - 1, -1, -1):
            nodes, arity, pieces, n_changed, changed, was = (
                self.arrays.take(f"{name}_{i}", np.int32, (None,))[::-1]
                for name in ("nodes", "arity", "pieces", "n_changed", "changed", "was")
            )
            n_leaves = int((nodes == -1).sum())
            if nodes.min(initial=0) < -1 or nodes.max(initial=-1) >= self.n_units:
                raise ValueError("a node names a unit that there is not")
            if arity.size != nodes.size - n_leaves or arity.min(initial=2) < 2 or arity.sum() != pieces.size:
                raise ValueError("its nodes have other numbers of pieces than it lists")
            if n_changed.size != n_leaves or n_changed.min(initial=0) < 0 or n_changed.sum() != changed.size:
                raise ValueError("its leaves have other numbers of changes than it lists")
            if was.size != changed.size or changed.min(initial=0) < 0 or changed.max(initial=-1) >= self.n_units:
                raise ValueError("a leaf names a unit that there is not")
            patterns = np.empty((n_leaves, self.n_units), dtype=np.int32)
            end = 0
            for leaf, n in enumerate(n_changed.tolist()):
                patterns[leaf] = pattern
                pattern[changed[end : end + n]] = was[end : end + n]
                end += n
            yield Block(nodes, arity, pieces, patterns)


@contextmanager
def opening_tree(path: str | PathLike[str]) -> Iterator[TreeFile]:
    """Yield what a file says of itself; the tree is read from it block by block, inside of the context.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, not such a file, or changed since it was written.
    """
    with TREE.opening(path) as (head, arrays):
        domain = domain_of(head, arrays)
        if not isinstance(domain, Box | Slice):
            raise ValueError("its domain has no bounds")
        numbers = [head[name] for name in ("n_units", "n_cells", "n_nodes", "n_blocks")]
        if any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in numbers):
            raise ValueError("its numbers of cells, nodes and units are none")
        if not isinstance(head["claims"], list) or not set(head["claims"]) <= {ZERO}:
            raise ValueError("it claims what is not known")
        last = arrays.take("last", np.int32, (numbers[0],))
        n_units, n_cells, n_nodes, n_blocks = numbers
        yield TreeFile(domain, str(head["network"]), n_units, n_cells, n_nodes, n_blocks, head["claims"], last, arrays)


def require_network(file: TreeFile, net: Graph, path: str | PathLike[str], *, of: str = "the network") -> None:
    """Refuse a file whose cells are those of a network of another form, or of another one.

    Raises
    ------
    DimensionError, ResultFileError
    """
    n_units = sum(prod(net.nodes[t].shape) for t in net.cuts)
    if file.domain.n_inputs != net.n_inputs or file.n_units != n_units:
        raise DimensionError(
            f"`{path}` has cells of {file.n_units} units in {file.domain.n_inputs} inputs but {of} has {n_units} units "
            f"and {net.n_inputs} inputs. Pass {of} that they belong to."
        )
    if file.network != network_digest(net):
        raise ResultFileError(
            f"`{path}` is the certificate of another network of this form. Pass {of} that was counted, from the same "
            "file, loaded with the same options."
        )


def digest(values: tuple[Any, ...], *left_out: str) -> str:
    """Return a SHA-256 of all numbers in some nodes of a network, but for fields of these names."""
    total = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            total.update(f"{value.dtype.str}{value.shape}".encode())
            total.update(np.ascontiguousarray(value + 0).tobytes())  # -0.0 is 0.0
        elif is_dataclass(value):
            total.update(type(value).__name__.encode())
            for f in fields(value):
                if f.name not in left_out:
                    add(getattr(value, f.name))
        elif isinstance(value, tuple):
            total.update(f"({len(value)}".encode())
            for part in value:
                add(part)
        else:
            total.update(f"{value!r};".encode())

    for value in values:
        add(value)
    return total.hexdigest()


def network_digest(net: Graph) -> str:
    """Return a SHA-256 of all numbers that a network computes with."""
    return digest((net.nodes, net.output), "name", "parts")
