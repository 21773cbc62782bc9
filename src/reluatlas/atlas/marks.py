"""Which points are pointed out? Given inputs, on figures and in the atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Mark:
    """A point of the domain to point out.

    Attributes
    ----------
    label : str
        Short, such as "a" or "digit 3".
    u : ndarray, shape (2,)
        In the domain's coordinates.
    image : ndarray, shape (h, w), or None
        The input itself, where it is a picture.
    """

    label: str
    u: NDArray[np.float64]
    image: NDArray[np.float64] | None = None
