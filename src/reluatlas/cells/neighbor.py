"""Which pattern holds behind a facet? Exactly, for any number of units that turn there together.

Behind a facet only what vanishes on it can change: the units whose rows are the facet, and units that vanish on the
whole cell. In topological order, along the pieces chosen so far, each of these is an affine function that vanishes
on the facet; its sign at any point beyond the facet's hyperplane is its sign behind.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import Coordinates, ratio_of
from reluatlas.cells.chart import Chart
from reluatlas.cells.rows import CellRows, RowOf
from reluatlas.network.network import Breakpoints, Max
from reluatlas.network.values.exact import Dyadic, ExactPoint, compare


def pattern_across(
    chart: Chart, rows: CellRows, pattern: NDArray[np.integer], constraints: tuple[int, ...], beyond: Coordinates
) -> NDArray[np.integer]:
    """Return the pattern behind a facet.

    Parameters
    ----------
    constraints : tuple of int
        All constraints that are this facet; none is a bound of the domain.
    beyond : ndarray or sequence of Fraction, shape (k,)
        A point on the far side of the facet's hyperplane.
    """
    touched: dict[int, dict[int, list[int]]] = {}
    for c in constraints:
        of = rows.owner[c]
        assert isinstance(of, RowOf)
        touched.setdefault(of.node, {}).setdefault(of.unit, []).append(of.which)
    out = pattern.copy()
    slices = chart.inner.pattern_slices()
    first = min(touched)
    later = [t for t in rows.ties if t > first]
    if not later and len(touched) == 1 and len(touched[first]) == 1:
        # one unit, and nothing downstream that vanishes: it turns
        ((unit, which),) = touched[first].items()
        at = slices[first].start + unit
        if isinstance(chart.inner.nodes[first], Breakpoints):
            of = rows.owner[constraints[0]]
            assert isinstance(of, RowOf)
            out[at] = which[0] + (of.side > 0)
            return out
        if len(which) == 1 and first not in rows.ties:
            out[at] = which[0]
            return out
    for t in later:
        for unit, which in rows.ties[t]:
            touched.setdefault(t, {}).setdefault(unit, []).append(which)
    for unit, which in rows.ties.get(first, ()):
        # at the first node only windows that turn anyway ask for their equal candidates
        if unit in touched[first]:
            touched[first][unit].append(which)
    z = ratio_of(beyond)
    point = Dyadic(z.numbers, 0, z.denominator)
    choice = {t: pattern[s].astype(np.int64)[None] for t, s in slices.items()}
    values = ExactPoint(chart.inner, chart.integers, point, choice, 0)
    for t in sorted(touched):
        node = chart.inner.nodes[t]
        for unit, which in touched[t].items():
            if isinstance(node, Breakpoints):
                ((number, exponent, denominator),) = values.entries(node.input, [unit])
                knot = float(node.knots[unit, which[0]])
                piece = which[0] + (compare(number, exponent, knot, denominator) > 0)
            else:
                assert isinstance(node, Max)
                tied = sorted({int(pattern[slices[t].start + unit]), *which})
                entries = [int(node.candidates[node.offsets[unit] + c]) for c in tied]
                heights = [Fraction(v) * Fraction(2) ** e / d for v, e, d in values.entries(node.input, entries)]
                piece = tied[heights.index(max(heights))]
            choice[t][0, unit] = piece
            out[slices[t].start + unit] = piece
    return out
