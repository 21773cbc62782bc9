"""How near can an affine function come to given values, and with how few pieces will a function do? In fractions.

The smallest largest error at points is the largest one over their affinely dependent subsets of at most k + 2 points
with one set of weights (a circuit): `|sum w f| / sum |w|` where `sum w = 0` and `sum w x = 0`. All are tried. So are
all partitions of a few cells into connected parts. Nothing here is shared with reluatlas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations

from tests.oracles.polyhedra import rank, solve

Point = tuple[Fraction, ...]


def least_error(points: Sequence[Point], values: Sequence[Fraction]) -> Fraction:
    """Return the smallest largest difference of an affine function from values at points."""
    k, best = len(points[0]), Fraction(0)
    for size in range(2, k + 3):
        for chosen in combinations(range(len(points)), size):
            weights = circuit([points[i] for i in chosen])
            if weights is not None:
                total = sum(w * values[i] for w, i in zip(weights, chosen, strict=True))
                best = max(best, abs(Fraction(total)) / sum(abs(w) for w in weights))
    return best


def circuit(points: Sequence[Point]) -> tuple[Fraction, ...] | None:
    """Return weights with `sum w = 0` and `sum w x = 0`, the last one 1; None unless there is one, without zeros."""
    columns = [(Fraction(1), *p) for p in points]
    if rank(columns) != len(points) - 1:
        return None
    equations = list(zip(*columns, strict=True))
    for rows in combinations(equations, len(points) - 1):
        if rank([row[:-1] for row in rows]) == len(rows):
            found = solve([(row[:-1], -row[-1]) for row in rows])
            assert found is not None
            return (*found, Fraction(1)) if all(found) else None
    return None


class Partitions:
    """All ways to put a few cells together to connected parts, with the smallest error of each.

    `corners[i]` are the vertices of cell i with the values of the outputs there, `beside` the pairs that share a facet.
    """

    def __init__(
        self, corners: Sequence[dict[Point, tuple[Fraction, ...]]], beside: Sequence[tuple[int, int]]
    ) -> None:  # fmt: skip
        self._corners = corners
        self._near = {i: {b if a == i else a for a, b in beside if i in (a, b)} for i in range(len(corners))}
        self.error = cache(self._error)

    def _error(self, part: frozenset[int]) -> Fraction:
        together: dict[Point, tuple[Fraction, ...]] = {}
        for i in part:
            together |= self._corners[i]
        points, values = list(together), list(together.values())
        return max(least_error(points, column) for column in zip(*values, strict=True))

    def is_connected(self, part: frozenset[int]) -> bool:
        """Return whether cells hang together."""
        seen, stack = set(), [min(part)]
        while stack:
            i = stack.pop()
            if i not in seen:
                seen.add(i)
                stack += self._near[i] & part
        return seen == part

    def all(self, cells: frozenset[int] | None = None) -> Iterator[list[frozenset[int]]]:
        """Yield every partition into connected parts."""
        cells = frozenset(self._near) if cells is None else cells
        if not cells:
            yield []
            return
        first, *others = sorted(cells)
        for size in range(len(others) + 1):
            for rest in combinations(others, size):
                part = frozenset((first, *rest))
                if self.is_connected(part):
                    for more in self.all(cells - part):
                        yield [part, *more]

    def fewest(self) -> dict[int, Fraction]:
        """Return, for each number of parts, the smallest error that it can have."""
        out: dict[int, Fraction] = {}
        for parts in self.all():
            error = max(self.error(part) for part in parts)
            out[len(parts)] = min(error, out.get(len(parts), error))
        return out
