"""Which points are easy for a network with one hidden layer? One product in float32, with a bound.

The few units that it leaves open are computed again in float64, whose bound is the same one times 2^-29.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.graph import Affine, Breakpoints, Dense, Network

_MOST = 1e10  # magnitudes up to which float32 products are far from overflow
_TINY = 1e-25  # covers what underflow loses


class Glance:
    """Decides the ReLUs of a single dense layer where float32 is enough.

    Attributes
    ----------
    is_usable : bool
        Whether the network is of this kind.
    """

    def __init__(self, network: Network) -> None:
        self.is_usable = False
        if len(network.cuts) != 1:
            return
        kind = network.nodes[network.cuts[0]]
        hidden = network.nodes[kind.input] if isinstance(kind, Breakpoints) and kind.is_relu else None
        if not (isinstance(hidden, Affine) and hidden.inputs == (0,) and isinstance(hidden.operators[0], Dense)):
            return
        weight, bias = hidden.operators[0].weight, hidden.bias
        if max(np.abs(weight).max(initial=0.0), np.abs(bias).max(initial=0.0)) > _MOST:
            return
        self.is_usable = True
        self._weight = np.ascontiguousarray(hidden.operators[0].single.T)
        self._bias = bias.astype(np.float32)
        self._double, self._bias64 = hidden.operators[0], bias
        # Cauchy and Schwarz: terms add up to at most |w| |x|, and every one is rounded less than n + 8 times
        share = (weight.shape[1] + 8) * 2.0**-24 * 1.02
        self._of_norm = (share * np.linalg.norm(weight, axis=1)).astype(np.float32)
        self._of_bias = (share * np.abs(bias) + _TINY).astype(np.float32)

    def run(self, rows: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the pieces (N, units) at rows (N, n_inputs) of any type, and which points (N,) are in doubt."""
        with np.errstate(all="ignore"):
            x = np.asarray(rows, dtype=np.float32)
            z = x @ self._weight
            z += self._bias
            norm = np.sqrt(np.einsum("ij,ij->i", x, x))
            norm[~(norm < _MOST)] = np.inf
            error = norm[:, None] * self._of_norm
            error += self._of_bias
            piece = (z > 0).astype(np.uint8)
            np.abs(z, out=z)
            open_ = ~(z > error)
            doubt = open_.any(axis=1)
            points, units = np.nonzero(open_)
            if 0 < points.size <= doubt.size // 2:  # few: these units alone, in float64
                weight, limit = self._double.weight[units], np.linalg.norm(rows[points].astype(np.float64), axis=1)
                value = np.einsum("ij,ij->i", rows[points].astype(np.float64), weight) + self._bias64[units]
                sure = np.abs(value) > 2.0**-28 * (limit * self._of_norm[units] + self._of_bias[units])
                piece[points, units] = value > 0
                doubt[:] = False
                doubt[points[~sure]] = True
            return piece, doubt
