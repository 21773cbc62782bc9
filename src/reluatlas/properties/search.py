"""Does a property hold on one box? Parts are bounded, cut and refuted until none is left, or a point violates it.

A part is cut in halves along the input that its bounds blame most; where few units may bend, or inputs are many, along
a unit. Parts that cuts of units made are refuted by weights of a linear program; where every unit has one piece, the
program decides, in ratios. So a search of any box ends; what it says is proved by `reluatlas.certify`, or by a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf, nextafter, prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.property_bounds import Bounder
from reluatlas.certify.property_exact import exact_output
from reluatlas.certify.property_form import Weights
from reluatlas.certify.statement import Case
from reluatlas.network.record import Breakpoints, Graph
from reluatlas.properties.forms import Forms, Known, Starts, Walker, bends
from reluatlas.properties.parts import Part, Ranges, Tree
from reluatlas.properties.programs import MOST_EXACT, least_largest
from reluatlas.properties.ratios import Doubt, Ratios, nearest_knot
from reluatlas.typing import FloatArray

FEW_INPUTS = 6
"""Boxes of so many inputs that are not fixed are halved; of more, units are cut."""
_FEW_BEND = 8
_STALLED = 3  # halvings for each input, after which units are cut that every half still bends
_NUMBERS = 2**22  # of the rows of one tensor, of all parts that are looked at together
_CLOSE = 1e-12
_MOST_CARE = 8
_NEAR = 1e-13
_THIN = 1e-9
_CLIMBS, _STARTS = 12, 24


@dataclass(frozen=True)
class Witness:
    """An input that violates a property: the ratios, and the network's exact output there."""

    x: tuple[Fraction, ...]
    y: tuple[Fraction, ...]
    case: Case


class Engine:
    """What searches of all boxes of one network share."""

    def __init__(self, net: Graph, plain: Graph) -> None:
        self.net, self.plain = net, plain
        self.walker = Walker(plain)
        self.bounder = Bounder(plain)
        self.widest = max(prod(node.shape) for node in plain.nodes)

    @property
    def at_once(self) -> int:
        """Number of parts that are well looked at together."""
        return int(np.clip(_NUMBERS // (2 * self.widest * self.widest), 1, 64))


@dataclass(eq=False)
class _Seen:
    """What is known of one part: as a batch of one, with the forms of all inequalities, and what bounds cost them."""

    known: Known
    forms: Forms
    blame: dict[int, FloatArray]
    bends: dict[int, NDArray[np.bool_]]

    @property
    def n_bending(self) -> int:
        return sum(int(b.sum()) for b in self.bends.values())


class Search:
    """A search of one box: `low` to `high`, with cases that are to be refuted."""

    def __init__(
        self, engine: Engine, low: tuple[Fraction, ...], high: tuple[Fraction, ...], cases: Sequence[Case], seed: int
    ) -> None:
        self.engine, self.low, self.high, self.cases = engine, low, high, cases
        self.rows = [row for case in cases for row in case.inequalities]
        self.owner = np.array([c for c, case in enumerate(cases) for _ in case.inequalities], dtype=np.int64)
        net = engine.plain
        self._constant = np.array([-float(row.bound) for row in self.rows])
        inputs, outputs = np.zeros((len(self.rows), net.n_inputs)), np.zeros((len(self.rows), net.n_outputs))
        for q, row in enumerate(self.rows):
            for i, v in row.inputs.items():
                inputs[q, i] = float(v)
            for j, v in row.outputs.items():
                outputs[q, j] = float(v)
        every = np.arange(len(self.rows))
        if net.output == 0:
            inputs = inputs + outputs
        self._starts = {0: Starts(every, inputs)}
        if net.output:
            self._starts[net.output] = Starts(every, outputs)
        self._on_inputs, self._on_outputs = inputs, np.zeros_like(outputs) if net.output == 0 else outputs
        start = engine.walker.nothing_known(1)
        enclosing = np.array([_down(v) for v in low]), np.array([-_down(-v) for v in high])
        self.whole = Part(0, *enclosing, {t: (a[0], b[0]) for t, (a, b) in start.items()})
        self.free = np.flatnonzero(self.whole.low < self.whole.high)
        self.ratios = Ratios(engine.bounder, low, high, self.whole)
        self.tree = Tree()
        self.stack = [self.whole]
        self.stuck: list[Part] = []
        self.leaves: dict[int, Part] = {}
        self.n_parts = 0
        self.done = 0.0
        self.witness: Witness | None = None
        self._rng = np.random.default_rng(seed)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to look at."""
        return self.witness is not None or not self.stack

    @property
    def left(self) -> list[Part]:
        """Parts on which some case is not refuted."""
        return [*self.stack, *self.stuck]

    def step(self, n_jobs: int, pool: Executor | None) -> None:
        """Look at some parts, and put back what is left of them."""
        if not self.n_parts:
            self._climb()
            if self.witness is not None:
                return
        n = self.engine.at_once * n_jobs
        taken, self.stack = self.stack[-n:], self.stack[:-n]
        try:
            size = -(-len(taken) // n_jobs)
            groups = [taken[i : i + size] for i in range(0, len(taken), size)]
            if pool is None or len(groups) == 1:
                found = [self._look_at(group) for group in groups]
            else:
                running = [pool.submit(copy_context().run, self._look_at, group) for group in groups]
                found = [each.result() for each in running]
            pairs = [pair for group, seen in zip(groups, found, strict=True) for pair in zip(group, seen, strict=True)]
            for part, seen in reversed(pairs):
                new = self._settle(part, seen)
                taken.remove(part)  # from here on it is a leaf, or its sides are
                if self.witness is not None:
                    return
                self.stack += new
                self.n_parts += 1
        finally:
            self.stack += taken

    def reopen(self, leaves: Sequence[int]) -> None:
        """Look again, with more care, at leaves of which the check did not prove what was claimed."""
        for at in leaves:
            part = self.leaves.pop(at)
            self.tree.forget(at)
            part = replace(part, care=part.care + 1)
            self.done -= part.share
            (self.stack if part.care < _MOST_CARE else self.stuck).append(part)

    def _look_at(self, parts: Sequence[Part]) -> list[_Seen]:
        walker = self.engine.walker
        low, high = np.stack([part.low for part in parts]), np.stack([part.high for part in parts])
        given: Ranges = {
            t: (np.stack([part.ranges[t][0] for part in parts]), np.stack([part.ranges[t][1] for part in parts]))
            for t in self.engine.plain.cuts
        }
        with np.errstate(all="ignore"):
            care = np.array([part.care for part in parts])
            known = walker.look_at(low, high, given, care)
            blame: dict[int, FloatArray] = {}
            forms = walker.back(self._starts, len(self.rows), known, blame)
            forms.shift(self._constant)
        bent = bends(self.engine.plain, known)
        self._try_corners(known, forms)
        return [
            _Seen(known.one(i), forms.one(i), {t: b[i] for t, b in blame.items()}, {t: b[i] for t, b in bent.items()})
            for i in range(len(parts))
        ]

    def _settle(self, part: Part, seen: _Seen) -> list[Part]:
        """Return what is left of a part: nothing when it is refuted."""
        margin = _CLOSE * 10.0**part.care * seen.forms.size[0]
        refuted = seen.forms.least[0] > margin
        claims: dict[int, Weights] = {}
        for c, case in enumerate(self.cases):
            if seen.known.is_empty[0] or refuted[self.owner == c].any():
                continue
            claim = self._claim(part, seen, c, case) if part.cuts or not seen.n_bending else None
            if self.witness is not None:
                return []
            if isinstance(claim, list):
                return claim
            if claim is None:
                return self._cut(part, seen, c)
            claims[c] = claim
        self.tree.claims.update({(part.at, c): claim for c, claim in claims.items()})
        self._close(part)
        return []

    def _claim(self, part: Part, seen: _Seen, c: int, case: Case) -> Weights | list[Part] | None:
        """Return weights that refute a case on a part; parts, where units are to be cut for it; None if there are none.

        May find a witness, or that the part can be left out: then nothing is left of it.
        """
        n = len(case.inequalities)
        starts, constants = self._with_cuts(part, c)
        forms = self.engine.walker.back(starts, n + len(part.cuts), seen.known)
        forms.shift(constants)
        rows, at_zero, size = forms.coefficients[0], forms.constants[0], forms.size[0]
        proposal = least_largest(rows, at_zero, size, part.low, part.high)
        if proposal.least > 100.0 * _CLOSE * 10.0**part.care:
            return _weights([Fraction(float(v)) for v in proposal.weights], n)
        if np.isfinite(proposal.least) and self._is_witness(proposal.point):
            return None
        if self.free.size > MOST_EXACT:
            if not seen.n_bending:
                self.stuck.append(part)
            return None if seen.n_bending else []
        if part.cuts:
            inside = least_largest(rows[n:], at_zero[n:], size[n:], part.low, part.high)
            if inside.least >= -_THIN:
                claim = self.ratios.idle(part)
                if claim is not None:
                    self.tree.claims[part.at, claim[0]] = claim[1]
                    self._close(part)
                    return []
        return None if seen.n_bending else self._decide(part, case)

    def _close(self, part: Part) -> None:
        """Take a part for done."""
        self.leaves[part.at] = replace(part, ranges=part.ranges if part.cuts else self.whole.ranges)
        self.done += part.share

    def _decide(self, part: Part, case: Case) -> Weights | list[Part] | None:
        """Decide a part on which each unit has one piece."""
        found = self.ratios.decide(part, case)
        if isinstance(found, Doubt):
            return self.tree.cut(part, found.node, found.unit, found.value, found.ranges)
        point, weights = found
        if point is None:
            return _weights(weights, len(case.inequalities))
        if not self._is_exact_witness(point):
            self.stuck.append(part)
        return []

    def _cut(self, part: Part, seen: _Seen, c: int) -> list[Part]:
        """Return both sides of a part."""
        mine = np.flatnonzero(self.owner == c)
        worst = int(mine[np.argmax(seen.forms.least[0, mine])]) if mine.size else -1
        ranges = {t: (low[0], high[0]) for t, (low, high) in seen.known.ranges.items()}
        n = seen.n_bending
        goes_on = n < part.fewest and not part.cuts
        part = replace(part, fewest=min(n, part.fewest), stalled=0 if goes_on else part.stalled + 1)
        can_halve = self.free.size <= FEW_INPUTS and part.stalled < _STALLED * self.free.size
        if can_halve and n > _FEW_BEND:
            scores = self._scores(part, seen, worst)
            for i in np.argsort(-scores).tolist():
                value = float(part.low[i] / 2 + part.high[i] / 2)
                if scores[i] > -np.inf and part.low[i] < value < part.high[i]:
                    return self.tree.cut(part, 0, i, value, ranges)
        best, where = -1.0, None
        for t, bent in seen.bends.items():
            units = np.flatnonzero(bent)
            if units.size:
                blame = seen.blame[t][worst, units] if worst >= 0 and t in seen.blame else np.zeros(units.size)
                top = int(np.argmax(blame))
                if blame[top] > best:
                    best, where = float(blame[top]), (t, int(units[top]))
        if where is None:  # one piece each, and yet no claim: a case without conditions, or too large for ratios
            self.stuck.append(part)
            return []
        t, unit = where
        node = self.engine.plain.nodes[t]
        assert isinstance(node, Breakpoints)
        value = nearest_knot(node, unit, float(ranges[t][0][unit]), float(ranges[t][1][unit]))
        return self.tree.cut(part, t, unit, value, ranges)

    def _scores(self, part: Part, seen: _Seen, worst: int) -> FloatArray:
        """Return how much each input is to blame: by what units bend along it, weighted with what that costs."""
        scores = np.zeros(part.low.size)
        for t, costs in seen.blame.items():
            if worst >= 0 and t in seen.known.shares:
                units, shares = seen.known.shares[t]
                sizes = np.abs(shares[0])
                total = sizes.sum(axis=1, keepdims=True)
                scores += costs[worst, units] @ np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0.0)
        width = (part.high - part.low) / np.where(
            self.whole.high > self.whole.low, self.whole.high - self.whole.low, 1.0
        )
        if not scores.any():
            scores = width
        return np.where(part.low < part.high, scores, -np.inf)

    def _with_cuts(self, part: Part, c: int) -> tuple[dict[int, Starts], FloatArray]:
        """Return where the rows of a case and of a part's cuts start, and their constants."""
        mine = np.flatnonzero(self.owner == c)
        n = mine.size
        starts: dict[int, Starts] = {}
        for t, start in self._starts.items():
            starts[t] = Starts(np.arange(n), start.weights[mine])
        constants = [*self._constant[mine].tolist()]
        by_node: dict[int, list[tuple[int, int, float]]] = {}
        for d, cut in enumerate(part.cuts):
            node = self.engine.plain.nodes[cut.node]
            assert isinstance(node, Breakpoints)
            by_node.setdefault(node.input, []).append((n + d, cut.entry, float(cut.sign)))
            constants.append(-cut.sign * cut.value)
        for t, given in by_node.items():
            size = prod(self.engine.plain.nodes[t].shape)
            weights = np.zeros((len(given), size))
            weights[np.arange(len(given)), [entry for _, entry, _ in given]] = [sign for _, _, sign in given]
            rows = np.array([row for row, _, _ in given])
            if t in starts:
                mine_too = starts[t]
                rows, weights = np.concatenate([mine_too.rows, rows]), np.concatenate([mine_too.weights, weights])
            starts[t] = Starts(rows, weights)
        return starts, np.array(constants)

    # points

    def _excess(self, X: FloatArray) -> FloatArray:
        """Return by how much the best case is missed at points, in float64: at most 0 is likely a witness."""
        values = self.engine.walker.values(X)[self.engine.plain.output]
        excess = X @ self._on_inputs.T + values @ self._on_outputs.T + self._constant
        return np.stack(
            [excess[:, self.owner == c].max(axis=1, initial=-np.inf) for c in range(len(self.cases))], axis=1
        ).min(axis=1)

    def _try_corners(self, known: Known, forms: Forms) -> None:
        middle, half = known.low / 2 + known.high / 2, known.high / 2 - known.low / 2
        points = [middle]
        if len(self.rows):
            worst = forms.least.argmax(axis=1)
            points.append(middle - half * np.sign(forms.shares[np.arange(len(middle)), worst]))
        self._try(np.concatenate(points))

    def _try(self, X: FloatArray) -> None:
        with np.errstate(all="ignore"):
            excess = self._excess(X)
        best = int(np.argmin(excess))
        if excess[best] <= 0.0:
            self._is_witness(X[best])

    def _climb(self) -> None:
        """Look for a witness from some points on, along the slopes of what is missed most."""
        whole = self.whole
        middle, half = whole.low / 2 + whole.high / 2, whole.high / 2 - whole.low / 2
        X = middle + half * self._rng.uniform(-1.0, 1.0, (_STARTS, middle.size))
        X[0] = middle
        for step in range(_CLIMBS):
            X = np.clip(X, whole.low, whole.high)
            self._try(X)
            if self.witness is not None or not len(self.rows) or not self.free.size:
                return
            with np.errstate(all="ignore"):
                known = self.engine.walker.at_points(X)
                forms = self.engine.walker.back(self._starts, len(self.rows), known)
            forms.shift(self._constant)
            best = np.stack(
                [forms.center[:, self.owner == c].max(axis=1, initial=-np.inf) for c in range(len(self.cases))], axis=1
            ).argmin(axis=1)
            among = np.where(self.owner == best[:, None], forms.center, -np.inf)
            slopes = forms.coefficients[np.arange(len(X)), among.argmax(axis=1)]
            size = 2.0 ** (-step / 2)
            X = X - half * size * np.sign(slopes)

    def _is_witness(self, x: FloatArray) -> bool:
        """Return whether a point, moved into the box, is a witness in exact arithmetic."""
        with np.errstate(all="ignore"):
            if self._excess(x[None])[0] > _NEAR * (1.0 + np.abs(self._constant).max(initial=0.0)):
                return False  # far from one; where float64 is that wrong, the program of the last parts decides
        point = [min(max(Fraction(float(v)), a), b) for v, a, b in zip(x, self.low, self.high, strict=True)]
        return self._is_exact_witness(point)

    def _is_exact_witness(self, point: Sequence[Fraction]) -> bool:
        y = exact_output(self.engine.net, point)
        for case in self.cases:
            if all(row.excess(point, y) <= 0 for row in case.inequalities):
                self.witness = Witness(tuple(point), tuple(y), case)
                return True
        return False


def _weights(values: Sequence[Fraction], n: int) -> Weights:
    return tuple((i if i < n else n - 1 - i, value) for i, value in enumerate(values) if value > 0)


def _down(value: Fraction) -> float:
    near = float(value)
    return near if Fraction(near) <= value else nextafter(near, -inf)


Told = Callable[[int, float], None]
