"""What do ratios say of a part that float64 leaves open? Whether a case holds there; whether it can be left out.

Lines around units are those of the check's bounds: where a unit has one piece, the line is the unit.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np

from reluatlas.certify.property_bounds import Bounder, Boxes, bending
from reluatlas.certify.property_exact import Row, exact_row
from reluatlas.certify.property_form import THIN, TWICE, Weights
from reluatlas.certify.statement import Case
from reluatlas.network.record import Breakpoints
from reluatlas.properties.parts import Part, Ranges
from reluatlas.properties.programs import decide, thin_weights


class Doubt(NamedTuple):
    """A unit that is not certain to have one piece: it is to be cut at a value."""

    node: int
    unit: int
    value: float
    ranges: Ranges


class Ratios:
    """Decides parts of the box between `low` and `high`, of which `whole` is the part that is all of it."""

    def __init__(
        self, bounder: Bounder, low: tuple[Fraction, ...], high: tuple[Fraction, ...], whole: Part
    ) -> None:  # fmt: skip
        self.bounder, self.net = bounder, bounder.net
        self.low, self.high, self.whole = low, high, whole

    def decide(self, part: Part, case: Case) -> Doubt | tuple[list[Fraction] | None, list[Fraction]]:
        """Return a point at which all of a case and a part's cuts holds; or None, and weights; or what is in doubt.

        Every unit is to have one piece there.
        """
        boxes = self._look_at(part)
        for t, (least, most) in boxes.ranges.items():
            node = self.net.nodes[t]
            assert isinstance(node, Breakpoints)
            units = np.flatnonzero(bending(node, least, most)[0])
            if units.size:
                unit = int(units[0])
                value = nearest_knot(node, unit, float(least[0, unit]), float(most[0, unit]))
                return Doubt(t, unit, value, {t: (a[0], b[0]) for t, (a, b) in boxes.ranges.items()})
        rows, constants = self._of_cuts(part, boxes)
        first, last = [], []
        for inequality in case.inequalities:
            outputs = [inequality.outputs.get(j, Fraction(0)) for j in range(self.net.n_outputs)]
            inputs = [inequality.inputs.get(i, Fraction(0)) for i in range(self.net.n_inputs)]
            row, constant = exact_row(self.net, {self.net.output: outputs}, -inequality.bound, boxes)
            first.append([a + b for a, b in zip(row, inputs, strict=True)])
            last.append(constant)
        return decide([*first, *rows], [*last, *constants], *self._ends(part))

    def idle(self, part: Part) -> tuple[int, Weights] | None:
        """Return the claim by which a part can be left out: that it is thin, or there twice; None where it is not.

        A claim that it is there twice is about its last cut.
        """
        boxes = self._look_at(part)
        if not all(np.isfinite(line).all() for lines in boxes.lines.values() for line in vars(lines).values()):
            return None
        low, high = self._ends(part)
        below = self._of_cuts(part, boxes)
        last = len(part.cuts) - 1
        row, constant = below[0][last], below[1][last]
        ends = zip(row, low, high, strict=True)
        if part.cuts[last].sign < 0 and constant + sum(a * (lo if a > 0 else hi) for a, lo, hi in ends) >= 0:
            return TWICE, ((-1 - last, Fraction(1)),)
        above = self._of_cuts(part, boxes, turned=True)
        free = [i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a < b]
        affine = [
            d
            for d in range(len(part.cuts))
            if below[1][d] == -above[1][d]
            and all(a == -b for a, b in zip(below[0][d], above[0][d], strict=True))
            and any(below[0][d][i] for i in free)
        ]
        if not affine:
            return None
        weights = thin_weights([below[0][d] for d in affine], [below[1][d] for d in affine], low, high)
        if weights is None:
            return None
        return THIN, tuple((-1 - d, weight) for d, weight in zip(affine, weights, strict=True) if weight > 0)

    def _ends(self, part: Part) -> tuple[list[Fraction], list[Fraction]]:
        return part.exact_ends(self.low, self.high, self.whole)

    def _look_at(self, part: Part) -> Boxes:
        given: Ranges = {}
        for t in self.net.cuts:
            size = (1, prod(self.net.nodes[t].shape))
            given[t] = np.full(size, -np.inf), np.full(size, np.inf)
        for cut in part.cuts:
            least, most = given[cut.node]
            if cut.sign > 0:
                most[0, cut.entry] = min(most[0, cut.entry], cut.value)
            else:
                least[0, cut.entry] = max(least[0, cut.entry], cut.value)
        return self.bounder.look_at(part.low[None], part.high[None], given)

    def _of_cuts(self, part: Part, boxes: Boxes, *, turned: bool = False) -> tuple[list[Row], list[Fraction]]:
        """Return functions of the inputs that what is at most 0 by each cut is never below; `turned`, its negative."""
        rows, constants = [], []
        for cut in part.cuts:
            node = self.net.nodes[cut.node]
            assert isinstance(node, Breakpoints)
            unit = [Fraction(0)] * prod(node.shape)
            sign = -cut.sign if turned else cut.sign
            unit[cut.entry] = Fraction(sign)
            row, constant = exact_row(self.net, {node.input: unit}, -sign * Fraction(cut.value), boxes)
            rows.append(row)
            constants.append(constant)
        return rows, constants


def nearest_knot(node: Breakpoints, unit: int, low: float, high: float) -> float:
    """Return the knot of a unit that is nearest to the middle of a range that it is in."""
    knots = node.knots[unit]
    inside = knots[(knots >= low) & (knots <= high)]
    return float(inside[np.argmin(np.abs(inside - (low / 2 + high / 2)))])
