"""Which constraints are facets? Each with a certificate: a point beyond it alone, or multipliers that replace it.

A point that violates one constraint and satisfies all others strictly, together with a point strictly inside,
proves a facet: the segment between them meets it in its relative interior. A constraint that the others imply is
left out, one after another; its multipliers (Farkas) refer to constraints that were not left out before. Float64
finds these, and they are checked by error bounds or in whole numbers; what float64 does not find is decided by a
linear program in rational numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from reluatlas.arithmetic.rationals import Coordinates, ratio_of, to_floats
from reluatlas.deadline import look
from reluatlas.errors import TimeLimitError
from reluatlas.geometry.halfspaces.coincident import groups
from reluatlas.geometry.halfspaces.projections import reach_beyond
from reluatlas.geometry.halfspaces.ray_shooting import beyond_bounds, beyond_rows
from reluatlas.geometry.halfspaces.redundancy import is_implied, multipliers_of_basis
from reluatlas.geometry.halfspaces.system import FloatArray, System
from reluatlas.geometry.programs.exact import maximize_exactly
from reluatlas.geometry.programs.highs import Program

_ROUNDS = 200
_LOOSE = 1e-9  # what a solver's zero may be; a wrong guess is found out


@dataclass(frozen=True, eq=False)
class Facet:
    """A facet: its constraints (several where they coincide), and a point that violates only these.

    Constraints left out before may be violated there, too: the others imply them.
    """

    constraints: tuple[int, ...]
    beyond: Coordinates


@dataclass(frozen=True, eq=False)
class Implied:
    """Constraints (one halfspace) that others imply: multipliers of rows, positive; bounds take what remains.

    With the first of the constraints written as `a . z <= b`, the rest `a - sum multiplier * row` is at most
    `b - sum multiplier * bound` between the bounds of the coordinates.
    """

    constraints: tuple[int, ...]
    multipliers: dict[int, Fraction]


@dataclass(eq=False)
class Found:
    """What is known about every constraint; `implied` in the order in which they were left out."""

    facets: list[Facet] = field(default_factory=list)
    implied: list[Implied] = field(default_factory=list)
    undecided: list[tuple[int, ...]] = field(default_factory=list)
    n_programs: int = 0
    n_exact_programs: int = 0


def find_facets(system: System) -> Found:
    """Return which constraints of a system are facets; those are undecided that were not before the time was over."""
    try:
        search = _Search(system)
    except TimeLimitError:
        return Found(undecided=[(c,) for c in system.constraints()])
    return search.run()


class _Search:
    def __init__(self, system: System) -> None:
        self.system = system
        self.found = Found()
        self.members = {group[0]: tuple(group) for group in groups(system)}
        self.left_out: set[int] = {c for group in self.members.values() for c in group[1:]}

    def run(self) -> Found:
        open_ = set(self.members)
        try:
            # a guess that leaves the range of float64 is no guess, and what is not finite proves nothing
            with np.errstate(all="ignore"):
                self._decide_all(open_)
        except TimeLimitError:
            self.found.undecided = [self.members[c] for c in sorted(open_)]
        self.found.facets.sort(key=lambda f: f.constraints[0])
        return self.found

    def _decide_all(self, open_: set[int]) -> None:
        """Decide constraints, and take them from `open_` as they are."""
        system = self.system
        if isinstance(system.inside, np.ndarray):
            for points in (beyond_bounds, beyond_rows):
                for Z in points(system, sorted(open_)):
                    self._try(Z, open_)
            reach_beyond(system, sorted(open_), lambda Z: self._try(Z, open_), open_.__contains__, _ROUNDS)
        if open_:
            self._programs(sorted(open_), open_)

    def _try(self, Z: FloatArray, open_: set[int]) -> None:
        """Take the facets that some of the points prove."""
        Z = Z[np.isfinite(Z).all(axis=1)]
        if not Z.shape[0]:
            return
        for z, outside in zip(Z, self.system.violated(Z), strict=True):
            if outside is None:
                continue
            heads = [c for c in outside if c not in self.left_out]
            if len(heads) == 1 and heads[0] in open_:
                self._take(heads[0], z.copy())
                open_.discard(heads[0])

    def _take(self, c: int, beyond: Coordinates) -> None:
        self.found.facets.append(Facet(self.members[c], beyond))

    def _programs(self, order: list[int], open_: set[int]) -> None:
        system = self.system
        center = system.center
        slack, low, high = system.slacks(center)
        reach = np.concatenate([slack / np.maximum(system.norms, 1e-300), low, high])
        reach = reach[np.isfinite(reach) & (reach > 0)]
        scale = 2.0 ** np.clip(np.round(np.log2(np.median(reach))) if reach.size else 0.0, -300, 300)
        rows = system.G / system.norms[:, None]
        rest = np.maximum(slack / system.norms / scale, 0.0)
        self._scale, self._rest = scale, rest
        self._low, self._high = -np.maximum(low, 0.0) / scale, np.maximum(high, 0.0) / scale
        self._unit = rows
        on = rest.copy()
        on[[c for c in self.left_out if c < system.g]] = np.inf
        program = Program(rows, on, self._low, self._high)
        # with one bound only, a coefficient must have one sign: lean towards it
        one_sided = np.isfinite(self._low).astype(float) - np.isfinite(self._high)
        for c in order:
            look()
            self._decide(c, program, one_sided, center)
            open_.discard(c)

    def _relax(self, program: Program, c: int, more: float) -> None:
        g, k = self.system.g, self.system.k
        if c < g:
            program.set_row(c, self._rest[c] + more)
        else:
            j, is_upper = (c - g) % k, c >= g + k
            low, high = self._low[j], self._high[j]
            program.set_bounds(j, low if is_upper else low - more, high + more if is_upper else high)

    def _objective(self, c: int) -> FloatArray:
        g, k = self.system.g, self.system.k
        if c < g:
            return self._unit[c]
        out = np.zeros(k)
        out[(c - g) % k] = 1.0 if c >= g + k else -1.0
        return out

    def _decide(self, c: int, program: Program, lean: FloatArray, center: FloatArray) -> None:
        system, objective = self.system, self._objective(c)
        self._relax(program, c, 1.0)
        for weight in (0.0, 1e-7):
            answer = program.maximize(objective + weight * lean)
            self.found.n_programs += 1
            if answer.status != "optimal":
                break
            if self._is_beyond(c, center + self._scale * answer.point):
                self._relax(program, c, 0.0)
                return
            factors = answer.multipliers.copy()
            if c < system.g:
                factors[c] = 0.0
            factors[list(self._gone())] = 0.0
            factors *= (system.norms[c] if c < system.g else 1.0) / system.norms
            if is_implied(system, c, factors, lambda other: other in self.left_out):
                used = np.flatnonzero(factors).tolist()
                self._leave_out(c, {i: Fraction(float(factors[i])) for i in used}, program)
                return
            loose = (answer.point - self._low > _LOOSE) & (self._high - answer.point > _LOOSE)
            active = [i for i in np.flatnonzero(factors > 0).tolist() if answer.multipliers[i] > _LOOSE]
            exact = multipliers_of_basis(
                system, c, active, np.flatnonzero(loose).tolist(), lambda other: other in self.left_out
            )
            if exact is not None:
                self._leave_out(c, exact, program)
                return
        self._relax(program, c, 0.0)
        self._exactly(c, program)

    def _gone(self) -> list[int]:
        return [c for c in self.left_out if c < self.system.g]

    def _is_beyond(self, c: int, far: FloatArray) -> bool:
        """Take constraint `c` as a facet if a point on the way to `far` proves it."""
        system = self.system
        if not isinstance(system.inside, np.ndarray):
            return False
        step = far - system.inside
        if c < system.g:
            rate, slack = float(system.G[c] @ step), float(system.h[c] - system.G[c] @ system.inside)
        else:
            j = (c - system.g) % system.k
            rate = step[j] if c >= system.g + system.k else -step[j]
            slack = (
                system.upper[j] - system.inside[j] if c >= system.g + system.k else system.inside[j] - system.lower[j]
            )
        if not rate > max(slack, 0.0):
            return False
        at = max(slack, 0.0) / rate
        for share in (0.5, 0.1):
            z = system.inside + (at + share * (1 - at)) * step
            if (
                np.all(np.isfinite(z))
                and (outside := system.violated(z[None])[0]) is not None
                and outside - self.left_out == {c}
            ):
                self._take(c, z)
                return True
        return False

    def _leave_out(self, c: int, multipliers: dict[int, Fraction], program: Program) -> None:
        self.found.implied.append(Implied(self.members[c], multipliers))
        self.left_out.add(c)
        self._relax(program, c, np.inf)

    def _exactly(self, c: int, program: Program) -> None:
        system, target = self.system, self.system.row(c)
        others = [d for d in system.constraints() if d not in self.left_out and d != c]
        inside = ratio_of(system.inside)
        self.found.n_exact_programs += 1
        best = maximize_exactly(target.a, [system.row(d) for d in others], inside)
        if best.is_bounded and target.slack(ratio_of(best.point)) >= 0:
            # bounds take what remains, so that only rows need multipliers
            rows = {others[i]: m for i, m in best.multipliers.items() if others[i] < system.g}
            scaled = {d: m * system.row(d).scale / target.scale for d, m in rows.items()}
            self._leave_out(c, scaled, program)
            return
        start = inside.fractions
        if best.is_bounded:
            step = [v - s for v, s in zip(best.point, start, strict=True)]
            rate = sum((a * d for a, d in zip(target.a, step, strict=True)), Fraction(0))
            at = Fraction(target.slack(inside), inside.denominator) / rate
            at = (1 + at) / 2
        else:
            step = best.point
            rate = sum((a * d for a, d in zip(target.a, step, strict=True)), Fraction(0))
            at = Fraction(target.slack(inside), inside.denominator) / rate * 2
        exact = [s + at * d for s, d in zip(start, step, strict=True)]
        rounded = to_floats(exact)
        near = system.violated(rounded[None])[0] if np.all(np.isfinite(rounded)) else None
        self._take(c, rounded if near is not None and near - self.left_out == {c} else exact)
