"""Does a certificate prove that a property holds? Every part is bounded again, from the network's weights.

Shares nothing with the search. Bounds are float64 numbers with what rounding can do taken off; what they leave open is
settled in ratios. Whatever a certificate's numbers are, none is accepted for a property that is violated: its parts
cover the boxes by construction, and what refutes a part is proved here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, nextafter, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.binary import without_max
from reluatlas.certify.property_bounds import UNIT, Bounder, Boxes, Ranges
from reluatlas.certify.property_exact import Row, exact_least, exact_row
from reluatlas.certify.property_form import THIN, TWICE, PropertyCertificate, PropertyTree, Weights
from reluatlas.certify.statement import Case, Inequality, Property
from reluatlas.certify.tree_form import network_digest
from reluatlas.deadline import look
from reluatlas.network.record import Breakpoints, Graph
from reluatlas.progress import Progress, Searched, tells
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

_TOLD = 20
_NUMBERS = 2**22  # of the rows of one tensor, of all boxes that are looked at together


@dataclass(repr=False)
class PropertyReport(Shown):
    """What a check of a property's certificate found.

    Attributes
    ----------
    problems : list of str
        Empty when it proves that the property holds.
    n_leaves, n_proved, n_exact : int
        Parts; those that were proved; of these, those that took ratios.
    unproved : list of (int, int)
        Tree and leaf of parts that are not.
    seconds : float
    """

    problems: list[str] = field(default_factory=list)
    n_leaves: int = 0
    n_proved: int = 0
    n_exact: int = 0
    unproved: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether the property is proved to hold."""
        return not self.problems and not self.unproved

    def __bool__(self) -> bool:
        return self.is_ok


class Cut(NamedTuple):
    """What a unit reads is on one side of a value: at most it (sign 1), or at least (-1)."""

    node: int
    entry: int
    value: float
    sign: int


@dataclass(eq=False)
class _Part:
    """A node of the tree that is still to be looked at."""

    at: int
    low: list[Fraction]
    high: list[Fraction]
    ranges: dict[int, tuple[FloatArray, FloatArray]]
    cuts: tuple[Cut, ...] = ()
    share: float = 1.0


@tells("parts", "share")
def check_property_certificate(
    net: Graph, prop: Property, given: PropertyCertificate, *, progress: Progress = None
) -> PropertyReport:
    """Return what is wrong with the certificate of a property; nothing, when it proves that the property holds.

    Parameters
    ----------
    net : Network
    prop : Property
        As it was read from its file again.
    given : PropertyCertificate
    progress : callable, optional
        Called with the parts that were proved, and their share of the boxes.

    Returns
    -------
    PropertyReport
        Is true when the property certainly holds: no point of its boxes, as ratios of whole numbers, is in one of its
        cases with the network's exact output.

    Guarantees
    ----------
    A report without a problem is a proof, whatever numbers the certificate holds: float64 bounds have all that rounding
    can do taken off, and what they leave open is settled in ratios. A certificate that is not one has problems, and
    none ends in an exception.

    Cost
    ----
    Each part is followed backward through the network once for each of its layers.

    References
    ----------
    [ZhangEtAl2018], [SinghGehrPueschelVechev2019]: linear bounds, backward; [Farkas1902]: weights.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0, 1.0]], [0.0]), ([[1.0]], [0.0])])  # relu(x + y)
    >>> names = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0"))
    >>> sides = "".join(f"(assert (>= X_{i} 0)) (assert (<= X_{i} 0.5))" for i in (0, 1))
    >>> prop = ra.load_property(names + sides + "(assert (>= Y_0 1.001))", net)
    >>> proof = ra.check_property(net, prop).certificate
    >>> bool(ra.certify.check_property_certificate(net, prop, proof))
    True
    """
    begin = time.monotonic()
    report = PropertyReport()
    say = report.problems.append
    prop.require_sizes(net.n_inputs, net.n_outputs)
    areas = prop.areas()
    if given.network != network_digest(net):
        say("it is the certificate of another network.")
    elif given.statement != prop.digest():
        say("it is the certificate of another property.")
    elif len(given.trees) != len(areas):
        say(f"it has trees for {len(given.trees)} boxes; the property has {len(areas)}.")
    else:
        bounder = Bounder(without_max(net))
        for i, (tree, (low, high, cases)) in enumerate(zip(given.trees, areas, strict=True)):
            trouble = malformed(tree, bounder.net, cases)
            if trouble:
                say(f"tree {i}: {trouble}.")
                continue
            _Tree(bounder, tree, cases, report, i, len(areas), progress).check(low, high)  # type: ignore[arg-type]
    if report.unproved:
        say(f"{len(report.unproved):,} of {report.n_leaves:,} parts are not proved; the first is leaf "
            f"{report.unproved[0][1]} of tree {report.unproved[0][0]}.")  # fmt: skip
    report.seconds = time.monotonic() - begin
    return report


def malformed(tree: PropertyTree, net: Graph, cases: Sequence[Case]) -> str:
    """Return why a tree cannot be one at all; empty when it can."""
    m = tree.node.size
    arrays = tree.entry, tree.value, tree.low, tree.high
    if not m or any(a.shape != (m,) for a in arrays):
        return "its arrays have no, or different, lengths"
    inner = np.flatnonzero(tree.node != -1)
    known = {0, *net.cuts}
    if not set(tree.node[inner].tolist()) <= known:
        return "it cuts a node that has no units"
    sizes = np.array([prod(net.nodes[t].shape) for t in tree.node[inner]], dtype=np.int64)
    if (tree.entry[inner] < 0).any() or (tree.entry[inner] >= sizes).any():
        return "it cuts an entry that there is not"
    if not np.isfinite(tree.value[inner]).all():
        return "it cuts at a value that is not finite"
    below = np.concatenate([tree.low[inner], tree.high[inner]])
    if (below <= np.tile(inner, 2)).any() or (below >= m).any() or np.unique(below).size != below.size:
        return "its nodes do not make a tree"
    for leaf, case in tree.claims:
        if not (0 <= leaf < m and tree.node[leaf] == -1 and TWICE <= case < len(cases)):
            return "a claim is of a leaf or a case that there is not"
    return ""


class _Tree:
    """Goes through one tree, and proves its leaves."""

    def __init__(
        self,
        bounder: Bounder,
        tree: PropertyTree,
        cases: Sequence[Case],
        report: PropertyReport,
        number: int,
        n_trees: int,
        progress: Searched | None,
    ) -> None:
        self.bounder, self.net, self.tree, self.cases = bounder, bounder.net, tree, cases
        self.report, self.number, self.n_trees, self.progress = report, number, n_trees, progress
        rows = [row for case in cases for row in case.inequalities]
        self.owner = np.array([c for c, case in enumerate(cases) for _ in case.inequalities], dtype=np.int64)
        self.starts = [_start(self.net, row) for row in rows]
        widest = max(prod(node.shape) for node in self.net.nodes)
        self.at_once = int(np.clip(_NUMBERS // (2 * widest * widest), 1, 64))

    def check(self, low: Sequence[Fraction], high: Sequence[Fraction]) -> None:
        ranges = {t: _all(prod(self.net.nodes[t].shape)) for t in self.net.cuts}
        stack = [_Part(0, list(low), list(high), ranges)]
        done = 0.0
        while stack:
            look()
            parts, stack = stack[-self.at_once :], stack[: -self.at_once]
            boxes = self._look_at(parts)
            for i, part in enumerate(parts):
                part.ranges = {t: (r[0][i], r[1][i]) for t, r in boxes.ranges.items()}
                if self.tree.node[part.at] != -1:
                    stack += self._children(part)
            at = [i for i, part in enumerate(parts) if self.tree.node[part.at] == -1]
            refuted, best = self._refuted(boxes, at)
            refuted |= boxes.is_empty[at][:, None]
            for i, fine, first in zip(at, refuted, best, strict=True):
                part = parts[i]
                self.report.n_leaves += 1
                done += part.share
                left = [c for c in range(len(self.cases)) if not fine[c]]
                if left and not self._can_go(part) and not all(self._claimed(part, c, int(first[c])) for c in left):
                    self.report.unproved.append((self.number, part.at))
                    continue
                self.report.n_proved += 1
            if self.progress is not None:
                self.progress(self.report.n_proved, min(1.0, (self.number + done) / self.n_trees))

    def _look_at(self, parts: Sequence[_Part]) -> Boxes:
        low = np.array([[_down(v) for v in part.low] for part in parts])
        high = np.array([[-_down(-v) for v in part.high] for part in parts])
        given: Ranges = {
            t: (np.stack([part.ranges[t][0] for part in parts]), np.stack([part.ranges[t][1] for part in parts]))
            for t in self.net.cuts
        }
        return self.bounder.look_at(low, high, given)

    def _children(self, part: _Part) -> list[_Part]:
        tree, at = self.tree, part.at
        t, i, value = int(tree.node[at]), int(tree.entry[at]), float(tree.value[at])
        out = []
        for child, sign in ((int(tree.low[at]), 1), (int(tree.high[at]), -1)):
            low, high, ranges, cuts = part.low, part.high, part.ranges, part.cuts
            if t == 0:
                exact = Fraction(value)
                if not low[i] < exact < high[i]:
                    # nothing is lost: one side is the part itself, the other one within its wall
                    exact = min(max(exact, low[i]), high[i])
                low, high = list(low), list(high)
                if sign == 1:
                    high[i] = exact
                else:
                    low[i] = exact
            else:
                least, most = ranges[t][0].copy(), ranges[t][1].copy()
                if sign == 1:
                    most[i] = min(most[i], value)
                else:
                    least[i] = max(least[i], value)
                ranges = {**ranges, t: (least, most)}
                cuts = (*cuts, Cut(t, i, value, sign))
            out.append(_Part(child, low, high, ranges, cuts, part.share / 2))
        return out

    def _refuted(self, boxes: Boxes, at: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return which cases a single inequality refutes, by leaf, and which does best; -1 where there is none."""
        fine = np.zeros((len(at), len(self.cases)), dtype=bool)
        best = np.full(fine.shape, -1, dtype=np.int64)
        if not at or not self.starts:
            return fine, best
        some = _some(boxes, at)
        starts: dict[int, FloatArray] = {}
        n = len(self.starts)
        for q, (rows, _) in enumerate(self.starts):
            for t, row in rows.items():
                starts.setdefault(t, np.zeros((n, len(row))))[q] = [float(v) for v in row]
        least = self.bounder.least(starts, *_constants(self.starts, some), some)
        for c in range(len(self.cases)):
            mine = least[:, self.owner == c]
            fine[:, c] = (mine > 0.0).any(axis=1)
            if mine.shape[1]:
                best[:, c] = mine.argmax(axis=1)
        return fine, best

    def _claimed(self, part: _Part, c: int, best: int) -> bool:
        """Return whether a leaf's claim refutes a case; of one without, whether the best inequality does in ratios."""
        claim = self.tree.claims.get((part.at, c))
        if claim is None and best >= 0:
            claim = ((best, Fraction(1)),)
        if claim is None:
            return False
        start = self._sum(part, self.cases[c].inequalities, claim)
        if start is None:
            return False
        rows, constant = start
        boxes = self._look_at([part])
        if self._is_positive(rows, constant, boxes):
            return True
        fine = not _is_broken(boxes) and exact_least(self.net, rows, constant, boxes, part.low, part.high) > 0
        self.report.n_exact += fine
        return fine

    def _is_positive(self, rows: dict[int, Row], constant: Fraction, boxes: Boxes) -> bool:
        """Return whether a row is certainly positive by float64 bounds."""
        try:
            floats = {t: np.array([[float(v) for v in row]]) for t, row in rows.items()}
            given = _constants([(rows, constant)], boxes)
        except OverflowError:  # beyond float64
            return False
        return bool((self.bounder.least(floats, *given, boxes) > 0.0).all())

    def _can_go(self, part: _Part) -> bool:
        """Return whether a leaf can be left out, by its claim, as others have its points."""
        return self._is_twice(part) or self._is_thin(part)

    def _is_twice(self, part: _Part) -> bool:
        """Return whether a leaf that is above a cut is all below it, too."""
        claim = self.tree.claims.get((part.at, TWICE), ())
        own = self._sum(part, (), claim)
        if len(claim) != 1 or own is None or claim[0][1] <= 0 or part.cuts[-1 - claim[0][0]].sign != -1:
            return False
        boxes = self._look_at([part])
        fine = not _is_broken(boxes) and exact_least(self.net, *own, boxes, part.low, part.high) >= 0
        self.report.n_exact += fine
        return fine

    def _is_thin(self, part: _Part) -> bool:
        """Return whether a leaf has no interior, by its claim."""
        claim = self.tree.claims.get((part.at, THIN))
        if claim is None or not self.bounder.is_continuous:
            return False
        total = self._sum(part, (), claim)
        boxes = self._look_at([part])
        if total is None or _is_broken(boxes):
            return False
        if exact_least(self.net, *total, boxes, part.low, part.high) < 0:
            return False
        free = [i for i, (low, high) in enumerate(zip(part.low, part.high, strict=True)) if low < high]
        for which, weight in claim:
            own = self._sum(part, (), ((which, Fraction(1)),))
            if own is None or not weight:
                continue
            # below the function, and above it: where both are the same, it is that
            below, least = exact_row(self.net, *own, boxes)
            turned = {t: [-v for v in row] for t, row in own[0].items()}
            above, most = exact_row(self.net, turned, -own[1], boxes)
            is_affine = least == -most and all(a == -b for a, b in zip(below, above, strict=True))
            if is_affine and any(below[i] for i in free):
                self.report.n_exact += 1
                return True
        return False

    def _sum(
        self, part: _Part, rows: Sequence[Inequality], claim: Weights
    ) -> tuple[dict[int, Row], Fraction] | None:  # fmt: skip
        """Return the weighted sum of what a case and the cuts say; None when a weight is not one."""
        total: dict[int, Row] = {0: [Fraction(0)] * self.net.n_inputs}
        constant = Fraction(0)
        for which, weight in claim:
            if weight < 0 or not -len(part.cuts) <= which < len(rows):
                return None
            if which >= 0:
                own, bound = _start(self.net, rows[which])
                for t, row in own.items():
                    mine = total.setdefault(t, [Fraction(0)] * len(row))
                    total[t] = [a + weight * b for a, b in zip(mine, row, strict=True)]
                constant += weight * bound
                continue
            cut = part.cuts[-1 - which]
            node = self.net.nodes[cut.node]
            assert isinstance(node, Breakpoints)
            row = total.setdefault(node.input, [Fraction(0)] * prod(node.shape))
            row[cut.entry] += weight * cut.sign
            constant -= weight * cut.sign * Fraction(cut.value)
        return total, constant


def _start(net: Graph, row: Inequality) -> tuple[dict[int, Row], Fraction]:
    """Return an inequality as weights of tensors' entries and a constant: what must be at most 0."""
    inputs, outputs = [Fraction(0)] * net.n_inputs, [Fraction(0)] * net.n_outputs
    for i, v in row.inputs.items():
        inputs[i] += v
    for j, v in row.outputs.items():
        outputs[j] += v
    if net.output == 0:
        return {0: [a + b for a, b in zip(inputs, outputs, strict=True)]}, -row.bound
    return {0: inputs, net.output: outputs}, -row.bound


def _constants(starts: Sequence[tuple[dict[int, Row], Fraction]], boxes: Boxes) -> tuple[FloatArray, FloatArray]:
    """Return the constants as float64, and what is lost when they and all weights are taken for float64."""
    constant = np.array([float(c) for _, c in starts])
    lost = np.zeros((len(boxes.low), len(starts)))
    for q, (rows, _) in enumerate(starts):
        lost[:, q] += 2.0 * UNIT * abs(constant[q]) + 2.0**-1000
        for t, row in rows.items():
            sizes = np.abs([float(v) for v in row])
            lost[:, q] += 2.0 * UNIT * (boxes.size[t] @ sizes) + 2.0**-1000 * (1.0 + boxes.size[t].sum(axis=1))
    return constant, lost * (1.0 + 1e-9)


def _some(boxes: Boxes, at: Sequence[int]) -> Boxes:
    """Return some of the boxes."""
    out = Boxes(boxes.low[at], boxes.high[at])
    out.ranges = {t: (low[at], high[at]) for t, (low, high) in boxes.ranges.items()}
    out.lines = {t: type(lines)(*(getattr(lines, f)[at] for f in _FIELDS)) for t, lines in boxes.lines.items()}
    out.size = {t: size[at] for t, size in boxes.size.items()}
    out.reach = {t: reach[at] for t, reach in boxes.reach.items()}
    return out


_FIELDS = ("low_slope", "low_shift", "high_slope", "high_shift")


def _is_broken(boxes: Boxes) -> bool:
    """Return whether a line around a unit is not finite, as numbers overflowed."""
    return not all(np.isfinite(getattr(lines, f)).all() for lines in boxes.lines.values() for f in _FIELDS)


def _all(n: int) -> tuple[FloatArray, FloatArray]:
    return np.full(n, -np.inf), np.full(n, np.inf)


def _down(value: Fraction) -> float:
    """Return the largest float64 that is not above a ratio, or one near it."""
    near = float(value)
    return near if Fraction(near) <= value else nextafter(near, -inf)
