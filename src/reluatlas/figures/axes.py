"""Where is it drawn? New axes, their labels and limits, and the arguments that all figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reluatlas.domain import Slice
from reluatlas.errors import ArgumentError, DimensionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex

TEXT = "#202020"


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


def new_axes(*, projection: str | None = None) -> Axes:
    """Return the axes of a new figure, laid out so that no label is cut off."""
    from matplotlib import pyplot

    size = (6.4, 5.4) if projection else (6.0, 5.2)
    figure = pyplot.figure(figsize=size, layout="compressed")
    return figure.add_subplot(projection=projection)


def axes_or_new(ax: Any, *, projection: str | None = None) -> Axes:
    """Return `ax`, or new axes when it is None; refuse anything that is not axes."""
    if ax is None:
        return new_axes(projection=projection)
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
