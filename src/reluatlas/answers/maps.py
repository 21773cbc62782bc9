"""Which map has a cell of a list? In input space, by the number of the cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError
from reluatlas.network.maps.lost import map_of
from reluatlas.network.network import Network


def checked_cell(cell: int, n_cells: int) -> int:
    """Return a cell's number, counted from the end when negative; refuse what is none."""
    if isinstance(cell, bool) or not isinstance(cell, int | np.integer) or not -n_cells <= cell < n_cells:
        raise ArgumentError(f"`cell={cell!r}` is no cell; there are {n_cells}. Pass a number from 0 to {n_cells - 1}.")
    return int(cell) % n_cells


def input_affine(network: Network, patterns: NDArray[np.integer], cell: int) -> AffineMaps:
    """Return the map of a cell in input space, along its pattern."""
    choice = {t: patterns[cell : cell + 1, s].astype(np.int64) for t, s in network.pattern_slices().items()}
    A, b = map_of(network, choice)
    return AffineMaps(A.reshape(1, network.n_outputs, *network.input_shape), b)
