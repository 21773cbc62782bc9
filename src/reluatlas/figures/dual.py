"""Which affine maps are there? Each one as a point: its dual point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.figures import colors, keys, outputs, paint
from reluatlas.figures.axes import axes_or_new, coordinate_names, counted, require_plane
from reluatlas.figures.class_colors import Palette, class_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex

_LARGEST = 260.0
_SMALLEST = 5.0


def dual(
    cx: PolyhedralComplex,
    *,
    output: outputs.Output = None,
    palette: Palette = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
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
        output 0 of two; with three or more all of them, each output in the color of its class.
    palette : optional
        Colors of the classes in place of ours; see `class_colors`.
    ax : matplotlib Axes, optional
        Where to draw, flat or `projection="3d"`; a new flat figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

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
    ax = axes_or_new(ax, figsize=figsize)
    ids, first = np.unique(np.asarray(cx.affine_map_ids), return_index=True)
    volume = np.bincount(np.searchsorted(ids, cx.affine_map_ids), weights=cx.volumes)
    size = np.clip(_LARGEST * volume / max(volume.max(), np.finfo(float).tiny), _SMALLEST, _LARGEST)
    order = np.argsort(-volume, kind="stable")
    if chosen is None:
        hues = class_colors(np.arange(cx.n_outputs), palette=palette, network=cx.network)
        for c in range(cx.n_outputs):
            _scatter(ax, cx, c, first[order], size[order], hues[[c]])
        keys.beside(ax, [f"output {c}" for c in range(cx.n_outputs)], list(hues))
        name = ""
    else:
        _scatter(ax, cx, chosen, first[order], size[order], colors.of_maps(cx)[first[order]])
        name = "" if cx.n_outputs == 1 else outputs.name_of(chosen, cx.n_outputs) + ": "
    _label(ax, cx, f"{name}{counted(ids.size, 'affine map')}" + ("" if cx.is_complete else " (incomplete)"))
    return ax


def _scatter(ax: Any, cx: PolyhedralComplex, chosen: Any, which: Any, size: Any, hues: Any) -> None:
    slopes, constants = outputs.maps_of(cx, chosen)
    where = np.column_stack([slopes[which], constants[which]] if ax.name == "3d" else [slopes[which]])
    is_smallest = size == _SMALLEST  # the last ones; of one size and color they are drawn at once
    for chosen_here, sizes in ((~is_smallest, size[~is_smallest]), (is_smallest, _SMALLEST)):
        if chosen_here.any():
            color = hues[chosen_here] if len(hues) == len(which) else hues
            ax.scatter(
                *where[chosen_here].T, s=sizes, c=color, edgecolors="#303030", linewidths=0.3, alpha=0.9,
                zorder=paint.LAYERS, rasterized=which.size > paint.RASTER_FROM, gid="dual points",
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
    ax.axhline(0.0, color="#D0D0D0", linewidth=0.8, zorder=paint.FILLS)
    ax.axvline(0.0, color="#D0D0D0", linewidth=0.8, zorder=paint.FILLS)
