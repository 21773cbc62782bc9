"""Which inputs speak for a decision, and which against it? Contributions as a picture beside the input, or as bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.figures.axes import new_figure, require_figsize

_COLORS = "RdBu_r"
_FOR, _AGAINST = "#b2182b", "#2166ac"
_SHARE = 99.5  # percent of the contributions that the scale covers
_LEAST_SIDE = 4
_BARS = 20


def picture_shape(input_shape: tuple[int, ...], image_shape: tuple[int, ...] | None = None) -> tuple[int, int] | None:
    """Return height and width of inputs that are pictures of one channel; None where they are none.

    Raises
    ------
    DimensionError
        When `image_shape` does not hold as many numbers as an input.
    """
    n = int(np.prod(input_shape))
    if image_shape is not None:
        image_shape = image_shape[-2:] if len(image_shape) == 3 and image_shape[0] == 1 else image_shape
        if len(image_shape) != 2 or int(np.prod(image_shape)) != n or min(image_shape) < 1:
            given = "×".join(map(str, image_shape))
            raise DimensionError(f"`image_shape` of {given} does not hold the {n:,} inputs. Pass (height, width).")
        return image_shape[0], image_shape[1]
    shape = input_shape[1:] if len(input_shape) == 3 and input_shape[0] == 1 else input_shape
    return (shape[0], shape[1]) if len(shape) == 2 and min(shape) >= _LEAST_SIDE else None


def contributions(
    parts: ArrayLike,
    *,
    image: ArrayLike | None = None,
    image_shape: tuple[int, ...] | None = None,
    axes: Any = None,
    figsize: tuple[float, float] | None = None,
) -> NDArray[np.object_]:
    """Return the axes of a picture of contributions, beside the input; of bars, where inputs are no pictures.

    The scale is symmetric about 0: red speaks for what is explained, blue against it, white does nothing. The strongest
    color stands for the 99.5th percentile of absolute contributions, and what is beyond has the same color. Bars show
    the 20 largest.

    Parameters
    ----------
    parts : array_like, of an input's shape
        Such as `Explanation.parts` or `IntegratedGradients.parts`.
    image : array_like, of an input's shape, optional
        The input itself, drawn in gray on the first axes; of bars, told beside the names.
    image_shape : (int, int), optional
        Height and width, of inputs that are pictures but not of that shape.
    axes : sequence of matplotlib Axes, optional
        One, and one more with `image`, for pictures; one for bars. A new figure when None.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError, DimensionError
        When there is nothing to draw, or shapes do not fit.
    """
    given = np.asarray(parts, dtype=np.float64)
    if given.size == 0:
        raise ArgumentError("`parts` is empty. Pass the contributions of one point.")
    x = None if image is None else np.asarray(image, dtype=np.float64)
    if x is not None and x.size != given.size:
        raise DimensionError(f"`image` has {x.size:,} numbers; expected {given.size:,}, as `parts` has.")
    shape = picture_shape(given.shape, image_shape)
    if shape is None:
        return _bars(given, x, axes, require_figsize(figsize, axes, "axes"))
    n_panels = 1 if x is None else 2
    panels = _panels(axes, n_panels, require_figsize(figsize, axes, "axes") or (3.3 * n_panels, 3.1))
    if x is not None:
        panels[0].imshow(x.reshape(shape), cmap="gray_r", interpolation="nearest")
        panels[0].set_title("the input", fontsize="medium")
    limit = float(np.percentile(np.abs(given), _SHARE)) or float(np.abs(given).max()) or 1.0
    drawn = panels[-1].imshow(given.reshape(shape), cmap=_COLORS, vmin=-limit, vmax=limit, interpolation="nearest")
    panels[-1].set_title("what it contributes", fontsize="medium")
    bar = panels[-1].figure.colorbar(drawn, ax=panels[-1], fraction=0.046, pad=0.04)
    bar.set_label("against            for", fontsize="small")
    bar.ax.tick_params(labelsize="small")
    for ax in panels:
        ax.set_xticks([])
        ax.set_yticks([])
    return panels


def _bars(parts: NDArray, x: NDArray | None, axes: Any, size: tuple[float, float] | None) -> NDArray[np.object_]:
    order = np.argsort(-np.abs(parts.reshape(-1)), kind="stable")[:_BARS]
    ax = _panels(axes, 1, size or (5.2, 0.9 + 0.24 * order.size))[0]
    values = parts.reshape(-1)[order]
    ax.barh(np.arange(order.size), values, color=np.where(values >= 0, _FOR, _AGAINST), height=0.72)
    names = [place_name(np.unravel_index(i, parts.shape), parts.shape) for i in order.tolist()]
    if x is not None:
        names = [f"{name} = {value:.4g}" for name, value in zip(names, x.reshape(-1)[order], strict=True)]
    ax.set_yticks(np.arange(order.size), names, fontsize="small")
    ax.invert_yaxis()
    ax.axvline(0.0, color="#505050", linewidth=0.8)
    ax.set_xlabel("contribution: red for, blue against", fontsize="small")
    ax.tick_params(axis="x", labelsize="small")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return np.array([ax], dtype=object)


def place_name(place: tuple[Any, ...], of: tuple[int, ...], picture: tuple[int, int] | None = None) -> str:
    """Return what the input at a place of an array is called: its position, counted from 0 as arrays are."""
    if picture is not None:
        row, column = np.unravel_index(np.ravel_multi_index(place, of), picture)
        return f"row {row}, column {column}"
    numbers = [str(int(k)) for k, n in zip(place, of, strict=True) if n > 1] or ["0"]
    return f"input {numbers[0]}" if len(numbers) == 1 else f"input ({', '.join(numbers)})"


def _panels(axes: Any, n: int, size: tuple[float, float]) -> NDArray[np.object_]:
    if axes is None:
        return new_figure(size).subplots(1, n, squeeze=False).reshape(-1)
    found = np.atleast_1d(np.asarray(axes, dtype=object)).reshape(-1)
    if found.size != n:
        raise ArgumentError(f"`axes` has {found.size} axes; expected {n}.")
    return found
