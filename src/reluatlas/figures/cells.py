"""Which cells are there? The partition of the domain, colored by what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.domain import Space
from reluatlas.errors import ArgumentError
from reluatlas.figures import colors, keys, paint, polygons
from reluatlas.figures.axes import axes_or_new, counted, frame, require_choice, require_plane
from reluatlas.figures.class_areas import write_names
from reluatlas.figures.class_colors import Palette, class_colors
from reluatlas.figures.data_points import add_points
from reluatlas.network.decision import class_label, class_name, has_decision

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
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    palette: Palette = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
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
        sign); cells that the decision boundary crosses are divided there, it is drawn, and the name of
        a class is written into its largest areas where it has room. "region": the linear
        region; regions that share an edge differ. "volume": the area, on a logarithmic scale.
        "layer": the edges take the color of the layer that made them, and the decision boundary,
        if there are classes, is drawn on top.
    X : array_like, shape (N, 2), or for a slice (N, n) or (N, *input_shape), optional
        Points to draw on top: coordinates of the domain, or inputs. An input off the plane is drawn hollow, at the
        point of the plane nearest to it; what lies outside of the domain is not seen.
    y : array_like, shape (N,), optional
        The classes of the points: numbers from 0 on, or names that the network has. Points without are white.
    palette : optional
        Colors of the classes in place of ours; see `class_colors`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None. Limits, labels and title are set.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.
    edges : bool
        Whether to draw the edges of the cells (with "layer" they are the picture, and always drawn).
    legend : bool
        Whether to draw the key of the colors, to the right of the axes, and names in the areas of classes.
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
    every run. Coordinates are those of the domain. A class has the same color in every figure. More than 5,000
    polygons are sampled into a picture of 2,048 pixels along its longer side, lines that are more are rasterized in
    vector files. All is drawn below z-order 1, so that `ax.scatter(...)` lies on top.
    """
    require_plane(cx)
    require_choice(by, "by", _CHOICES)
    width = _line_width(linewidth, cx.n_cells)
    ax = axes_or_new(ax, figsize=figsize)
    shapes, hues, found = _fill_of(cx, by, palette)
    key: Any = found
    paint.fill(ax, shapes, hues)
    if by == "layer":
        key = _draw_layers(ax, cx, width)
    elif edges:
        _draw_edges(ax, cx, width)
    frame(ax, cx, title=_title(cx))
    if legend:
        _draw_key(ax, cx, by, key)
    if by == "class":
        _draw_boundary(ax, cx, 1.1)
        if legend:
            write_names(
                ax, shapes, key.classes, key.labels, dict(zip(key.labels, key.hues, strict=True)), *_corners(cx)
            )
    add_points(ax, cx, X, y, palette=palette)
    return ax


@dataclass(frozen=True, eq=False)
class _Classes:
    """The class of each piece, and for each that occurs its color, its name in the key and its name in the area."""

    classes: NDArray[np.int64]
    hues: NDArray[np.float64]
    names: list[str]
    labels: dict[int, str]


def _fill_of(cx: PolyhedralComplex, by: str, palette: Palette) -> tuple[list[NDArray], NDArray, Any]:
    """Return polygons, a color for each, and the key to the colors."""
    if by == "class":
        shapes, _, classes = polygons.class_pieces(cx)
        present, row = np.unique(classes, return_inverse=True)
        hues = class_colors(present, palette=palette, network=cx.network)
        names = class_names(present.tolist(), cx.network)
        short = ["tie" if c == polygons.TIE else _short(cx.network, c) for c in present.tolist()]
        return shapes, hues[row], _Classes(classes, hues, names, dict(zip(present.tolist(), short, strict=True)))
    if by == "layer" and cx.is_complete and not isinstance(cx.domain, Space):
        (x0, y0), (x1, y1) = _corners(cx)
        return [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])], colors.rgb([_PAPER]), None
    shapes = polygons.polygons(cx)
    if by == "map":
        return shapes, colors.of_maps(cx), None
    if by == "region":
        return shapes, colors.of_regions(cx), None
    if by == "volume":
        scale = _volume_scale(cx)
        low = scale.get_clim()[0] or 0.0
        return shapes, scale.to_rgba(np.maximum(cx.volumes, low))[:, :3], scale
    return shapes, np.repeat(colors.rgb([_PAPER]), len(shapes), axis=0), None


def class_names(present: list[int], network: Network, n_outputs: int | None = None) -> list[str]:
    """Return a name for each class that is present; `n_outputs=1`: for the signs of one function."""
    n_outputs = network.n_outputs if n_outputs is None else n_outputs
    if n_outputs == 1 and not (network.n_outputs == 1 and network.class_names):
        return [{polygons.TIE: "output = 0", 0: "output < 0", 1: "output > 0"}[c] for c in present]
    return ["tie" if c == polygons.TIE else class_name(network, c) for c in present]


def _short(network: Network, c: int) -> str:
    if network.n_outputs == 1 and not network.class_names:
        return "> 0" if c else "< 0"
    return class_label(network, c)


def _corners(cx: PolyhedralComplex) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return cx.box.low, cx.box.high


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
    paint.lines(ax, polygons.segments(cx, polygons.edges(cx)), _EDGE, width, zorder=paint.EDGES, gid="edges")


def _draw_layers(ax: Axes, cx: PolyhedralComplex, width: float):
    which = polygons.edges(cx)
    level = cx.facets.level[which]
    n_levels = max(len(cx.network.cuts), int(level.max(initial=-1)) + 1)
    names, inks, widths = [], [], []
    for here, color in enumerate(colors.series(n_levels)):
        mine = which[level == here]
        if mine.size == 0:
            continue
        thick = max(width * 1.5, 0.35) * (1.0 if n_levels == 1 else 1.6 - 0.8 * here / (n_levels - 1))
        height = paint.LAYERS + 0.1 - 0.1 * here / n_levels
        paint.lines(ax, polygons.segments(cx, mine), color, thick, zorder=height, gid=f"layer {here + 1}")
        names.append(f"layer {here + 1}")
        inks.append(color)
        widths.append(max(thick, 1.5))
    if _draw_boundary(ax, cx, 1.8):
        names.append("output")
        inks.append(colors.BOUNDARY)
        widths.append(1.8)
    return names, inks, widths


def _draw_boundary(ax: Axes, cx: PolyhedralComplex, width: float) -> bool:
    boundary = cx.decision_boundary().segments if has_decision(cx.network) else np.zeros((0, 2, 2))
    paint.lines(ax, boundary, colors.BOUNDARY, width, zorder=paint.BOUNDARY, gid="output")
    return len(boundary) > 0


def _draw_key(ax: Axes, cx: PolyhedralComplex, by: str, key: Any) -> None:
    if by == "class":
        keys.beside(ax, key.names, list(key.hues))
    elif by == "layer":
        names, inks, widths = key
        keys.beside(ax, names, inks, widths=widths)
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
