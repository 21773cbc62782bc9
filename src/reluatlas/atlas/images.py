"""Are inputs pictures? Their shape, and which numbers are black and white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.domain import Space
from reluatlas.errors import DimensionError

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

_LEAST_SIDE = 4


def image_of(cx: PolyhedralComplex, given: tuple[int, ...] | None = None) -> dict[str, Any] | None:
    """Return channels, height, width and the numbers for black and white; None for inputs that are no pictures."""
    of_points = getattr(cx.domain, "input_shape", None)
    shape = tuple(cx.network.input_shape) if given is None else tuple(given)
    if given is not None and int(np.prod(shape)) != cx.network.n_inputs:
        raise DimensionError(
            f"`image={shape}` has {int(np.prod(shape))} numbers but the network takes {cx.network.n_inputs} inputs. "
            "Pass the height and width of its pictures."
        )
    if given is None and len(shape) < 2 and of_points is not None:
        shape = tuple(of_points)
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
