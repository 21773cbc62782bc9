"""Which points does an array hold? Its shape beside that of an input: one reader for Python and the command line.

Points come in the input's shape, as flat rows, or in a shape that differs from the input's by axes of length 1. A flat
input also takes images of one channel, row after row. Whatever else has the right number of entries is refused: the
same entries in another order are another point.
"""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError

Layout = Literal["nchw", "nhwc"]
Shape = tuple[int, ...]
LAYOUTS: tuple[Layout, ...] = ("nchw", "nhwc")
SMALLEST_IMAGE = 8  # pixels of a side: what is smaller is a table of points that do not fit, rather than an image


def rows_of(array: NDArray, shape: Shape, name: str = "X", *, by_option: bool = False) -> tuple[NDArray, bool]:
    """Return the points of an array as rows (N, n), and whether it is a single one.

    Parameters
    ----------
    array : ndarray
    shape : tuple of int
        Of one input.
    name : str
        What messages call the array.
    by_option : bool
        Whether a message names the command line's way out, `--layout`, in place of Python's.

    Raises
    ------
    DimensionError
        When it holds no points of that shape; a permutation of the axes is named.
    """
    single = is_single(array.shape, shape)
    if single is None:
        raise DimensionError(_misfit(array.shape, shape, name, by_option=by_option))
    return array.reshape(1 if single else array.shape[0], prod(shape)), single


def is_single(given: Shape, shape: Shape) -> bool | None:
    """Return whether an array of a shape is one point, rather than several; None where it holds no points."""
    n = prod(shape)
    if given in (shape, (n,)):
        return True
    if given and given[1:] in (shape, (n,)):
        return False
    if given and _is_point(given[1:], shape):
        return False
    return True if _is_point(given, shape) else None


def is_image(shape: Shape) -> bool:
    """Return whether points of a shape are images: two sides or more, neither of length 1."""
    sides = _long(shape)
    return len(sides) >= 2 and all(side >= SMALLEST_IMAGE for side in sorted(sides)[-2:])


def turned(array: NDArray, shape: Shape, layout: Layout | None) -> NDArray:
    """Return an array of images with its channels where the network has them; what is no image stays as it is.

    A flat input takes the channels first, as torch flattens images.

    Raises
    ------
    ArgumentError
        When the layout is unknown.
    """
    if layout is None:
        return array
    if layout not in LAYOUTS:
        raise ArgumentError(f"`layout={layout!r}` is unknown. Pass 'nchw' (channels first) or 'nhwc' (channels last).")
    n = prod(shape)
    point = array.shape if array.size == n and array.ndim in (1, 3) else array.shape[1:]
    if prod(point) != n:
        return array
    lead = array.shape[: array.ndim - len(point)]
    wanted = "nhwc" if len(shape) == 3 and _has_channels_last(shape, point, layout) else "nchw"
    if len(point) == 1 and len(shape) == 3 and wanted != layout:  # flat rows of images of the other layout
        c, h, w = shape if wanted == "nchw" else (shape[2], *shape[:2])
        point = (h, w, c) if layout == "nhwc" else (c, h, w)
        array = array.reshape(*lead, *point)
    if len(point) == 3 and wanted != layout:
        array = np.moveaxis(array, -1, -3) if layout == "nhwc" else np.moveaxis(array, -3, -1)
    return array.reshape(*lead, n) if len(point) == 3 and len(_long(shape)) <= 1 else array


def require_order(given: Shape | None, shape: Shape, name: str, *, what: str = "goes through points of") -> None:
    """Raise when a point, or several, or those that a domain goes through, have an input's entries in other axes.

    Raises
    ------
    DimensionError
    """
    if given is not None and prod(shape) in (prod(given), prod(given[1:])) and is_single(given, shape) is None:
        raise DimensionError(_misfit(given, shape, name, what=what))


def _is_point(given: Shape, shape: Shape) -> bool:
    if prod(given) != prod(shape):
        return False
    here, there = _long(given), _long(shape)
    return here == there or len(here) <= 1 or (len(there) <= 1 and len(here) == 2 and is_image(given))


def _long(shape: Shape) -> Shape:
    """Return a shape without axes of length 1."""
    return tuple(side for side in shape if side != 1)


def _has_channels_last(shape: Shape, point: Shape, layout: Layout) -> bool:
    """Return whether a network's images have their channels last, going by the shape of images of a layout."""
    if len(point) != 3:
        return shape[0] > shape[2]
    other = (point[1], point[2], point[0]) if layout == "nchw" else point
    first = point if layout == "nchw" else (point[2], point[0], point[1])
    return first != shape and other == shape


def _order(given: Shape, shape: Shape) -> str:
    """Return "NHWC" or "NCHW" where a point has an input's axes in that order, and "other" for other orders."""
    if len(shape) == 3 and len(given) == 3:
        if given == (shape[1], shape[2], shape[0]):
            return "NHWC" if shape[0] <= shape[2] else "other"
        if given == (shape[2], shape[0], shape[1]):
            return "NCHW" if shape[2] <= shape[0] else "other"
    return "other" if sorted(_long(given)) == sorted(_long(shape)) else ""


def _misfit(given: Shape, shape: Shape, name: str, *, what: str = "has", by_option: bool = False) -> str:
    """Return why an array holds no points of a shape, in a sentence, and what to do."""
    n = prod(shape)
    axis = 0 if prod(given) == n and len(given) <= max(3, len(shape)) else 1
    said = f"`{name}` {what} shape {given} but the network takes points of shape {shape}"
    point = given[axis:]
    if prod(point) == n:
        order = _order(point, shape)
        if order in ("NHWC", "NCHW"):
            moved = f"-1, {axis}" if order == "NHWC" else f"{axis}, -1"
            way = f"`--layout {order.lower()}`" if by_option else f"`np.moveaxis({name}, {moved})`"
            where = "last" if order == "NHWC" else "first"
            return f"{said}: it looks like {order}, channels {where}. Pass {way}, which turns it."
        if order:
            return f"{said}: its axes are in another order. Transpose them to the network's order."
        flat = f"`{name}.reshape(-1)`" if axis == 0 else f"`{name}.reshape(len({name}), -1)`"
        if len(_long(shape)) <= 1:
            way = "`--layout nchw` or `--layout nhwc`" if by_option else f"{flat} when the order of its axes is right"
            return f"{said}: the order in which it is to be flattened is not known. Pass {way}."
        return f"{said}: it has as many entries in other axes. Pass points of the network's shape."
    if len(given) == 2 and len(given) == len(point) + 1 and point == (n + 1,):
        return f"{said}: each row has one number more. Leave out the column that is no input, such as the label."
    if by_option:
        return f"{said}. Save one such point, or several stacked along a first axis."
    return f"{said}. Pass (N, {', '.join(map(str, shape))}), or one point."
