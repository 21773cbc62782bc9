"""Is a convolution one of those that formats know: kernel, stride, padding, dilation? `window_of`."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import Convolution
from reluatlas.typing import IntArray

_MOST_AXES = 3


class Window(NamedTuple):
    """A convolution on images of some axes, as ONNX and torch describe it."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    dilations: tuple[int, ...]


def window_of(operator: Convolution, before: tuple[int, ...], after: tuple[int, ...]) -> Window | None:
    """Return how formats describe a convolution from images of one shape to those of another; None where they cannot.

    Its places are computed again from what is found, and must be the same.
    """
    channels = operator.groups * operator.weight.shape[1]
    if len(before) != len(after) or not 2 <= len(before) <= _MOST_AXES + 1:
        return None
    if before[0] != channels or after[0] != operator.weight.shape[0]:
        return None
    inside, outside = before[1:], after[1:]
    if prod(inside) != operator.n_positions or prod(outside) != operator.places.shape[0]:
        return None
    steps = _steps(operator.places, inside, outside)
    if steps is None:
        return None
    strides, offsets = steps
    kernel, begin, dilations = [], [], []
    for values in offsets:
        taps = np.unique(values)
        gaps = np.unique(np.diff(taps))
        if gaps.size > 1:
            return None
        kernel.append(int(taps.size))
        dilations.append(int(gaps[0]) if gaps.size else 1)
        begin.append(-int(taps[0]))
    end = [
        (out - 1) * s + d * (k - 1) + 1 - b - n
        for out, s, d, k, b, n in zip(outside, strides, dilations, kernel, begin, inside, strict=True)
    ]
    # where the last positions are not reached, nothing is added behind
    found = Window(
        inside, outside, tuple(kernel), strides, tuple(begin), tuple(max(0, e) for e in end), tuple(dilations)
    )
    if min(begin) < 0 or prod(kernel) != operator.places.shape[1]:
        return None
    given = tuple(
        (n + b + e - d * (k - 1) - 1) // s + 1
        for n, b, e, d, k, s in zip(inside, begin, found.end, dilations, kernel, strides, strict=True)
    )
    return found if given == outside and np.array_equal(places_of(found), operator.places) else None


def _steps(
    places: IntArray, inside: tuple[int, ...], outside: tuple[int, ...]
) -> tuple[tuple[int, ...], list[IntArray]] | None:
    """Return the stride of each axis, and where each tap of the first output position is, along each axis."""
    there = places >= 0
    if not there.any(axis=0).all():
        return None
    at = np.unravel_index(np.where(there, places, 0), inside)
    position = np.unravel_index(np.arange(places.shape[0]), outside)
    strides, offsets = [], []
    for along, out in zip(at, position, strict=True):
        stride = _stride(along, out, there)
        if stride < 1:
            return None
        first = np.argmax(there, axis=0)
        offsets.append(along[first, np.arange(places.shape[1])] - stride * out[first])
        strides.append(stride)
    return tuple(strides), offsets


def _stride(along: IntArray, out: IntArray, there: NDArray[np.bool_]) -> int:
    """Return by how much a tap moves along an axis where the output position does by one; 1 where no tap tells."""
    for tap in range(there.shape[1]):
        rows = np.flatnonzero(there[:, tap])
        moved = rows[out[rows] != out[rows[0]]]
        if moved.size:
            return int((along[moved[0], tap] - along[rows[0], tap]) // (out[moved[0]] - out[rows[0]]))
    return 1


def places_of(window: Window) -> IntArray:
    """Return the places of a convolution: (out positions, taps), -1 on the padding."""
    out = np.zeros((prod(window.after), prod(window.kernel)), dtype=np.int64)
    inside = np.ones(out.shape, dtype=bool)
    position = np.unravel_index(np.arange(out.shape[0]), window.after)
    tap = np.unravel_index(np.arange(out.shape[1]), window.kernel)
    for axis, size in enumerate(window.before):
        at = position[axis][:, None] * window.strides[axis] + tap[axis] * window.dilations[axis] - window.begin[axis]
        inside &= (at >= 0) & (at < size)
        out = out * size + at
    return np.where(inside, out, -1)
