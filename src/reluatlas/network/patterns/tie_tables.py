"""Who wins a tie under the perturbation, wherever it happens? Tables that hold for all images at once.

Equal candidates of windows over one affine map of the input grow by derivatives that no input changes. Further on,
candidates that read background only have the derivatives that they have in an image of that color and nothing else.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.interpret import Choice
from reluatlas.network.operators import FloatArray
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.perturbation import Directions
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.network.values.exact import IntegerArithmetic

_MOST = 2**24  # entries of one table
_COLORS = 8


class Tables:
    """The signs of the first derivatives of differences of candidates, for the max nodes of a network.

    Parameters
    ----------
    network : Graph
    background : Background
    """

    def __init__(self, network: Graph, background: Background) -> None:
        self._network = network
        self._background = background
        self._directions = Directions(network, IntegerArithmetic())
        self._lock = Lock()
        self._colors: dict[bytes, Choice] = {}
        self._fixed: dict[int, NDArray[np.int8]] = {}
        self._colored: dict[tuple[int, bytes], NDArray[np.int8]] = {}

    def of(self, t: int, rows: FloatArray) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return the tables (kinds, windows, candidates, candidates) of node `t`, and each point's kind (-1: none).

        Entry (k, w, c, d) is the sign for candidate c minus candidate d.
        """
        with self._lock:
            return self._of(t, rows)

    def _of(self, t: int, rows: FloatArray) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        node = self._network.nodes[t]
        assert isinstance(node, Max)
        width = int(np.diff(node.offsets).max(initial=1))
        if node.n_windows * width**2 > _MOST:
            return no_tables(rows.shape[0])
        first = under_relu(self._network, node)
        here = self._network.nodes[first]
        if isinstance(here, Affine) and here.inputs == (0,):
            if t not in self._fixed:
                self._fixed[t] = self._table(node, first, {})
            return self._fixed[t][None], np.zeros(rows.shape[0], dtype=np.int64)
        if self._background.classes[node.input] is None:
            return no_tables(rows.shape[0])
        positions = self._background.positions[0]
        color = np.ascontiguousarray(rows.reshape(rows.shape[0], -1, positions)[:, :, 0])
        keys = [c.tobytes() for c in color]
        for key in dict.fromkeys(keys):
            if key not in self._colors and len(self._colors) < _COLORS:
                image = np.repeat(np.frombuffer(key), positions)[None]
                self._colors[key] = Walk(self._network, image, perturb=True, background=self._background).choice
        known = [key for key in self._colors if (t, key) in self._colored or key in keys]
        for key in known:
            if (t, key) not in self._colored:
                self._colored[t, key] = self._table(node, node.input, self._colors[key])
        place = {key: i for i, key in enumerate(known)}
        if not known:
            return no_tables(rows.shape[0])
        tables = np.stack([self._colored[t, key] for key in known])
        return tables, np.array([place.get(key, -1) for key in keys], dtype=np.int64)

    def _table(self, node: Max, source: int, choice: Choice) -> NDArray[np.int8]:
        widths = np.diff(node.offsets)
        width = int(widths.max())
        table = np.zeros((node.n_windows, width, width), dtype=np.int8)
        for c in range(width):
            for d in range(c):
                w = np.flatnonzero(widths > c)
                up, down = node.candidates[node.offsets[w] + c], node.candidates[node.offsets[w] + d]
                signs = self._directions.signs(source, np.zeros(w.size, dtype=np.int64), up, down, choice)
                table[w, c, d], table[w, d, c] = signs, -signs
        return table


def no_tables(n: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Return what `Tables.of` does for `n` points where nothing is known."""
    return np.empty((1, 0, 0, 0), dtype=np.int8), np.full(n, -1)


def under_relu(network: Graph, node: Max) -> int:
    """Return the node that a max node reads, or the one below when that is a ReLU."""
    here = network.nodes[node.input]
    return here.input if isinstance(here, Breakpoints) and here.is_relu else node.input
