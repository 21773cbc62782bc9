"""Which affine maps did float64 lose on the way, by overflow or underflow? These are composed again, exactly.

A product of float64 numbers that falls below 2^-1022 loses up to 2^-1075, and one beyond 2^1024 everything. A network
whose weights cannot do either, along any path, is left alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import NonFiniteError
from reluatlas.network.interpret import Choice, pull
from reluatlas.network.maps.compose import backward
from reluatlas.network.operators import FloatArray, apply_operator, coefficients, denominator, mapped, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.network.values.exact import Dyadic, ExactPoint, IntegerArithmetic, to_float

_UNDER, _OVER = -960.0, 960.0
_LARGE = 2**21  # coefficients
_NOTICEABLE = 60
"""What underflow takes matters where it is more than 2^-60 of a map's largest number."""


def map_of(network: Graph, choice: Choice) -> tuple[FloatArray, FloatArray]:
    """Return A (1, m, n_inputs) and b (1, m) of one cell, whose pieces are the only row of `choice`."""
    outputs = np.arange(network.n_outputs)
    A = np.zeros((1, outputs.size, network.n_inputs))
    with np.errstate(over="ignore", invalid="ignore"):
        A[...], b = backward(network, choice, 1, outputs)
    restore(network, choice, outputs, A, b)
    return A, b


def restore(
    network: Graph, choice: Choice, outputs: NDArray, A: NDArray, b: FloatArray, flat: Choice | None = None
) -> None:
    """Compose again, in whole numbers, the maps A (N, m, n_inputs), b (N, m) of which float64 lost digits.

    `flat` is that of `pull`: units that count as constant.

    Raises
    ------
    NonFiniteError
        When a map has a number beyond the numbers of A.
    """
    lost = are_lost(network, A, b)
    if lost is None:
        return
    if flat:
        # where a unit counts as constant, the map is not that of any cell
        turned = np.logical_or.reduce([at.any(axis=1) for at in flat.values()])
        lost &= ~turned[:, None]
        if not (np.isfinite(A[turned]).all() and np.isfinite(b[turned]).all()):
            raise NonFiniteError(
                "an affine map at a point where a unit is at its knot has numbers beyond float64. "
                'Pass `ties="perturb"`, or multiply the weights of a layer by a power of two below 1.'
            )
    if _is_large(network) and lost.any():
        p, o = np.argwhere(lost)[0].tolist()
        raise _beyond(int(outputs[o]), p, A.dtype)
    arithmetic = IntegerArithmetic()
    for p, o in zip(*(index.tolist() for index in np.nonzero(lost)), strict=True):
        A[p, o], b[p, o] = _exactly(network, choice, arithmetic, p, int(outputs[o]), A.dtype)


def are_lost(network: Graph, A: NDArray, b: FloatArray) -> NDArray[np.bool_] | None:
    """Return of which maps A (N, m, k), b (N, m) float64 may have lost digits: (N, m), or None where it never does."""
    smallest, largest, most_terms = _reach(network)
    if smallest > _UNDER and largest < _OVER:
        return None
    least = 0.0
    if smallest <= _UNDER and not _is_large(network):
        exponent = min(largest, 2000.0) - 1074 + _NOTICEABLE + np.log2(most_terms)
        least = float(np.exp2(min(exponent, 1023.0)))
    if A.dtype != np.float64 and least < float(np.finfo(A.dtype).tiny):
        least = 0.0
    top = np.abs(A).max(axis=2, initial=0.0)
    return ~np.isfinite(top) | ~np.isfinite(b) | (top < least)


def _exactly(
    network: Graph, choice: Choice, arithmetic: IntegerArithmetic, point: int, output: int, kind: np.dtype
) -> tuple[FloatArray, float]:
    """Return one row of a map and its constant, each rounded once."""
    pieces = {t: chosen[point if chosen.shape[0] > 1 else 0] for t, chosen in choice.items()}
    seed = [0] * network.n_outputs
    seed[output] = 1
    found = pull(network, network.output, Dyadic(seed, 0), pieces, arithmetic)
    row = np.zeros(network.n_inputs)
    if found is not None:
        row[:] = [to_float(number, found.exponent, found.denominator)[0] for number in found.numbers]
    here = {t: p[None] for t, p in pieces.items()}
    origin = ExactPoint(network, arithmetic, np.zeros(network.n_inputs), here, 0)
    constant = to_float(*origin.entries(network.output, [output])[0])[0]
    most = float(np.finfo(kind).max)
    if not (np.abs(row).max(initial=0.0) <= most and abs(constant) <= float(np.finfo(np.float64).max)):
        raise _beyond(output, point, kind)
    return row, constant


def _beyond(output: int, point: int, kind: np.dtype) -> NonFiniteError:
    return NonFiniteError(
        f"the affine map of output {output} at point {point} has numbers beyond {float(np.finfo(kind).max):.1e}, the "
        f"largest of {np.dtype(kind).name}. Multiply weights and biases of the last layer by a power of two below 1."
    )


@lru_cache(maxsize=16)
def _is_large(network: Graph) -> bool:
    """Return whether maps take too long in whole numbers; what underflow takes is nothing beside their sums."""
    operators = [o for node in network.nodes if isinstance(node, Affine) for o in node.operators]
    return sum(coefficients(o).size for o in operators) > _LARGE


@lru_cache(maxsize=16)
def _reach(network: Graph) -> tuple[float, float, int]:
    """Return bounds on the binary logarithms of all products along paths, below and above, and on terms of a sum."""
    smallest, largest, most = 0.0, 0.0, 1
    with np.errstate(all="ignore"):
        for node in network.nodes:
            if isinstance(node, Affine):
                sizes = [np.abs(coefficients(o)) / denominator(o) for o in node.operators]
                least = min((float(s.min(initial=np.inf, where=s > 0)) for s in sizes), default=np.inf)
                total = sum(
                    (apply_operator(mapped(o, np.abs), np.ones((1, o.n_in)))[0] for o in node.operators),
                    start=np.abs(node.bias),
                )
                top = float(total.max(initial=0.0))
                most += sum(terms(o) for o in node.operators)
            elif isinstance(node, Breakpoints):
                size = np.abs(np.concatenate([node.slopes, node.intercepts], axis=1))
                least, top = float(size.min(initial=np.inf, where=size > 0)), 2.0 * float(size.max(initial=0.0))
            else:
                assert isinstance(node, Input | Max)
                continue
            # a sum of absolute values that is not finite, and a ratio that vanishes, are beyond every limit
            smallest += min(0.0, float(np.log2(least))) if least > 0 else -np.inf
            largest += max(0.0, float(np.log2(top))) if np.isfinite(top) else np.inf
    return smallest, largest, most
