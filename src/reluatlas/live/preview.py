"""What is seen while a large plane moves? Classes at some points, as the network itself says them: no cells yet."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Box, Slice
from reluatlas.network.decision import classes_of
from reluatlas.network.network import Network

PREVIEW_S = 0.06
"""So long it may take, by what the last one took."""
_LONGEST_S = 0.5  # for the fewest points
_GRIDS = ((6, 4), (12, 8), (24, 16), (48, 32), (72, 48))
_MOST_CLASSES = 255


@dataclass(frozen=True, eq=False)
class Preview:
    """Classes at the middles of a grid's fields, row by row from the low corner.

    Attributes
    ----------
    width, height : int
    classes : ndarray of uint8, shape (height * width,)
    """

    width: int
    height: int
    classes: NDArray[np.uint8]


def sampled(net: Network, domain: Box | Slice, box: Box, costs: MutableMapping[int, float]) -> Preview | None:
    """Return classes at points of a window; None of a network without classes, or that takes too long for any.

    `costs` holds what a point of a network took of this thread, by its id, from one call to the next.
    """
    if net.classes is None or net.n_outputs > _MOST_CLASSES:
        return None
    cost = costs.get(id(net))
    fitting = [grid for grid in _GRIDS if cost is not None and grid[0] * grid[1] * cost <= PREVIEW_S]
    width, height = fitting[-1] if fitting else _GRIDS[0]
    if cost is not None and width * height * cost > _LONGEST_S:
        return None
    begin = time.thread_time()
    x, y = ((np.arange(n) + 0.5) / n for n in (width, height))
    share = np.stack([np.tile(x, height), np.repeat(y, width)], axis=1)
    points = box.low + share * (box.high - box.low)
    inputs = points if isinstance(domain, Box) else domain.embed(points)
    values = net(inputs.reshape(len(points), *net.input_shape)).reshape(len(points), -1)
    found = Preview(width, height, classes_of(net, values).astype(np.uint8))
    costs[id(net)] = (time.thread_time() - begin) / len(points)
    return found
