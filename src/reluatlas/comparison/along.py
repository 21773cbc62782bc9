"""What are a refinement's outputs near vertices, along the pieces of a cell? A forward pass with bounds on its error.

Bounds of the engine hold for all patterns at once, and are wide for deep networks; these are of one pattern each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, exactly, plus, scaled
from reluatlas.comparison.kernels import SLACK, U
from reluatlas.domain import Box, Slice
from reluatlas.network.interpret import winners_of
from reluatlas.network.network import Network
from reluatlas.network.record import Affine, Breakpoints, Input, Max
from reluatlas.network.values.bounded import FloatBounds
from reluatlas.typing import FloatArray


class Along:
    """Outputs of a network at coordinates of a domain, by the affine map of a given pattern at each."""

    def __init__(self, network: Network, domain: Box | Slice) -> None:
        self._network, self._domain = network, domain
        self._bounds = FloatBounds()
        self._slices = network.pattern_slices()

    def __call__(self, points: FloatArray, patterns: NDArray[np.integer]) -> Bounded:
        """Return the outputs (N, m) at points (N, k), along patterns (N, units)."""
        from threadpoolctl import threadpool_limits

        done: list[Bounded] = []
        # products are small, and the threads of the machine are at work on cells
        with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
            for t, node in enumerate(self._network.nodes):
                if isinstance(node, Input):
                    done.append(self._inputs(points))
                elif isinstance(node, Affine):
                    total = exactly(np.broadcast_to(node.bias, (len(points), node.bias.size)).copy())
                    for source, operator in zip(node.inputs, node.operators, strict=True):
                        total = plus(self._bounds.apply(operator, done[source]), total)
                    done.append(total)
                elif isinstance(node, Breakpoints):
                    piece = patterns[:, self._slices[t]].astype(np.intp)
                    unit = np.arange(piece.shape[1])
                    bent = scaled(done[node.input], node.slopes[unit, piece])
                    done.append(plus(bent, exactly(node.intercepts[unit, piece])))
                else:
                    assert isinstance(node, Max)
                    winner = patterns[:, self._slices[t]].astype(np.intp)
                    rows = np.arange(len(points))[:, None]
                    here = winners_of(node, winner)
                    source = done[node.input]
                    done.append(Bounded(source.value[rows, here], source.error[rows, here]))
        return done[self._network.output]

    def _inputs(self, points: FloatArray) -> Bounded:
        if isinstance(self._domain, Box):
            return exactly(points)
        origin, basis = self._domain.frame()
        size = np.abs(origin) + np.abs(points) @ np.abs(basis)
        return Bounded(origin + points @ basis, SLACK * (len(basis) + 3) * U * size)
