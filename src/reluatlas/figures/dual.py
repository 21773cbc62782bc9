"""Which affine maps are there? Each one as a point: its dual point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.figures import colors as palette
from reluatlas.figures import outputs, paint
from reluatlas.figures.axes import axes_or_new, coordinate_names, counted, require_plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex

_LARGEST = 260.0
_SMALLEST = 5.0


def dual(cx: PolyhedralComplex, *, output: outputs.Output = None, ax: Any = None) -> Axes:
    """Return axes with the dual points of the affine maps.

    The map `u -> w0 u0 + w1 u1 + b` of a cell is the point (w0, w1); on 3-D axes it is
    (w0, w1, b). Cells with one map share one point, whose area grows with the area of those cells
    and whose color is the one that `cells(by="map")` gives them. Smallest points are drawn last.

    Parameters
    ----------
    cx : PolyhedralComplex
        Cells on a two-dimensional domain.
    output : int, (int, int) or None
        Which map: an output, or a difference c minus d. None: the single output; output 1 minus
        output 0 of two; with three or more all of them, a color for each output.
    ax : matplotlib Axes, optional
        Where to draw, flat or `projection="3d"`; a new flat figure when None.

    Raises
    ------
    ArgumentError
        When `output` names no output, or there is no cell.
    DimensionError
        When the domain is not two-dimensional.

    Guarantees
    ----------
    One point for each different affine map (and output): as many as `cx.n_affine_maps` says.
    Slopes are in output units per unit of the domain's coordinates.
    """
    require_plane(cx)
    chosen = outputs.resolve(output, cx.n_outputs)
    ax = axes_or_new(ax)
    ids, first = np.unique(np.asarray(cx.affine_map_ids), return_index=True)
    volume = np.bincount(np.searchsorted(ids, cx.affine_map_ids), weights=cx.volumes)
    size = np.clip(_LARGEST * volume / max(volume.max(), np.finfo(float).tiny), _SMALLEST, _LARGEST)
    order = np.argsort(-volume, kind="stable")
    if chosen is None:
        hues = palette.series(cx.n_outputs)
        for c in range(cx.n_outputs):
            _scatter(ax, cx, c, first[order], size[order], hues[[c]])
        paint.legend(ax, [f"output {c}" for c in range(cx.n_outputs)], list(hues))
        name = ""
    else:
        _scatter(ax, cx, chosen, first[order], size[order], palette.of_maps(cx)[first[order]])
        name = "" if cx.n_outputs == 1 else outputs.name_of(chosen, cx.n_outputs) + ": "
    _label(ax, cx, f"{name}{counted(ids.size, 'affine map')}" + ("" if cx.is_complete else " (incomplete)"))
    return ax


def _scatter(ax: Any, cx: PolyhedralComplex, chosen: Any, which: Any, size: Any, hues: Any) -> None:
    slopes, constants = outputs.maps_of(cx, chosen)
    where = [*slopes[which].T] + ([constants[which]] if ax.name == "3d" else [])
    ax.scatter(
        *where, s=size, c=hues, edgecolors="#303030", linewidths=0.3, alpha=0.9, zorder=2.0,
        rasterized=which.size > paint.RASTER_FROM, gid="dual points",
    )  # fmt: skip


def _label(ax: Any, cx: PolyhedralComplex, title: str) -> None:
    names = coordinate_names(cx)
    ax.set_xlabel(f"slope along {names[0]}")
    ax.set_ylabel(f"slope along {names[1]}")
    ax.set_title(title, fontsize="medium")
    if ax.name == "3d":
        ax.set_zlabel("constant")
        return
    ax.margins(0.06)
    ax.set_aspect("equal", adjustable="datalim")
    ax.axhline(0.0, color="#D0D0D0", linewidth=0.8, zorder=0.5)
    ax.axvline(0.0, color="#D0D0D0", linewidth=0.8, zorder=0.5)
