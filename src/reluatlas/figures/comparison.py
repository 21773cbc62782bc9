"""Where do two networks differ? One output of both on one color scale, and their difference beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.figures import paint, polygons, raster
from reluatlas.figures.axes import axes_or_new, frame, new_figure, require_figsize
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.comparison.answer import Comparison
    from reluatlas.complexes.complex import PolyhedralComplex

_VALUES, _DIFFERENCE = "viridis", "PuOr"
_HATCH, _INK = "////", "#1A1A1A"
_SIDE = 1024


def comparison(
    answer: Comparison,
    *,
    output: int | None = None,
    axes: Sequence[Any] | None = None,
    figsize: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """Return three axes: an output of f and of g on one color scale, and f - g; hatched where the classes differ.

    Parameters
    ----------
    answer : Comparison
        On a two-dimensional domain.
    output : int, optional
        Which output; the one whose difference is largest when None.
    axes : sequence of three matplotlib Axes, optional
        Where to draw; a new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    DimensionError
        When the domain is not two-dimensional.
    ArgumentError
        When there is no such output, or there are other than three axes.

    Guarantees
    ----------
    Each pixel shows the affine map of the cell in its middle: edges are where the maps change. The scale of the
    difference is symmetric about 0, which is white. The witness of the largest difference is a ring.
    """
    if answer.domain.dim != 2:
        raise DimensionError(
            f"`answer` is of a domain of dimension {answer.domain.dim} but this figure is drawn in the plane. Compare "
            "on a two-dimensional `Box` or `Slice`."
        )
    m, which = answer.f.n_outputs, answer.output if output is None else output
    if isinstance(which, bool) or not isinstance(which, int | np.integer) or not 0 <= which < m:
        raise ArgumentError(f"`output={output!r}` names no output; there are {m}. Pass an index below {m}, or None.")
    three = _three(axes, figsize)
    cx = answer.refinement
    f, g = _picture(cx, int(which)), _picture(cx, m + int(which))
    name = "output" if m == 1 else f"output {which}"
    both = np.concatenate([f[np.isfinite(f)], g[np.isfinite(g)]])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    most = float(np.nanmax(np.abs(f - g))) if both.size else 1.0
    _panel(three[0], cx, f, _scale(_VALUES, low, high), f"f, {name}")
    shared = _panel(three[1], cx, g, _scale(_VALUES, low, high), f"g, {name}")
    apart = _panel(three[2], cx, f - g, _scale(_DIFFERENCE, -most, most), f"f − g, {name}")
    for ax in three[:2]:
        _hatch(ax, answer, linewidth=0.3)
    _hatch(three[2], answer, linewidth=0.6)
    _ring(three[2], answer)
    figure = three[0].get_figure()
    if figure is not None:
        figure.colorbar(shared, ax=list(three[:2]), label=name, shrink=0.8)
        figure.colorbar(apart, ax=three[2], label="difference", shrink=0.8)
    return np.array(three, dtype=object)


def _three(axes: Sequence[Any] | None, figsize: tuple[float, float] | None) -> list[Axes]:
    size = require_figsize(figsize, axes, "axes")
    if axes is None:
        return list(new_figure(size or (13.5, 4.4)).subplots(1, 3).flat)
    given = list(np.asarray(axes, dtype=object).flat)
    if len(given) != 3:
        raise ArgumentError(f"`axes` are {len(given)}; expected three: of f, of g and of their difference.")
    return [axes_or_new(ax) for ax in given]


def _picture(cx: PolyhedralComplex, row: int) -> FloatArray:
    """Return the values of an output in the middle of each pixel, NaN where there is no cell."""
    low, high = cx.box.low, cx.box.high
    cell = raster.sampled(polygons.polygons(cx), low, high, side=_SIDE)
    rows, columns = cell.shape
    x = low[0] + (np.arange(columns) + 0.5) * (high[0] - low[0]) / columns
    y = low[1] + (np.arange(rows) + 0.5) * (high[1] - low[1]) / rows
    A, b = cx.affine.A[:, row], cx.affine.b[:, row]
    values = A[cell, 0] * x[None] + A[cell, 1] * y[:, None] + b[cell]
    return np.where(cell >= 0, values, np.nan)


def _scale(name: str, low: float, high: float) -> Any:
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not low < high:  # one value: a scale with no length would divide by zero
        low, high = low - 1.0, high + 1.0
    return ScalarMappable(Normalize(low, high), matplotlib.colormaps[name])


def _panel(ax: Axes, cx: PolyhedralComplex, values: FloatArray, scale: Any, title: str) -> Any:
    colors = np.round(255 * scale.to_rgba(np.nan_to_num(values))).astype(np.uint8)
    colors[np.isnan(values)] = 0
    raster.show(ax, colors, cx.box.low, cx.box.high, zorder=paint.FILLS, gid="values")
    frame(ax, cx, title=title)
    return scale


def _hatch(ax: Axes, answer: Comparison, *, linewidth: float) -> None:
    """Hatch the pieces on which the classes differ."""
    pieces = answer.pieces
    if pieces is None or not len(pieces):
        return
    from matplotlib.collections import PolyCollection

    shapes = np.split(pieces.points, pieces.offsets[1:-1])
    drawn = PolyCollection(
        shapes,
        facecolors="none",
        edgecolors=_INK,
        linewidths=linewidth,
        hatch=_HATCH,
        zorder=paint.LAYERS,
        gid="classes differ",
    )
    drawn.set_hatch_linewidth(linewidth) if hasattr(drawn, "set_hatch_linewidth") else None
    drawn.set_rasterized(len(shapes) > paint.RASTER_FROM)
    ax.add_collection(drawn, autolim=False)


def _ring(ax: Axes, answer: Comparison) -> None:
    if answer.found is None or answer.is_equal:
        return
    u = answer.found.vertex
    ax.plot(
        float(u[0]), float(u[1]), "o", markerfacecolor="none", markeredgecolor=_INK, markersize=8, clip_on=False,
        zorder=paint.WORDS, gid="witness",
    )  # fmt: skip
