"""What are a refinement's outputs near vertices, along the pieces of a cell? A forward pass with bounds on its error.

Bounds of the engine hold for all patterns at once, and are wide for deep networks; these are of one pattern each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, exactly
from reluatlas.comparison.kernels import SLACK, U
from reluatlas.domain import Box, Slice
from reluatlas.network.interpret import outcome
from reluatlas.network.network import Network
from reluatlas.network.values.bounded import AlongPieces, FloatBounds
from reluatlas.typing import FloatArray


class Along:
    """Outputs of a network at coordinates of a domain, by the affine map of a given pattern at each."""

    def __init__(self, network: Network, domain: Box | Slice) -> None:
        self._network, self._domain = network, domain
        self._bounds = FloatBounds()
        self._slices = network.pattern_slices()

    def __call__(self, points: FloatArray, patterns: NDArray[np.integer]) -> Bounded:
        """Return the outputs (N, m) at points (N, k), along patterns (N, units)."""
        from reluatlas.network.batches import one_blas_thread

        choice = {t: patterns[:, at].astype(np.intp) for t, at in self._slices.items()}
        along = AlongPieces(self._bounds, choice, len(points))
        # products are small, and the threads of the machine are at work on cells
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            return outcome(self._network, self._inputs(points), along)

    def _inputs(self, points: FloatArray) -> Bounded:
        if isinstance(self._domain, Box):
            return exactly(points)
        origin, basis = self._domain.frame()
        size = np.abs(origin) + np.abs(points) @ np.abs(basis)
        return Bounded(origin + points @ basis, SLACK * (len(basis) + 3) * U * size)
