"""How few regions are enough, and do different networks carry the same ones? Dual points, clustered and compared.

Distances are those of optimal transport of area over dual points (`reluatlas.analysis.maps.transport`), in output
units: the root-mean-square difference of matched maps over the domain. Two levels of chance stand beside them:

- *untrained*: between a trained network and the start of another one of its shape;
- *same moments*: between a network and points drawn at random with the other one's shares, mean and covariance.
  Sets that agree in nothing but where they lie and how far they spread are this far apart.

A problem that looks the same after a turn is solved as well by a turned network, so distances are also taken up to
the symmetries of the problem: the least over all of them, chance levels included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.dual_points import DualPoints, as_maps, as_points, decision_maps, dual_points
from reluatlas.analysis.maps.transport import transport_distance
from reluatlas.analysis.trajectories.trajectory import Trajectory

FloatArray = NDArray[np.float64]
UP_TO = 16
_DRAWS = 3
_GROUPS = 24

Symmetry = tuple[FloatArray, int]


@dataclass(frozen=True)
class Pairs:
    """Distances between sets of affine maps for one kind of pair of networks, beside chance.

    Attributes
    ----------
    distances : list of float
        One per pair.
    same_moments, untrained : list of float
        The levels of chance: two per pair.
    """

    distances: list[float]
    same_moments: list[float]
    untrained: list[float]


Alike = dict[str, Pairs]
"""By kind: "within" a shape (different seeds), or "across" two shapes."""


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
    groups, labels = group(points, k)
    return Reduced(groups, labels, _accuracy(trajectory, groups.points, t))


def group(points: DualPoints, k: int) -> tuple[DualPoints, NDArray[np.int64]]:
    """Return at most k groups of dual points, by area-weighted k-means, and the group of each point."""
    from sklearn.cluster import KMeans

    k = min(k, len(np.unique(points.points, axis=0)))
    model: Any = KMeans(k, n_init=10, random_state=0)  # type: ignore[arg-type]
    model.fit(points.points, sample_weight=points.shares)
    labels = np.asarray(model.labels_, dtype=np.int64)
    shares = np.bincount(labels, weights=points.shares, minlength=k).astype(np.float64)
    return DualPoints(model.cluster_centers_, shares), labels


def reduction_curve(trajectory: Trajectory, points: DualPoints, *, up_to: int = UP_TO, t: int = -1) -> list[float]:
    """Return the accuracy with 1, 2, ..., `up_to` maps."""
    return [reduce_maps(trajectory, points, k, t=t).accuracy for k in range(1, min(up_to, len(points)) + 1)]


def compare_runs(runs: Sequence[Trajectory], *, symmetries: Sequence[Symmetry] | None = None, seed: int = 0) -> Alike:
    """Return the distances between the last networks of some trajectories, and the levels of chance.

    With symmetries, each set is first put into at most 24 groups, and each distance is the least
    over the symmetries.
    """
    last = [dual_points(run.complex(-1)) for run in runs]
    start = [dual_points(run.complex(0)) for run in runs]
    if symmetries is not None:
        last, start = [_grouped(p) for p in last], [_grouped(p) for p in start]
    rng = np.random.default_rng(seed)

    def apart(first: DualPoints, second: DualPoints) -> float:
        if symmetries is None:
            return transport_distance(first, second)
        return min(transport_distance(first, carried(second, *each)) for each in symmetries)

    found: Alike = {f"within {run.name}": Pairs([], [], []) for run in runs}
    for i, j in combinations(range(len(runs)), 2):
        one, other = runs[i], runs[j]
        kind = f"within {one.name}" if one.sizes == other.sizes else f"across {one.name}, {other.name}"
        pairs = found.setdefault(kind, Pairs([], [], []))
        pairs.distances.append(apart(last[i], last[j]))
        for a, b in ((i, j), (j, i)):
            pairs.untrained.append(apart(last[a], start[b]))
            drawn = [apart(last[a], scattered(last[b], rng)) for _ in range(_DRAWS)]
            pairs.same_moments.append(float(np.mean(drawn)))
    return {kind: pairs for kind, pairs in found.items() if pairs.distances}


def scattered(points: DualPoints, rng: np.random.Generator) -> DualPoints:
    """Return random points with the same shares, and exactly the same weighted mean and covariance."""
    centered = points.points - points.mean
    root = _root(centered.T @ (points.shares[:, None] * centered))
    noise = rng.standard_normal(points.points.shape)
    noise -= points.shares @ noise
    own = noise.T @ (points.shares[:, None] * noise)
    return DualPoints(points.mean + noise @ np.linalg.pinv(_root(own)) @ root, points.shares)


def carried(points: DualPoints, Q: FloatArray, sign: int) -> DualPoints:
    """Return the dual points of the functions `sign * f(Q^-1 x)` for an orthogonal `Q` and one function f."""
    moved = np.column_stack([points.points[:, :2] @ Q.T, points.points[:, 2:]])
    return DualPoints(sign * moved, points.shares)


def _grouped(points: DualPoints) -> DualPoints:
    return group(points, _GROUPS)[0] if len(points) > _GROUPS else points


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
