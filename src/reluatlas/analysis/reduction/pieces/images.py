"""How are images changed a little? Shifted by whole pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.reduction.pieces.sample import Change


def shifted(background: float, by: int = 1, shape: Sequence[int] | None = None) -> Change:
    """Return a change that shifts images by up to `by` pixels, each way at random; what comes in is background.

    Parameters
    ----------
    background : float
        The value of a pixel outside of the image, in input units.
    by : int
    shape : sequence of int, optional
        Shape of one image, height and width last, when the points are flat rows.
    """

    def change(part: NDArray, generator: np.random.Generator) -> NDArray:
        images = part.reshape(len(part), *(shape or part.shape[1:]))
        height, width = images.shape[-2:]
        edge = [(0, 0)] * (images.ndim - 2) + [(by, by)] * 2
        wide = np.pad(images, edge, constant_values=background)
        # one of the (2 by + 1)^2 - 1 shifts that are not none
        moves = [(i, j) for i in range(2 * by + 1) for j in range(2 * by + 1) if (i, j) != (by, by)]
        drawn = generator.integers(len(moves), size=len(images))
        out = np.empty_like(images)
        for at, (i, j) in enumerate(moves):
            chosen = drawn == at
            out[chosen] = wide[chosen, ..., i : i + height, j : j + width]
        return out.reshape(part.shape)

    return change
