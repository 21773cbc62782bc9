"""What do the colors mean? A key beside or above its axes, that covers neither them nor others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.figures.class_colors import halo
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


MAX_ENTRIES = 16
_GAP = 0.02  # of the width of the axes
_LEAST_SIZE = 0.25  # of its place, that axes keep beside a key
_ROW = 1.45  # heights of letters


def beside(
    ax: Axes,
    names: Sequence[str],
    colors: Sequence[Any],
    *,
    widths: Sequence[float] | None = None,
    left: float = 1.0 + _GAP / 2,
) -> None:
    """Put a key to the right of the axes: patches, or lines of the given widths.

    A layout of the figure ("constrained", "compressed", "tight") makes room for it. Where there is none, the axes
    become narrower, so that both fit in the place that the axes had: nothing beside them is covered. Entries that do
    not fit in its height are counted, not named.
    """
    if not names:
        return
    limit = min(MAX_ENTRIES, _rows(ax))
    shown = len(names) if len(names) <= limit else max(limit - 1, 1)
    handles = [_handle(c, None if widths is None else widths[k]) for k, c in enumerate(colors[:shown])]
    texts = list(names[:shown])
    if shown < len(names):
        from matplotlib.lines import Line2D

        handles.append(Line2D([], [], linestyle="none"))
        texts.append(f"and {len(names) - shown} more")
    key = ax.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(left, 1.0), borderaxespad=0.0, frameon=False,
        fontsize="small",
    )  # fmt: skip
    make_room(ax, [key])


def _handle(color: Any, width: float | None) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if width is None:
        return Patch(facecolor=color, edgecolor="#404040", linewidth=0.5)
    return Line2D([], [], color=color, linewidth=width, path_effects=halo(_rgb(color), width) or None)


def _rgb(color: Any) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)


def _rows(ax: Axes) -> int:
    """Return how many entries fit beside the axes."""
    figure = ax.figure
    from matplotlib.font_manager import FontProperties

    letter = FontProperties(size="small").get_size_in_points()
    height = 72 * figure.bbox.height / figure.dpi  # points
    return max(int(height * ax.get_position(original=True).height / (_ROW * letter)), 2)


def above(ax: Axes, handles: Sequence[Any]) -> None:
    """Put a key above axes without a title, in as many columns as are no wider than their place; as `beside` else."""
    place = ax.get_position(original=True)
    for columns in range(min(4, len(handles)), 0, -1):
        key = ax.legend(
            handles=handles, fontsize="small", ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0),
            frameon=False,
        )  # fmt: skip
        if columns == 1 or _extent(ax, key)[1, 0] - _extent(ax, key)[0, 0] <= place.width:
            make_room(ax, [key])
            return


def make_room(ax: Axes, outside: Sequence[Artist]) -> None:
    """Make axes smaller until what is above them and to their right fits in their old place.

    Where the figure has a layout, that does it.
    """
    if ax.figure.get_layout_engine() is not None or not outside:
        return
    place = ax.get_position(original=True)
    for _ in range(3):  # equal scales: narrower axes are lower, and move
        ax.apply_aspect()
        over = np.maximum(np.max([_extent(ax, a)[1] for a in outside], axis=0) - place.max, 0.0)
        now = ax.get_position(original=True)
        size = np.maximum(now.size - over, _LEAST_SIZE * np.asarray(place.size))
        if np.array_equal(size, now.size):
            return
        ax.set_position((*now.p0, *size))
        ax.set_in_layout(True)  # a layout that is asked for later still counts them


def _extent(ax: Axes, artist: Artist) -> FloatArray:
    """Return the corners (2, 2) of what is drawn, as shares of the figure."""
    figure = ax.figure
    return figure.transSubfigure.inverted().transform(artist.get_window_extent().get_points())
