"""What do fewer pieces look like? Cells joined to pieces, and how many pieces each error takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors, keys, paint, polygons
from reluatlas.figures.axes import axes_or_new, counted, frame, require_choice, require_plane
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.analysis.joining.answer import JoinedCells
    from reluatlas.analysis.joining.fewest import FewestPieces

_WALL, _INNER = "#1A1A1A", "#FFFFFF"
_LEAST = 1e-6  # of the range: smaller errors are rounding, and would take most of a logarithmic scale
_KINDS = {"chebyshev": ("joined", colors.LINES[0], "o"), "kmeans": ("k-means", colors.LINES[1], "X")}


def joined(
    answer: JoinedCells,
    *,
    by: Literal["region", "map"] = "region",
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    edges: bool = True,
    worst: bool = True,
) -> Axes:
    """Return axes with the pieces of joined cells on a plane domain.

    Beside `cells(answer.complex, by=...)` with the same `by`, these are before and after.

    Parameters
    ----------
    answer : JoinedCells
        On a two-dimensional domain.
    by : {"region", "map"}
        What a color stands for. "region": the piece; pieces that share an edge differ. "map": the mean of the colors
        that the maps of its cells have in `cells(by="map")`, by area.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None. Limits, labels and title are set.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.
    edges : bool
        Whether to draw the cells' edges inside of pieces, pale; walls between pieces are always drawn.
    worst : bool
        Whether to mark the vertex at which the error is attained.

    Raises
    ------
    ArgumentError
        When an argument is none of the above.
    DimensionError
        When the domain is not two-dimensional.

    Guarantees
    ----------
    The polygons are the cells' own; all is drawn below z-order 1.
    """
    cx, labels = answer.complex, answer.labels
    require_plane(cx)
    require_choice(by, "by", ("region", "map"))
    ax = axes_or_new(ax, figsize=figsize)
    hues = colors.of_regions(cx, labels) if by == "region" else _mean_colors(answer)
    paint.fill(ax, polygons.polygons(cx), hues)
    which = polygons.edges(cx)
    owner = polygons.cell_of_vertex(cx)[which]
    is_wall = labels[owner] != labels[cx.facets.neighbor[which]]
    width = paint.edge_width(answer.n_pieces)
    if edges:
        inner = polygons.segments(cx, which[~is_wall])
        paint.lines(ax, inner, _INNER, paint.edge_width(cx.n_cells), zorder=paint.EDGES, gid="edges")
    paint.lines(ax, polygons.segments(cx, which[is_wall]), _WALL, 1.5 * width, zorder=paint.LAYERS, gid="walls")
    if worst:
        x, y = answer.worst_points[int(answer.attained.argmax())]
        ax.plot([x], [y], "X", color=colors.LINES[1], markeredgecolor="white", zorder=paint.WORDS, gid="worst",
                clip_on=False)  # fmt: skip
    counts = f"{counted(answer.n_pieces, 'piece')} of {counted(cx.n_linear_regions, 'linear region')}"
    frame(ax, cx, title=f"{counts}, off by at most {answer.error:.3g}")
    return ax


def _mean_colors(answer: JoinedCells) -> FloatArray:
    hues, weight = colors.of_maps(answer.complex), np.asarray(answer.complex.volumes, dtype=np.float64)
    n, label = answer.n_pieces, answer.labels
    total = np.stack([np.bincount(label, weights=weight * hue, minlength=n) for hue in hues.T], axis=1)
    whole = np.bincount(label, weights=weight, minlength=n)
    plain = np.stack([np.bincount(label, weights=hue, minlength=n) for hue in hues.T], axis=1)
    n_cells = np.bincount(label, minlength=n)
    mean = np.where(whole[:, None] > 0, total / np.where(whole > 0, whole, 1.0)[:, None], plain / n_cells[:, None])
    return mean[label]


def piece_curve(
    answers: JoinedCells | Sequence[JoinedCells],
    *,
    bounds: Sequence[FewestPieces] = (),
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Return axes with the number of pieces against the error that they make.

    Parameters
    ----------
    answers : JoinedCells or sequence of JoinedCells
        Each is a point at its error and its number of pieces, in the color of its method. The line is the `curve()` of
        the first one, which is computed when it is not known yet.
    bounds : sequence of FewestPieces
        What `JoinedCells.lower_bound` said for some tolerances: as few pieces as can be.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError
        When there is no answer.
    """
    several = list(answers) if isinstance(answers, Sequence) else [answers]
    if not several:
        raise ArgumentError("`answers` is empty. Pass what `join_cells` returns.")
    from matplotlib.ticker import StrMethodFormatter

    ax = axes_or_new(ax, figsize=figsize)
    curve, range_ = several[0].curve(), several[0].output_range
    least = _LEAST * (range_ if range_ > 0 else 1.0)
    told = [*curve.errors.tolist(), *(a.error for a in several), *(b.tolerance for b in bounds)]
    least = max(least, min((e for e in told if e > least), default=1.0) / 2)  # rounding is left of what is shown
    shown = np.maximum(curve.errors, least)
    ax.step(
        shown, curve.n_pieces, where="post", color=colors.LINES[0], zorder=paint.LAYERS, gid="curve",
        label="joined, step by step",
    )  # fmt: skip
    points = [
        (name, hue, marker, [(a.error, a.n_pieces) for a in several if a.method == method])
        for method, (name, hue, marker) in _KINDS.items()
    ]
    points.append(("no fewer", colors.LINES[3], "^", [(b.tolerance, b.n_pieces) for b in bounds]))
    for name, hue, marker, places in points:
        if places:
            x, y = np.array(places).T
            ax.plot(
                np.maximum(x, least), y, marker, color=hue, linestyle="none", zorder=paint.BOUNDARY, gid=name,
                label=name,
            )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_xlabel("largest change of an output")
    ax.set_ylabel("pieces")
    keys.above(ax, ax.get_legend_handles_labels()[0])
    return ax
