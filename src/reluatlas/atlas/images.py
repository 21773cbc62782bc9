"""Are inputs pictures? Their shape, and which numbers are black and white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.domain import Space

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

_LEAST_SIDE = 4


def image_of(cx: PolyhedralComplex) -> dict[str, Any] | None:
    """Return channels, height, width and the numbers for black and white; None for inputs that are no pictures."""
    shape = tuple(side for side in cx.network.input_shape)
    given = getattr(cx.domain, "input_shape", None)
    if len(shape) < 2 and given is not None:
        shape = tuple(given)
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape[1:]) < _LEAST_SIDE:
        return None
    if isinstance(cx.domain, Space):
        return None
    corners = cx.domain.embed(np.array([cx.box.low, cx.box.high]))
    low, high = float(corners.min()), float(corners.max())
    middle = cx.domain.embed((cx.box.low + cx.box.high) / 2)
    usual = float(np.min(middle)) >= -0.5 and float(np.max(middle)) <= 1.5
    return {
        "channels": shape[0], "height": shape[1], "width": shape[2],
        "black": 0.0 if usual else low, "white": 1.0 if usual else high,
    }  # fmt: skip
