"""Which polygon does each pixel show? One sample in the middle of every pixel: no gaps, no blends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


NOTHING = -1
SIDE = 2048
"""Pixels along the longer side of a picture of polygons: four for one on a page, so that edges are smooth."""
_ROUNDING = 1e-6  # of a pixel: between two polygons no pixel stays empty


def sampled(shapes: Sequence[FloatArray], low: ArrayLike, high: ArrayLike, *, side: int = SIDE) -> IntArray:
    """Return the position in `shapes` of the polygon in the middle of each pixel (rows, columns), or -1.

    Parameters
    ----------
    shapes : sequence of ndarray (v, 2)
        Convex polygons.
    low, high : array_like (2,)
        Corners of the picture; row 0 is at the bottom.
    side : int
        Pixels along its longer side.
    """
    corner = np.asarray(low, dtype=np.float64)
    size = np.asarray(high, dtype=np.float64) - corner
    columns, rows = np.maximum(np.ceil(side * size / size.max()), 1).astype(np.int64).tolist()
    picture = np.full(rows * columns, NOTHING, dtype=np.int64)
    if not len(shapes):
        return picture.reshape(rows, columns)
    counts = np.array([len(s) for s in shapes])
    ends = np.cumsum(counts)
    owner = np.repeat(np.arange(len(shapes)), counts)
    p = (np.concatenate(shapes) - corner) / size * (columns, rows) - 0.5  # the middle of pixel (0, 0) is at (0, 0)
    following = np.arange(1, len(p) + 1)
    following[ends - 1] = ends - counts
    q = p[following]
    # the rows that each polygon reaches, one span in each
    first = np.clip(np.ceil(np.minimum.reduceat(p[:, 1], ends - counts)), 0, rows).astype(np.int64)
    last = np.clip(np.floor(np.maximum.reduceat(p[:, 1], ends - counts)), -1, rows - 1).astype(np.int64)
    n_spans = np.maximum(last - first + 1, 0)
    start = np.cumsum(n_spans) - n_spans
    left, right = np.full(n_spans.sum(), np.inf), np.full(n_spans.sum(), -np.inf)
    # where each side of a polygon meets each row
    bottom = np.clip(np.ceil(np.minimum(p[:, 1], q[:, 1])), 0, rows).astype(np.int64)
    top = np.clip(np.floor(np.maximum(p[:, 1], q[:, 1])), -1, rows - 1).astype(np.int64)
    met = np.where(p[:, 1] != q[:, 1], np.maximum(top - bottom + 1, 0), 0)
    line = np.repeat(np.arange(len(p)), met)
    row = bottom[line] + _within(met)
    share = (row - p[line, 1]) / (q[line, 1] - p[line, 1])
    x = p[line, 0] + share * (q[line, 0] - p[line, 0])
    span = start[owner[line]] + row - first[owner[line]]
    np.minimum.at(left, span, x)
    np.maximum.at(right, span, x)
    # the pixels of each span
    begin = np.clip(np.ceil(np.minimum(left, columns) - _ROUNDING), 0, columns).astype(np.int64)
    end = np.clip(np.floor(np.maximum(right, -1) + _ROUNDING), -1, columns - 1).astype(np.int64)
    n_pixels = np.maximum(end - begin + 1, 0)
    polygon = np.repeat(np.arange(len(shapes)), n_spans)
    where = np.repeat((first[polygon] + _within(n_spans)) * columns + begin, n_pixels) + _within(n_pixels)
    picture[where] = np.repeat(polygon, n_pixels)
    return picture.reshape(rows, columns)


def _within(counts: IntArray) -> IntArray:
    """Return 0, 1, ..., c - 1 for each count c, one after the other."""
    total = np.cumsum(counts)
    return np.arange(total[-1] if len(total) else 0) - np.repeat(total - counts, counts)


def show(ax: Axes, picture: NDArray[Any], low: ArrayLike, high: ArrayLike, *, zorder: float, gid: str) -> Any:
    """Put a picture (rows, columns, 3 or 4), row 0 at the bottom, on the part of the axes from `low` to `high`."""
    from reluatlas.figures.matplotlib_classes import Picture

    limits, aspect = (ax.get_xlim(), ax.get_ylim()), ax.get_aspect()
    image = Picture(ax, origin="lower", extent=(low[0], high[0], low[1], high[1]))  # type: ignore[index]
    image.set_data(picture)
    image.set(zorder=zorder, gid=gid)
    image.set_clip_path(ax.patch)
    ax.add_image(image)
    ax.set(xlim=limits[0], ylim=limits[1], aspect=aspect)
    return image
