"""How densely do cells lie between data? Exact counts along segments between points of one class and of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.domain import Segment
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.network import require_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from reluatlas.network.network import Network

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PathDensity:
    """Counts along segments between pairs of points.

    Attributes
    ----------
    pairs : ndarray, shape (P, 2)
        The rows of the data that each segment joins.
    same_class : ndarray of bool, shape (P,)
        Whether both have one label.
    n_pieces, hamming : ndarray, shape (P,)
        Cells on the way, and the Hamming distance of the patterns at both ends.
    lengths : ndarray, shape (P,)
        Of the segments, in input units.
    """

    pairs: IntArray
    same_class: NDArray[np.bool_]
    n_pieces: IntArray
    hamming: IntArray
    lengths: NDArray[np.float64]

    @property
    def density(self) -> NDArray[np.float64]:
        """Cells per unit of length, shape (P,)."""
        return self.n_pieces / self.lengths

    def groups(self) -> dict[str, NDArray[np.float64]]:
        """Return the densities of pairs of one class and of two, for `plot.path_density`."""
        return {"same class": self.density[self.same_class], "different classes": self.density[~self.same_class]}


def path_density(
    net: Network,
    X: ArrayLike,
    labels: ArrayLike,
    *,
    n_pairs: int = 100,
    seed: int = 0,
    jobs: int | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> PathDensity:
    """Return how many cells lie on segments between random pairs of points, half of one class, half of two.

    Parameters
    ----------
    net : Network
    X : array_like, shape (N, *input_shape)
    labels : array_like of int, shape (N,)
    n_pairs : int
        Pairs of each kind, drawn with replacement; pairs of equal points are left out.
    seed : int
        Of the draw.
    jobs, progress
        As in `trace`.

    Raises
    ------
    DimensionError
        When `labels` and `X` do not fit.
    ArgumentError
        When there are no pairs of a kind to draw.

    Guarantees
    ----------
    Each count is exact; which pairs are counted is a sample. Deterministic.
    """
    from reluatlas.paths.trace import trace

    require_network(net)
    rows, _ = net.points(X)
    names = np.asarray(labels)
    if names.shape != (rows.shape[0],):
        raise DimensionError(f"`labels` has shape {names.shape} but `X` has {rows.shape[0]} points. Pass one for each.")
    if isinstance(n_pairs, bool) or not isinstance(n_pairs, int | np.integer) or n_pairs < 1:
        raise ArgumentError(f"`n_pairs={n_pairs!r}` must be a whole number of at least 1.")
    rng = np.random.default_rng(seed)
    pairs = np.concatenate([_pairs(rng, rows, names, n_pairs, same=same) for same in (True, False)])
    paths = trace(net, [Segment(rows[i], rows[j]) for i, j in pairs], jobs=jobs, progress=progress)
    return PathDensity(pairs, names[pairs[:, 0]] == names[pairs[:, 1]], paths.n_pieces, paths.hamming, paths.lengths)


def _pairs(rng: np.random.Generator, rows: NDArray, names: NDArray, n: int, *, same: bool) -> IntArray:
    found: list[IntArray] = []
    count = 0
    for _ in range(64):
        drawn = rng.integers(0, rows.shape[0], (4 * n, 2))
        good = (names[drawn[:, 0]] == names[drawn[:, 1]]) == same
        good[good] = (rows[drawn[good, 0]] != rows[drawn[good, 1]]).any(axis=1)
        found.append(drawn[good])
        count += int(good.sum())
        if count >= n:
            return np.concatenate(found)[:n]
    kind = "one label" if same else "two labels"
    raise ArgumentError(f"`X` has too few pairs of different points with {kind}: {count} were drawn of {n} asked for.")
