"""Which cells are neighbors? The dual graph of a complex or an exploration, with what is known of cells and facets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import MissingDependencyError
from reluatlas.network.network import Network
from reluatlas.network.unit_names import unit_name
from reluatlas.shown import Shown
from reluatlas.typing import IntArray

Columns = Mapping[str, NDArray[Any]]


def _nothing() -> Columns:
    return {}


@dataclass(frozen=True, eq=False, repr=False)
class DualGraph(Shown):
    """The dual graph in compressed rows: cells, joined where they share a facet.

    Attributes
    ----------
    indptr, indices : ndarray
        Neighbors of cell i are `indices[indptr[i]:indptr[i + 1]]`.
    facet : ndarray
        The facet of cell i that each of them lies behind.
    """

    indptr: IntArray
    indices: IntArray
    facet: IntArray
    _of_cells: Callable[[], Columns] = field(default=_nothing)
    _of_edges: Callable[[], Columns] = field(default=_nothing)

    @property
    def n_cells(self) -> int:
        """Number of nodes."""
        return self.indptr.size - 1

    @property
    def n_edges(self) -> int:
        """Number of pairs of cells that share a facet."""
        return self.indices.size // 2

    @cached_property
    def cell_attributes(self) -> Columns:
        """What is known of each cell, shape (n_cells,): `class` at a point inside and, where there are, `volume`."""
        return self._of_cells()

    @cached_property
    def edge_attributes(self) -> Columns:
        """What is known of each entry of `indices`: `layer` and `unit`, from 0, and `name` of what turns there."""
        return self._of_edges()

    def to_networkx(self) -> Any:
        """Return the graph as a `networkx.Graph`; nodes and edges carry `cell_attributes` and `edge_attributes`.

        Raises
        ------
        MissingDependencyError
            When networkx is not installed.
        """
        try:
            import networkx
        except ImportError:
            raise MissingDependencyError(
                "`to_networkx` needs networkx, which is not installed. Run `pip install networkx`."
            ) from None
        graph = networkx.Graph()
        graph.add_nodes_from(zip(range(self.n_cells), _rows(self.cell_attributes, self.n_cells), strict=True))
        owner = np.repeat(np.arange(self.n_cells), np.diff(self.indptr))
        once = owner < self.indices
        edges = {name: column[once] for name, column in self.edge_attributes.items()}
        n = int(once.sum())
        graph.add_edges_from(zip(owner[once].tolist(), self.indices[once].tolist(), _rows(edges, n), strict=True))
        return graph

    def __repr__(self) -> str:
        return f"DualGraph({self.n_cells:,} cells, {self.n_edges:,} pairs that share a facet)"


def _rows(columns: Columns, n: int) -> list[dict[str, Any]]:
    values = zip(*(column.tolist() for column in columns.values()), strict=True) if columns else ((),) * n
    return [dict(zip(columns, row, strict=True)) for row in values]


def edge_columns(network: Network, layer: IntArray, unit: IntArray) -> dict[str, NDArray]:
    """Return which unit turns on each of some facets: its layer and position, from 0, and its name."""
    pairs, where = np.unique(np.stack([layer, unit]), axis=1, return_inverse=True)
    names = np.array([unit_name(network, t, i) for t, i in pairs.T.tolist()], dtype=object)
    return {"layer": layer, "unit": unit, "name": names[where.reshape(-1)] if names.size else names}
