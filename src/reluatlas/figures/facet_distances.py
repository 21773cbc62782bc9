"""How near are the facets of a cell? Their distances from a point, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors, keys, paint
from reluatlas.figures.axes import axes_or_new
from reluatlas.network.unit_names import layer_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.cells.cell import Cell

_BAND = 0.76  # of a row
_BOUNDARY, _OTHER = "#8A8A8A", "#000000"


def facet_distances(
    cells: Cell | Mapping[str, Cell], *, ax: Any = None, figsize: tuple[float, float] | None = None
) -> Axes:
    """Return axes with the distance of each facet from the point that its cell was asked for, one row for each cell.

    A tick is a facet: in the lane and color of the layer whose neuron or max window turns there, or gray on the
    domain's boundary. The lowest lane is the first layer; layers have the model's names, or are counted from 1. A
    diamond is the nearest point of another class in the cell. A distance of 0 (the point lies on the facet) is a
    triangle at the left edge.

    Parameters
    ----------
    cells : Cell, or mapping of str to Cell
        With names for the rows.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError
        When there is no cell.
    """
    rows = dict(cells) if isinstance(cells, Mapping) else {"": cells}
    if not rows:
        raise ArgumentError("`cells` is empty, so there is nothing to draw. Pass a cell, or cells with names.")
    ax = axes_or_new(ax, figsize=figsize)
    n_layers = max(len(cell.network.cuts) for cell in rows.values())
    hues = colors.series(max(n_layers, 1))
    found = [_distances(cell) for cell in rows.values()]
    others = [None if c.facets.n_undecided else c.nearest_other_class() for c in rows.values()]
    positive = [d[d > 0] for d, _ in found] + [
        np.array([o.distance for o in others if o is not None and o.distance > 0])
    ]
    low, high = _range(np.concatenate(positive))
    has_boundary = any(np.any(layers < 0) for _, layers in found)
    lane = _BAND / max(n_layers + has_boundary, 1)
    for k, ((distances, layers), other) in enumerate(zip(found, others, strict=True)):
        base = len(rows) - 1 - k - _BAND / 2
        for layer in range(-1, n_layers):
            at = distances[layers == layer]
            bottom = base + lane * (layer if layer >= 0 else n_layers)
            color = hues[layer] if layer >= 0 else _BOUNDARY
            ax.vlines(
                at[at > 0],
                bottom,
                bottom + 0.9 * lane,
                color=color,
                linewidth=1.1,
                zorder=paint.EDGES,
                rasterized=at.size > 2000,
            )
            if np.any(at == 0):
                ax.plot(low, bottom + 0.45 * lane, "<", color=color, markersize=5, zorder=paint.LAYERS, clip_on=False)
        if other is not None:
            ax.plot(max(other.distance, low), base + _BAND / 2, "D", color=_OTHER, markersize=5, zorder=paint.BOUNDARY)
    deepest = max((cell.network for cell in rows.values()), key=lambda network: len(network.cuts))
    _label(ax, list(rows), layer_names(deepest), hues, has_boundary=has_boundary,
           has_other=any(o is not None for o in others))  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    return ax


def _distances(cell: Cell) -> tuple[Any, Any]:
    """Return the distance of each facet, and the layer that turns there: -1 on the domain's boundary."""
    facets = cell.facets
    layers = [
        -1 if on_domain else owners[0].layer for owners, on_domain in zip(facets.owners, facets.is_domain, strict=True)
    ]
    return facets.distances, np.array(layers, dtype=np.int64)


def _range(distances: Any) -> tuple[float, float]:
    if distances.size == 0:
        return 0.1, 10.0
    return float(distances.min()) / 1.6, float(distances.max()) * 1.6


def _label(
    ax: Axes, names: list[str], layers: Sequence[str], hues: Any, *, has_boundary: bool, has_other: bool
) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=hues[k], linewidth=2, label=name) for k, name in enumerate(layers)]
    if has_boundary:
        handles.append(Line2D([], [], color=_BOUNDARY, linewidth=2, label="domain's boundary"))
    if has_other:
        marker = Line2D(
            [], [], color=_OTHER, marker="D", linestyle="", markersize=5, label="another class, in this cell"
        )
        handles.append(marker)
    if handles:
        keys.above(ax, handles)
    for y in np.arange(len(names) - 1) + 0.5:
        ax.axhline(y, color="#E0E0E0", linewidth=0.8, zorder=paint.FILLS)
    ax.set_ylim(-0.5, len(names) - 0.5)
    ax.set_yticks(range(len(names)), names[::-1])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("distance from the point, in input units")
