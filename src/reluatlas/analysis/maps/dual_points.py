"""Where are the affine maps? Each one as a dual point in output units, weighted by the area on which it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.domain import Box
from reluatlas.errors import ArgumentError

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DualPoints:
    """Affine maps as points, each with its share of the domain.

    Attributes
    ----------
    points : ndarray, shape (n, d)
        In output units, such that the Euclidean distance of two points is the root-mean-square
        difference of the two maps over the whole box of the domain's coordinates.
    shares : ndarray, shape (n,)
        Share of the covered area on which each map holds; they sum to 1.
    """

    points: FloatArray
    shares: FloatArray

    def __len__(self) -> int:
        return len(self.points)

    @property
    def mean(self) -> FloatArray:
        """Center of the points, weighted by their shares."""
        return self.shares @ self.points

    @property
    def spread(self) -> float:
        """Root of the mean squared distance from the center, weighted by the shares, in output units."""
        return float(np.sqrt(self.shares @ ((self.points - self.mean) ** 2).sum(axis=1)))


def dual_points(cx: PolyhedralComplex) -> DualPoints:
    """Return one point for each different affine map, weighted by area: its decision function.

    The decision function is output 1 minus output 0 of two outputs, the output itself of one, and
    all outputs together of more. Over a box with center c and half sides h, the difference of two
    maps `w u + b` has mean square `(w c + b)^2 + sum_i (w_i h_i)^2 / 3`: these are the coordinates.
    """
    slopes, constants = decision_maps(cx.affine)
    ids, first = np.unique(np.asarray(cx.affine_map_ids), return_index=True)
    area = np.bincount(np.searchsorted(ids, cx.affine_map_ids), weights=cx.volumes)
    if not area.sum() > 0:
        raise ArgumentError("the complex has no area. Give `enumerate_cells` a larger budget.")
    points = as_points(slopes[first], constants[first], cx.box)
    kept = area > 0
    return DualPoints(points[kept], area[kept] / area[kept].sum())


def decision_maps(maps: AffineMaps) -> tuple[FloatArray, FloatArray]:
    """Return slopes (n, m', k) and constants (n, m') of the decision function: m' = 1 for one or two outputs."""
    A, b = np.asarray(maps.A, dtype=np.float64), np.asarray(maps.b, dtype=np.float64)
    if b.shape[1] == 2:
        return A[:, 1:] - A[:, :1], b[:, 1:] - b[:, :1]
    return A, b


def as_points(slopes: FloatArray, constants: FloatArray, box: Box) -> FloatArray:
    """Return maps as points (n, m' (k + 1)) whose distances are root-mean-square differences over the box."""
    center, half = (box.high + box.low) / 2, (box.high - box.low) / 2
    tilt = (slopes * half / np.sqrt(3.0)).reshape(len(slopes), -1)
    return np.concatenate([tilt, slopes @ center + constants], axis=1)


def as_maps(points: FloatArray, box: Box) -> tuple[FloatArray, FloatArray]:
    """Return slopes and constants of points: the inverse of `as_points`."""
    center, half = (box.high + box.low) / 2, (box.high - box.low) / 2
    m = points.shape[1] // (box.dim + 1)
    slopes = points[:, : m * box.dim].reshape(len(points), m, box.dim) * np.sqrt(3.0) / half
    return slopes, points[:, m * box.dim :] - slopes @ center
