"""Which cells meet at a point? Breadth first, across the facets that hold it; every step exact.

Near a point a cell is a cone: the directions in which the rows that vanish at the point are not violated. The cones
of all cells at the point are connected through their facets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import Coordinates, Ratio, WholeRow, ratio_of, to_floats
from reluatlas.cells.chart import Chart
from reluatlas.cells.neighbor import pattern_across
from reluatlas.cells.rows import CellRows, Composer, RowOf
from reluatlas.deadline import look
from reluatlas.domain import Space
from reluatlas.errors import InternalError
from reluatlas.geometry.halfspaces.facets import find_facets
from reluatlas.geometry.halfspaces.system import FloatArray, System
from reluatlas.geometry.programs.exact import maximize_exactly
from reluatlas.network.network import Breakpoints
from reluatlas.network.patterns.certain import Walk

_NAMED = 5


def meeting_cells(
    chart: Chart, u: FloatArray, perturbed: NDArray[np.integer], max_cells: int | None
) -> Iterator[tuple[NDArray[np.integer], Iterator[Coordinates]]]:
    """Yield the patterns of the cells that hold `u`, and for each points inside, nearer and nearer to it."""
    at = chart.to_inner_exactly(u) if chart.is_reduced else [Fraction(float(v)) for v in u]
    start = _start(chart, u, at, perturbed)
    if start is None:
        return
    queue: deque[tuple[NDArray[np.integer], Iterator[Coordinates]]] = deque([start])
    seen = {start[0].tobytes()}
    n_found = 0
    while queue:
        pattern, directions = queue.popleft()
        rows = Composer(chart, pattern).build(at)
        cone, places = _cone(rows, at)
        direction = next(d for d in directions if cone.is_inside(d))
        cone.inside = direction
        yield pattern, _near(at, direction)
        n_found += 1
        if n_found == max_cells:
            return
        for facet in find_facets(cone).facets:
            look()
            constraints = tuple(places[c] for c in facet.constraints)
            if not all(isinstance(rows.owner[c], RowOf) for c in constraints):
                continue
            beyond = [a + d for a, d in zip(at, ratio_of(facet.beyond).fractions, strict=True)]
            across = pattern_across(chart, rows, pattern, constraints, beyond)
            if across.tobytes() not in seen:
                seen.add(across.tobytes())
                queue.append((across, between(cone.row(facet.constraints[0]), direction, facet.beyond)))


def between(row: WholeRow, inside: Coordinates, beyond: Coordinates) -> Iterator[Coordinates]:
    """Yield points of a segment beyond a row that it crosses, nearer and nearer to the crossing."""
    near, far = ratio_of(inside).fractions, ratio_of(beyond).fractions
    before = row.b - sum(a * v for a, v in zip(row.a, near, strict=True) if a)
    after = row.b - sum(a * v for a, v in zip(row.a, far, strict=True) if a)
    at = Fraction(before) / (before - after)
    share = Fraction(1, 2)
    while True:
        step = at + share * (1 - at)
        exact = [p + step * (q - p) for p, q in zip(near, far, strict=True)]
        yield to_floats(exact)
        yield exact
        share /= 16


def names_of(chart: Chart, u: FloatArray, pattern: NDArray[np.integer]) -> str:
    """Return the units whose rows vanish at a point, in words."""
    at = chart.to_inner_exactly(u) if chart.is_reduced else [Fraction(float(v)) for v in u]
    rows = Composer(chart, pattern).build(at)
    owners = [rows.owner[c] for c, sign in rows.system.signs_at(ratio_of(at)).items() if sign == 0]
    units = sorted({(of.node, of.unit) for of in owners if isinstance(of, RowOf)})
    cuts = chart.inner.cuts
    words = [
        f"{'neuron' if isinstance(chart.inner.nodes[t], Breakpoints) else 'window'} {unit} of layer {cuts.index(t)}"
        for t, unit in units
    ]
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more


def _start(
    chart: Chart, u: FloatArray, at: list[Fraction], perturbed: NDArray[np.integer]
) -> tuple[NDArray[np.integer], Iterator[Coordinates]] | None:
    """Return the pattern of one cell that holds `u`, and directions from `u` into it."""
    rng = np.random.default_rng(0)
    if isinstance(chart.domain, Space):
        low, high = u - 1.0, u + 1.0
    else:
        low, high = chart.bounds
    goal = low + (high - low) * rng.uniform(0.25, 0.75, u.size)
    for exponent in (6, 12, 18, 24, 30, 36, 42, 48):
        moved = u + 2.0**-exponent * (goal - u)
        if not np.all((moved > low) & (moved < high)):
            continue
        walk = Walk(chart.local, moved[None], perturb=True, background=chart.background, bounds=chart.float_bounds)
        if walk.on_face[0]:
            continue
        pattern = perturbed.copy()
        for t, s in chart.local.pattern_slices().items():
            pattern[s] = walk.choice[t][0]
        system = Composer(chart, pattern).build(at).system
        if system.holds_at(ratio_of(at)):
            there = chart.to_inner_exactly(moved) if chart.is_reduced else [Fraction(float(v)) for v in moved]
            exact = [b - a for a, b in zip(at, there, strict=True)]
            return pattern, iter([to_floats(exact), exact])
    cone, _ = _cone(Composer(chart, perturbed).build(at), at)
    exact = _into(cone)
    if exact is None:
        raise InternalError("no cell that holds the point was found inside of the domain.")
    return perturbed, iter([to_floats(exact), exact])


def _into(cone: System) -> list[Fraction] | None:
    """Return a direction strictly inside of a cone, by one exact linear program; None when it is flat."""
    rows = [cone.row(c) for c in cone.constraints()]
    # max s where a . d + s <= 0, s <= 1: from d = 0, s = -1, where all hold strictly
    lifted = [WholeRow([*row.a, 1], 0) for row in rows] + [WholeRow([0] * cone.k + [1], 1)]
    best = maximize_exactly([0] * cone.k + [1], lifted, Ratio([0] * cone.k + [-1], 1))
    return best.point[:-1] if best.point[-1] > 0 else None


def _cone(rows: CellRows, at: list[Fraction]) -> tuple[System, dict[int, int]]:
    """Return the directions that no row which vanishes at a point forbids, and the constraint of each of its rows."""
    system = rows.system
    tight = [c for c, sign in system.signs_at(ratio_of(at)).items() if sign == 0]
    g, k = system.g, system.k
    kept = [c for c in tight if c < g]
    lower, upper = np.full(k, -np.inf), np.full(k, np.inf)
    places = dict(enumerate(kept))
    for c in tight:
        if c >= g:
            j, is_upper = (c - g) % k, c >= g + k
            (upper if is_upper else lower)[j] = 0.0
            places[len(kept) + j + (k if is_upper else 0)] = c
    cone = System(
        system.G[kept], np.zeros(len(kept)), system.error[kept], lower, upper,
        lambda i: system.row(kept[i])._replace(b=0), np.zeros(k),
    )  # fmt: skip
    return cone, places


def _near(at: list[Fraction], direction: Coordinates) -> Iterator[Coordinates]:
    steps = ratio_of(direction).fractions
    share = Fraction(1)
    while True:
        exact = [a + share * d for a, d in zip(at, steps, strict=True)]
        yield to_floats(exact)
        yield exact
        share /= 16
