"""Which points are easy for a network with one hidden layer? One product in float32, with a bound.

The few units that it leaves open are computed again in float64; what that leaves open is left to the caller.

The bound. Let u = 2^-24, and x and w have n entries. Rounding them to float32 changes each entry by a factor within
1 +- u; a sum of products in any order, fused or not, is off by at most g(n) times the sum of |w_i| |x_i|, where
g(k) = k u / (1 - k u) (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); rounding and adding
the bias b counts two more. Together, and with the sum of |w_i| |x_i| at most |w| |x| (Cauchy and Schwarz), the computed
value of w x + b is within g(n + 4) (|w| |x| + |b|) of the exact one. For n up to 2^17, g(n + 4) is at most
1.009 (n + 8) u, and a float32 norm of x is at most a share of (n / 2 + 2) u = 0.4 % too small; the factor 1.02 covers
both, and the rounding of the bound itself.

Underflow: a product or a sum that is flushed to zero loses at most 2^-126; an entry that is one loses at most 2^-126
times the largest |x_i| or |w_i|, which are at most 1e10; and squares that are flushed make the square of the norm too
small by 2^-126 each, which is added to it. In float64, all this holds with 2^-53 instead of 2^-24.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import Dense
from reluatlas.network.record import Affine, Breakpoints, Graph

_MOST = 1e10  # magnitudes up to which float32 products are far from overflow
_LONGEST = 2**17
_FLUSHED = 2.0**-126
_AT_ONCE = 32  # units computed again at once: what they read stays in the cache
_CARE = 2.0**-28  # what the float64 bound is of the float32 one: 2^-29, with room


class Glance:
    """Decides the ReLUs of a single dense layer where float32 is enough.

    Attributes
    ----------
    is_usable : bool
        Whether the network is of this kind.
    """

    def __init__(self, network: Graph) -> None:
        self.is_usable = False
        if len(network.cuts) != 1:
            return
        kind = network.nodes[network.cuts[0]]
        hidden = network.nodes[kind.input] if isinstance(kind, Breakpoints) and kind.is_relu else None
        if not (isinstance(hidden, Affine) and hidden.inputs == (0,) and isinstance(hidden.operators[0], Dense)):
            return
        weight, bias = hidden.operators[0].weight, hidden.bias
        if max(np.abs(weight).max(initial=0.0), np.abs(bias).max(initial=0.0)) > _MOST or weight.shape[1] > _LONGEST:
            return
        self.is_usable = True
        n = weight.shape[1]
        self._turned, self._bias = hidden.operators[0].single.T, bias.astype(np.float32)
        self._weight64, self._bias64 = weight, bias
        share = (n + 8) * 2.0**-24 * 1.02
        self._of_norm = share * np.linalg.norm(weight, axis=1)
        self._of_bias = share * np.abs(bias) + 3 * n * _FLUSHED * _MOST
        self._widest = float(self._of_norm.max(initial=0.0)), float(self._of_bias.max(initial=0.0))

    def run(self, rows: NDArray, squares: NDArray | None = None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the pieces (N, units) at rows (N, n_inputs) of any type, and which points (N,) are in doubt.

        `squares` are the squared norms of the rows, where they are known, in float32 or better.
        """
        with np.errstate(all="ignore"):
            x = np.asarray(rows, dtype=np.float32)
            known: NDArray = np.vecdot(x, x) if squares is None else squares
            norm = np.sqrt(known.astype(np.float64) + x.shape[1] * _FLUSHED)
            doubt = ~(norm < _MOST)
            norm[doubt] = 0.0
            z = x @ self._turned
            z += self._bias
            piece = (z > 0).view(np.uint8)
            # first against the widest error of all, then each one against its own
            np.abs(z, out=z)
            widest = np.float32((norm.max(initial=0.0) * self._widest[0] + self._widest[1]) * 1.001)
            near = np.flatnonzero(z <= widest)
            if near.size:
                points, units = np.divmod(near, z.shape[1])
                limit = norm[points] * self._of_norm[units] + self._of_bias[units]
                open_ = z.reshape(-1)[near] <= limit
                self._refine(rows, points[open_], units[open_], limit[open_], piece, doubt)
            return piece, doubt

    def _refine(
        self, rows: NDArray, points: NDArray, units: NDArray, limit: NDArray, piece: NDArray, doubt: NDArray
    ) -> None:
        # These units alone, in float64; where there are many, whole points are the better way.
        if points.size > max(16, rows.shape[0] // 2):
            doubt[points] = True
            return
        for start in range(0, points.size, _AT_ONCE):
            p, u = points[start : start + _AT_ONCE], units[start : start + _AT_ONCE]
            value = np.vecdot(rows[p].astype(np.float64), self._weight64[u]) + self._bias64[u]
            piece[p, u] = value > 0
            doubt[p[~(np.abs(value) > _CARE * limit[start : start + _AT_ONCE])]] = True
