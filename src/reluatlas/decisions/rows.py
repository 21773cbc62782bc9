"""What is the map of a margin? Its weights and constant in float64 for many patterns, and its value with a bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded, exactly, plus, scaled, take
from reluatlas.deadline import look
from reluatlas.network.interpret import Choice, pull, slopes_of, winners_of
from reluatlas.network.maps.compose import FloatRows
from reluatlas.network.network import Affine, Breakpoints, Input, Network
from reluatlas.network.values.bounded import FloatBounds
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
    done: list[Bounded] = []
    with np.errstate(all="ignore"):
        for t, node in enumerate(network.nodes):
            look()
            if isinstance(node, Input):
                done.append(exactly(rows))
            elif isinstance(node, Affine):
                total = exactly(np.broadcast_to(node.bias, (rows.shape[0], node.bias.size)).copy())
                for source, operator in zip(node.inputs, node.operators, strict=True):
                    total = plus(bounds.apply(operator, done[source]), total)
                done.append(total)
            elif isinstance(node, Breakpoints):
                unit, piece = np.arange(node.knots.shape[0]), choice[t]
                bent = scaled(done[node.input], slopes_of(node, piece))
                done.append(plus(bent, node.intercepts[unit, piece]))
            else:
                chosen, source = winners_of(node, choice[t]), done[node.input]
                picked = (np.take_along_axis(part, chosen, axis=1) for part in source)
                done.append(Bounded(*picked))
    return done[network.output]


def bounded_sums(outputs: Bounded, factors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sums of outputs with factors 1, 0 and -1 (N, m), and bounds on their errors."""
    total = exactly(np.zeros((outputs.value.shape[0], 1)))
    for k in range(factors.shape[1]):
        one = take(outputs, np.array([k]))
        total = plus(total, scaled(one, factors[:, k : k + 1]))
    return total.value[:, 0], total.error[:, 0]
