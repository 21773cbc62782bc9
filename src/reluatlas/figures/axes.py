"""Where is it drawn? New axes, their labels and limits, and the arguments that all figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reluatlas.domain import Slice
from reluatlas.errors import ArgumentError, DimensionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reluatlas.complexes.complex import PolyhedralComplex

TEXT = "#202020"
_LARGEST = 500.0  # inches


def require_plane(cx: PolyhedralComplex) -> None:
    """Refuse what is not a complex on a two-dimensional domain."""
    dim = getattr(getattr(cx, "domain", None), "dim", None)
    if dim is None or not hasattr(cx, "vertices"):
        raise ArgumentError(
            f"`cx` is a {type(cx).__name__}; expected a `PolyhedralComplex`. Pass what `enumerate_cells` returned."
        )
    if dim != 2:
        raise DimensionError(
            f"`cx` has a domain of dimension {dim} but this figure is drawn in the plane. "
            "Enumerate the cells on a two-dimensional `Box` or `Slice`"
            + (", or draw `plot.boundary(cx)`." if dim == 3 else ".")
        )
    if cx.n_cells == 0:
        raise ArgumentError("`cx` holds no cells, so there is nothing to draw. Give `enumerate_cells` a larger budget.")


def require_choice(value: object, name: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not one of the named choices."""
    if value not in choices:
        names = ", ".join(f'"{c}"' for c in choices)
        raise ArgumentError(f"`{name}={value!r}` is not a choice. Pass one of {names}.")


def new_figure(size: tuple[float, float]) -> Figure:
    """Return a new figure of pyplot, laid out so that no label is cut off."""
    from matplotlib import pyplot

    from reluatlas.figures.matplotlib_classes import AtlasFigure

    return pyplot.figure(FigureClass=AtlasFigure, figsize=size, layout="compressed")


def require_figsize(figsize: Any, ax: Any, name: str = "ax") -> tuple[float, float] | None:
    """Return `figsize` as two numbers, or None; refuse one that is no size, or that is given beside axes."""
    if figsize is None:
        return None
    if ax is not None:
        raise ArgumentError(f"`figsize` is the size of a new figure, but `{name}` is given. Pass one of them.")
    try:
        width, height = (float(side) for side in figsize)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (0 < width < _LARGEST and 0 < height < _LARGEST):
        raise ArgumentError(f"`figsize={figsize!r}` is no size. Pass width and height in inches, such as (6, 5).")
    return width, height


def axes_or_new(ax: Any, *, projection: str | None = None, figsize: Any = None) -> Axes:
    """Return `ax`, or new axes when it is None; refuse anything that is not axes."""
    size = require_figsize(figsize, ax)
    if ax is None:
        return new_figure(size or ((6.4, 5.4) if projection else (6.0, 5.2))).add_subplot(projection=projection)
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise ArgumentError(f"`ax` is a {type(ax).__name__}; expected matplotlib `Axes`, or None for a new figure.")
    if projection == "3d" and ax.name != "3d":
        raise ArgumentError('`ax` is flat but a surface needs 3-D axes. Make them with `projection="3d"`.')
    return ax


def coordinate_names(cx: PolyhedralComplex) -> tuple[str, str]:
    """Return the names of the two coordinates: inputs of a box, or coordinates of a slice."""
    return ("u0", "u1") if isinstance(cx.domain, Slice) else ("x0", "x1")


def frame(ax: Axes, cx: PolyhedralComplex, *, title: str = "") -> None:
    """Set limits to the domain, equal scales and labels.

    Equal scales are kept unless the sides of the domain differ so much that one would vanish.
    """
    low, high = cx.box.low, cx.box.high
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    sides = high - low
    ax.set_aspect("equal" if sides.max() <= 20 * sides.min() else "auto", adjustable="box")
    what = " (slice coordinate)" if isinstance(cx.domain, Slice) else ""
    names = coordinate_names(cx)
    ax.set_xlabel(names[0] + what)
    ax.set_ylabel(names[1] + what)
    ax.grid(visible=False)
    if title:
        ax.set_title(title, fontsize="medium")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 cell", "1,233 cells"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
