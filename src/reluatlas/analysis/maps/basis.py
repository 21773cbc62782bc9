"""In which few coordinates are distances between affine maps what they are? Principal axes of their vectors.

The vectors are (row of A, b) of one output. With one hidden layer they are masked vectors times fixed rows, so h axes
hold them all; else those axes are kept that carry most of the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.gram import Pairing, in_blocks, inner_products
from reluatlas.analysis.maps.rows import MapRows, block_size
from reluatlas.progress import Staged
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False)
class MapBasis:
    """Orthonormal axes through the mean of the vectors of one output.

    Attributes
    ----------
    mean : ndarray, shape (n_inputs + 1,)
    axes : ndarray, shape (q, n_inputs + 1)
        In order of the variance along them.
    lost : float
        Share of the vectors' variance off these axes.
    """

    mean: FloatArray
    axes: FloatArray
    lost: float

    def coordinates(self, rows: MapRows, index: slice | NDArray, output: int) -> FloatArray:
        """Return the coordinates of some maps, (k, q)."""
        basis = rows.basis(output)
        turn = self.axes.T if basis is None else basis @ self.axes.T
        return rows.features(index, output) @ turn - self.mean @ self.axes.T

    def vectors(self, coordinates: NDArray) -> FloatArray:
        """Return the vectors (row of A, b) with these coordinates, (k, n_inputs + 1)."""
        return coordinates @ self.axes + self.mean


def map_bases(
    rows: MapRows, tolerance: float, *, memory: int | None = None, jobs: int | None = None,
    progress: Staged | None = None,
) -> list[MapBasis]:  # fmt: skip
    """Return, per output, the fewest principal axes off which at most a share `tolerance` of the variance lies.

    Distances between maps in these coordinates are those of the whole vectors, but for what is lost. Axes without
    variance, up to rounding of the stored numbers, are always left out; of factored maps all others are kept.
    """
    none = np.zeros(rows.n_maps, dtype=bool)
    (sums,) = inner_products([rows], [Pairing(0, 0)], none, memory=memory, jobs=jobs, progress=progress)
    out: list[MapBasis | None] = [None] * rows.n_outputs
    tolerance = 0.0 if rows.shares_features else tolerance

    def work(_: slice, output: int) -> None:
        mean = sums.sum_of(output) / rows.n_maps
        gram = sums.of(output)
        out[output] = _principal(gram, mean, rows, tolerance)

    in_blocks(work, 1, 1, rows.n_outputs, jobs=jobs, progress=None, stage="axes")
    return [basis for basis in out if basis is not None]


def _principal(gram: FloatArray, mean: FloatArray, rows: MapRows, tolerance: float) -> MapBasis:
    scatter = gram - rows.n_maps * np.outer(mean, mean)
    values, vectors = np.linalg.eigh((scatter + scatter.T) / 2)
    values, vectors = values[::-1], vectors[:, ::-1]
    rounding = gram.shape[0] * max(float(np.finfo(np.float64).eps), rows.unit**2) * float(np.trace(gram))
    values = np.where(values > rounding, values, 0.0)
    left = np.append(values[::-1].cumsum()[::-1], 0.0)
    total = left[0]
    kept = int(np.argmax(left <= tolerance * total))
    return MapBasis(mean, np.ascontiguousarray(vectors[:, :kept].T), float(left[kept] / total) if total else 0.0)


def all_coordinates(
    rows: MapRows, bases: Sequence[MapBasis], *, jobs: int | None = None, progress: Staged | None = None
) -> list[NDArray[np.float32]]:
    """Return the coordinates of all maps, per output (N, q), in float32."""
    out = [np.empty((rows.n_maps, basis.axes.shape[0]), dtype=np.float32) for basis in bases]

    def work(block: slice, output: int) -> None:
        out[output][block] = bases[output].coordinates(rows, block, output)

    size = block_size(2 * rows.n_features)
    in_blocks(work, rows.n_maps, size, rows.n_outputs, jobs=jobs, progress=progress, stage="coordinates")
    return out
