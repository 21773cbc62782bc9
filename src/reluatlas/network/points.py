"""What does the network do at points? Activation patterns, and the affine maps of the cells that hold them.

Truth is real arithmetic on the stored float64 coefficients. A float64 evaluation with rigorous error bounds decides
where it can; the units that it leaves open are computed exactly.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError
from reluatlas.network.batches import Plan, Points, Progress, run_batches
from reluatlas.network.choose import Chooser
from reluatlas.network.graph import Breakpoints, Max, Network
from reluatlas.network.maps import backward, forward
from reluatlas.network.maps_file import MapsFile, open_maps


def patterns(
    network: Network, X: ArrayLike, *, memory: int | None = None, progress: Progress | None = None
) -> NDArray[np.integer]:
    """Return the activation pattern at each point: what exact evaluation does there.

    The piece of a unit is the number of its knots that are strictly below its exact pre-activation (ReLU: 1 when
    it is > 0, else 0); the winner of a max window is the lowest position in the window among the candidates that
    are exactly maximal. At a point on a face, the pattern may belong to no cell: at 0, relu(x) - relu(-x) has both
    units off.

    Parameters
    ----------
    X : array_like, shape (N, *input_shape), (N, n_inputs), or a single point
        Points, in input units.
    memory, progress : optional
        As in `affine_at`.

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
    points = Points(network, X)
    slices = network.pattern_slices()
    out = np.zeros((len(points), sum(prod(network.nodes[i].shape) for i in slices)), dtype=_pattern_type(network))
    chooser = Chooser(network, points, perturb=False)

    def work(batch: slice) -> None:
        chosen = chooser(batch)
        for i, columns in slices.items():
            out[batch, columns] = chosen.choice[i]

    run_batches(work, len(points), Plan.of(network, len(points), memory, width=1), progress)
    return out[0] if points.is_single else out


def affine_at(
    network: Network,
    X: ArrayLike,
    outputs: Sequence[int] | int | None = None,
    *,
    ties: Literal["perturb", "torch"] = "perturb",
    dtype: DTypeLike = np.float64,
    out: str | os.PathLike[str] | None = None,
    memory: int | None = None,
    jobs: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
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
    dtype : {float64, float32}
        Of A and b. Pieces are chosen exactly in any case. float32 halves what is stored; the last product of a dense
        network is then taken in float32, too, everything else is rounded at the end.
    out : path ending with .npy, optional
        Write the maps into this file and return them as memory maps of it: one array (N, m, n_inputs + 1), of each
        output the row of A and then b. It appears under its name when it is whole.
    memory : int, optional
        Bytes that may be used at once for points in work, on all threads together; 2**28 by default. The maps
        themselves come on top, unless they go to `out`.
    jobs : int, optional
        Number of threads; all cores by default.
    device : str, optional
        Compute A and b with torch on this device, such as "cuda"; pieces are chosen on the CPU, exactly. The maps at
        a few of the points are compared with float64 on the CPU.
    progress : callable, optional
        Called with the number of points done and the number of all points.

    Returns
    -------
    AffineMaps
        `A` (N, m, *input_shape), `b` (N, m), and `is_on_face` (N,): whether x lies on the boundary of the cell that
        "perturb" chooses, that is, some unit is at a knot, or different candidates tie at the top of a window,
        without doing so in the whole cell. N is 1 for a single point. With "torch", `is_on_face` is computed when it
        is first asked for, from the points as they are then.

    Raises
    ------
    DimensionError, NonFiniteError
        See `Network.points`.
    ArgumentError
        When an output does not exist, `ties`, `dtype` or `device` is unknown, `memory` is too little for one point, or
        `out` cannot be written; the message says how much space is needed.
    MissingDependencyError
        When `device` is given and torch is not installed.

    Guarantees
    ----------
    The choice of the cell and `is_on_face` are exact and deterministic; A and b are float64.
    """
    if ties not in ("perturb", "torch"):
        raise ArgumentError(f'`ties={ties!r}` is unknown. Pass "perturb" or "torch".')
    kind = _checked_dtype(dtype)
    points = Points(network, X)
    chosen = chosen_outputs(network, outputs)
    n, m, total = network.n_inputs, chosen.size, len(points)
    compose, width = (partial(backward, dtype=kind), m) if n >= m else (forward, n + 1)
    extra = 2 * m * (n + 1) * kind.itemsize
    if device is not None:
        from reluatlas.network.torch_rows import on_device

        compose, width = on_device(network, device, kind), m
    plan = Plan.of(network, total, memory, width=width, extra=extra, jobs=jobs)
    chooser = Chooser(network, points, perturb=ties == "perturb")
    marked = np.zeros(total, dtype=bool)
    file = None if out is None else MapsFile(out, (total, m, n), kind)
    A = np.empty((total if file is None else 0, m, n), dtype=kind)
    b = np.empty((A.shape[0], m), dtype=kind)

    def work(batch: slice) -> None:
        known = chooser(batch)
        flat = known.flat if ties == "torch" else None
        linear, constant = compose(network, known.choice, known.tied.size, chosen, flat)
        marked[batch] = known.on_face if ties == "perturb" else known.tied
        if file is not None:
            file.write(batch.start, linear, constant)
        else:
            A[batch], b[batch] = linear, constant

    try:
        run_batches(work, total, plan, progress)
        if file is not None:
            file.finish()
    except BaseException:
        if file is not None:
            file.drop()
        raise
    faces = marked if ties == "perturb" else partial(_faces, network, points, marked, memory)
    if file is None:
        return AffineMaps(A.reshape(total, m, *network.input_shape), b, faces)
    stored = open_maps(file.path, network.input_shape)
    return AffineMaps(stored.A, stored.b, faces)


def _faces(network: Network, points: Points, tied: NDArray[np.bool_], memory: int | None) -> NDArray[np.bool_]:
    out = tied.copy()
    left = np.flatnonzero(tied)
    chooser = Chooser(network, points, perturb=True)

    def work(batch: slice) -> None:
        out[left[batch]] = chooser(left[batch]).on_face

    run_batches(work, left.size, Plan.of(network, left.size, memory, width=1))
    return out


def _checked_dtype(dtype: DTypeLike) -> np.dtype:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentError(f"`dtype={dtype!r}` is not offered. Pass np.float64 or np.float32.")
    return kind


def chosen_outputs(network: Network, outputs: Sequence[int] | int | None) -> NDArray[np.int64]:
    """Return the positions that `outputs` names.

    Raises
    ------
    ArgumentError
        When they are not positions of outputs.
    """
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
