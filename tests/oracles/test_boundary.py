"""The boundary oracle against what can be seen by hand, and against the other oracle along random segments."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from random import Random

import pytest

from tests.oracles.boundary import around, of_polygons, of_polytopes
from tests.oracles.plain import Input, dense, on_box, relu
from tests.oracles.random_problems import KINDS, random_problem
from tests.oracles.rational import enumerate_cells
from tests.oracles.segment import trace


def outputs(*rows):
    """Return the network with one output `a x + b y + c` for each row."""
    return on_box([Input(2), dense(0, [r[:2] for r in rows], [r[2] for r in rows])])


def corners(*points):
    return frozenset(tuple(map(Fraction, p)) for p in points)


def test_three_outputs_that_tie_on_one_line():
    found = of_polygons(enumerate_cells(outputs((0, 0, 0), (1, 0, 0), (-1, 0, 0))))
    assert {piece: tied for piece, (tied, _) in found.thin.items()} == {corners((0, -1), (0, 1)): frozenset({0, 1, 2})}
    assert not found.full and not found.rims


def test_outputs_that_tie_below_another_do_not():
    # 0 and 1 are equal, below 2 where x > 0
    found = of_polygons(enumerate_cells(outputs((0, 1, 0), (0, 1, 0), (1, 1, 0))))
    (piece,) = found.full
    assert piece == corners((-1, -1), (0, -1), (0, 1), (-1, 1)) and found.full[piece][1] == {0, 1}
    assert found.full_area() == 2 and found.rims == set(found.thin) == {corners((0, -1), (0, 1))}


def test_a_unit_that_is_off_is_zero():
    problem = on_box([Input(2), dense(0, [[1, 0]], [0]), relu(1, 1)])
    found = of_polygons(enumerate_cells(problem))
    assert set(found.full) == {corners((-1, -1), (0, -1), (0, 1), (-1, 1))} and found.rims == set(found.thin)
    assert found.full[next(iter(found.full))] == ((0,), frozenset({0}))


def test_ties_on_a_side_of_the_domain():
    problem = on_box([Input(2), dense(0, [[1, 0], [0, 0]], [1, 0])])
    assert set(of_polygons(enumerate_cells(problem)).thin) == {corners((-1, -1), (-1, 1))}


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_find_the_same_pieces(kind):
    n = 0
    for seed in range(8):
        problem = random_problem(kind, seed)
        units = sum(len(getattr(node, "knots", getattr(node, "windows", ()))) for node in problem.nodes)
        if len(problem.origin) != 2 or units > 8:
            continue
        sides = []
        for j in (0, 1):
            sides += [[*(Fraction(int(i == j)) for i in (0, 1)), Fraction(problem.high[j])]]
            sides += [[*(Fraction(-int(i == j)) for i in (0, 1)), Fraction(-problem.low[j])]]
        a, b = of_polygons(enumerate_cells(problem)), of_polytopes(problem.nodes, problem.output, 2, sides)
        assert (a.thin, a.full, a.rims) == (b.thin, b.full, b.rims), seed
        n += len(a.thin) + len(a.full)
    assert n > 0


@pytest.mark.parametrize("kind", KINDS)
def test_ties_along_segments_are_where_they_meet_the_pieces(kind):
    n = 0
    for seed in range(8):
        rng, problem = Random(seed), random_problem(kind, seed)
        found = of_polygons(enumerate_cells(problem))
        for _ in range(6):
            a, b = (
                tuple(low + Fraction(rng.randint(1, 9998), 9999) * (high - low) for low, high in _sides(problem))
                for _ in "ab"
            )
            ends = [
                [
                    o + sum(u * row[i] for u, row in zip(at, problem.basis, strict=True))
                    for i, o in enumerate(problem.origin)
                ]
                for at in (a, b)
            ]
            alone, flat = _ties(trace(problem.nodes, problem.output, *ends))
            spans = sorted(span for piece in found.full if (span := _span(piece, a, b)))
            assert sum(e - s for s, e in spans) == sum(e - s for s, e in flat)
            crossed = sum(_crosses(piece, a, b) for piece in found.thin if piece not in found.rims)
            assert crossed == len(alone)
            rims = sum(_crosses(piece, a, b) for piece in found.rims)
            assert rims == sum(t not in (0, 1) for span in flat for t in span)
            n += crossed + rims + len(flat)
    assert n > 0


def _sides(problem):
    return zip(map(Fraction, problem.low), map(Fraction, problem.high), strict=True)


def _ties(pieces):
    """Return the places of lone ties along a segment, and the intervals on which outputs tie, joined."""
    points, flat = set(), []
    for piece in pieces:
        rows = [*piece.map, (Fraction(0), Fraction(0))] if len(piece.map) == 1 else list(piece.map)
        cuts = {piece.start, piece.end}
        for (u, v), (w, z) in combinations(rows, 2):
            if u - w != v - z:
                cuts.add((u - w) / ((u - w) - (v - z)))
        cuts = sorted(t for t in cuts if piece.start <= t <= piece.end)

        def n_top(t, rows=rows):
            values = [u + t * (v - u) for u, v in rows]
            top = max(values) if len(piece.map) > 1 else values[1]  # noqa: B023
            return sum(v == top for v in values)

        points |= {t for t in cuts if n_top(t) > 1}
        for s, e in pairwise(cuts):
            if n_top((s + e) / 2) > 1:
                if flat and flat[-1][1] == s:
                    flat[-1] = (flat[-1][0], e)
                else:
                    flat.append((s, e))
    return {t for t in points if not any(s <= t <= e for s, e in flat)}, flat


def _crosses(piece, a, b):
    p, q = piece
    return _side(a, b, p) * _side(a, b, q) < 0 and _side(p, q, a) * _side(p, q, b) < 0


def _side(p, q, x):
    return (q[0] - p[0]) * (x[1] - p[1]) - (q[1] - p[1]) * (x[0] - p[0])


def _span(piece, a, b):
    """Return the interval of a segment in a convex polygon, or None."""
    ring = around(piece)
    low, high = Fraction(0), Fraction(1)
    for i, q in enumerate(ring):
        u, v = _side(ring[i - 1], q, a), _side(ring[i - 1], q, b)
        if u < 0 and v < 0:
            return None
        if u < 0:
            low = max(low, u / (u - v))
        elif v < 0:
            high = min(high, u / (u - v))
    return (low, high) if low < high else None
