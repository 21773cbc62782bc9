"""What are the cells that one piece of work gave? Their arrays, of polygons and of polytopes alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import ROUNDED_VERTEX
from reluatlas.typing import FloatArray, IntArray


class Shape(NamedTuple):
    """Cells of one piece of work, polygons or polytopes alike."""

    pattern: NDArray[np.integer]
    affine: FloatArray
    offsets: IntArray
    points: FloatArray
    radius: FloatArray
    mask: NDArray[np.uint64]
    n_facets: IntArray
    lines: IntArray  # (V, k): rows that meet in each vertex


def shape_of(cells: object, k: int) -> Shape:
    """Return what the engine gave, of polygons and of polytopes alike."""
    offsets = np.concatenate([[0], np.cumsum(cells.n_vertices)]).astype(np.int64)  # type: ignore[attr-defined]
    if hasattr(cells, "mask"):
        points, radius = np.ascontiguousarray(cells.x[:, :k]), cells.radius.copy()  # type: ignore[attr-defined]
        far = ~np.isfinite(radius)  # exact vertices so far out are rounded like any others; see `complexes.join`
        radius[far] = ROUNDED_VERTEX * np.abs(points[far]).max(axis=1, initial=0.0)
        return Shape(
            cells.pattern, cells.affine, offsets, points, radius, cells.mask, cells.n_facets, cells.rows,  # type: ignore[attr-defined]
        )  # fmt: skip
    points = np.stack([cells.x, cells.y], axis=1)  # type: ignore[attr-defined]
    n = len(points)
    before = np.arange(-1, n - 1)
    before[offsets[:-1]] = offsets[1:] - 1
    lines = np.stack([cells.line[before], cells.line], axis=1)  # type: ignore[attr-defined]
    none = np.zeros((0, 1), dtype=np.uint64)
    return Shape(
        cells.pattern, cells.affine, offsets, points, cells.radius, none, cells.n_vertices, lines,  # type: ignore[attr-defined]
    )  # fmt: skip
