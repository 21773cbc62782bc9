"""Which points does a file hold, as a network takes them? `load_points`: their shapes, layouts and units."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from os import PathLike, fspath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.importers.lowering.weights import normalization, per_entry
from reluatlas.importers.point_files import Item, item_of, open_array
from reluatlas.network.network import Network, require_network
from reluatlas.network.point_shapes import SMALLEST_IMAGE, Shape, is_image, is_single, rows_of, turned
from reluatlas.typing import FloatArray

_USUAL = 2.0  # images whose values are all within this were scaled already, as far as one can see
_PIXELS = 255
_LOOKED_AT = 1024


@dataclass(frozen=True)
class Reading:
    """How numbers of files become points: `(x / scale - mean) / std`, with the channels where the network has them.

    Attributes
    ----------
    layout : {"nchw", "nhwc"} or None
        Where images have their channels; None: where the network has them.
    scale : float or None
    mean, std : array_like or None
        Numbers, one number per channel, or arrays of the input's shape.
    """

    layout: Literal["nchw", "nhwc"] | None = None
    scale: float | None = None
    mean: Any = None
    std: Any = None

    @property
    def has_units(self) -> bool:
        """Whether values are changed."""
        return not (self.scale is None and self.mean is None and self.std is None)

    def rows(self, array: NDArray, shape: Shape, name: str, *, by_option: bool = False) -> tuple[NDArray, bool]:
        """Return the points of an array as rows (N, n), and whether it is a single one; see `load_points`."""
        rows, single = rows_of(turned(array, shape, self.layout), shape, name, by_option=by_option)
        return (self.in_units(rows, shape) if self.has_units else rows), single

    def in_units(self, rows: NDArray, shape: Shape) -> FloatArray:
        """Return rows in the network's units.

        Raises
        ------
        ArgumentError, DimensionError
            When a number makes no sense, or there are other numbers of them than channels.
        """
        if self.scale is not None and not (np.isfinite(self.scale) and self.scale > 0):
            raise ArgumentError(f"`scale={self.scale!r}` must be a number above 0, such as 255.")
        values = np.array(rows, dtype=np.float64)
        if self.scale is not None:
            values /= self.scale
        if self.mean is None and self.std is None:
            return values
        normalization(self.mean, self.std, shape)  # refuses what does not fit
        if self.mean is not None:
            values -= per_entry(self.mean, shape, "mean")[0].reshape(-1)
        if self.std is not None:
            values /= per_entry(self.std, shape, "std")[0].reshape(-1)
        return values

    @property
    def code(self) -> str:
        """The arguments of `load_points`."""
        given = {"layout": self.layout, "scale": self.scale, "mean": self.mean, "std": self.std}
        return "".join(f", {name}={value!r}" for name, value in given.items() if value is not None)


def load_points(
    path: str | PathLike[str],
    net: Network,
    *,
    layout: Literal["nchw", "nhwc"] | None = None,
    scale: float | None = None,
    mean: Any = None,
    std: Any = None,
) -> FloatArray:
    """Return the points in a file, in the shape and the units that a network takes.

    Points have the input's shape, or are flat rows, or differ from it by axes of length 1; a flat input also takes
    images of one channel. Axes in another order are refused: they would be other points.

    Parameters
    ----------
    path : path
        `.npy`; `.npz` (`data.npz:x_test` for one of its arrays); `.csv`, a point in each line; or `.png`, one image,
        with values as they are stored, mostly 0 to 255. `X.npy:0,5` takes some rows.
    net : Network
    layout : {"nchw", "nhwc"}, optional
        Where the file's images have their channels: first, or last. They are turned to the network's order; for a flat
        input, to channels first, as torch flattens images.
    scale, mean, std : optional
        The points are `(x / scale - mean) / std`: 255 and what the network was trained with. `mean` and `std` are
        numbers, one number per channel, or arrays of the input's shape. The network stays as it is; the arguments of
        `load` with these names put the network itself in other units.

    Returns
    -------
    ndarray of float64, shape (N, *input_shape)

    Raises
    ------
    ArgumentError, DimensionError, NonFiniteError, DomainError
        When the file cannot be read, holds no numbers, or no points of the network.

    Guarantees
    ----------
    The file's numbers upcast to float64, exactly, unless `scale`, `mean` or `std` change them.

    Cost
    ----
    That of reading the file; all points are in memory at once.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0, 1.0]], [0.0])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder) / "X.npy", [[0, 255], [51, 102]])
    ...     ra.load_points(Path(folder) / "X.npy", net, scale=255).tolist()
    [[0.0, 1.0], [0.2, 0.4]]
    """
    require_network(net)
    text = fspath(path)
    item = item_of(text, f"`{text}`")
    array = open_array(item, f"`{text}`", net.input_shape)
    rows, _ = rows_in(item, array, net.input_shape, Reading(layout, scale, mean, std))
    values = np.array(rows, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise NonFiniteError(f"`{item.path}` holds NaN or an infinite number. Pass finite inputs.")
    return values.reshape(-1, *net.input_shape)


def rows_in(
    item: Item, array: NDArray, shape: Shape, reading: Reading, *, by_option: bool = False
) -> tuple[NDArray, bool]:
    """Return the points that an item names of its array as rows (N, n), and whether the array is a single one.

    Raises
    ------
    ArgumentError, DimensionError
        When a row is not there, or the array holds no points of the shape.
    """
    name = str(item.path)
    if item.ending == ".png":
        array = _fitted(array, shape, name)
        reading = Reading(None, reading.scale, reading.mean, reading.std)
    if item.rows is None:
        return reading.rows(array, shape, name, by_option=by_option)
    if array.ndim < 1 or prod(array.shape[1:]) != prod(shape):
        if is_single(turned(array, shape, reading.layout).shape, shape):
            raise ArgumentError(f"`{item.text}` asks for rows but `{item.path}` holds one point. Leave the rows out.")
        return reading.rows(array, shape, name, by_option=by_option)  # says what is wrong
    n = array.shape[0]
    for row in item.rows:
        if not -n <= row < n:
            raise ArgumentError(f"`{item.text}` asks for row {row} but `{item.path}` has {n:,} rows.")
    # a file of many is not read for some of its rows
    return reading.rows(array[list(item.rows)], shape, name, by_option=by_option)[0], False


def remark(array: NDArray, shape: Shape) -> str:
    """Return what one may want to know of the points of a file before they are scaled; "" for nothing.

    Whole numbers of images, and images with values beyond 2, are mostly pixels from 0 to 255, while most networks take
    numbers about 1. Points of few inputs are what they are. Of many points the first thousand are looked at.
    """
    single = bool(is_single(array.shape, shape))
    shown = array if single else array[:_LOOKED_AT]
    if not shown.size:
        return ""
    low, high = float(np.min(shown)), float(np.max(shown))
    is_whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool(np.all(shown == np.rint(shown))))
    if is_image(shape) or is_image(array.shape if single else array.shape[1:]):
        is_usual = max(-low, high) <= (1.0 if array.dtype.kind in "iu" else _USUAL)
    else:  # flat rows may be images, too
        is_usual = prod(shape) < SMALLEST_IMAGE**2 or not is_whole or low < 0 or not _USUAL < high <= _PIXELS
    return "" if is_usual else f"holds {'whole numbers' if is_whole else 'values'} from {low:g} to {high:g}"


def _fitted(array: NDArray, shape: Shape, name: str) -> NDArray:
    """Return an image as one point: its channels are last in the file.

    Raises
    ------
    DimensionError
        When its size or its channels are not the network's.
    """
    point = turned(array, shape, "nhwc")
    if not is_single(point.shape, shape):
        h, w = array.shape[:2]
        channels = "3 channels" if array.ndim == 3 else "1 channel"
        raise DimensionError(
            f"`{name}` is an image of {w} × {h} pixels and {channels} but the network takes points of shape {shape}. "
            "Save it in that size and with as many channels."
        )
    return point
