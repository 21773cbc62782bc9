"""Which cells have maps alike? k-means on dual points weighted by volume, the paper's way, wherever the cells lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.analysis.joining.ground import Ground
from reluatlas.analysis.maps.dual_points import as_maps, as_points
from reluatlas.typing import IntArray


def cluster(ground: Ground, k: int, seed: int) -> tuple[IntArray, AffineMaps]:
    """Return the cluster of each cell, 0, 1, ..., and the map of each: the center as a map, in all outputs.

    Distances of points are root-mean-square differences of maps over the whole box [Sattelberg2023]; a center is the
    mean of its cells' maps, weighted by their volumes.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    cx = ground.cx
    first, label = ground.first_cell, ground.region
    points = as_points(cx.affine.A[first], cx.affine.b[first], cx.box)
    weight = np.bincount(label, weights=np.asarray(cx.volumes, dtype=np.float64))
    options: dict[str, Any] = {"n_init": 10, "random_state": seed}
    with threadpool_limits(1):
        found: Any = KMeans(k, **options).fit(points, sample_weight=weight / weight.sum())
    used, member = np.unique(found.labels_, return_inverse=True)
    slopes, constants = as_maps(found.cluster_centers_[used], cx.box)
    return member.reshape(-1)[label], AffineMaps(slopes, constants)
