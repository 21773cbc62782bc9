"""The segment's oracle against brute force: every pattern is tried, and its interval found from what it demands."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from tests.oracles.plain import Affine, Breakpoints, Input, dense, relu
from tests.oracles.random_problems import KINDS, random_problem
from tests.oracles.segment import classes, linear_regions, trace


def ends_of(problem):
    """Return two points of a problem's plane: its low and its high corner."""
    return tuple(
        tuple(o + u * p + v * q for o, p, q in zip(problem.origin, *problem.basis, strict=True))
        for u, v in (problem.low, problem.high)
    )


def by_brute_force(problem, a, b):
    """Return {pattern: (start, end)} of all patterns that hold on an interval of positive length."""
    choices = []
    for node in problem.nodes:
        if isinstance(node, Breakpoints):
            choices += [len(k) + 1 for k in node.knots]
        elif not isinstance(node, Input | Affine):
            choices += [len(w) for w in node.windows]
    found = {}
    for pattern in product(*(range(n) for n in choices)):
        interval = _interval(problem, pattern, a, b)
        if interval is not None and interval[0] < interval[1]:
            found[pattern] = interval
    return found


def _interval(problem, pattern, a, b):
    low, high, left = Fraction(0), Fraction(1), list(pattern)
    tensors = []

    def demand(u, v):  # u + t (v - u) >= 0
        nonlocal low, high
        if u == v:
            return u >= 0
        root = u / (u - v)
        if v > u:
            low = max(low, root)
        else:
            high = min(high, root)
        return True

    for node in problem.nodes:
        rows = []
        if isinstance(node, Input):
            rows = [(Fraction(x), Fraction(y)) for x, y in zip(a, b, strict=True)]
        elif isinstance(node, Affine):
            for i, bias in enumerate(node.bias):
                parts = [(tensors[s][j], w) for s, table in node.terms for j, w in table[i]]
                rows.append(tuple(sum((r[k] * w for r, w in parts), start=Fraction(bias)) for k in (0, 1)))
        elif isinstance(node, Breakpoints):
            for i, (u, v) in enumerate(tensors[node.source]):
                piece = left.pop(0)
                for k, knot in enumerate(node.knots[i]):
                    above = k < piece
                    if above and u == v == knot:
                        return None
                    if not demand(*((u - knot, v - knot) if above else (knot - u, knot - v))):
                        return None
                rows.append(tuple(node.slopes[i][piece] * x + node.intercepts[i][piece] for x in (u, v)))
        else:
            for window in node.windows:
                place = left.pop(0)
                best = tensors[node.source][window[place]]
                for k, entry in enumerate(window):
                    other = tensors[node.source][entry]
                    if (other == best and k < place) or not demand(best[0] - other[0], best[1] - other[1]):
                        return None
                rows.append(best)
        tensors.append(rows)
    return low, high


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_those_of_brute_force(kind):
    for seed in range(12):
        problem = random_problem(kind, seed)
        a, b = ends_of(problem)
        pieces = trace(problem.nodes, problem.output, a, b)
        expected = by_brute_force(problem, a, b)
        assert {p.pattern: (p.start, p.end) for p in pieces} == expected
        assert len(pieces) == len(expected)  # on a line, a pattern holds on one interval


def test_a_tent_is_two_regions_and_three_classes():
    nodes = (Input(1), dense(0, [[1], [1]], [0, -1]), relu(1, 2), dense(2, [[1, -2]], [Fraction(-1, 2)]))
    pieces = trace(nodes, 3, [-1], [3])
    assert [(p.start, p.end) for p in pieces] == [
        (0, Fraction(1, 4)),
        (Fraction(1, 4), Fraction(1, 2)),
        (Fraction(1, 2), 1),
    ]
    assert linear_regions(pieces) == 3
    assert classes(pieces) == [(0, 0), (Fraction(3, 8), 1), (Fraction(5, 8), 0)]
