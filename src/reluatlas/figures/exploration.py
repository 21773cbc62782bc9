"""What did a search from data points find? Its cells as a graph, or the cells along a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors, keys, paint
from reluatlas.figures.axes import axes_or_new, counted
from reluatlas.figures.class_colors import Palette, class_colors
from reluatlas.figures.graph_layout import rings
from reluatlas.network.decision import class_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.cells.exploration import Exploration

_MOST_CLASSES = 12
_RASTER_FROM = 4000
_LABELED = 24


def dual_graph(
    found: Exploration,
    *,
    labels: Sequence[str] | None = None,
    palette: Palette = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Return axes with the dual graph of the cells that a search found: cells joined where they share a facet.

    The starts are in the middle of their connected part, and other cells on rings around them, by the number of facets
    crossed on the way. The color is the class at a point of the cell; a pale cell may have neighbors that were not
    visited. Places on the page mean nothing else.

    Parameters
    ----------
    found : Exploration
        What `explore` returned.
    labels : sequence of str, optional
        Names of the points that the search started from; drawn for up to 24.
    palette : optional
        Colors of the classes in place of ours; see `class_colors`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError
        When it is no exploration, or there is not one label for each start.
    """
    _require(found)
    if labels is not None and len(labels) != found.starts.size:
        raise ArgumentError(
            f"`labels` has {len(labels)} names; the search started from {found.starts.size} points. Pass one for each."
        )
    ax = axes_or_new(ax, figsize=figsize)
    at, parent = rings(found)
    _edges(ax, found, at, parent)
    classes = np.unique(found.classes)
    color = class_colors(found.classes, palette=palette, network=found.network)
    size = float(np.clip(4000.0 / max(found.n_cells, 1), 5.0, 60.0))
    rastered = found.n_cells > _RASTER_FROM
    for whole, alpha in ((False, 0.4), (True, 1.0)):
        chosen = found.is_expanded == whole
        ax.scatter(
            *at[chosen].T, s=size, c=color[chosen], alpha=alpha, linewidths=0, zorder=paint.LAYERS, rasterized=rastered,
            gid="cells",
        )  # fmt: skip
    starts = np.unique(found.starts)
    ax.scatter(
        *at[starts].T,
        s=max(2 * size, 26.0),
        facecolors="none",
        edgecolors="black",
        linewidths=1.1,
        zorder=paint.BOUNDARY,
    )
    if labels is not None and len(labels) <= _LABELED:
        names: dict[int, str] = {}
        for cell, label in zip(found.starts.tolist(), labels, strict=True):
            names[cell] = f"{names[cell]}, {label}" if cell in names else label
        for cell, label in names.items():
            # pale colors are hard to tell apart: the class stands at the start, too
            text = f"{label}: {class_name(found.network, int(found.classes[cell]))}" if classes.size > 1 else label
            ax.annotate(
                text, at[cell], xytext=(0, 7), textcoords="offset points", ha="center", fontsize="small",
                zorder=paint.WORDS, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
            )  # fmt: skip
    if classes.size <= _MOST_CLASSES:
        hues = class_colors(classes, palette=palette, network=found.network)
        keys.beside(ax, [class_name(found.network, c) for c in classes.tolist()], list(hues))
    ax.set_aspect("equal")
    ax.margins(0.06)
    ax.set_axis_off()
    rest = "" if found.is_complete else f", {int(found.is_expanded.sum()):,} with all their neighbors"
    ax.set_title(f"{counted(found.n_cells, 'cell')}, {counted(len(found.edges), 'facet')} between them{rest}",
                 fontsize="medium")  # fmt: skip
    return ax


def walk(found: Exploration, *, ax: Any = None, figsize: tuple[float, float] | None = None) -> Axes:
    """Return axes with how patterns change along a line of cells: their Hamming distances from its first and its last.

    Parameters
    ----------
    found : Exploration
        What `explore` returned with a `target`: cell i lies i facets from the first.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError
        When it is no exploration along a line.
    """
    _require(found)
    if found.n_cells != len(found.edges) + 1 or not np.array_equal(found.depth, np.arange(found.n_cells)):
        raise ArgumentError("`found` is no line of cells. Pass what `explore` returned with a `target`.")
    ax = axes_or_new(ax, figsize=figsize)
    steps = np.arange(found.n_cells)
    hues = colors.series(2)
    last = "the target" if found.is_complete else "the last cell found"
    for k, (cell, name) in enumerate(((0, "the start"), (-1, last))):
        away = np.sum(found.patterns != found.patterns[cell], axis=1)
        ax.step(
            steps,
            away,
            where="mid",
            color=hues[k],
            linewidth=1.6,
            zorder=paint.LAYERS,
            label=f"Hamming distance from {name}",
        )
    ax.set_ylim(bottom=0.0)
    ax.set_xlim(-0.5, found.n_cells - 0.5)
    ax.set_xlabel("facets crossed")
    ax.set_ylabel("units on another piece")
    ax.legend(fontsize="small", loc="best", framealpha=0.85, edgecolor="none")
    rest = "" if found.is_complete else " (incomplete)"
    differ = f"{found.hamming(0, -1):,} units differ at its ends"
    ax.set_title(f"{counted(found.n_cells, 'cell')} on the way, {differ}{rest}", fontsize="medium")
    return ax


def _require(found: Exploration) -> None:
    if not hasattr(found, "edges") or not hasattr(found, "starts"):
        raise ArgumentError(
            f"`found` is a {type(found).__name__}; expected an `Exploration`. Pass what `explore` returned."
        )


def _edges(ax: Axes, found: Exploration, at: Any, parent: Any) -> None:
    from matplotlib.collections import LineCollection

    if not len(found.edges):
        return
    i, j = found.edges.T
    is_tree = (parent[i] == j) | (parent[j] == i)
    faint = float(np.clip(2000.0 / len(found.edges), 0.05, 0.6))
    for chosen, color, alpha, width in ((~is_tree, "#A0A0A0", faint, 0.5), (is_tree, "#606060", max(faint, 0.25), 0.6)):
        ends = np.stack([at[i[chosen]], at[j[chosen]]], axis=1)
        lines = LineCollection(
            list(ends),
            colors=color,
            alpha=alpha,
            linewidths=width,
            zorder=paint.EDGES,
            rasterized=len(ends) > _RASTER_FROM,
        )
        lines.set_gid("facets")
        ax.add_collection(lines)
