"""How many different affine maps do points fall on? By pattern, by the map exactly, and within a distance.

Of the cells of a complex: `complexes/linear_regions.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import gcd, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.arithmetic.rationals import ExactVector
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.network import Network
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.network.values.exact_rows import exact_affine
from reluatlas.progress import Counted
from reluatlas.typing import FloatArray

MOST_EXACT = 400
"""Maps that are at most written out in integers."""
_AT_ONCE = 1024
_PATTERN_BYTES = 2**27  # patterns that are held at once
_NEAR = 1e-5  # of the largest norm: far above what is rounded, in float32 too
_DIRECTIONS = 8


@dataclass(frozen=True, eq=False)
class DistinctMaps:
    """Which of N points share an activation pattern, an affine map, or nearly an affine map.

    Attributes
    ----------
    pattern_ids, map_ids, near_ids : ndarray of int64, shape (N,)
        Equal for points that share; numbered from 0 in the order in which they first appear. `near_ids`: groups in
        which each map is within `tolerance` of another one of the group (single linkage).
    tolerance : float
        Euclidean, over all numbers of a map: the rows of A and b of all outputs.
    n_compared : int
        Maps that were compared as integers, because their float64 distances left it open whether they are equal.
    is_exact : bool
        Whether every equality of maps was decided in integers; False when more than 400 maps were in question.
    """

    pattern_ids: NDArray[np.int64]
    map_ids: NDArray[np.int64]
    near_ids: NDArray[np.int64]
    tolerance: float
    n_compared: int
    is_exact: bool

    @property
    def n_patterns(self) -> int:
        """Number of different activation patterns."""
        return _number(self.pattern_ids)

    @property
    def n_maps(self) -> int:
        """Number of different affine maps."""
        return _number(self.map_ids)

    @property
    def n_near(self) -> int:
        """Number of groups of maps within the tolerance."""
        return _number(self.near_ids)

    @property
    def n_sharing(self) -> int:
        """Number of points whose map is that of another point, too."""
        sizes = np.bincount(self.map_ids) if self.map_ids.size else np.zeros(1, dtype=np.int64)
        return int(sizes[sizes > 1].sum())

    @property
    def largest_group(self) -> int:
        """Largest number of points with one map; 0 of no points."""
        return int(np.bincount(self.map_ids).max()) if self.map_ids.size else 0


def distinct_maps(
    network: Network, X: ArrayLike, maps: AffineMaps, *, tolerance: float = 1e-3, memory: int | None = None,
    progress: Counted | None = None,
) -> DistinctMaps:  # fmt: skip
    """Return which points share an activation pattern, an affine map, or nearly an affine map.

    Parameters
    ----------
    network : Network
    X : array_like, shape (N, *input_shape)
        Points, in input units.
    maps : AffineMaps
        The network's maps of all outputs there, `network.affine_at(X, ties="torch")`; they may lie in a file.
    tolerance : float
        Maps within this Euclidean distance count as nearly equal.
    memory : int, optional
        Bytes for points in work, as in `affine_at`. Patterns are not kept, but for those that are compared as integers.
    progress : callable(n_done, n_all), optional

    Raises
    ------
    ArgumentError, DimensionError
        When there is not one map per point, of all outputs, or the tolerance is negative.

    Guarantees
    ----------
    `pattern_ids` is exact. `map_ids`: maps of one pattern are equal; maps further apart than 1e-5 of the largest norm
    are different; all others are compared as integers, up to 400 of them. `near_ids` rests on float64 distances of the
    maps as they are stored; no pair is missed: candidates are those whose projections on 8 orthonormal directions are
    within the tolerance. Deterministic.
    """
    points = network.split(np.asarray(X))[0]
    n, m, size = len(points), network.n_outputs, network.n_inputs
    if maps.b.shape != (n, m) or prod(maps.A.shape[2:]) != size:
        raise DimensionError(
            f"`maps` are {len(maps)} maps of {prod(maps.A.shape[2:])} inputs to {maps.b.shape[1]} outputs; expected "
            f"{n}, of {size} to {m}: one per point, of all outputs."
        )
    if not tolerance >= 0:
        raise ArgumentError(f"`tolerance={tolerance!r}` must be at least 0.")
    pattern_ids, first = _ids(pattern_digests(network, points, memory=memory, progress=progress))
    if n == 0:
        return DistinctMaps(pattern_ids, pattern_ids, pattern_ids, tolerance, 0, True)
    rows = _Rows(maps)
    tree = _Near(rows, progress)
    in_doubt = _Groups(n)
    tree.join(in_doubt, _NEAR * rows.largest)
    equal, n_compared, is_exact = _settle(network, points, memory, pattern_ids, first, in_doubt.ids())
    near = _Groups(n)
    tree.join(near, tolerance)
    for one, other in zip(_first_of(equal)[equal].tolist(), range(n), strict=True):
        near.join(one, other)
    return DistinctMaps(pattern_ids, equal, near.ids(), float(tolerance), n_compared, is_exact)


def near_maps(maps: AffineMaps, tolerance: float, *, progress: Counted | None = None) -> NDArray[np.int64]:
    """Return the `near_ids` of maps alone, whose network is not asked: groups by single linkage within `tolerance`."""
    groups = _Groups(len(maps))
    if len(maps):
        _Near(_Rows(maps), progress).join(groups, tolerance)
    return groups.ids()


def pattern_digests(
    network: Network, X: NDArray, *, memory: int | None = None, progress: Counted | None = None
) -> list[bytes]:
    """Return 16 bytes for each point that are those of another point where the activation patterns are equal.

    Exact but for chance, 1 in 2^128 a pair. Patterns, which may be millions of numbers each, are not kept.
    """
    units = sum(prod(network.nodes[i].shape) for i in network.pattern_slices())
    at_once = max(1, min(_AT_ONCE, _PATTERN_BYTES // max(1, units)))
    digests: list[bytes] = []
    for at in range(0, len(X), at_once):
        rows = network.patterns(X[at : at + at_once], memory=memory)
        digests.extend(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows)
        if progress is not None:
            progress(len(digests), len(X))
    return digests


def _settle(
    network: Network, X: NDArray, memory: int | None, pattern_ids: NDArray, first: NDArray, doubt_ids: NDArray
) -> tuple[NDArray[np.int64], int, bool]:
    """Return the groups of equal maps, how many were written out, and whether that was done for all in question."""
    groups: dict[int, list[int]] = {}
    for point in first.tolist():  # one point for each pattern
        groups.setdefault(int(doubt_ids[point]), []).append(point)
    asked = [g for g in groups.values() if len(g) > 1]
    n_asked = sum(map(len, asked))
    is_exact = n_asked <= MOST_EXACT
    joined = _Groups(len(X))
    for one, other in zip(first[pattern_ids].tolist(), range(len(X)), strict=True):
        joined.join(one, other)
    for group in asked:
        seen: dict[tuple, int] = {}
        for point in group:
            key = exact_map(network, network.patterns(X[point][None], memory=memory)[0]) if is_exact else ()
            joined.join(seen.setdefault(key, point), point)
    return joined.ids(), n_asked if is_exact else 0, is_exact


def exact_map(network: Network, pattern: NDArray) -> tuple:
    """Return the affine map of a pattern as integers in lowest terms: equal maps give equal tuples."""
    choice = {i: pattern[columns] for i, columns in network.pattern_slices().items()}
    arithmetic = IntegerArithmetic()
    rows = (exact_affine(network, network.output, {o: 1}, choice, arithmetic) for o in range(network.n_outputs))
    return tuple((_lowest(f.row), _lowest(f.constant)) for f in rows)


def _lowest(vector: ExactVector) -> tuple:
    """Return a vector as integers with the smallest denominator and the largest power of two taken out."""
    shared = gcd(vector.denominator, *vector.numbers)
    numbers, denominator = [v // shared for v in vector.numbers], vector.denominator // shared
    if not any(numbers):
        return (0,) * len(numbers), 0, 1
    twos = min((v & -v).bit_length() - 1 for v in numbers if v)
    below = (denominator & -denominator).bit_length() - 1
    return tuple(v >> twos for v in numbers), vector.exponent + twos - below, denominator >> below


class _Rows:
    """Maps as vectors of all their numbers, read block by block."""

    def __init__(self, maps: AffineMaps) -> None:
        self._maps = maps
        self.largest = max(float(np.sqrt((r**2).sum(axis=1)).max()) for r in map(self.at, self.blocks()))

    def __len__(self) -> int:
        return len(self._maps)

    def blocks(self) -> list[slice]:
        """Return slices that cover all maps."""
        return [slice(i, i + _AT_ONCE) for i in range(0, len(self), _AT_ONCE)]

    def at(self, index: slice | NDArray) -> FloatArray:
        """Return the vectors of some maps, float64."""
        A, b = self._maps.A[index], self._maps.b[index]
        return np.concatenate([A.reshape(len(b), -1), b], axis=1, dtype=np.float64)


class _Near:
    """Finds all pairs of maps within a distance: by projections first, then by the maps themselves."""

    def __init__(self, rows: _Rows, progress: Counted | None) -> None:
        from scipy.spatial import KDTree

        self._rows = rows
        some = rows.at(np.unique(np.linspace(0, len(rows) - 1, 4 * _DIRECTIONS).astype(np.int64)))
        some = some - some.mean(axis=0)
        directions = np.linalg.svd(some, full_matrices=False)[2][:_DIRECTIONS]
        parts = []
        for i, block in enumerate(rows.blocks()):
            parts.append(rows.at(block) @ directions.T)
            if progress is not None:
                progress(min((i + 1) * _AT_ONCE, len(rows)), len(rows))
        self._points = np.concatenate(parts)
        self._tree = KDTree(self._points)

    def join(self, groups: _Groups, radius: float) -> None:
        """Join all maps within a radius."""
        for block in self._rows.blocks():
            around = self._tree.query_ball_point(self._points[block], radius * (1 + 1e-9) + 1e-12 * self._rows.largest)
            for i, found in enumerate(around, start=block.start):
                others = np.array([j for j in found if j > i and groups.root(j) != groups.root(i)], dtype=np.int64)
                for part in np.array_split(others, max(1, -(-len(others) // _AT_ONCE))):
                    if part.size:
                        gaps = np.sqrt(((self._rows.at(part) - self._rows.at(np.array([i]))) ** 2).sum(axis=1))
                        for j in part[gaps <= radius].tolist():
                            groups.join(i, j)


class _Groups:
    """Sets of points that are joined one by one."""

    def __init__(self, n: int) -> None:
        self._above = list(range(n))

    def root(self, i: int) -> int:
        """Return the point that stands for a point's set."""
        while self._above[i] != i:
            self._above[i] = self._above[self._above[i]]
            i = self._above[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Make one set of two."""
        one, other = sorted((self.root(i), self.root(j)))
        self._above[other] = one

    def ids(self) -> NDArray[np.int64]:
        """Return the number of each point's set, in order of first appearance."""
        return _ids([self.root(i) for i in range(len(self._above))])[0]


def _ids(keys: list) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of each key in order of first appearance, and where each first appears."""
    seen: dict = {}
    ids = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)
    return ids, _first_of(ids)


def _first_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(ids, return_index=True)[1].astype(np.int64)


def _number(ids: NDArray[np.int64]) -> int:
    return int(ids.max()) + 1 if ids.size else 0
