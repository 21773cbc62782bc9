"""Which tree do the patterns of all cells make? Written as the cells come, in memory that does not grow with them.

Units in the order of patterns: cells of one node agree on all units before the one that it cuts by, whose row is then
one affine function on it. So where patterns come in an order in which those with equal beginnings stand together, the
tree is known from each two neighbors; a search that cuts unit by unit, depth first, finds cells in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.certify.domains import head_of, sides_of
from reluatlas.certify.tree_form import TREE, network_digest
from reluatlas.domain import Box, Domain, Slice
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.network.record import Graph
from reluatlas.storage.archive import Parts

_NODES = 2**15
_NUMBERS = 2**23


class TreeWriter:
    """Takes patterns of cells; made by `writing_tree`."""

    at_least = 2**8  # nodes in a block

    def __init__(self, file: Parts, n_units: int) -> None:
        self._file, self._n_units = file, n_units
        self._last = np.zeros(n_units, dtype=np.int32)
        self._open: list[tuple[int, list[int]]] = []  # units, ascending, with the pieces met
        self._at_once = min(_NODES, max(self.at_least, _NUMBERS // max(1, n_units)))
        self._n_cells = self._n_nodes = self._n_blocks = 0
        self._begin()

    def _begin(self) -> None:
        self._nodes: list[int] = []
        self._arity: list[int] = []
        self._pieces: list[int] = []
        self._n_changed: list[int] = []
        self._changes: list[NDArray[np.int32]] = []

    def add(self, patterns: NDArray[np.integer]) -> None:
        """Take the next cells (N, units).

        Raises
        ------
        ArgumentError
            When a pattern comes twice, or those with equal beginnings do not stand together.
        """
        given = np.asarray(patterns, dtype=np.int32)
        if not len(given):
            return
        before = np.concatenate([self._last[None], given[:-1]])
        differs = given != before
        differs[0] &= self._n_cells > 0
        if self._n_units and not differs[int(self._n_cells == 0) :].any(axis=1).all():
            raise ArgumentError("`patterns` has one pattern twice. Pass each cell once.")
        first = differs.argmax(axis=1) if self._n_units else np.zeros(len(given), dtype=np.int64)
        every = np.arange(len(given))
        old, new = (a[every, first].tolist() if self._n_units else [0] for a in (before, given))
        n_changed, (row, unit) = differs.sum(axis=1).tolist(), np.nonzero(differs)
        changes = np.stack([unit, before[row, unit]]).astype(np.int32)
        done = end = 0
        for i, u in enumerate(first.tolist()):
            if self._n_cells:
                self._close(u)
                self._meet(u, old[i], new[i])
            self._nodes.append(-1)
            self._n_changed.append(n_changed[i])
            self._n_cells += 1
            end += n_changed[i]
            if len(self._nodes) >= self._at_once:
                self._changes.append(changes[:, done:end])
                done = end
                self._flush()
        self._changes.append(changes[:, done:end])
        self._last = given[-1].copy()

    def _meet(self, unit: int, old: int, new: int) -> None:
        if not self._open or self._open[-1][0] != unit:
            self._open.append((unit, [old]))
        met = self._open[-1][1]
        if new in met:
            raise ArgumentError(
                f"`patterns` has cells with unit {unit} on piece {new} apart from others with the same beginning. Sort "
                "them by their units."
            )
        met.append(new)

    def _close(self, unit: int) -> None:
        """Write the nodes below a unit, all of whose cells were met."""
        while self._open and self._open[-1][0] > unit:
            u, met = self._open.pop()
            self._nodes.append(u)
            self._arity.append(len(met))
            self._pieces += met

    def _flush(self) -> None:
        changed, was = np.concatenate([np.zeros((2, 0), dtype=np.int32), *self._changes], axis=1)
        columns = {
            "nodes": self._nodes, "arity": self._arity, "pieces": self._pieces, "n_changed": self._n_changed,
            "changed": changed, "was": was,
        }  # fmt: skip
        for name, column in columns.items():
            self._file.add(f"{name}_{self._n_blocks}", np.asarray(column, dtype=np.int32))
        self._n_nodes += len(self._nodes)
        self._n_blocks += 1
        self._begin()

    def finish(self) -> None:
        """Write what is left."""
        self._close(-1)
        self._flush()
        self._file.add("last", self._last)
        self._file.head |= {"n_cells": self._n_cells, "n_nodes": self._n_nodes, "n_blocks": self._n_blocks}


@contextmanager
def writing_tree(
    path: str | PathLike[str], net: Graph, domain: Domain, *, claims: Sequence[str] = ()
) -> Iterator[TreeWriter]:
    """Yield what takes the patterns of all cells; the file appears when the block ends, and only if it ends well.

    Raises
    ------
    DomainError
        When the domain has no bounds.
    ResultFileError
        When the file cannot be written there; nothing is left behind.
    """
    if not isinstance(domain, Box | Slice):
        raise DomainError("a certificate of a count needs a domain with bounds. Pass a `Box` or a `Slice`.")
    n_units = sum(prod(net.nodes[t].shape) for t in net.cuts)
    head = {**head_of(domain), "network": network_digest(net), "n_units": n_units, "claims": list(claims)}
    with TREE.writing(path, head) as file:
        for name, array in sides_of(domain).items():
            file.add(name, array)
        tree = TreeWriter(file, n_units)
        yield tree
        tree.finish()


def save_tree(
    path: str | PathLike[str], net: Graph, domain: Domain, patterns: ArrayLike, *, claims: Sequence[str] = ()
) -> None:
    """Write the certificate of a complex: the tree that cuts a domain into its cells.

    Parameters
    ----------
    path : path
        A file, such as `run.cert`; it appears when it is whole.
    net : Network
    domain : Box or Slice
    patterns : array_like, shape (cells, units)
        Those of all cells of a complete complex, in any order.
    claims : sequence of str
        What else is claimed of each cell: "zero", that all outputs are 0 on it.

    Returns
    -------
    None

    Raises
    ------
    ArgumentError
        When a pattern comes twice.
    DimensionError
        When there is no cell, or patterns have another number of units than the network.
    DomainError
        When the domain has no bounds.
    ResultFileError
        When the file cannot be written there; nothing is left behind.

    Guarantees
    ----------
    Nothing is checked here: `check_tree` finds what is wrong.

    Cost
    ----
    Sorts the patterns; a few bytes for each cell.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ra.certify.save_tree(Path(folder) / "run.cert", net, cx.domain, cx.patterns)
    ...     report = ra.certify.check_tree(net, Path(folder) / "run.cert")
    >>> report.is_ok, report.n_cells
    (True, 4)
    """
    rows = np.asarray(patterns)
    n_units = sum(prod(net.nodes[t].shape) for t in net.cuts)
    if rows.ndim != 2 or rows.shape[1] != n_units or not len(rows):
        raise DimensionError(
            f"`patterns` has the shape {rows.shape}; expected a row of {n_units} units for each of one cell or more."
        )
    order = np.lexsort(rows.T[::-1]) if n_units else np.arange(len(rows))
    with writing_tree(path, net, domain, claims=claims) as tree:
        tree.add(rows[order])
