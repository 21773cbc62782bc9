"""Which layer made which edge? One panel per layer, earlier layers in grey, the decision boundary last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors as palette
from reluatlas.figures import paint, polygons
from reluatlas.figures.axes import axes_or_new, counted, frame, require_plane
from reluatlas.network.decision import has_decision
from reluatlas.network.network import Max

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reluatlas.complexes.complex import PolyhedralComplex

_COLUMNS = 4


def layers(cx: PolyhedralComplex, *, axes: Any = None) -> NDArray[np.object_]:
    """Return one axes per hidden layer and one for the output, shape (hidden layers + 1,).

    A panel shows the bent hyperplanes of its layer, a color for each neuron while there are few
    (six), and the edges of the layers before it in grey. The last panel shows all edges in grey
    and the decision boundary: where the top two outputs tie, or where a single output is zero.

    Parameters
    ----------
    cx : PolyhedralComplex
        Cells on a two-dimensional domain.
    axes : array of matplotlib Axes, optional
        One per panel; a new figure, four panels to a row, when None.

    Raises
    ------
    ArgumentError
        When the number of axes is not the number of panels, or there is no cell.
    DimensionError
        When the domain is not two-dimensional.

    Guarantees
    ----------
    Each edge inside the domain is drawn once in every panel that shows it. An edge made by several
    neurons at once has the color of the lowest.
    """
    require_plane(cx)
    which = polygons.edges(cx)
    level = cx.facets.level[which]
    n_levels = max(len(cx.network.cuts), int(level.max(initial=-1)) + 1)
    panels = _panels(axes, n_levels + 1, cx)
    width = max(paint.edge_width(cx.n_cells), 0.4)
    for here in range(n_levels):
        ax, mine = panels[here], which[level == here]
        _earlier(ax, cx, which[level < here], width)
        units, row = np.unique(cx.facets.unit[mine], return_inverse=True)
        neuron = "window" if _is_max(cx, here) else "neuron"
        inks = palette.series(6)[: units.size] if units.size <= 6 else palette.series(max(n_levels, 1))[[here]]
        if mine.size:
            each = inks[row] if units.size <= 6 else inks
            paint.lines(ax, polygons.segments(cx, mine), each, max(1.6 * width, 0.6), zorder=3.0, gid="layer")
        frame(ax, cx, title=f"layer {here + 1}: {counted(units.size, neuron)} here")
    ax = panels[n_levels]
    _earlier(ax, cx, which, width)
    if not has_decision(cx.network):
        frame(ax, cx, title="output: no classes")
        _label_outer(panels)
        return panels
    boundary = cx.decision_boundary()
    full = boundary.full_pieces
    if len(full):
        tied = np.split(full.points, full.offsets[1:-1])
        paint.fill(ax, tied, np.repeat(palette.rgb([palette.TIE_COLOR]), len(tied), axis=0))
    if len(boundary):
        paint.lines(ax, boundary.segments, palette.BOUNDARY, 1.8, zorder=3.2, gid="output")
    what = "zero set" if cx.n_outputs == 1 else "decision boundary"
    frame(ax, cx, title=f"output: {what}" + ("" if len(boundary) or len(full) else " (none here)"))
    _label_outer(panels)
    return panels


def _earlier(ax: Any, cx: PolyhedralComplex, which: Any, width: float) -> None:
    if which.size:
        paint.lines(ax, polygons.segments(cx, which), palette.EARLIER, width, zorder=2.0, gid="earlier")


def _is_max(cx: PolyhedralComplex, level: int) -> bool:
    cuts = cx.network.cuts
    return level < len(cuts) and isinstance(cx.network.nodes[cuts[level]], Max)


def _panels(axes: Any, n: int, cx: PolyhedralComplex) -> NDArray[np.object_]:
    if axes is not None:
        given = (
            list(axes.flat) if isinstance(axes, np.ndarray) else list(axes) if isinstance(axes, Iterable) else [axes]
        )
        if len(given) != n:
            raise ArgumentError(
                f"`axes` holds {len(given)} axes but there are {n} panels, one per hidden layer and the output. "
                f"Pass {n}, or None for a new figure."
            )
        return _array([axes_or_new(ax) for ax in given])
    from matplotlib import pyplot

    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    sides = cx.box.high - cx.box.low
    tall = float(np.clip(sides[1] / sides[0], 0.4, 2.0))
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(3.4 * columns, (2.9 * tall + 0.7) * rows), squeeze=False, layout="compressed"
    )
    for ax in grid.flat[n:]:
        figure.delaxes(ax)
    return _array(list(grid.flat[:n]))


def _array(items: list) -> NDArray[np.object_]:
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out


def _label_outer(panels: NDArray[np.object_]) -> None:
    """Keep the vertical axis' name only at the left end of each row of a grid."""
    for ax in panels:
        place = ax.get_subplotspec()
        if place is not None and not place.is_first_col():
            ax.set_ylabel("")
