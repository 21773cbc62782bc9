"""Which unit bends first on a box? Its rows, for f and for g: affine functions, as nothing before it bends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.paired.forms import SLACK, Forms
from reluatlas.comparison.paired.units import Apart, Bent
from reluatlas.stable.enclosure import TINY
from reluatlas.typing import FloatArray


class Bend(NamedTuple):
    """A pair of ReLUs that may bend on a box, after all before it.

    `unit` counts the units of all layers, -1 for none; nothing is known of a box with bends of another kind. `is_open`
    says whether f's may bend, and g's; `rows` (2, k + 2) have center, shares of the box's coordinates, and rest.
    """

    unit: int
    is_open: tuple[bool, bool]
    rows: FloatArray


NO_BEND = Bend(-1, (False, False), np.zeros((2, 0)))


class FirstBends:
    """The first units that may bend, box by box, as layers are walked through."""

    def __init__(self, n_boxes: int, k: int) -> None:
        self._k = k
        self._found: list[Bend | None] = [None] * n_boxes
        self._refused = np.zeros(n_boxes, dtype=bool)
        self.offset = 0

    def refuse(self, several: NDArray[np.bool_]) -> None:
        """Note boxes on which something else than a ReLU bends."""
        self._refused |= several.any(axis=1)

    def note(self, y: Forms, z: Forms, found: Apart, by: Bent) -> None:
        """Note what may bend in this layer, on boxes where nothing did before."""
        several = found.f_several | by.several
        weight = np.where(several, found.radius + 1e-3 * by.radius + TINY, -1.0)
        unit = weight.argmax(axis=1)
        for b in np.flatnonzero(several.any(axis=1)).tolist():
            if self._found[b] is None:
                i = int(unit[b])
                rows = np.stack([_row(y, b, i, self._k), _row(z, b, i, self._k)])
                is_open = bool(found.f_several[b, i]), bool(by.several[b, i])
                self._found[b] = Bend(self.offset + i, is_open, rows)

    def told(self) -> tuple[Bend, ...]:
        """Return the first unit of each box that may bend."""
        return tuple(
            NO_BEND if bend is None or refused else bend
            for bend, refused in zip(self._found, self._refused.tolist(), strict=True)
        )


def _row(z: Forms, box: int, unit: int, k: int) -> FloatArray:
    """Return center, shares of the coordinates, and how far an entry may be from that."""
    terms = z.terms[box, :, unit]
    rest = (np.abs(terms[1 + k :]).sum() + np.abs(z.own[box, :, unit]).sum() + z.rest[box, unit]) * SLACK
    return np.concatenate([terms[: 1 + k], [rest]])
