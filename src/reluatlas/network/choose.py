"""Which pieces hold at points? Easy points are decided quickly, the others carefully; both exactly."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.background import Background
from reluatlas.network.graph import FloatArray, Network
from reluatlas.network.maps import Choice
from reluatlas.network.screen import Screen
from reluatlas.network.walk import Walk

_WORTH = 2**15  # units at all points from which on the compiled loops of the screen pay
_TABLES_FROM = 256  # points walked before tables of ties are made
_PATIENCE = 1024  # points that may be left in doubt, above those decided, before the screen is given up


class Chosen(NamedTuple):
    """The pieces and winners at points (N, units) per cut node, and what is known about ties.

    `flat` and `tied` are those of `Walk`; `tied` may leave out ties in the whole cell. `on_face` is known where the
    points were perturbed.
    """

    choice: Choice
    flat: Choice
    tied: NDArray[np.bool_]
    on_face: NDArray[np.bool_]


class Chooser:
    """Decides the pieces and winners of batches of points, exactly; may be shared by threads.

    Parameters
    ----------
    network : Network
    perturb : bool
        As in `Walk`.
    """

    def __init__(self, network: Network, *, perturb: bool) -> None:
        self._network = network
        self._perturb = perturb
        self._background = Background(network)
        self._screen = Screen(network, self._background, perturb=perturb)
        self._units = sum(prod(network.nodes[i].shape) for i in network.cuts)
        self._quick, self._careful = 0, 0

    def __call__(self, rows: FloatArray) -> Chosen:
        """Return what holds at points (N, n_inputs)."""
        n = rows.shape[0]
        useful = self._screen.is_usable and self._quick >= self._careful - _PATIENCE
        if not useful or n * self._units < _WORTH:
            return self._walked(rows)
        choice, careful, tied = self._screen.run(rows, tables=self._careful >= _TABLES_FROM)
        left = np.flatnonzero(careful)
        self._quick += n - left.size
        self._careful += left.size
        flat: Choice = {}
        on_face = tied.copy()
        if left.size:
            known = self._walked(rows[left])
            for t, piece in known.choice.items():
                choice[t][left] = piece
            for t, mask in known.flat.items():
                flat[t] = np.zeros((n, mask.shape[1]), dtype=bool)
                flat[t][left] = mask
            tied[left], on_face[left] = known.tied, known.on_face
        return Chosen(choice, flat, tied, on_face)

    def _walked(self, rows: FloatArray) -> Chosen:
        walk = Walk(self._network, rows, perturb=self._perturb, background=self._background)
        return Chosen(walk.choice, walk.flat, walk.tied, walk.on_face)
