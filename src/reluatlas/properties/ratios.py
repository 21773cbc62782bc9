"""What do ratios say of a part on which float64 leaves it open? Whether a case holds somewhere; whether it is thin.

Lines around units are those of the check's bounds: where a unit has one piece, the line is the unit.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np

from reluatlas.certify.property_bounds import Bounder, Boxes, bending
from reluatlas.certify.property_exact import Row, exact_row
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

    def thin(self, part: Part) -> list[Fraction] | None:
        """Return weights of a part's cuts that show that it has no interior; None where they do not."""
        boxes = self._look_at(part)
        if not all(np.isfinite(line).all() for lines in boxes.lines.values() for line in vars(lines).values()):
            return None
        return thin_weights(*self._of_cuts(part, boxes), *self._ends(part))

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

    def _of_cuts(self, part: Part, boxes: Boxes) -> tuple[list[Row], list[Fraction]]:
        """Return what each cut says, as functions of the inputs that are at most 0."""
        rows, constants = [], []
        for cut in part.cuts:
            node = self.net.nodes[cut.node]
            assert isinstance(node, Breakpoints)
            unit = [Fraction(0)] * prod(node.shape)
            unit[cut.entry] = Fraction(cut.sign)
            row, constant = exact_row(self.net, {node.input: unit}, -cut.sign * Fraction(cut.value), boxes)
            rows.append(row)
            constants.append(constant)
        return rows, constants


def nearest_knot(node: Breakpoints, unit: int, low: float, high: float) -> float:
    """Return the knot of a unit that is nearest to the middle of a range that it is in."""
    knots = node.knots[unit]
    inside = knots[(knots >= low) & (knots <= high)]
    return float(inside[np.argmin(np.abs(inside - (low / 2 + high / 2)))])
