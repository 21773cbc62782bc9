"""Where is there room for a name? The widest places of each class, where its name is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.figures import paint, raster
from reluatlas.figures.class_colors import ink_on
from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_SIDE = 320
_LETTER = (0.62, 1.25)  # width and height of a letter, in sizes of the font
_MOST = 3  # areas of one class


def write_names(
    ax: Axes,
    shapes: Sequence[FloatArray],
    classes: IntArray,
    names: Mapping[int, str],
    colors: Mapping[int, ArrayLike],
    low: FloatArray,
    high: FloatArray,
) -> None:
    """Write the name of each class into its largest areas, up to three, where there is room for it.

    Black or white, whichever is read better on the color, with a rim of the color.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.patheffects import withStroke

    picture = raster.sampled(shapes, low, high, side=_SIDE)
    seen = np.append(classes, raster.NOTHING)[picture]
    seen[picture == raster.NOTHING] = np.iinfo(np.int64).min
    size = FontProperties(size="medium").get_size_in_points()
    per_pixel = _points_per_pixel(ax, low, high, picture.shape)
    for c, name in names.items():
        need = np.array([_LETTER[1], _LETTER[0] * max(len(name), 2)]) * size / per_pixel
        for row, column in _places(seen == c, np.ceil(need).astype(int)):
            at = low + (high - low) * (column + 0.5, row + 0.5) / picture.shape[::-1]
            text = ax.text(
                at[0], at[1], name, ha="center", va="center", fontsize="medium", color=ink_on(colors[c]),
                zorder=paint.WORDS, clip_on=True, gid="class name",
            )  # fmt: skip
            rim = tuple(np.asarray(colors[c], dtype=np.float64).tolist())
            text.set_path_effects([withStroke(linewidth=2.5, foreground=rim)])


def _points_per_pixel(ax: Axes, low: FloatArray, high: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return how many points of the page a pixel is high and wide, about: a layout can still change it."""
    figure, place = ax.figure, ax.get_position(original=True)
    height, width = (
        72 * figure.bbox.height * place.height / figure.dpi,
        72 * figure.bbox.width * place.width / figure.dpi,
    )
    if ax.get_aspect() != "auto":
        scale = min(width / (high[0] - low[0]), height / (high[1] - low[1]))
        width, height = scale * (high - low)
    return np.array([height, width]) / shape


def _places(area: NDArray[np.bool_], need: IntArray) -> Iterator[tuple[int, int]]:
    """Yield the middle of the widest place in each of the largest parts of an area that hold a box of rows, columns."""
    from scipy import ndimage

    if not area.any() or np.any(need >= area.shape):
        return
    part = np.zeros(area.shape, dtype=np.int32)
    n = int(ndimage.label(area, output=part))  # type: ignore[arg-type]
    holds = ndimage.minimum_filter(area, size=tuple(need | 1), mode="constant", cval=0)
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(area, 1)))[1:-1, 1:-1]
    sizes = np.bincount(part.reshape(-1), minlength=n + 1)
    sizes[0] = 0
    for k in np.argsort(-sizes, kind="stable")[:_MOST].tolist():
        room = np.where((part == k) & holds, depth, 0.0)
        if k and room.any():
            row, column = np.unravel_index(int(room.argmax()), room.shape)
            yield int(row), int(column)
