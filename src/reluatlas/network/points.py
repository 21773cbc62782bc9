"""What does the network do at points? Activation patterns, and the affine maps of the cells that hold them.

Truth is real arithmetic on the stored float64 coefficients. A float64 evaluation with rigorous error bounds decides
where it can; the units that it leaves open are computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError
from reluatlas.network.graph import Breakpoints, FloatArray, Max, Network
from reluatlas.network.maps import backward, forward
from reluatlas.network.walk import Walk

_BATCH_BYTES = 2**27


def patterns(network: Network, X: ArrayLike) -> NDArray[np.integer]:
    """Return the activation pattern at each point: what exact evaluation does there.

    The piece of a unit is the number of its knots that are strictly below its exact pre-activation (ReLU: 1 when
    it is > 0, else 0); the winner of a max window is the lowest position in the window among the candidates that
    are exactly maximal. At a point on a face, the pattern may belong to no cell: at 0, relu(x) - relu(-x) has both
    units off.

    Parameters
    ----------
    X : array_like, shape (N, *input_shape), (N, n_inputs), or a single point
        Points, in input units.

    Returns
    -------
    ndarray of uint8 (uint16 or uint32 where a unit has more than 256 or 65,536 pieces), shape (N, units)
        Columns in the order of `Network.pattern_slices`; one row, shape (units,), for a single point.

    Raises
    ------
    DimensionError, NonFiniteError
        See `Network.points`.

    Guarantees
    ----------
    Exact and deterministic. Costs about three forward passes, and exact arithmetic for the units in doubt only.
    """
    rows, single = network.points(X)
    slices = network.pattern_slices()
    out = np.zeros((rows.shape[0], sum(prod(network.nodes[i].shape) for i in slices)), dtype=_pattern_type(network))
    for batch in _batches(rows.shape[0], _bytes_per_point(network)):
        walk = Walk(network, rows[batch])
        for i, columns in slices.items():
            out[batch, columns] = walk.choice[i]
    return out[0] if single else out


def affine_at(
    network: Network,
    X: ArrayLike,
    outputs: Sequence[int] | int | None = None,
    *,
    ties: Literal["perturb", "torch"] = "perturb",
) -> AffineMaps:
    """Return the affine map of a full-dimensional cell that contains each point.

    The cell is the one that holds x + (e, e^2, ..., e^n) for all small enough e > 0. Unit by unit, in topological
    order and along the pieces chosen so far, the sign of an affine function is the sign of the first nonzero number
    among its value and its partial derivatives at x. A unit that stays on its knot in the whole cell is on the piece
    below; candidates that are the same function on the cell are one, and the lowest wins.

    Parameters
    ----------
    X : array_like, shape (N, *input_shape), (N, n_inputs), or a single point
        Points, in input units.
    outputs : int or sequence of int, optional
        Which outputs (positions in the flattened output); all by default.
    ties : {"perturb", "torch"}
        What to do at a point on a face. "torch" takes the derivative that automatic differentiation takes in torch:
        0 for ReLU and abs at 0, `negative_slope` for leaky ReLU at 0, the first of the largest entries in a max-pool
        window. Two of torch's choices are not followed, as the network does not record which function a unit
        came from: at its bounds a clip or hardtanh takes the piece below (slope 0 at the lower, 1 at the upper bound;
        torch takes 1 at both for `clamp`, 0 at both for `hardtanh` and `relu6`), and an elementwise maximum gives
        everything to its first largest argument (torch halves it). Every unit with pieces -z and z is taken for an
        abs. With "torch" the map at a point on a face may belong to no cell.

    Returns
    -------
    AffineMaps
        `A` (N, m, *input_shape), `b` (N, m), and `is_on_face` (N,): whether x lies on the boundary of the cell that
        "perturb" chooses, that is, some unit is at a knot, or different candidates tie at the top of a window,
        without doing so in the whole cell. N is 1 for a single point.

    Raises
    ------
    DimensionError, NonFiniteError
        See `Network.points`.
    ArgumentError
        When an output does not exist, or `ties` is unknown.

    Guarantees
    ----------
    The choice of the cell and `is_on_face` are exact and deterministic; A and b are float64.
    """
    if ties not in ("perturb", "torch"):
        raise ArgumentError(f'`ties={ties!r}` is unknown. Pass "perturb" or "torch".')
    rows, _ = network.points(X)
    chosen = _chosen_outputs(network, outputs)
    n, m = network.n_inputs, chosen.size
    maps = AffineMaps(
        np.empty((rows.shape[0], m, *network.input_shape)),
        np.empty((rows.shape[0], m)),
        np.zeros(rows.shape[0], dtype=bool),
    )
    flat = maps.A.reshape(rows.shape[0], m, n)
    compose, width = (backward, m) if n >= m else (forward, n + 1)
    assert maps.is_on_face is not None
    for batch in _batches(rows.shape[0], _bytes_per_point(network, width)):
        walk = Walk(network, rows[batch], perturb=ties == "perturb")
        linear, constant = compose(network, walk.choice, walk.n_points, chosen, walk.flat if ties == "torch" else None)
        flat[batch], maps.b[batch] = linear, constant
        maps.is_on_face[batch] = walk.on_face if ties == "perturb" else _faces(network, rows[batch], walk.tied)
    return maps


def _faces(network: Network, rows: FloatArray, tied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = tied.copy()
    if tied.any():
        out[tied] = Walk(network, rows[tied], perturb=True).on_face
    return out


def _chosen_outputs(network: Network, outputs: Sequence[int] | int | None) -> NDArray[np.int64]:
    if outputs is None:
        return np.arange(network.n_outputs)
    try:
        chosen = np.atleast_1d(np.asarray(outputs if np.size(outputs) else np.empty(0, dtype=np.int64)))
    except ValueError:
        chosen = np.empty((0, 0))
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise ArgumentError(f"`outputs={outputs!r}` must be a whole number or a list of whole numbers.")
    bad = chosen[(chosen < 0) | (chosen >= network.n_outputs)]
    if bad.size:
        raise ArgumentError(
            f"`outputs` names output {bad[0]} but the network has {network.n_outputs}. "
            f"Pass numbers from 0 to {network.n_outputs - 1}."
        )
    return chosen.astype(np.int64)


def _pattern_type(network: Network) -> type[np.unsignedinteger]:
    most = 1
    for i in network.cuts:
        node = network.nodes[i]
        if isinstance(node, Breakpoints):
            most = max(most, node.knots.shape[1] + 1)
        elif isinstance(node, Max) and node.n_windows:
            most = max(most, int(np.diff(node.offsets).max()))
    return np.uint8 if most <= 2**8 else np.uint16 if most <= 2**16 else np.uint32


def _bytes_per_point(network: Network, width: int = 1) -> int:
    sizes = [prod(node.shape) for node in network.nodes]
    wide = max((node.candidates.size for node in network.nodes if isinstance(node, Max)), default=0)
    return 8 * (3 * sum(sizes) + 8 * max(sizes) + 8 * wide + 3 * width * max(sizes))


def _batches(n_points: int, bytes_per_point: int) -> list[slice]:
    step = max(1, _BATCH_BYTES // max(1, bytes_per_point))
    return [slice(start, min(start + step, n_points)) for start in range(0, n_points, step)]
