"""What is a piece? Linear regions that hang together, their nearest map, and how far it is from the function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reluatlas.analysis.joining.fit import fit
from reluatlas.analysis.joining.ground import Deviation, Ground
from reluatlas.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Piece:
    """Linear regions with one map.

    Attributes
    ----------
    regions : tuple of int
    rows, corners : ndarray
        As in `Ground`, of all its regions.
    slope, constant : ndarray, shape (m, k) and (m,)
        Its map.
    deviation : Deviation
    support : ndarray of int
        Vertices that hold the map up: at which the fit is as bad as anywhere.
    """

    regions: tuple[int, ...]
    rows: IntArray
    corners: IntArray
    slope: FloatArray
    constant: FloatArray
    deviation: Deviation
    support: IntArray

    @property
    def error(self) -> float:
        """A certain bound on the largest difference."""
        return self.deviation.at_most


def single(ground: Ground, region: int) -> Piece:
    """Return a linear region as a piece: its map is that of its first cell, off by rounding alone."""
    cell = int(ground.first_cell[region])
    slope, constant = ground.cx.affine.A[cell], ground.cx.affine.b[cell]
    rows, corners = ground.rows[region], ground.corners[region]
    return Piece((region,), rows, corners, slope, constant, ground.deviation(rows, slope, constant), corners[:0])


def joined(ground: Ground, parts: Sequence[Piece], tolerance: float = np.inf) -> Piece | None:
    """Return pieces as one, with the nearest map; None where it is farther from the function than a tolerance."""
    rows = np.concatenate([p.rows for p in parts])
    corners = np.unique(np.concatenate([p.corners for p in parts]))
    start = np.searchsorted(corners, np.concatenate([p.support for p in parts]))
    found = fit(ground.points[corners], ground.values[corners], start, tolerance)
    if found is None:
        return None
    deviation = ground.deviation(rows, found.slope, found.constant)
    if deviation.at_most > tolerance:
        return None
    regions = tuple(sorted(r for p in parts for r in p.regions))
    return Piece(regions, rows, corners, found.slope, found.constant, deviation, corners[found.support])
