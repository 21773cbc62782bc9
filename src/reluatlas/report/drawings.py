"""Which figures does a report hold? Each with a title and what one sees on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.atlas.marks import Mark
from reluatlas.deadline import current
from reluatlas.domain import Space
from reluatlas.errors import TimeLimitError
from reluatlas.network.decision import has_decision
from reluatlas.report import words
from reluatlas.report.figure_files import new_figure, on_one, png_and_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.network.network import Network

SHORT = {
    "map": "cells-by-map",
    "class": "cells-by-class",
    "layer": "cells-by-layer",
    "dual": "dual",
    "layers": "layers",
    "surface": "surface",
}
NAMES = tuple(SHORT.values())
BOUNDARY = "boundary"
_FIRST = ("cells-by-class", "cells-by-layer", "cells-by-map", "layers", "dual", "surface", BOUNDARY)
"""In the order in which they are drawn where there may be no time for all."""
FREE_UP_TO = 5_000
"""Cells up to which all figures are drawn unasked: that takes seconds."""
_FIGURE_S, _PER_CELL_S = 0.75, 5e-5  # what a figure takes about, to begin with
_FLAT, _SOLID = (6.6, 5.4), (6.8, 5.4)
_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Drawing:
    """One figure, in both formats.

    Attributes
    ----------
    name : str
        Of its files, without an ending.
    title, caption : str
    png, svg : bytes
    is_wide : bool
        Whether it wants the whole width of a page.
    """

    name: str
    title: str
    caption: str
    png: bytes
    svg: bytes
    is_wide: bool


def available(network: Network, domain: object) -> tuple[str, ...]:
    """Return the names of the figures that there are of the cells of a network on a domain.

    Six of a plane domain; the decision boundary of a three-dimensional box or slice; none of others. Where outputs are
    no classes, those of classes are left out.
    """
    dim, has_classes = getattr(domain, "dim", 0), has_decision(network)
    if dim == 2:
        return tuple(name for name in NAMES if name != "cells-by-class" or has_classes)
    return (BOUNDARY,) if dim == 3 and not isinstance(domain, Space) and has_classes else ()


def draw(
    cx: PolyhedralComplex,
    marks: Sequence[Mark] = (),
    left_out: Callable[[str], object] | None = None,
    *,
    names: Sequence[str] | None = None,
    unasked_s: float = 0.0,
    not_drawn: Callable[[str], object] | None = None,
) -> Iterator[Drawing]:
    """Yield the figures of a complex, in the order of a report where all are drawn; none of no cells.

    Parameters
    ----------
    cx : PolyhedralComplex
    marks : sequence of Mark
    left_out : callable, optional
        Told the name of each figure for which the time that holds here does not suffice; without it, that raises.
    names : sequence of str, optional
        Which figures, of `available`, whatever they take. None: of up to 5,000 cells all; of more one, and others as
        long as drawing is expected to take no longer than `unasked_s` in all.
    unasked_s : float
        What the mathematics took.
    not_drawn : callable, optional
        Told the name of each figure that is left out for that.

    Guarantees: the same bytes in every run with the same versions; matplotlib's settings and its list
    of open figures are left as they were.
    """
    if cx.n_cells == 0:
        return
    there = available(cx.network, cx.domain) if cx.vertices.on is None or cx.is_complete else ()
    is_free = names is not None or cx.n_cells <= FREE_UP_TO
    chosen = [n for n in (there if is_free else _FIRST) if n in there and (names is None or n in names)]
    begin = time.monotonic()
    if current().left() > _FIGURE_S:
        new_figure(_FLAT)  # matplotlib is there from here on; how long that took tells how fast this machine is now
    longest = max(_FIGURE_S, time.monotonic() - begin) + _PER_CELL_S * cx.n_cells
    spent = 0.0
    for name in chosen:
        if not is_free and spent and spent + longest > unasked_s:
            if not_drawn is not None:
                not_drawn(name)
            continue
        begin = time.monotonic()
        try:
            if current().left() < longest:
                raise TimeLimitError(f"there is no time left for the figure {name}. Allow more seconds.")
            title, caption, paint, is_wide = _plan(name, cx, marks)
            png, svg = png_and_svg(paint)
        except TimeLimitError:
            if left_out is None:
                raise
            left_out(f"the figure {name}")
            continue
        took = time.monotonic() - begin
        longest, spent = max(longest, took), spent + took
        yield Drawing(name, title, caption, png, svg, is_wide)


def fitting(drawings: Iterable[Drawing], numbers: dict[str, Any]) -> Iterator[Drawing]:
    """Yield figures as long as the time that holds here suffices; else say in `numbers` that some are left out."""
    remaining = iter(drawings)
    while True:
        if current().left() < _FIGURE_S:
            numbers["left_out"] = [*numbers.get("left_out", ()), "figures"]
            return
        drawing = next(remaining, None)
        if drawing is None:
            return
        yield drawing


def _plan(name: str, cx: PolyhedralComplex, marks: Sequence[Mark]) -> tuple[str, str, Callable[[], Figure], bool]:
    from reluatlas.figures import plot

    def cells(by: Any) -> Callable[[], Figure]:
        return lambda: on_one(lambda ax: _mark(plot.cells(cx, by=by, ax=ax), marks), _size(cx))

    if name == "cells-by-map":
        return "The cells, by affine map", words.by_map(cx), cells("map"), False
    if name == "cells-by-class":
        return "The cells, by class", words.by_class(cx), cells("class"), False
    if name == "cells-by-layer":
        return "The edges, by layer", words.by_layer(cx), cells("layer"), False
    if name == "dual":
        paint = partial(on_one, lambda ax: plot.dual(cx, ax=ax), _FLAT)
        return "The affine maps, as dual points", words.dual(cx), paint, False
    if name == BOUNDARY:
        paint = partial(on_one, lambda ax: plot.boundary(cx, ax=ax), _SOLID, "3d")
        return "Where the decision changes", words.boundary(cx), paint, True
    if name == "layers":
        return "Layer by layer", words.layers(cx), partial(_layers, cx), True
    paint = partial(on_one, lambda ax: plot.surface(cx, ax=ax), _SOLID, "3d")
    return "The function, as a surface", words.surface(cx), paint, True


def _layers(cx: PolyhedralComplex) -> Figure:
    from reluatlas.figures import plot

    n = len(cx.network.cuts) + 1
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    figure = new_figure((3.7 * columns, (3.1 * _tallness(cx) + 0.7) * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat[n:]:
        ax.remove()
    plot.layers(cx, axes=grid.flat[:n])
    return figure


def _size(cx: PolyhedralComplex) -> tuple[float, float]:
    """Return a size with no empty bands above and below a domain that is wide."""
    width, height = _FLAT
    return width, float(np.clip(0.8 * width * _tallness(cx) + 0.9, 2.6, height))


def _tallness(cx: PolyhedralComplex) -> float:
    sides = cx.box.high - cx.box.low
    return float(np.clip(sides[1] / sides[0], 0.4, 2.0))


def _mark(ax: Axes, marks: Sequence[Mark]) -> None:
    for mark in marks:
        u, v = float(mark.u[0]), float(mark.u[1])
        ax.plot(u, v, "o", color="white", markeredgecolor="black", markersize=6, zorder=5, gid="mark")
        ax.annotate(
            mark.label, (u, v), xytext=(0, 8), textcoords="offset points", ha="center", va="bottom", fontsize="small",
            zorder=5, annotation_clip=True, bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "black", "lw": 0.6},
        )  # fmt: skip
