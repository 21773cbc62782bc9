"""What does the network do at points? Activation patterns, and the affine maps of the cells that hold them.

Truth is real arithmetic on the stored float64 coefficients. A float64 evaluation with rigorous error bounds decides
where it can; the units that it leaves open are computed exactly.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError
from reluatlas.network.batches import Plan, Points, bytes_needed, checked_memory, run_batches
from reluatlas.network.interpret import Choice
from reluatlas.network.maps.arrays import InMemory, MapsFile, MapsShape
from reluatlas.network.maps.compose import backward, forward
from reluatlas.network.maps.load import load_maps
from reluatlas.network.maps.lost import restore
from reluatlas.network.maps.parquet import MapsTable, TableMaps
from reluatlas.network.patterns.decide import Chooser
from reluatlas.network.record import Breakpoints, Graph, Max
from reluatlas.progress import Counted

_COPIES = 4  # of a batch's maps that may exist at once: in work, in the room they are written to, on their way out
_COPIES_IN_TABLES = 10  # with Arrow's array, two levels a number, the pages of the row group, and their growth


def patterns(
    network: Graph, X: ArrayLike, *, memory: int | None = None, progress: Counted | None = None
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
    out = np.zeros((len(points), sum(prod(network.nodes[i].shape) for i in slices)), dtype=pattern_type(network))
    chooser = Chooser(network, points, perturb=False)

    def work(batch: slice) -> None:
        chosen = chooser(batch)
        for i, columns in slices.items():
            out[batch, columns] = chosen.choice[i]

    run_batches(work, len(points), Plan.of(network, len(points), memory, width=1), progress)
    return out[0] if points.is_single else out


def affine_at(
    network: Graph,
    X: ArrayLike,
    outputs: Sequence[int] | int | None = None,
    *,
    ties: Literal["perturb", "torch"] = "perturb",
    dtype: DTypeLike = np.float64,
    out: str | os.PathLike[str] | None = None,
    memory: int | None = None,
    jobs: int | None = None,
    device: str | None = None,
    progress: Counted | None = None,
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
    out : path ending with .npy or .parquet, optional
        Write the maps into this file, which appears under its name when it is whole; `reluatlas.load_maps` reads it.
        `.npy`: one array (N, m, n_inputs + 1), of each output the row of A and then b; what is returned are memory
        maps of it. `.parquet` (needs pyarrow): a table with a row for each point and output and the columns `point`,
        `output`, `A` (a list of n_inputs numbers), `b` and, with ties="perturb", `is_on_face`; what is returned reads
        the file when it is first asked for `A` or `b`.
    memory : int, optional
        Bytes that may be used at once for points in work, on all threads together; 2**28 by default. Where that is
        too little for all outputs at once, they are taken in parts. The maps themselves come on top, unless they go
        to `out`.
    jobs : int, optional
        Number of threads; all cores by default.
    device : str, optional
        Compute A and b with torch on this device, such as "cuda"; pieces are chosen on the CPU, exactly. The maps at
        a few of the points are compared with float64 on the CPU. Tested with "cpu"; it has not been run on a GPU yet.
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
        When `device` is given and torch is not installed, or `out` ends with .parquet and pyarrow is not.

    Guarantees
    ----------
    The choice of the cell and `is_on_face` are exact and deterministic; A and b are float64.
    """
    if ties not in ("perturb", "torch"):
        raise ArgumentError(f'`ties={ties!r}` is unknown. Pass "perturb" or "torch".')
    kind = _checked_dtype(dtype)
    points = Points(network, X)
    chosen = chosen_outputs(network, outputs)
    shape = len(points), chosen.size, network.n_inputs
    copies = _COPIES_IN_TABLES if out is not None and Path(out).suffix.lower() == ".parquet" else _COPIES
    extra = copies * (network.n_inputs + 1) * kind.itemsize
    compose, plan = _composition(network, shape, kind, memory, jobs, device, extra)
    chooser = Chooser(network, points, perturb=ties == "perturb")
    marked = np.zeros(len(points), dtype=bool)
    target = _target(network, shape, kind, out, chosen, with_faces=ties == "perturb")

    def work(batch: slice) -> None:
        try:
            known = chooser(batch)
            flat = known.flat if ties == "torch" else None
            on_face = known.on_face if ties == "perturb" else None
            marked[batch] = known.tied if on_face is None else on_face
            for first in range(0, chosen.size, max(1, plan.width)):
                part = slice(first, min(first + plan.width, chosen.size))
                A, b = target.room(batch, part)
                with np.errstate(over="ignore", invalid="ignore"):
                    compose(network, known.choice, known.tied.size, chosen[part], flat, A, b)
                restore(network, known.choice, chosen[part], A.reshape(*b.shape, -1), b, flat)
                target.write(batch, part, on_face)
        except BaseException:
            target.drop()
            raise

    try:
        run_batches(work, len(points), plan, progress)
        target.finish()
    except BaseException:
        target.drop()
        raise
    faces = marked if ties == "perturb" else partial(_faces, network, points, marked, memory)
    if isinstance(target, InMemory):
        return AffineMaps(target.A.reshape(*shape[:2], *network.input_shape), target.b, faces)
    if isinstance(target, MapsTable):
        return TableMaps(target.path, faces)
    stored = load_maps(target.path, input_shape=network.input_shape)
    return AffineMaps(stored.A, stored.b, faces)


def _target(
    network: Graph, shape: MapsShape, kind: np.dtype, out: str | os.PathLike[str] | None, outputs: NDArray,
    *, with_faces: bool,
) -> InMemory | MapsFile | MapsTable:  # fmt: skip
    if out is None:
        return InMemory(shape, kind)
    ending = Path(out).suffix.lower()
    if ending == ".npy":
        return MapsFile(out, shape, kind)
    if ending == ".parquet":
        return MapsTable(out, shape, kind, input_shape=network.input_shape, outputs=outputs, with_faces=with_faces)
    raise ArgumentError(f"`out={str(out)!r}` must end with .npy (one array) or .parquet (a table).")


def _composition(
    network: Graph, shape: MapsShape, kind: np.dtype, memory: int | None, jobs: int | None, device: str | None,
    extra: int,
) -> tuple[Callable[..., None], Plan]:  # fmt: skip
    # What writes A and b of some outputs along chosen pieces, and the plan to do so; `extra` is per point and output.
    _, m, n = shape
    if device is not None:
        from reluatlas.network.maps.compose_torch import on_device

        composed = on_device(network, device, kind)
    else:
        fits = bytes_needed(network, n + 1, 1) + m * extra <= checked_memory(memory)
        composed = forward if m > n and fits else None
    if composed is forward:
        plan = Plan.of(network, shape[0], memory, width=n + 1, extra=-(-m * extra // (n + 1)), jobs=jobs)
        plan = replace(plan, width=m)
    else:
        plan = Plan.of(network, shape[0], memory, width=m, extra=extra, jobs=jobs, is_divisible=True)

    def compose(
        network: Graph, choice: Choice, size: int, outputs: NDArray, flat: Choice | None, A: NDArray, b: NDArray
    ) -> None:
        if composed is None:
            b[...] = backward(network, choice, size, outputs, flat, into=A)[1]
        else:
            linear, b[...] = composed(network, choice, size, outputs, flat)
            A.reshape(*b.shape, n)[...] = linear

    return compose, plan


def _faces(network: Graph, points: Points, tied: NDArray[np.bool_], memory: int | None) -> NDArray[np.bool_]:
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


def chosen_outputs(network: Graph, outputs: Sequence[int] | int | None) -> NDArray[np.int64]:
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


def pattern_type(network: Graph) -> type[np.unsignedinteger]:
    """Return the smallest unsigned type that holds the number of any piece or winner."""
    most = 1
    for i in network.cuts:
        node = network.nodes[i]
        if isinstance(node, Breakpoints):
            most = max(most, node.knots.shape[1] + 1)
        elif isinstance(node, Max) and node.n_windows:
            most = max(most, int(np.diff(node.offsets).max()))
    return np.uint8 if most <= 2**8 else np.uint16 if most <= 2**16 else np.uint32
