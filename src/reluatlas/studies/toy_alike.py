"""How few regions are enough, and do different networks carry the same ones? Dual points, clustered and compared.

Distances are those of optimal transport of area over dual points (`reluatlas.analysis.transport`), in output
units: the root-mean-square difference of matched maps over the domain. Two levels of chance stand beside them:

- *untrained*: between a trained network and the start of another one of its shape;
- *same moments*: between a network and points drawn at random with the other one's shares, mean and covariance.
  Sets that agree in nothing but where they lie and how far they spread are this far apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.dual_points import DualPoints, as_maps, as_points, decision_maps, dual_points
from reluatlas.analysis.trajectory import Trajectory
from reluatlas.analysis.transport import transport_distance

FloatArray = NDArray[np.float64]
UP_TO = 16
_DRAWS = 3


@dataclass(frozen=True)
class Alike:
    """Distances between networks' sets of affine maps.

    Attributes
    ----------
    within : dict of shape to list of float
        Between networks of one shape and different seeds.
    across : list of float
        Between networks of different shapes.
    untrained, same_moments : list of float
        The levels of chance.
    """

    within: dict[str, list[float]]
    across: list[float]
    untrained: list[float]
    same_moments: list[float]


@dataclass(frozen=True, eq=False)
class Reduced:
    """A network's maps put into k groups.

    Attributes
    ----------
    groups : DualPoints
        Area-weighted k-means centers of the dual points, with the area of each group.
    labels : ndarray, shape (n,)
        Group of each dual point.
    accuracy : float
        On the trajectory's points, when every point takes the map of its group (the network still
        says which piece a point falls on, as in the paper).
    """

    groups: DualPoints
    labels: NDArray[np.int64]
    accuracy: float


def reduce_maps(trajectory: Trajectory, points: DualPoints, k: int, *, t: int = -1) -> Reduced:
    """Return the maps of a network, at time t, replaced by k of them."""
    from sklearn.cluster import KMeans

    k = min(k, len(np.unique(points.points, axis=0)))
    model = KMeans(k, n_init=10, random_state=0).fit(points.points, sample_weight=points.shares)
    labels = model.labels_.astype(np.int64)
    groups = DualPoints(model.cluster_centers_, np.bincount(labels, weights=points.shares, minlength=k))
    return Reduced(groups, labels, _accuracy(trajectory, groups.points, t))


def reduction_curve(trajectory: Trajectory, points: DualPoints, *, up_to: int = UP_TO, t: int = -1) -> list[float]:
    """Return the accuracy with 1, 2, ..., `up_to` maps."""
    return [reduce_maps(trajectory, points, k, t=t).accuracy for k in range(1, min(up_to, len(points)) + 1)]


def compare_runs(runs: Sequence[Trajectory], *, seed: int = 0) -> Alike:
    """Return the distances between the last networks of some trajectories, and the levels of chance."""
    last = [dual_points(run.complex(-1)) for run in runs]
    start = [dual_points(run.complex(0)) for run in runs]
    rng = np.random.default_rng(seed)
    within: dict[str, list[float]] = {run.name: [] for run in runs}
    across: list[float] = []
    untrained: list[float] = []
    same_moments: list[float] = []
    for i, j in combinations(range(len(runs)), 2):
        distance = transport_distance(last[i], last[j])
        if runs[i].sizes != runs[j].sizes:
            across.append(distance)
            continue
        within[runs[i].name].append(distance)
        untrained += [transport_distance(last[i], start[j]), transport_distance(last[j], start[i])]
        for a, b in ((i, j), (j, i)):
            drawn = [transport_distance(last[a], scattered(last[b], rng)) for _ in range(_DRAWS)]
            same_moments.append(float(np.mean(drawn)))
    return Alike(within, across, untrained, same_moments)


def scattered(points: DualPoints, rng: np.random.Generator) -> DualPoints:
    """Return random points with the same shares, and exactly the same weighted mean and covariance."""
    centered = points.points - points.mean
    root = _root(centered.T @ (points.shares[:, None] * centered))
    noise = rng.standard_normal(points.points.shape)
    noise -= points.shares @ noise
    own = noise.T @ (points.shares[:, None] * noise)
    return DualPoints(points.mean + noise @ np.linalg.pinv(_root(own)) @ root, points.shares)


def _root(matrix: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _accuracy(trajectory: Trajectory, centers: FloatArray, t: int) -> float:
    """Return the accuracy when each point's map is replaced by the nearest center."""
    assert trajectory.X is not None and trajectory.y is not None
    box = trajectory.domain.box
    at = trajectory.network(t).affine_at(trajectory.X)
    own = as_points(*decision_maps(at), box)
    nearest = ((own[:, None, :] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
    slopes, constants = as_maps(centers, box)
    value = np.einsum("nmk,nk->nm", slopes[nearest], trajectory.X) + constants[nearest]
    chosen = value[:, 0] > 0 if value.shape[1] == 1 else value.argmax(axis=1)
    return float(np.mean(chosen == trajectory.y))
