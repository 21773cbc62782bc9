"""What is the map of a margin? Its weights and constant in float64 for many patterns, and its value with a bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, exactly, plus, scaled, take
from reluatlas.network.interpret import Choice, outcome, pull
from reluatlas.network.maps.compose import FloatRows
from reluatlas.network.network import Network
from reluatlas.network.values.bounded import AlongPieces, FloatBounds
from reluatlas.typing import FloatArray


class MarginMaps(NamedTuple):
    """`weights[i] . x + constants[i]`: weights (N, n_inputs), constants (N,)."""

    weights: FloatArray
    constants: FloatArray


def margin_maps(network: Network, factors: NDArray[np.floating], choice: Choice, n: int) -> MarginMaps:
    """Return the maps of sums of outputs along chosen pieces, in float64.

    Parameters
    ----------
    factors : ndarray, shape (n or 1, n_outputs)
        What each output is multiplied with.
    choice : dict
        For each cut node the pieces or winners (n, units).
    """
    carried = FloatRows(n, 1)
    row = pull(network, network.output, np.broadcast_to(factors, (n, network.n_outputs))[:, None], choice, carried)
    if row is None:
        return MarginMaps(np.zeros((n, network.n_inputs)), carried.total[:, 0])
    full = row.full() if hasattr(row, "full") else row
    return MarginMaps(np.broadcast_to(full, (n, 1, network.n_inputs))[:, 0], carried.total[:, 0])


def bounded_outputs(network: Network, rows: FloatArray, choice: Choice, bounds: FloatBounds) -> Bounded:
    """Return the outputs (N, m) at points (N, n_inputs) whose pieces are known, with bounds on their errors."""
    with np.errstate(all="ignore"):
        return outcome(network, exactly(rows), AlongPieces(bounds, choice, rows.shape[0]))


def bounded_sums(outputs: Bounded, factors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sums of outputs with factors 1, 0 and -1 (N, m), and bounds on their errors."""
    total = exactly(np.zeros((outputs.value.shape[0], 1)))
    for k in range(factors.shape[1]):
        one = take(outputs, np.array([k]))
        total = plus(total, scaled(one, factors[:, k : k + 1]))
    return total.value[:, 0], total.error[:, 0]
