"""How is a partition put on the page? Fills without gaps, lines once each, all of it below what is drawn on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.figures import raster
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path


RASTER_FROM = 5_000
"""Polygons or lines from which a vector file holds them as one picture instead."""
SEAM_WIDTH = 1.5
FILLS, EARLIER, EDGES, LAYERS, BOUNDARY, WORDS = 0.1, 0.3, 0.4, 0.6, 0.8, 0.9
"""From back to front. All below 1, so that what users add by `ax.scatter` or `ax.plot` lies on top."""
_CHUNK = 2_000


def fill(ax: Axes, shapes: Sequence[FloatArray], colors: FloatArray) -> Any:
    """Fill convex polygons that share edges, with no background seen between them.

    Two antialiased polygons that meet inside a pixel each cover a part of it, and what is under
    them shines through as a pale line. So the outlines are drawn first, in the same colors, and
    the polygons on top of them: what shines through is then one of the two colors, and every
    polygon keeps its exact shape. Very many polygons are sampled into one picture.
    """
    if len(shapes) > RASTER_FROM:
        return _fill_picture(ax, shapes, colors)
    from matplotlib.collections import PolyCollection

    seams = PolyCollection(
        shapes, facecolors="none", edgecolors=colors, linewidths=SEAM_WIDTH, joinstyle="bevel",
        zorder=FILLS, gid="seams",
    )  # fmt: skip
    faces = PolyCollection(
        shapes, facecolors=colors, edgecolors="none", linewidths=0.0, zorder=FILLS + 0.05, gid="cells"
    )
    ax.add_collection(seams, autolim=False)
    ax.add_collection(faces, autolim=False)
    return faces


def _fill_picture(ax: Axes, shapes: Sequence[FloatArray], colors: FloatArray) -> Any:
    points = np.concatenate(shapes)
    low, high = points.min(axis=0), points.max(axis=0)
    table = np.full((len(shapes) + 1, 4), 255, dtype=np.uint8)
    table[:-1, :3] = np.round(255 * np.asarray(colors)[:, :3])
    table[-1] = 0  # of `raster.NOTHING`, which is -1
    picture = table[raster.sampled(shapes, low, high)]
    return raster.show(ax, picture, low, high, zorder=FILLS, gid="cells")


def lines(ax: Axes, ends: FloatArray, color: Any, width: float, *, zorder: float, gid: str) -> None:
    """Draw segments (S, 2, 2), each once: in one color, or in one (S, 3) for each."""
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.colors import to_rgb

    hues = np.array([to_rgb(color)]) if isinstance(color, str) else np.atleast_2d(np.asarray(color, dtype=np.float64))
    table, row = np.unique(hues, axis=0, return_inverse=True)
    row = np.broadcast_to(row.reshape(-1), len(ends))
    look: dict[str, Any] = {"linewidths": width, "capstyle": "round", "zorder": zorder, "gid": gid}
    for k, hue in enumerate(table):
        mine = ends[row == k]
        if len(ends) > RASTER_FROM:
            drawn: Any = PathCollection(
                _joined(mine), facecolors="none", edgecolors=[hue.tolist()], rasterized=True, **look
            )
        else:
            drawn = LineCollection(list(mine), colors=[hue.tolist()], **look)
        ax.add_collection(drawn, autolim=False)


def _joined(ends: FloatArray) -> list[Path]:
    """Return paths of many segments each: one for each segment takes longer to make than to draw."""
    from matplotlib.path import Path

    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], dtype=Path.code_type), _CHUNK)
    points = ends.reshape(-1, 2)
    return [Path(points[i : i + len(codes)], codes[: len(points) - i]) for i in range(0, len(points), len(codes))]


def edge_width(n_cells: int) -> float:
    """Return a line width in points that leaves the colors visible between many edges."""
    return float(np.clip(4.0 / max(n_cells, 1) ** 0.4, 0.12, 0.9))
