"""How are many inputs worked on by a cluster? In pieces of a fixed order, each by one call.

Ray itself does a call again whose worker or node was lost; what a call gives depends on its piece alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from reluatlas.affine import AffineMaps
from reluatlas.deadline import look
from reluatlas.errors import ClusterError
from reluatlas.network.batches import one_blas_thread
from reluatlas.network.network import Network
from reluatlas.network.point_shapes import rows_of

POINTS = 2000
"""Of a piece, about a second and more of work in networks of some thousand units."""
_RETRIES, _AHEAD, _PULSE_S = 3, 2, 0.2


def each(
    ray: Any, work: Callable[[Any, Any], Any], shared: Any, pieces: Sequence[Any], n_workers: int
) -> Iterator[Any]:
    """Yield `work(shared, piece)` for each piece, in order; `shared` is sent to each node once.

    At most twice as many calls as workers are out at the same time, and as many answers wait.
    """
    held = ray.put(shared)
    call = ray.remote(num_cpus=0, max_retries=_RETRIES, scheduling_strategy="SPREAD")(_alone)
    out: dict[int, Any] = {}
    sent = 0
    try:
        for i in range(len(pieces)):
            while sent < len(pieces) and sent < i + _AHEAD * n_workers:
                out[sent] = call.remote(work, held, pieces[sent])
                sent += 1
            while not ray.wait([out[i]], timeout=_PULSE_S)[0]:
                look()
            try:
                yield ray.get(out.pop(i))
            except ray.exceptions.RayTaskError as problem:
                raise problem.cause from None
            except ray.exceptions.RayError as problem:
                raise ClusterError(
                    f"piece {i} of {len(pieces)} was lost {_RETRIES + 1} times; the last time: "
                    f"{str(problem).splitlines()[0].rstrip('.')}. Look at the nodes with `ray status`."
                ) from None
    finally:
        for ref in out.values():
            ray.cancel(ref, force=False)


def _alone(work: Callable[[Any, Any], Any], shared: Any, piece: Any) -> Any:
    with one_blas_thread():  # sums in the same order, whatever the machine
        return work(shared, piece)


def affine_at(
    ray: Any,
    n_workers: int,
    net: Network,
    X: ArrayLike,
    outputs: Sequence[int] | int | None,
    ties: Any,
    dtype: DTypeLike,
) -> AffineMaps:
    """Return what `net.affine_at` does, worked out by a cluster."""
    rows, _ = rows_of(np.asarray(X, dtype=np.float64), net.input_shape, "X")
    pieces = [rows[i : i + POINTS] for i in range(0, max(1, len(rows)), POINTS)]
    shared = net, outputs, ties, np.dtype(dtype).name
    found = list(each(ray, _affine, shared, pieces, n_workers))
    on_face = None if found[0][2] is None else np.concatenate([part[2] for part in found])
    return AffineMaps(np.concatenate([p[0] for p in found]), np.concatenate([p[1] for p in found]), on_face)


def _affine(shared: tuple[Network, Any, Any, str], rows: np.ndarray) -> tuple[Any, Any, Any]:
    net, outputs, ties, dtype = shared
    maps = net.affine_at(rows, outputs, ties=ties, dtype=dtype, jobs=1)
    return maps.A, maps.b, maps.is_on_face
