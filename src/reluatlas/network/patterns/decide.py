"""Which pieces hold at points? Easy points are decided quickly, the others carefully; both exactly."""

from __future__ import annotations

from functools import cached_property
from math import prod
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.batches import Points, to_rows
from reluatlas.network.interpret import Choice
from reluatlas.network.operators import FloatArray
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.filter import Screen
from reluatlas.network.patterns.filter_one_layer import Glance
from reluatlas.network.record import Graph

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
    """Decides the pieces and winners at points, batch by batch and exactly; may be shared by threads.

    Parameters
    ----------
    network : Graph
    points : Points
    perturb : bool
        As in `Walk`.
    """

    def __init__(self, network: Graph, points: Points, *, perturb: bool) -> None:
        self._network = network
        self._points = points
        self._perturb = perturb
        self._glance = Glance(network)
        units = sum(prod(network.nodes[i].shape) for i in network.cuts)
        self._is_many = len(points) * units >= _WORTH
        self._quick, self._careful = 0, 0
        self._lock = Lock()

    @cached_property
    def _background(self) -> Background:
        return Background(self._network)

    @cached_property
    def _screen(self) -> Screen:
        return Screen(self._network, self._background, perturb=self._perturb)

    def __call__(self, index: slice | NDArray) -> Chosen:
        """Return what holds at some of the points."""
        if self._is_many and self._glance.is_usable:
            node, raw = self._network.cuts[0], self._points.raw(index)
            piece, doubt = self._glance.run(raw, self._points.squares(index))
            chosen = Chosen({node: piece}, {}, np.zeros(doubt.size, dtype=bool), np.zeros(doubt.size, dtype=bool))
            left = np.flatnonzero(doubt)
            return self._filled(chosen, left, self._screened(to_rows(raw[left]))) if left.size else chosen
        return self._screened(self._points[index])

    def _screened(self, rows: FloatArray) -> Chosen:
        n = rows.shape[0]
        with self._lock:  # threads share what the screen learns
            screen = self._screen
        useful = screen.is_usable and self._quick >= self._careful - _PATIENCE
        if not useful or not self._is_many:
            return self._walked(rows)
        choice, careful, tied = screen.run(rows, tables=self._careful >= _TABLES_FROM)
        left = np.flatnonzero(careful)
        self._quick += n - left.size
        self._careful += left.size
        chosen = Chosen(choice, {}, tied, tied.copy())
        return self._filled(chosen, left, self._walked(rows[left])) if left.size else chosen

    def _filled(self, chosen: Chosen, left: NDArray, known: Chosen) -> Chosen:
        # With what is known of the points `left` filled in.
        for t, piece in known.choice.items():
            chosen.choice[t][left] = piece
        for t, mask in known.flat.items():
            chosen.flat[t] = np.zeros((chosen.tied.size, mask.shape[1]), dtype=bool)
            chosen.flat[t][left] = mask
        chosen.tied[left], chosen.on_face[left] = known.tied, known.on_face
        return chosen

    def _walked(self, rows: FloatArray) -> Chosen:
        walk = Walk(self._network, rows, perturb=self._perturb, background=self._background)
        return Chosen(walk.choice, walk.flat, walk.tied, walk.on_face)
