"""How many cells, pieces and idle neurons over time? Columns from one exact complex per time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.dual_points import dual_points
from reluatlas.analysis.trajectories.record import TrajectoryRecord
from reluatlas.errors import ArgumentError
from reluatlas.progress import Counted
from reluatlas.shown import Shown
from reluatlas.typing import IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryMeasures(Shown):
    """What a trajectory's complexes count, one entry per time.

    Attributes
    ----------
    times, steps : ndarray of int64
        Positions in the trajectory, and training steps done by then.
    n_cells, n_linear_regions, n_affine_maps : ndarray of int64
    n_boundary_pieces : ndarray of int64
        Line segments of the decision boundary, at most one per cell and pair of outputs.
    n_dead, n_always_on : ndarray of int64
        Neurons that are off (or on) in every cell: they cut nothing on this domain.
    spread : ndarray of float64
        Root of the area-weighted mean squared distance of the dual points of the decision function
        from their center, in output units (see `dual_points`).
    accuracy : ndarray of float64
        On the trajectory's points; NaN when it has none.
    is_exact : ndarray of bool
        Whether every decision behind the counts was certain, and the enumeration complete.
    """

    times: IntArray
    steps: IntArray
    n_cells: IntArray
    n_linear_regions: IntArray
    n_affine_maps: IntArray
    n_boundary_pieces: IntArray
    n_dead: IntArray
    n_always_on: IntArray
    spread: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    is_exact: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.times.size

    def to_table(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name, for a data frame or JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def measure(
    trajectory: TrajectoryRecord, times: IntArray, *, jobs: int | None = None, progress: Counted | None = None
) -> TrajectoryMeasures:
    """Return the measures at some positions; see `Trajectory.measure`."""
    has_points = trajectory.X is not None

    def at(t: int) -> tuple[Any, ...]:
        return (*counts(trajectory.complex(t, jobs=1)), trajectory.accuracy(t) if has_points else np.nan)

    rows = in_threads(at, [int(t) for t in times], jobs=jobs, progress=progress)
    cells, regions, maps, pieces, dead, always, spread, exact, accuracy = (np.array(c) for c in zip(*rows, strict=True))
    return TrajectoryMeasures(
        times, trajectory.steps[times], cells, regions, maps, pieces, dead, always, spread, accuracy, exact
    )


def counts(cx: PolyhedralComplex) -> tuple[int, int, int, int, int, int, float, bool]:
    """Return the counts of one complex, the spread of its dual points, and whether they are exact."""
    lowest, highest = cx.patterns.min(axis=0), cx.patterns.max(axis=0)
    certain = bool(cx.is_complete and cx.exactness.status == "exact")
    return (
        int(cx.n_cells),
        int(cx.n_linear_regions),
        int(cx.n_affine_maps),
        len(cx.decision_boundary()),
        int((highest == 0).sum()),
        int((lowest == 1).sum()),
        dual_points(cx).spread,
        certain,
    )


def in_threads(
    work: Callable[[int], T], items: list[int], *, jobs: int | None = None, progress: Counted | None = None
) -> list[T]:
    """Return `work(item)` for all items in order, done by some threads; progress is told in the calling one."""
    from reluatlas.network.batches import available_cores

    if jobs is not None and (isinstance(jobs, bool) or jobs != int(jobs) or jobs < 1):
        raise ArgumentError(f"`jobs={jobs!r}` must be a whole number of at least 1, or None for all cores.")
    n = min(int(jobs) if jobs else available_cores(), len(items))
    if progress is not None:
        progress(0, len(items))
    out: list[T] = []
    executor = ThreadPoolExecutor(n, thread_name_prefix="reluatlas") if n > 1 else None
    try:
        for answer in executor.map(work, items) if executor else map(work, items):
            out.append(answer)
            if progress is not None:
                progress(len(out), len(items))
    finally:
        if executor:
            executor.shutdown(wait=True, cancel_futures=True)
    return out
