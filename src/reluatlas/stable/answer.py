"""What is the answer to which units can change? `Stability`: by layer, possible pieces and winners, by bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Box, Segment, Slice
from reluatlas.network.operators import FloatArray
from reluatlas.network.record import Graph


@dataclass(frozen=True, eq=False)
class LayerStability:
    """What the units, or the windows, of one layer can do on a domain.

    Two notions, never mixed. The *piece* of a unit (the winner of a window) is what activation patterns hold: on every
    cell of the domain it is one of the possible ones. Its *function* is what maps are made of: there, pieces that agree
    on the domain are one. A ReLU of what is never negative, but zero on some cell, is off there: its piece changes, its
    function is the identity all over the domain.

    Attributes
    ----------
    node : int
        Index of the node in `network.nodes`.
    name : str
    kind : {"units", "windows"}
    offsets : ndarray of int, shape (n + 1,)
        Pieces (or candidates) of unit i are those from `offsets[i]` to `offsets[i + 1]`.
    possible : ndarray of bool
        Whether a piece (or candidate) can be the unit's on a cell of the domain. Where False, it certainly is on none.
    needed : ndarray of bool
        Pieces (or candidates) that suffice for the unit's function on the domain.
    low, high : ndarray, shape (n,)
        Certain bounds on what units read, or on the values of windows.
    """

    node: int
    name: str
    kind: Literal["units", "windows"]
    offsets: NDArray[np.int64]
    possible: NDArray[np.bool_]
    needed: NDArray[np.bool_]
    low: FloatArray
    high: FloatArray

    @property
    def n_units(self) -> int:
        """Number of units or windows."""
        return self.offsets.size - 1

    @property
    def constant_piece(self) -> NDArray[np.int64]:
        """Piece or winner of each unit on all cells of the domain; -1 where it may change."""
        return self._only(self.possible)

    @property
    def constant_function(self) -> NDArray[np.int64]:
        """Piece or candidate whose function is the unit's on all of the domain; -1 where that takes several."""
        return self._only(self.needed)

    @property
    def n_open(self) -> int:
        """Number of units or windows whose piece or winner may change."""
        return int(np.count_nonzero(self.constant_piece < 0))

    @property
    def n_bent(self) -> int:
        """Number of units or windows whose function may take several pieces."""
        return int(np.count_nonzero(self.constant_function < 0))

    def pieces(self, unit: int) -> tuple[int, ...]:
        """Return the possible pieces (or winners) of one unit."""
        return tuple(np.flatnonzero(self.possible[self.offsets[unit] : self.offsets[unit + 1]]).tolist())

    def functions(self, unit: int) -> tuple[int, ...]:
        """Return the pieces (or candidates) that one unit's function takes."""
        return tuple(np.flatnonzero(self.needed[self.offsets[unit] : self.offsets[unit + 1]]).tolist())

    def _only(self, held: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of the only one that is held, by unit; -1 where several are."""
        start = self.offsets[:-1]
        place = np.arange(held.size) - np.repeat(start, np.diff(self.offsets))
        count = np.add.reduceat(held.astype(np.int64), start)
        total = np.add.reduceat(np.where(held, place, 0), start)
        return np.where(count == 1, total, -1)


@dataclass(frozen=True, eq=False)
class Stability:
    """Which units of a network can change on a domain. Made by `reluatlas.stability`.

    Attributes
    ----------
    network : Network
    domain : Box, Slice or Segment
    layers : tuple of LayerStability
        One for each layer of units or windows, in the order of activation patterns.
    low, high : ndarray, shape (n_outputs,)
        Certain bounds on the outputs.
    """

    network: Graph
    domain: Box | Slice | Segment
    layers: tuple[LayerStability, ...]
    low: FloatArray
    high: FloatArray

    @property
    def n_units(self) -> int:
        """Number of all units and windows."""
        return sum(layer.n_units for layer in self.layers)

    @property
    def n_open(self) -> int:
        """Number of units and windows whose piece or winner may change."""
        return sum(layer.n_open for layer in self.layers)

    @property
    def n_bent(self) -> int:
        """Number of units and windows whose function may take several pieces."""
        return sum(layer.n_bent for layer in self.layers)

    @property
    def pattern(self) -> NDArray[np.int64]:
        """What all activation patterns of the domain's cells have in common; -1 where they may differ."""
        parts = [layer.constant_piece for layer in self.layers]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def __iter__(self) -> Iterator[LayerStability]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return (
            f"Stability({self.n_units} units and windows, of which {self.n_open} may change their piece and "
            f"{self.n_bent} their function)"
        )
