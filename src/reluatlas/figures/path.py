"""What does a network do along a segment? Its outputs, straight between breakpoints; and how dense cells are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors as palette
from reluatlas.figures.axes import axes_or_new, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.paths.path import Path

_TICKS = 0.055
_GREY, _INK = "#B0B0B0", "#404040"
_MANY = 6


def path(path: Path, *, outputs: Sequence[int] | int | None = None, ax: Any = None) -> Axes:
    """Return axes with the outputs along a path, and below them the breakpoints of each layer.

    Each line is one output: straight pieces that meet at the breakpoints. Each row of ticks is one layer of neurons or
    max windows, in the order of the network: where they change. The strip on top has a color for each class.

    Parameters
    ----------
    path : Path
        What `trace` returned for one segment.
    outputs : int or sequence of int, optional
        Which outputs; all when None. With more than six, those that are a class somewhere on the path stand out.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.

    Raises
    ------
    ArgumentError
        When it is no path, holds no piece, or `outputs` names none.
    """
    if not hasattr(path, "crossings") or not hasattr(path, "segment"):
        raise ArgumentError(
            f"`path` is a {type(path).__name__}; expected a `Path`. Pass what `trace` returned for one segment, or one "
            "of its paths."
        )
    if path.n_pieces == 0:
        raise ArgumentError("`path` holds no piece, so there is nothing to draw. Give `trace` a larger budget.")
    m = path.network.n_outputs
    chosen = list(range(m)) if outputs is None else [int(k) for k in np.atleast_1d(np.asarray(outputs))]
    if not chosen or min(chosen) < 0 or max(chosen) >= m:
        raise ArgumentError(f"`outputs={outputs!r}` names no output; the network has {m}, numbered from 0.")
    ax = axes_or_new(ax)
    t, values = path.edges, path.values()
    winners = np.unique(path.classes).tolist() if m > 1 else [0]
    loud = chosen if len(chosen) <= _MANY else [k for k in chosen if k in winners] or chosen[:1]
    hues = dict(zip(loud, palette.series(len(loud)), strict=True))
    for k in chosen:
        if k not in hues:
            ax.plot(t, values[:, k], color=_GREY, linewidth=0.8, zorder=1.5)
    for k in loud:
        ax.plot(t, values[:, k], color=hues[k], linewidth=1.6, zorder=2.5, label=f"output {k}")
    low, high = float(values[:, chosen].min()), float(values[:, chosen].max())
    room = max(high - low, 1e-12)
    bottom = _layers(ax, path, low - 0.06 * room, room)
    if m > 1 and path.class_changes.size:
        _classes(ax, path, high + 0.05 * room, 0.05 * room, hues)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(bottom, high + 0.14 * room)
    ax.set_xlabel("t, along the segment")
    ax.set_ylabel("output")
    if len(loud) > 1:
        free = (low - bottom) / (high + 0.14 * room - bottom)  # above the ticks
        ax.legend(
            fontsize="small", loc="best", framealpha=0.85, edgecolor="none",
            bbox_to_anchor=(0.0, free, 1.0, 0.9 - free), bbox_transform=ax.transAxes,
        )  # fmt: skip
    rest = "" if path.is_complete else f" (incomplete: up to t = {path.reached:.3g})"
    ax.set_title(
        f"{counted(path.n_pieces, 'piece')}, {counted(path.n_linear_regions, 'linear region')}{rest}", fontsize="medium"
    )
    return ax


def _layers(ax: Axes, path: Path, top: float, room: float) -> float:
    # Below the outputs: a row of ticks for each layer.
    made = path.crossings
    at = np.repeat(path.breakpoints, np.diff(made.offsets))
    starts = [s.start for s in path.network.pattern_slices().values()]
    layer = np.searchsorted(starts, made.column, side="right") - 1
    for k in range(len(starts)):
        where = at[layer == k]
        base = top - (k + 1) * _TICKS * room
        ax.vlines(where, base, base + 0.8 * _TICKS * room, color=_INK, linewidth=0.7, rasterized=where.size > 2000)
        ax.annotate(
            f"layer {k + 1}: {where.size:,}", (1.0, base + 0.4 * _TICKS * room), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize="x-small", color=_INK, annotation_clip=False,
        )  # fmt: skip
    if starts:
        ax.axhline(top + 0.02 * room, color="#D8D8D8", linewidth=0.8)
    return top - (len(starts) + 0.3) * _TICKS * room


def _classes(ax: Axes, path: Path, base: float, height: float, hues: Mapping[int, Any]) -> None:
    ends = np.concatenate([[0.0], path.class_changes, [path.reached]])
    for start, end, k in zip(ends[:-1], ends[1:], path.classes.tolist(), strict=True):
        ax.fill_between(
            [start, end], base, base + height, color=hues.get(k, _GREY), linewidth=0, alpha=0.85, gid="class"
        )


def path_density(groups: Mapping[str, ArrayLike], *, unit: str = "cells per unit of length", ax: Any = None) -> Axes:
    """Return axes with the distribution of counts along paths, one row for each group.

    Parameters
    ----------
    groups : mapping of str to array_like
        Names and numbers: densities or counts, such as `analysis.path_density.PathDensity.groups()`.
    unit : str
        What the numbers are.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.

    Raises
    ------
    ArgumentError
        When there is no group, or one without finite numbers.
    """
    named = {name: np.asarray(values, dtype=np.float64).reshape(-1) for name, values in groups.items()}
    if not named or not all(v.size and np.all(np.isfinite(v)) for v in named.values()):
        raise ArgumentError("`groups` must hold at least one name, and for each finite numbers to draw.")
    ax = axes_or_new(ax)
    hues = palette.series(len(named))
    spread = np.random.default_rng(0)
    for k, (name, values) in enumerate(named.items()):
        y = len(named) - 1 - k
        ax.scatter(
            values, y + spread.uniform(-0.22, 0.22, values.size), s=14, color=hues[k], alpha=0.5, linewidths=0,
            rasterized=values.size > 2000, gid=name,
        )  # fmt: skip
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        ax.plot([low, high], [y, y], color="#202020", linewidth=3.0, solid_capstyle="butt")
        ax.plot(middle, y, "o", color="white", markeredgecolor="#202020", markersize=7, zorder=4)
        ax.annotate(
            f"median {middle:.3g}", (middle, y), xytext=(0, 9), textcoords="offset points", ha="center",
            fontsize="small", bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
        )  # fmt: skip
    ax.set_yticks(range(len(named)), [f"{n} ({v.size:,})" for n, v in reversed(named.items())])
    ax.set_ylim(-0.6, len(named) - 0.4)
    ax.set_xlim(left=0.0)
    ax.set_xlabel(unit)
    return ax
