"""Which point of a polyhedron is nearest to a point in the Euclidean norm, exactly? In ratios, with its active set.

The dual method of Goldfarb and Idnani (1983): the point is the nearest one of a growing set of constraints, each with a
multiplier of at least 0, and what is violated is brought in one by one. Every step is solved anew from the rows, so a
guess in float64 is a start and no more: the answer does not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reluatlas.deadline import look


class Side(NamedTuple):
    """A bound of one coordinate: the upper one with sign 1, the lower one with -1."""

    coordinate: int
    sign: int


Constraint = int | Side


class Polyhedron(NamedTuple):
    """The points y with `a . y <= b` for all rows, and coordinates between `low` and `high` (None: no bound)."""

    rows: Sequence[tuple[Sequence[Any], Any]]
    low: Sequence[Any]
    high: Sequence[Any]


class Nearest(NamedTuple):
    """The nearest point and its squared distance, as fmpq."""

    square: Any
    point: list[Any]


def least_square(
    x: Sequence[Any],
    within: Polyhedron,
    *,
    inverse: Sequence[Sequence[Any]] | None = None,
    guess: tuple[Sequence[int], Mapping[int, int]] = ((), {}),
) -> Nearest | None:
    """Return the point y of a polyhedron with the least `(y - x) . Q (y - x)`; None when the polyhedron is empty.

    Parameters
    ----------
    x : sequence of fmpq
    within : Polyhedron
        Of fmpq.
    inverse : sequence of sequences of fmpq, optional
        That of the positive definite Q; the identity when None.
    guess : tuple
        Rows that float64 takes to be active, and signs of the active sides by coordinate.

    Guarantees: exact; ends, as each whole step makes the distance larger.
    """
    if inverse is not None:
        within = Polyhedron([*within.rows, *_side_rows(within)], [None] * len(x), [None] * len(x))
        guess = (guess[0], {})
    return _Search(x, within, inverse).run(guess)


def _side_rows(within: Polyhedron) -> list[tuple[list[Any], Any]]:
    from flint import fmpq

    k, out = len(within.low), []
    for j in range(k):
        for sign, bound in ((1, within.high[j]), (-1, within.low[j])):
            if bound is not None:
                out.append(([fmpq(sign * int(i == j)) for i in range(k)], sign * bound))
    return out


class _Search:
    def __init__(self, x: Sequence[Any], within: Polyhedron, inverse: Sequence[Sequence[Any]] | None) -> None:
        from flint import fmpq

        self._zero, self._one = fmpq(0), fmpq(1)
        self._x, self._within, self._n = list(x), within, len(x)
        self._rows = [list(a) for a, _ in within.rows]
        self._duals = self._rows
        if inverse is not None:
            self._duals = [[_dot(line, a) for line in inverse] for a in self._rows]
        self._active: list[int] = []
        self._sides: dict[int, int] = {}
        self._u: dict[Constraint, Any] = {}
        self._y = list(x)

    def run(self, guess: tuple[Sequence[int], Mapping[int, int]]) -> Nearest | None:
        if not self._start(*guess):
            self._active, self._sides, self._u, self._y = [], {}, {}, list(self._x)
        while True:
            look()
            violated = self._most_violated()
            if violated is None:
                return Nearest(self._square(), self._y)
            if not self._bring_in(violated):
                return None

    def _square(self) -> Any:
        """Return the squared distance: with x - y = Q^-1 (sum of u a) it is the sum of u a . (x - y)."""
        total = self._zero
        off = [a - b for a, b in zip(self._x, self._y, strict=True)]
        for constraint, u in self._u.items():
            if isinstance(constraint, Side):
                total += u * constraint.sign * off[constraint.coordinate]
            else:
                total += u * _dot(self._rows[constraint], off)
        return total

    def _bound(self, side: Side) -> Any:
        return (self._within.high if side.sign > 0 else self._within.low)[side.coordinate]

    def _start(self, rows: Sequence[int], sides: Mapping[int, int]) -> bool:
        """Begin with the nearest point on some constraints, those with negative multipliers left out."""
        self._active, self._sides = list(rows), dict(sides)
        for _ in range(12):
            free = [j for j in range(self._n) if j not in self._sides]
            held = {j: self._bound(Side(j, s)) for j, s in self._sides.items()}
            right = []
            for i in self._active:
                a = self._rows[i]
                level = sum((a[j] * self._x[j] for j in free), self._zero)
                right.append(level + sum((a[j] * b for j, b in held.items()), self._zero) - self._within.rows[i][1])
            solved = self._solve(right, free)
            if solved is None:
                return False
            off = self._combined(self._duals, solved)
            self._u = dict(zip(self._active, solved, strict=True))
            for j, s in self._sides.items():
                self._u[Side(j, s)] = s * (self._x[j] - off[j] - held[j])
            bad = [c for c, u in self._u.items() if u < 0]
            if not bad:
                self._y = [held[j] if j in held else self._x[j] - off[j] for j in range(self._n)]
                return True
            for c in bad:
                self._drop(c)
        return False

    def _drop(self, constraint: Constraint) -> None:
        if isinstance(constraint, Side):
            del self._sides[constraint.coordinate]
        else:
            self._active.remove(constraint)
        self._u.pop(constraint, None)

    def _combined(self, rows: Sequence[Sequence[Any]], factors: Sequence[Any]) -> list[Any]:
        out = [self._zero] * self._n
        for i, f in zip(self._active, factors, strict=True):
            if f:
                out = [o + f * a for o, a in zip(out, rows[i], strict=True)]
        return out

    def _solve(self, right: list[Any], free: list[int]) -> list[Any] | None:
        """Solve the equations of the active rows' multipliers; None when the rows are dependent."""
        from flint import fmpq_mat

        m = len(self._active)
        if m == 0:
            return []
        left = [[self._rows[i][j] for j in free] for i in self._active]
        dual = [[self._duals[i][j] for j in free] for i in self._active]
        entries = [_dot(a, d) for a in left for d in dual]
        try:
            found = fmpq_mat(m, m, entries).solve(fmpq_mat(m, 1, right))
        except ZeroDivisionError:
            return None
        return [found[i, 0] for i in range(m)]

    def _most_violated(self) -> Constraint | None:
        worst, found = 0.0, None
        first: Constraint | None = None
        for i, (a, b) in enumerate(self._within.rows):
            if i not in self._u:
                by = _dot(a, self._y) - b
                if by > 0:
                    first = i
                    size = float(by) / (sum(abs(float(v)) for v in a) or 1.0)
                    if size > worst:
                        worst, found = size, i
        for j, y in enumerate(self._y):
            if j not in self._sides:
                for sign, bound in ((1, self._within.high[j]), (-1, self._within.low[j])):
                    if bound is not None and sign * (y - bound) > 0:
                        first = Side(j, sign)
                        if float(sign * (y - bound)) > worst:
                            worst, found = float(sign * (y - bound)), Side(j, sign)
        return first if found is None else found

    def _normal(self, constraint: Constraint) -> tuple[list[Any], list[Any], Any]:
        """Return a constraint's row, the same behind Q^-1, and its right-hand side."""
        if isinstance(constraint, Side):
            row = [self._zero] * self._n
            row[constraint.coordinate] = self._one * constraint.sign
            return row, row, constraint.sign * self._bound(constraint)
        return self._rows[constraint], self._duals[constraint], self._within.rows[constraint][1]

    def _bring_in(self, new: Constraint) -> bool:
        """Take steps until a violated constraint is active; False when no point fulfils it with the others."""
        row, dual, bound = self._normal(new)
        own = self._zero
        while True:
            look()
            free = [j for j in range(self._n) if j not in self._sides]
            right = [sum((self._rows[i][j] * dual[j] for j in free), self._zero) for i in self._active]
            solved = self._solve(right, free)
            assert solved is not None  # active constraints are independent
            off = self._combined(self._duals, solved)
            step = [self._zero if j in self._sides else dual[j] - off[j] for j in range(self._n)]
            rates: dict[Constraint, Any] = dict(zip(self._active, solved, strict=True))
            for j, s in self._sides.items():
                rates[Side(j, s)] = s * (row[j] - off[j])
            blocking, partial = None, None
            for constraint, rate in rates.items():
                if rate > 0 and (partial is None or self._u[constraint] / rate < partial):
                    blocking, partial = constraint, self._u[constraint] / rate
            slope = _dot(row, step)
            full = (_dot(row, self._y) - bound) / slope if slope > 0 else None
            if partial is None and full is None:
                return False
            is_full = full is not None and (partial is None or full <= partial)
            t: Any = full if is_full else partial
            own += t
            for constraint, rate in rates.items():
                self._u[constraint] -= t * rate
            if slope > 0:
                self._y = [y - t * z for y, z in zip(self._y, step, strict=True)]
            if is_full:
                self._u[new] = own
                if isinstance(new, Side):
                    self._sides[new.coordinate] = new.sign
                else:
                    self._active.append(new)
                return True
            assert blocking is not None
            self._drop(blocking)


def _dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    from flint import fmpq

    total = fmpq(0)
    for v, w in zip(a, b, strict=True):
        if v and w:
            total += v * w
    return total
