"""What does a network look for in an image? The weights of its affine map there, drawn as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.figures.axes import new_figure, require_figsize

_COLORS = "RdBu_r"
_CELL = 1.05  # inches
_SHARE = 99.5  # percent of the weights of a row that the scale covers


def affine_images(
    maps: AffineMaps | ArrayLike | Mapping[str, AffineMaps | ArrayLike],
    *,
    image: ArrayLike | None = None,
    image_shape: tuple[int, ...] | None = None,
    difference: tuple[int, int] | Sequence[tuple[int, int]] | None = None,
    names: Sequence[str] | None = None,
    axes: Any = None,
    figsize: tuple[float, float] | None = None,
) -> NDArray[np.object_]:
    """Return the axes of a table of pictures: a row for each network, a column for each output.

    Each picture holds the weights of one output's affine map, one pixel a weight. The scale of a row is its own,
    symmetric about 0: white is no weight, red is positive, blue is negative; the strongest color stands for the
    99.5th percentile of the row's absolute weights, and what is beyond has the same color.

    Parameters
    ----------
    maps : AffineMaps of one point, array_like (m, height, width), or a mapping of names to such
        The map of one network, or of several with names. A single channel, (m, 1, height, width), is taken as it is.
    image : array_like, shape (height, width), optional
        The input itself, drawn in gray in a column before the others.
    image_shape : (height, width) or (1, height, width), optional
        Of the inputs, where maps have them in one row, as those of networks that take vectors.
    difference : (int, int), or several, optional
        In place of outputs: the weights of one minus those of another, a column each. (7, 4) shows what tells a 7 from
        a 4.
    names : sequence of str, optional
        Of the outputs; 0, 1, ... when left out.
    axes : array of matplotlib Axes, optional
        (rows, columns), with one column more for an image. A new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError, DimensionError
        When there is nothing to draw, shapes do not fit, or there is no such output.
    """
    rows = {k: _weights(v, image_shape) for k, v in (maps if isinstance(maps, Mapping) else {"": maps}).items()}
    if not rows:
        raise ArgumentError("`maps` is empty. Pass the maps of one network or more.")
    shapes = {w.shape for w in rows.values()}
    if len(shapes) > 1:
        raise DimensionError(f"`maps` hold pictures of different shapes: {sorted(shapes)}. Pass maps at one point.")
    m = next(iter(shapes))[0]
    titles = [str(i) for i in range(m)] if names is None else [str(n) for n in names]
    if len(titles) != m:
        raise DimensionError(f"`names` has {len(titles)} entries; expected {m}, one for each output.")
    if difference is not None:
        pairs = _pairs(difference, m)
        rows = {name: np.stack([w[a] - w[b] for a, b in pairs]) for name, w in rows.items()}
        titles, m = [f"{titles[a]} − {titles[b]}" for a, b in pairs], len(pairs)
    extra = 0 if image is None else 1
    panels = _panels(axes, len(rows), m + extra, require_figsize(figsize, axes, "axes"))
    for r, (name, weights) in enumerate(rows.items()):
        limit = float(np.percentile(np.abs(weights), _SHARE)) or float(np.abs(weights).max()) or 1.0
        for c in range(m + extra):
            ax = panels[r, c]
            if c < extra:
                ax.imshow(np.asarray(image).reshape(weights.shape[1:]), cmap="gray_r", interpolation="nearest")
            else:
                ax.imshow(weights[c - extra], cmap=_COLORS, vmin=-limit, vmax=limit, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            if r == 0:
                ax.set_title("image" if c < extra else titles[c - extra], fontsize="medium")
        if name:
            panels[r, 0].set_ylabel(name, fontsize="medium")
        panels[r, -1].annotate(
            f"± {limit:.2g}", (1.06, 0.5), xycoords="axes fraction", va="center", fontsize="small", color="#505050"
        )
    return panels


def _pairs(difference: Any, m: int) -> list[tuple[int, int]]:
    found = [difference] if isinstance(difference, tuple) and np.ndim(difference) == 1 else list(difference)
    for pair in found:
        whole = len(pair) == 2 and all(isinstance(i, int | np.integer) and 0 <= i < m for i in pair)
        if not whole or pair[0] == pair[1]:
            raise ArgumentError(f"`difference` has {pair!r}; expected two different outputs, from 0 to {m - 1}.")
    if not found:
        raise ArgumentError("`difference` is empty. Pass two outputs, such as (7, 4), or leave it out.")
    return [(int(a), int(b)) for a, b in found]


def _weights(maps: AffineMaps | ArrayLike, image_shape: tuple[int, ...] | None) -> NDArray[np.float64]:
    if isinstance(maps, AffineMaps):
        if len(maps) != 1:
            raise DimensionError(f"`maps` has maps of {len(maps)} points; pictures are of one. Pass `maps[i]`.")
        found = np.asarray(maps.A[0], dtype=np.float64)
    else:
        found = np.asarray(maps, dtype=np.float64)
    if image_shape is not None:
        size = int(np.prod(image_shape))
        if found.ndim < 2 or found[0].size != size:
            raise DimensionError(
                f"`image_shape={tuple(image_shape)}` is of {size} inputs; `maps` has rows of shape {found.shape[1:]}."
            )
        found = found.reshape(len(found), *image_shape)
    if found.ndim == 4 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 3 or 0 in found.shape:
        raise DimensionError(
            f"`maps` has rows of shape {found.shape[1:]}; pictures need (height, width), or one channel of that: "
            "`image_shape=(28, 28)` for inputs in one row."
        )
    return found


def _panels(axes: Any, n_rows: int, n_columns: int, size: tuple[float, float] | None) -> NDArray[np.object_]:
    if axes is None:
        figure = new_figure(size or (_CELL * n_columns + 1.0, _CELL * n_rows + 0.4))
        return figure.subplots(n_rows, n_columns, squeeze=False)
    found = np.asarray(axes, dtype=object)
    if found.size != n_rows * n_columns:
        raise ArgumentError(f"`axes` has {found.size} axes; expected {n_rows} rows of {n_columns}.")
    return found.reshape(n_rows, n_columns)
