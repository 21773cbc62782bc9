"""Which cells are there? The partition of the domain, colored by what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors as palette
from reluatlas.figures import paint, polygons
from reluatlas.figures.axes import axes_or_new, counted, frame, require_choice, require_plane
from reluatlas.network.decision import class_name, has_decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.network.network import Network

By = Literal["map", "class", "region", "volume", "layer"]
_CHOICES = ("map", "class", "region", "volume", "layer")
_EDGE = "#1A1A1A"
_PAPER = "#F1F1F1"
_SLIVERS = 0.05


def cells(
    cx: PolyhedralComplex,
    *,
    by: By = "map",
    ax: Any = None,
    edges: bool = True,
    legend: bool = True,
    linewidth: float | None = None,
) -> Axes:
    """Return axes with the cells of a plane domain, each a filled polygon.

    Parameters
    ----------
    cx : PolyhedralComplex
        Cells on a two-dimensional domain; it may be incomplete, then the missing part stays empty.
    by : {"map", "class", "region", "volume", "layer"}
        What a color stands for. "map": the affine map; equal maps have equal colors, similar maps
        similar ones. "class": what the outputs decide on (see `Network.classes`; one output: its
        sign); cells that the decision boundary crosses are divided there. "region": the linear
        region; regions that share an edge differ. "volume": the area, on a logarithmic scale.
        "layer": the edges take the color of the layer that made them, and the decision boundary,
        if there are classes, is drawn on top.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None. Limits, labels and title are set.
    edges : bool
        Whether to draw the edges of the cells (with "layer" they are the picture, and always drawn).
    legend : bool
        Whether to draw the key of the colors, to the right of the axes.
    linewidth : float, optional
        Width of the edges in points; thinner for more cells when None.

    Raises
    ------
    ArgumentError
        When an argument is none of the above, or there is no cell.
    DimensionError
        When the domain is not two-dimensional.

    Guarantees
    ----------
    The polygons are the cells' own vertices; each edge is drawn once; the picture is the same in
    every run. Coordinates are those of the domain.
    """
    require_plane(cx)
    require_choice(by, "by", _CHOICES)
    width = _line_width(linewidth, cx.n_cells)
    ax = axes_or_new(ax)
    shapes, hues, key = _fill_of(cx, by)
    paint.fill(ax, shapes, hues)
    if by == "layer":
        key = _draw_layers(ax, cx, width)
    elif edges:
        _draw_edges(ax, cx, width)
    frame(ax, cx, title=_title(cx))
    if legend:
        _draw_key(ax, cx, by, key)
    return ax


def _fill_of(cx: PolyhedralComplex, by: str):
    """Return polygons, a color for each, and the key to the colors."""
    if by == "class":
        shapes, _, classes = polygons.class_pieces(cx)
        present, row = np.unique(classes, return_inverse=True)
        hues, names = class_colors(present.tolist(), cx.network)
        return shapes, hues[row], (names, hues)
    shapes = polygons.polygons(cx)
    if by == "map":
        return shapes, palette.of_maps(cx), None
    if by == "region":
        return shapes, palette.of_regions(cx), None
    if by == "volume":
        scale = _volume_scale(cx)
        low = scale.get_clim()[0] or 0.0
        return shapes, scale.to_rgba(np.maximum(cx.volumes, low))[:, :3], scale
    return shapes, np.repeat(palette.rgb([_PAPER]), len(shapes), axis=0), None


def class_colors(
    present: list[int], network: Network, n_outputs: int | None = None
) -> tuple[NDArray[np.float64], list[str]]:
    """Return a color and a name for each class that is present; `n_outputs=1`: for the signs of one function."""
    n_outputs = network.n_outputs if n_outputs is None else n_outputs
    scheme = palette.series(max(n_outputs, 2), light=True)
    chosen = np.array([palette.rgb([palette.TIE_COLOR])[0] if c == polygons.TIE else scheme[c] for c in present])
    if n_outputs == 1 and not (network.n_outputs == 1 and network.class_names):
        names = [{polygons.TIE: "output = 0", 0: "output < 0", 1: "output > 0"}[c] for c in present]
    else:
        names = ["tie" if c == polygons.TIE else class_name(network, c) for c in present]
    return chosen, names


def _volume_scale(cx: PolyhedralComplex):
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    positive = cx.volumes[cx.volumes > 0]
    # a few slivers would otherwise take nearly the whole scale; the key says that it goes on below
    low, high = np.quantile(positive, [_SLIVERS, 1.0]) if positive.size else (1.0, 1.0)
    if high < 2 * low:  # one size: a scale with no length would divide by zero
        low, high = low / 2, high * 2
    return ScalarMappable(LogNorm(low, high), matplotlib.colormaps["cividis"])


def _draw_edges(ax: Axes, cx: PolyhedralComplex, width: float) -> None:
    paint.lines(ax, polygons.segments(cx, polygons.edges(cx)), _EDGE, width, zorder=2.0, gid="edges")


def _draw_layers(ax: Axes, cx: PolyhedralComplex, width: float):
    which = polygons.edges(cx)
    level = cx.facets.level[which]
    n_levels = max(len(cx.network.cuts), int(level.max(initial=-1)) + 1)
    names, inks, widths = [], [], []
    for here, color in enumerate(palette.series(n_levels)):
        mine = which[level == here]
        if mine.size == 0:
            continue
        thick = max(width * 1.5, 0.35) * (1.0 if n_levels == 1 else 1.6 - 0.8 * here / (n_levels - 1))
        paint.lines(
            ax, polygons.segments(cx, mine), [color], thick, zorder=3.0 - 0.5 * here / n_levels, gid=f"layer {here + 1}"
        )
        names.append(f"layer {here + 1}")
        inks.append(color)
        widths.append(max(thick, 1.5))
    boundary = cx.decision_boundary().segments if has_decision(cx.network) else np.zeros((0, 2, 2))
    if len(boundary):
        paint.lines(ax, boundary, palette.BOUNDARY, 1.8, zorder=3.2, gid="output")
        names.append("output")
        inks.append(palette.BOUNDARY)
        widths.append(1.8)
    return names, inks, widths


def _draw_key(ax: Axes, cx: PolyhedralComplex, by: str, key: Any) -> None:
    if by == "class":
        paint.legend(ax, *key)
    elif by == "layer":
        names, inks, widths = key
        paint.legend(ax, names, inks, as_lines=widths)
    elif by == "volume":
        figure = ax.get_figure()
        if figure is not None:
            below = "min" if (cx.volumes < (key.get_clim()[0] or 0.0)).any() else "neither"
            figure.colorbar(key, ax=ax, label="area of the cell (input units²)", shrink=0.85, extend=below)


def _title(cx: PolyhedralComplex) -> str:
    return f"{counted(cx.n_cells, 'cell')}, {counted(cx.n_linear_regions, 'linear region')}" + (
        "" if cx.is_complete else " (incomplete)"
    )


def _line_width(given: float | None, n_cells: int) -> float:
    if given is None:
        return paint.edge_width(n_cells)
    if isinstance(given, bool) or not isinstance(given, int | float | np.number) or not 0 < given < np.inf:
        raise ArgumentError(f"`linewidth={given!r}` is not a width in points. Pass a positive number, or None.")
    return float(given)
