"""How is a partition put on the page? Fills without gaps, lines once each, legends beside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PolyCollection


RASTER_FROM = 5_000
"""Polygons or lines from which a vector file holds them as one picture instead."""
SEAM_WIDTH = 1.5
MAX_LEGEND = 16


def fill(ax: Axes, shapes: Sequence[FloatArray], colors: FloatArray) -> PolyCollection:
    """Fill polygons that share edges, with no background seen between them.

    Two antialiased polygons that meet inside a pixel each cover a part of it, and what is under
    them shines through as a pale line. So the outlines are drawn first, in the same colors, and
    the polygons on top of them: what shines through is then one of the two colors, and every
    polygon keeps its exact shape.
    """
    from matplotlib.collections import PolyCollection

    raster = len(shapes) > RASTER_FROM
    seams = PolyCollection(
        shapes, facecolors="none", edgecolors=colors, linewidths=SEAM_WIDTH, joinstyle="bevel",
        zorder=1.0, rasterized=raster, gid="seams",
    )  # fmt: skip
    faces = PolyCollection(
        shapes, facecolors=colors, edgecolors="none", linewidths=0.0, zorder=1.1, rasterized=raster, gid="cells"
    )
    ax.add_collection(seams, autolim=False)
    ax.add_collection(faces, autolim=False)
    return faces


def lines(
    ax: Axes, ends: FloatArray, color: Any, width: float, *, zorder: float, gid: str, label: str = ""
) -> LineCollection:
    """Draw segments (S, 2, 2), each once."""
    from matplotlib.collections import LineCollection

    drawn = LineCollection(
        list(ends),
        colors=color,
        linewidths=width,
        capstyle="round",
        zorder=zorder,
        rasterized=len(ends) > RASTER_FROM,
        gid=gid,
    )
    if label:
        drawn.set_label(label)
    ax.add_collection(drawn, autolim=False)
    return drawn


def edge_width(n_cells: int) -> float:
    """Return a line width in points that leaves the colors visible between many edges."""
    return float(np.clip(4.0 / max(n_cells, 1) ** 0.4, 0.12, 0.9))


def legend(ax: Axes, names: Sequence[str], colors: Sequence[Any], *, as_lines: Sequence[float] | None = None) -> None:
    """Put a legend to the right of the axes: patches, or lines of the given widths."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if not names:
        return
    shown = min(len(names), MAX_LEGEND)
    if as_lines is None:
        handles: list[Any] = [Patch(facecolor=c, edgecolor="#404040", linewidth=0.5) for c in colors[:shown]]
    else:
        handles = [Line2D([], [], color=c, linewidth=w) for c, w in zip(colors[:shown], as_lines[:shown], strict=True)]
    texts = list(names[:shown])
    if shown < len(names):
        handles.append(Line2D([], [], linestyle="none"))
        texts.append(f"and {len(names) - shown} more")
    ax.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, frameon=False, fontsize="small"
    )
