"""Which rows are facets: against brute force in fractions, generic and degenerate, bounded and not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.arithmetic.rationals import ratio_of, whole_row
from reluatlas.geometry.halfspaces.facets import find_facets
from reluatlas.geometry.halfspaces.system import System
from reluatlas.geometry.programs.exact import maximize_exactly
from tests.oracles.polyhedra import dot, facet_rows

KINDS = ("generic", "ternary", "duplicates", "parallel", "redundant", "exact")


def random_system(kind, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    k, g = (1, 2, 2, 3, 3, 3, 4)[seed % 7], int(rng.integers(0, 8))
    g = min(g, 4) if k == 4 else g
    if kind in ("ternary", "exact"):
        A, b = rng.integers(-1, 2, (g, k)).astype(float), rng.integers(1, 3, g).astype(float)
    else:
        A, b = rng.normal(size=(g, k)), rng.uniform(0.2, 1.0, g)
    for i in range(1, g):
        other = int(rng.integers(0, i))
        if kind == "duplicates" and rng.random() < 0.5:
            factor = float(rng.choice([1.0, 2.0, 0.25, 3.0]))
            A[i], b[i] = factor * A[other], factor * b[other]
        elif kind == "parallel" and rng.random() < 0.5:
            A[i], b[i] = A[other], b[other] + float(rng.choice([1e-12, -1e-12, 1e-6, 0.3]))
        elif kind == "redundant" and rng.random() < 0.5:
            both = int(rng.integers(0, i))
            A[i], b[i] = A[other] + A[both], b[other] + b[both] + float(rng.choice([0.0, 0.0, 1e-9, 0.1]))
    keep = A.any(axis=1)
    A, b = A[keep], b[keep]
    low = np.where(rng.random(k) < 0.6, -rng.choice([0.5, 1.0], k), -np.inf)
    high = np.where(rng.random(k) < 0.6, rng.choice([0.5, 1.0], k), np.inf)
    inside = np.zeros(k) if kind != "exact" else [Fraction(1, 3) * 0] * k
    return System(A, b, np.zeros(b.size), low, high, lambda i: whole_row(*fractions(A[i], b[i])), inside)


def fractions(a, b):
    return [Fraction(float(v)) for v in a], Fraction(float(b))


def plain_rows(system):
    numbers = system.constraints()
    rows = []
    for c in numbers:
        row = system.row(c)
        rows.append((tuple(Fraction(v) for v in row.a), Fraction(row.b)))
    return numbers, rows


@pytest.mark.parametrize("kind", KINDS)
def test_facets_are_those_of_brute_force(kind):
    n_implied = n_facets = 0
    for seed in range(42):
        system = random_system(kind, seed)
        found = find_facets(system)
        numbers, rows = plain_rows(system)
        if not rows:
            assert not found.facets and not found.implied
            continue
        expected = {numbers[i] for i in facet_rows(rows, [Fraction(0)] * system.k)}
        given = [c for f in found.facets for c in f.constraints]
        assert set(given) == expected and len(given) == len(expected), (seed, given, expected)
        assert not found.undecided
        assert_certified(system, found, numbers, rows)
        n_implied += len(found.implied)
        n_facets += len(found.facets)
    assert n_facets > 50 and (n_implied > 10 or kind == "generic")


def assert_certified(system, found, numbers, rows):
    """Every certificate holds in fractions."""
    by_number = dict(zip(numbers, rows, strict=True))
    gone = set()
    for implied in found.implied:
        c = implied.constraints[0]
        assert all(m > 0 and d not in gone and d != c and d < system.g for d, m in implied.multipliers.items())
        scale = system.row(c).scale
        rest, room = [v / scale for v in by_number[c][0]], by_number[c][1] / scale
        for d, m in implied.multipliers.items():
            rest = [v - m * w / system.row(d).scale for v, w in zip(rest, by_number[d][0], strict=True)]
            room -= m * by_number[d][1] / system.row(d).scale
        for j, v in enumerate(rest):
            bound = system.g + j + (system.k if v > 0 else 0)
            assert v == 0 or (bound in by_number and bound not in gone and bound not in implied.constraints)
            if v:
                room -= v * Fraction(float((system.upper if v > 0 else system.lower)[j]))
        assert room >= 0
        gone |= set(implied.constraints)
    for facet in found.facets:
        z = ratio_of(facet.beyond).fractions
        outside = {c for c, (a, b) in by_number.items() if dot(a, z) >= b}
        assert outside - gone == set(facet.constraints)


def test_exact_programs_reach_the_best_vertex():
    square = [whole_row(*fractions(a, 1.0)) for a in ([1, 0], [-1, 0], [0, 1], [0, -1])]
    best = maximize_exactly([2, 3], square, ratio_of(np.array([0.5, -0.25])))
    assert best.is_bounded and best.point == [1, 1] and best.multipliers == {0: 2, 2: 3}
    ray = maximize_exactly([2, 3], square[:3], ratio_of(np.zeros(2)))
    assert ray.is_bounded and ray.point == [1, 1]
    ray = maximize_exactly([2, -3], square[:3], ratio_of(np.zeros(2)))
    assert not ray.is_bounded and ray.point[1] < 0 and 2 * ray.point[0] - 3 * ray.point[1] > 0
    assert maximize_exactly([0, 0], [], ratio_of(np.zeros(2))).multipliers == {}
