"""Which cells are joined by a facet? The dual graph, in compressed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import MissingDependencyError

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DualGraph:
    """The dual graph of a complex in compressed rows: cells, joined where they share a facet.

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

    @property
    def n_cells(self) -> int:
        """Number of nodes."""
        return self.indptr.size - 1

    @property
    def n_edges(self) -> int:
        """Number of pairs of cells that share a facet."""
        return self.indices.size // 2

    def to_networkx(self) -> Any:
        """Return the graph as a `networkx.Graph`.

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
        graph.add_nodes_from(range(self.n_cells))
        owner = np.repeat(np.arange(self.n_cells), np.diff(self.indptr))
        once = owner < self.indices
        graph.add_edges_from(zip(owner[once].tolist(), self.indices[once].tolist(), strict=True))
        return graph
