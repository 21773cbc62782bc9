"""Which point of a polyhedron is nearest to a point in the largest or in the summed distance, exactly? In ratios.

Both norms are the largest of finitely many linear functions, plus or minus one coordinate, or sums of all coordinates
with signs: they are brought in when an optimum of those before falls short of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reluatlas.deadline import look
from reluatlas.geometry.programs.exact import maximize
from reluatlas.geometry.programs.least_square import Polyhedron

_AT_ONCE = 12


def least_norm(
    x: Sequence[Any], within: Polyhedron, norm: float, basis: Sequence[Sequence[Any]] | None = None
) -> tuple[Any, list[Any]] | None:
    """Return the least norm of `(y - x) @ basis` on a polyhedron, and a point y there; None when it is empty.

    Parameters
    ----------
    x : sequence of fmpq
    within : Polyhedron
        Of fmpq.
    norm : 1 or inf
    basis : sequence of sequences of fmpq, optional
        Shape (k, n); the identity when None.

    Guarantees: exact; ends, as there are finitely many functions.
    """
    from flint import fmpq

    k, zero, one = len(x), fmpq(0), fmpq(1)
    if basis is None:
        basis = [[one if i == j else zero for j in range(k)] for i in range(k)]
    columns = [list(c) for c in zip(*basis, strict=True)]
    rows: list[list[Any]] = [[zero] * k + [-one, zero]]
    for a, b in within.rows:
        rows.append([*a, zero, b - sum((v * w for v, w in zip(a, x, strict=True)), zero)])
    for j in range(k):
        for sign, bound in ((1, within.high[j]), (-1, within.low[j])):
            if bound is not None:
                rows.append([fmpq(sign * int(i == j)) for i in range(k)] + [zero, sign * (bound - x[j])])
    if norm != 1 and len(columns) <= _AT_ONCE:
        rows += [[s * v for v in c] + [-one, zero] for c in columns for s in (one, -one)]
    while True:
        look()
        answer = maximize(rows, [0] * k + [-1])
        if answer.status == "infeasible":
            return None
        step, told = answer.point[:k], answer.point[k]
        values = [sum((v * w for v, w in zip(c, step, strict=True)), zero) for c in columns]
        sizes = [abs(v) for v in values]
        true = sum(sizes, zero) if norm == 1 else max(sizes)
        if true <= told:
            return told, [a + d for a, d in zip(x, step, strict=True)]
        if norm == 1:
            signs = [one if v >= 0 else -one for v in values]
            rows.append(
                [sum((s * c[j] for s, c in zip(signs, columns, strict=True)), zero) for j in range(k)] + [-one, zero]
            )
        else:
            worst = sorted((i for i in range(len(sizes)) if sizes[i] > told), key=lambda i: -sizes[i])[:4]
            rows += [[(one if values[i] > 0 else -one) * v for v in columns[i]] + [-one, zero] for i in worst]


def settled(
    x: Sequence[Any], within: Polyhedron, norm: float, multipliers: Sequence[float]
) -> tuple[Any, list[Any]] | None:
    """Return what `least_norm` does, if float64 multipliers of the rows tell what is active; None where they do not.

    For many coordinates. With multipliers y of the rows that are not 0, the rows' sum `w . z <= y . b` has its nearest
    point where each coordinate is at its end, or moved as far as all others, but for as many as there are rows; that
    the point is in the polyhedron, and y not negative, proves it.

    Guarantees: exact, if not None.
    """
    return _Guess(x, within, norm, multipliers).found()


class _Guess:
    def __init__(self, x: Sequence[Any], within: Polyhedron, norm: float, multipliers: Sequence[float]) -> None:
        from flint import fmpq

        self._zero, self._one = fmpq(0), fmpq(1)
        most = max(multipliers, default=0.0)
        self._rows = within.rows
        self._active = [i for i, y in enumerate(multipliers) if y > 1e-9 * most]
        self._y = [float(multipliers[i]) for i in self._active]
        self._norm, self._k = norm, len(x)
        self._up = [None if b is None else b - v for b, v in zip(within.high, x, strict=True)]
        self._down = [None if b is None else v - b for b, v in zip(within.low, x, strict=True)]
        self._x = list(x)
        # demands at + c . d >= 0 of steps d
        self._c = [[-v for v in self._rows[i][0]] for i in self._active]
        self._at = [self._rows[i][1] - _dot(self._rows[i][0], self._x) for i in self._active]

    def found(self) -> tuple[Any, list[Any]] | None:
        if not self._active:
            return None
        w = [sum(y * float(c[j]) for y, c in zip(self._y, self._c, strict=True)) for j in range(self._k)]
        steps = self._summed(w) if self._norm == 1 else self._largest(w)
        if steps is None:
            return None
        size, step = steps
        for a, b in self._rows:
            if _dot(a, self._x) + _dot(a, step) > b:
                return None
        for d, up, down in zip(step, self._up, self._down, strict=True):
            if (up is not None and d > up) or (down is not None and -d > down):
                return None
        return size, [v + d for v, d in zip(self._x, step, strict=True)]

    def _room(self, j: int, sign: float) -> Any:
        return self._up[j] if sign > 0 else self._down[j]

    def _largest(self, w: list[float]) -> tuple[Any, list[Any]] | None:
        movable = [j for j in range(self._k) if w[j] and self._room(j, w[j]) != 0]
        free = sorted(movable, key=lambda j: abs(w[j]))[: len(self._active) - 1]
        at_end = [j for j in range(self._k) if j not in set(free)]
        size = sum((y * float(at) for y, at in zip(self._y, self._at, strict=True)), 0.0)
        guess = _root([(abs(w[j]), self._room(j, w[j])) for j in movable], -size)
        # each step is its constant, and its share of the length
        constant, share = [self._zero] * self._k, [0] * self._k
        for j in at_end:
            room = self._room(j, w[j])
            if w[j] and (room is None or float(room) > guess):
                share[j] = 1 if w[j] > 0 else -1
            elif w[j]:
                constant[j] = room if w[j] > 0 else -room
        columns = [[_signed(c, share) for c in self._c], *([c[j] for c in self._c] for j in free)]
        right = [-at - _dot(c, constant) for c, at in zip(self._c, self._at, strict=True)]
        solved = _solve(columns, right)
        if solved is None or solved[0] < 0:
            return None
        size = solved[0]
        step = [c + s * size if s else c for c, s in zip(constant, share, strict=True)]
        for j, value in zip(free, solved[1:], strict=True):
            step[j] = value
        if any(abs(d) > size for d in step):
            return None
        # multipliers with w = 0 where steps are free; their sum is scaled to 1
        transposed = [[*([c[j] for j in free]), self._one] for c in self._c]
        y = _solve(transposed, [*([self._zero] * len(free)), self._one])
        if y is None or any(v < 0 for v in y):
            return None
        exact = [sum((v * c[j] for v, c in zip(y, self._c, strict=True)), self._zero) for j in range(self._k)]
        rises = False
        for j, v in enumerate(exact):
            if v == 0:
                continue
            room, sign = self._room(j, 1 if v > 0 else -1), 1 if v > 0 else -1
            most = size if room is None or room > size else room
            if step[j] * sign != most:
                return None
            rises = rises or room is None or room >= size
        return (size, step) if rises else None

    def _summed(self, w: list[float]) -> tuple[Any, list[Any]] | None:
        free = sorted(range(self._k), key=lambda j: abs(abs(w[j]) - 1.0))[: len(self._active)]
        signs = [1 if w[j] > 0 else -1 for j in free]
        constant = [self._zero] * self._k
        for j in range(self._k):
            if j not in set(free) and abs(w[j]) > 1.0:
                room = self._room(j, w[j])
                if room is None:
                    return None
                constant[j] = room if w[j] > 0 else -room
        right = [-at - _dot(c, constant) for c, at in zip(self._c, self._at, strict=True)]
        solved = _solve([[c[j] for c in self._c] for j in free], right)
        y = _solve([[c[j] for j in free] for c in self._c], [self._one * s for s in signs])
        if solved is None or y is None or any(v < 0 for v in y):
            return None
        step = list(constant)
        for j, value, sign in zip(free, solved, signs, strict=True):
            if value * sign < 0:
                return None
            step[j] = value
        for j in range(self._k):
            v = sum((a * c[j] for a, c in zip(y, self._c, strict=True)), self._zero)
            if j in free:
                continue
            if constant[j] == 0 and abs(v) > 1 and self._room(j, 1 if v > 0 else -1) != 0:
                return None
            if constant[j] != 0 and not (abs(v) >= 1 and v * constant[j] > 0):
                return None
        return sum((abs(d) for d in step), self._zero), step


def _root(parts: list[tuple[float, Any]], gap: float) -> float:
    """Return the length t at which the sum of `w min(room, t)` is the gap, in float64."""
    ends = sorted((float("inf") if room is None else float(room), w) for w, room in parts)
    ended, speed, start = 0.0, sum(w for w, _ in parts), 0.0
    for end, w in ends:
        if ended + speed * end >= gap:
            break
        ended, speed, start = ended + w * end, speed - w, end
    return (gap - ended) / speed if speed > 0.0 else start


def _solve(columns: list[list[Any]], right: list[Any]) -> list[Any] | None:
    """Solve the square system whose matrix has these columns; None when it is singular."""
    from flint import fmpq_mat

    n = len(right)
    if len(columns) != n:
        return None
    try:
        found = fmpq_mat(n, n, [column[i] for i in range(n) for column in columns]).solve(fmpq_mat(n, 1, right))
    except ZeroDivisionError:
        return None
    return [found[i, 0] for i in range(n)]


def _signed(c: Sequence[Any], share: Sequence[int]) -> Any:
    total = c[0] * 0
    for v, s in zip(c, share, strict=True):
        if s:
            total += v if s > 0 else -v
    return total


def _dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    total = a[0] * 0
    for v, w in zip(a, b, strict=True):
        if v and w:
            total += v * w
    return total
