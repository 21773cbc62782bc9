"""How large is the largest difference, and where? From the vertices that may be it, settled in fractions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nextafter

import numpy as np

from reluatlas.arithmetic.rationals import nearest
from reluatlas.comparison.exact import ExactAt, Values
from reluatlas.comparison.norms import Norm, bounds_of
from reluatlas.comparison.totals import Candidate, Part
from reluatlas.complexes.vertices import keys_of
from reluatlas.deadline import Deadline
from reluatlas.errors import TimeLimitError
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.typing import FloatArray

_CLOSE = 5e-10
"""Gap between both ends, over the value, from which on no other vertex is tried."""
_ENOUGH = 1e-7
_LONGEST_S = 5.0
"""Seconds that the vertices of one output may take, where nothing else limits the time."""


@dataclass(frozen=True)
class Largest:
    """The largest difference of one output, or of all, over the cells that were found.

    Attributes
    ----------
    lower, upper : float
        Certain bounds: what is reached at a vertex, and what is exceeded at none.
    point : ndarray or None
        Where, in the domain's coordinates, rounded; None when there was no cell.
    vertex : tuple of Fraction or None
        The same exactly, where it was settled, which takes time.
    values : Values or None
        Both networks there.
    """

    lower: float
    upper: float
    point: FloatArray | None
    vertex: tuple[Fraction, ...] | None
    values: Values | None


def largest(
    parts: list[Part],
    lowered: Lowered,
    output: int,
    n_outputs: int,
    norm: Norm,
    exact: ExactAt,
    deadline: Deadline,
    *,
    must_settle: bool,
) -> Largest:
    """Return the largest difference of an output; of all, in a norm, for `output` equal to their number.

    Unless `must_settle`, what float64 bounds leave open is settled only where it is more than `_ENOUGH` of the value.
    """
    every = [c for part in parts for c in part.candidates[output]]
    beyond = max((float(part.beyond[output]) for part in parts), default=0.0)
    every.sort(key=lambda c: -(c.value + c.bound))
    floor = max((c.value - c.bound for c in every), default=0.0)
    every = [c for c in every if c.value + c.bound >= floor]
    first = every[0].point if every else None
    if every and not must_settle:
        top = max(beyond, every[0].value + every[0].bound)
        if top - floor <= _ENOUGH * floor:
            return Largest(floor, top, first, None, None)
    begin = time.monotonic()
    best: tuple[Fraction, Fraction] | None = None
    found: Largest | None = None
    left = beyond
    labels, seen = _points(every, lowered), set()
    for i, candidate in enumerate(every):
        if labels[i] in seen:  # the same vertex, seen from another cell: the same value
            continue
        seen.add(labels[i])
        left = max(beyond, candidate.value + candidate.bound)
        if best is not None and (left <= best[1] or left - best[0] <= _CLOSE * best[0]):
            break
        if i and (deadline.is_over() or time.monotonic() - begin > _LONGEST_S):
            break
        try:
            vertex, values = _exactly(candidate, exact)
        except TimeLimitError:  # the bounds of float64 have the last word
            break
        sizes = values.difference if output == n_outputs else (values.difference[output],)
        value = bounds_of(sizes, norm)
        if best is None or value[0] > best[0]:
            best, found = value, Largest(0.0, 0.0, candidate.point, vertex, values)
    else:
        left = beyond
    if best is None or found is None:
        return Largest(max(0.0, floor), left, first, None, None)
    upper = max(_up(best[1]), left)
    return Largest(down_to_float(best[0]), upper, found.point, found.vertex, found.values)


def _points(every: list[Candidate], lowered: Lowered) -> list[bytes]:
    """Return a label of each candidate's vertex: equal ones for one point; see `complexes.vertices.vertex_ids`."""
    if not every:
        return []
    patterns, lines = np.stack([c.pattern for c in every]), np.stack([c.lines for c in every])
    return [key.tobytes() for key in keys_of(lowered, patterns, np.arange(len(every) + 1), lines)]


def _exactly(candidate: Candidate, exact: ExactAt) -> tuple[tuple[Fraction, ...], Values]:
    vertex = exact.vertex(np.asarray(candidate.lines), candidate.pattern)
    return vertex, exact.at_vertex(vertex, candidate.pattern)


def down_to_float(value: Fraction) -> float:
    """Return the largest float64 number that is not above a fraction, as far as one rounding can tell."""
    near = nearest(value)
    return near if Fraction(near) <= value else nextafter(near, -inf)


def _up(value: Fraction) -> float:
    near = nearest(value)
    return near if Fraction(near) >= value else nextafter(near, inf)
