"""Which k points stand for many? Mini-batch k-means, and the nearest center of each point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.rows import FloatArray, blocks
from reluatlas.analysis.reduction.seeding import spread_points

Init = Literal["k-means++", "random"]
_ENTRIES = 2**22  # distances that are held at once
_WORTH_A_PROCESS = 5e8  # numbers in one pass of all tasks; with fewer, processes take longer to start than to work


def centers_of(points: NDArray[Any], k: int, init: Init, seed: int) -> NDArray[Any]:
    """Return k centers, (k, q), by scikit-learn's MiniBatchKMeans; of one center the mean."""
    if k == 1 or points.shape[1] == 0:
        return np.repeat(points.mean(axis=0, dtype=np.float64)[None].astype(points.dtype), k, axis=0)
    from sklearn.cluster import MiniBatchKMeans

    rng = np.random.default_rng([seed, k])
    if init == "random":
        start = points[rng.choice(len(points), k, replace=False)]
    else:
        some = points[rng.permutation(len(points))[: max(300, 3 * k)]]
        start = some[spread_points(some, k, rng)]
    options: dict[str, Any] = {"init": start, "n_init": 1, "init_size": k}
    model = MiniBatchKMeans(k, random_state=seed, compute_labels=False, **options)
    return cast("NDArray[Any]", model.fit(points).cluster_centers_)


def cluster_all(
    tasks: Sequence[tuple[int, int]], points: Sequence[NDArray[Any]], init: Init, seed: int, jobs: int
) -> Iterator[NDArray[Any]]:
    """Yield the centers of each task (which points, k) in order, one process per core, one thread in each.

    Few small tasks are done in this process, where starting others would take longer.
    """
    from threadpoolctl import threadpool_limits

    size = sum(float(points[which].size) * k for which, k in tasks)
    if min(jobs, len(tasks)) == 1 or size < _WORTH_A_PROCESS:
        for which, k in tasks:
            with threadpool_limits(1):
                made = centers_of(points[which], k, init, seed)
            yield made
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", inner_max_num_threads=1):
        work = Parallel(n_jobs=min(jobs, len(tasks)), return_as="generator", pre_dispatch="n_jobs")
        calls = (delayed(centers_of)(points[which], k, init, seed) for which, k in tasks)
        yield from cast("Iterator[NDArray[Any]]", work(calls))


def nearest(points: FloatArray, centers: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the number of the nearest center of each point (the first of several), and the squared distance to it."""
    index = np.zeros(len(points), dtype=np.int64)
    squares = np.zeros(len(points))
    norms = np.einsum("ij,ij->i", centers, centers)
    for block in blocks(len(points), max(1, _ENTRIES // len(centers))):
        gap = norms - 2 * (points[block] @ centers.T)
        index[block] = gap.argmin(axis=1)
        squares[block] = gap[np.arange(gap.shape[0]), index[block]]
    return index, np.maximum(squares + np.einsum("ij,ij->i", points, points), 0.0)
