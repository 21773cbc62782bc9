"""Where does the plane go? Through three anchors, each on its way from one input to another, and turned about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np

from reluatlas.atlas.marks import Mark
from reluatlas.domain import Box, Slice
from reluatlas.errors import DomainError
from reluatlas.live.messages import Anchor, Turn
from reluatlas.typing import FloatArray

_FLAT = 1e-9  # of a direction's length: what is left of it outside of the plane is rounding


@dataclass(frozen=True, eq=False)
class Plane:
    """What is looked at.

    Attributes
    ----------
    domain : Box or Slice
    marks : sequence of Mark
        The anchors, where it was led.
    ways : list of list of float
        For each anchor, its way from one input to the other as seen in the plane: so far it moves there for a share
        of 1. Empty where it was not led.
    """

    domain: Box | Slice
    marks: Sequence[Mark]
    ways: tuple[tuple[float, float], ...] = ()


def led(
    inputs: FloatArray, labels: Sequence[str], margin: float, anchors: Sequence[Anchor], turn: Turn | None
) -> Plane:
    """Return the plane through three anchors.

    Raises
    ------
    DomainError
        When there are no such inputs, the anchors lie on a line, or there is nothing to turn toward.
    """
    X = inputs
    asked = [i for anchor in anchors for i in anchor[:2]] + ([] if turn is None else [turn[1]])
    if not all(i < len(X) for i in asked):
        raise DomainError("there are no such inputs")
    points = [X[i] if share == 0.0 else X[i] + share * (X[j] - X[i]) for i, j, share in anchors]
    names = [
        labels[i] if share == 0.0 else f"{labels[i]} → {labels[j]}, {share:.2f}"
        for i, j, share in anchors
    ]  # fmt: skip
    if turn is not None and turn[2] != 0.0:
        points = turned(points, turn[0], X[turn[1]], turn[2])
        names = [name if k == turn[0] else f"{name}, turned" for k, name in enumerate(names)]
    try:
        plane = Slice.through(points, margin=margin)
    except DomainError:
        raise DomainError("the three anchors lie on a line; choose others") from None
    steps = np.stack([X[j] - X[i] for i, j, _ in anchors])
    ways = np.linalg.lstsq(plane.basis.T, steps.T, rcond=None)[0].T
    marks = [Mark(name, plane.coordinates(x)) for name, x in zip(names, points, strict=True)]
    return Plane(plane, marks, tuple((float(u), float(v)) for u, v in ways))


def turned(points: Sequence[FloatArray], pivot: int, toward: FloatArray, angle: float) -> list[FloatArray]:
    """Return three points, turned rigidly about one of them, out of their plane.

    The axis goes through the pivot, along the line through the other two: these move together, and what stood between
    them and the pivot turns toward what lies outside of the plane on the way from the pivot to another input.

    Raises
    ------
    DomainError
        When that input lies in the plane, or the points are on a line.
    """
    center = points[pivot]
    a, b = (points[k] for k in range(3) if k != pivot)
    span = np.linalg.qr(np.stack([a - center, b - center], axis=1))[0]
    out = toward - center
    size = float(np.linalg.norm(out))
    for _ in range(2):
        out = out - span @ (span.T @ out)
    axis = b - a
    length, left = float(np.linalg.norm(axis)), float(np.linalg.norm(out))
    if left <= _FLAT * size or length == 0.0:
        raise DomainError("the plane cannot turn toward an input that lies in it; choose another")
    axis = axis / length
    arm = a - center - axis * float(axis @ (a - center))
    shift = (cos(angle) - 1.0) * arm + sin(angle) * float(np.linalg.norm(arm)) / left * out
    return [p if k == pivot else p + shift for k, p in enumerate(points)]
