"""The subdividing oracle against brute force over all patterns, and against what can be counted by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random
from time import perf_counter

import pytest

from tests.oracles.adjacency import f_vector, linear_regions, n_affine_maps, neighbors
from tests.oracles.brute import all_patterns
from tests.oracles.plain import Input, Max, Node, dense, on_box, relu
from tests.oracles.random_problems import KINDS, random_problem
from tests.oracles.rational import area, enumerate_cells, split

SEEDS = range(6)


def lines(*rows, outputs=None):
    """Return one hidden layer with the lines a x + b y + c = 0 on [-1, 1]^2, and the sum of its units as output."""
    m = len(rows)
    hidden = dense(0, [r[:2] for r in rows], [r[2] for r in rows])
    return on_box([Input(2), hidden, relu(1, m), dense(2, outputs or [[1] * m], [0] * len(outputs or [0]))])


def random_layers(widths, rng):
    nodes: list[Node] = [Input(widths[0])]
    here = 0
    for n, m in pairwise(widths):
        weight = [[Fraction(rng.uniform(-1, 1)) for _ in range(n)] for _ in range(m)]
        nodes.append(dense(here, weight, [Fraction(rng.uniform(-1, 1)) for _ in range(m)]))
        here = len(nodes) - 1
        if m != widths[-1]:
            nodes.append(relu(here, m))
            here += 1
    return on_box(nodes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_agrees_with_brute_force(kind, seed):
    problem = random_problem(kind, seed)
    cells, expected = enumerate_cells(problem), all_patterns(problem)
    assert len({c.pattern for c in cells}) == len(cells)
    assert {c.pattern: (frozenset(c.vertices), c.map, c.area) for c in cells} == expected
    sides = [h - w for w, h in zip(problem.low, problem.high, strict=True)]
    assert sum(c.area for c in cells) == sides[0] * sides[1]


@pytest.mark.parametrize("kind", KINDS)
def test_cells_form_a_complex(kind):
    for seed in SEEDS:
        problem = random_problem(kind, seed)
        cells = enumerate_cells(problem)
        pairs = neighbors(cells)
        v, e, f = f_vector(cells)
        assert v - e + f == 1
        inner = {edge for pair in pairs for edge in pair}
        assert len(inner) == 2 * len(pairs)
        assert len(pairs) + sum(len(c.vertices) for c in cells) - len(inner) == e
        for i, cell in enumerate(cells):
            assert len(set(cell.vertices)) == len(cell.vertices)
            for j, p in enumerate(cell.vertices):
                q, r = cell.vertices[(j + 1) % len(cell.vertices)], cell.vertices[(j + 2) % len(cell.vertices)]
                assert area((p, q, r)) > 0, "a corner that does not turn left, or a redundant one"
                on_side = any(p[k] == q[k] and p[k] in (problem.low[k], problem.high[k]) for k in (0, 1))
                assert on_side == ((i, j) not in inner)
        for (i, j), (k, _) in pairs:
            assert cells[i].pattern != cells[k].pattern
            for p in (cells[i].vertices[j], cells[i].vertices[(j + 1) % len(cells[i].vertices)]):
                for f, g in zip(cells[i].map, cells[k].map, strict=True):
                    assert f[0] * p[0] + f[1] * p[1] + f[2] == g[0] * p[0] + g[1] * p[1] + g[2], "a jump"


def test_lines_in_general_position():
    # 1 + n + (crossings inside the box); these four lines cross in six points of the open square.
    cells = enumerate_cells(lines((1, 0, 0), (0, 1, 0), (1, 1, Fraction(-1, 2)), (1, -2, Fraction(-1, 3))))
    assert len(cells) == 1 + 4 + 6
    assert len(linear_regions(cells)) == 11
    # Vertices: crossings, ends of lines, corners. Edges: four on each line, and the border cut by eight ends.
    assert f_vector(cells) == (6 + 8 + 4, 4 * 4 + 4 + 8, 11)


def test_three_lines_that_meet_and_that_do_not():
    third = Fraction(1, 3)
    meeting = [(1, -1, 0), (1, 2, -1), (2, 1, -1)]
    assert len(enumerate_cells(lines(*meeting))) == 6
    missing = [*meeting[:2], (2, 1, -1 - Fraction(1, 2**53))]
    cells = enumerate_cells(lines(*missing))
    assert len(cells) == 7
    smallest = min(cells, key=lambda c: c.area)
    assert 0 < smallest.area < Fraction(1, 2**100)
    assert all(abs(x - third) < Fraction(1, 2**50) for p in smallest.vertices for x in p)


def test_equal_opposite_zero_and_dead_units():
    cells = enumerate_cells(lines((1, 0, 0), (2, 0, 0), (-1, 0, 0), (0, 0, 0), (0, 0, 1), (0, 1, -5)))
    assert sorted(c.pattern for c in cells) == [(0, 0, 1, 0, 1, 0), (1, 1, 0, 0, 1, 0)]
    assert neighbors(cells)[0][0][0] == 0 and len(neighbors(cells)) == 1
    assert f_vector(cells) == (6, 7, 2)


def test_equal_maps_join_into_one_linear_region():
    # relu(x) - relu(-x) = x: two cells, one region. With |x| instead: two regions.
    joined = enumerate_cells(lines((1, 0, 0), (-1, 0, 0), outputs=[[1, -1]]))
    assert (len(joined), max(linear_regions(joined)) + 1, n_affine_maps(joined)) == (2, 1, 1)
    bent = enumerate_cells(lines((1, 0, 0), (-1, 0, 0), outputs=[[1, 1]]))
    assert (len(bent), max(linear_regions(bent)) + 1, n_affine_maps(bent)) == (2, 2, 2)
    # A bump around x = 0: its two flat sides have one map but are two regions.
    half = Fraction(1, 2)
    bump = enumerate_cells(lines((1, 0, half), (1, 0, 0), (1, 0, -half), outputs=[[1, -2, 1]]))
    assert (len(bump), max(linear_regions(bump)) + 1, n_affine_maps(bump)) == (4, 4, 3)


def test_identical_candidates_are_one_class():
    # Windows over (x, x, relu(x), 0 * x): where x < 0 the last two are the same function and win together.
    hidden = dense(0, [[1, 0], [1, 0], [1, 0], [0, 0]], [0, 0, 0, 0])
    first = on_box([Input(2), hidden, Max(1, ((0, 1), (1, 2, 3)))])
    assert sorted(c.pattern for c in enumerate_cells(first)) == [(0, 0), (0, 2)]
    second = on_box([Input(2), hidden, relu(1, 4), Max(2, ((3, 0, 1), (2, 0)))])
    assert sorted(c.pattern for c in enumerate_cells(second)) == [(0, 0, 0, 0, 0, 0), (1, 1, 1, 0, 1, 0)]


def test_a_row_that_is_zero_on_the_cell_is_off():
    # The second layer reads relu(x) alone: zero, so off, on the whole left half.
    problem = on_box([Input(2), dense(0, [[1, 0]], [0]), relu(1, 1), dense(2, [[1], [-1]], [0, 0]), relu(3, 2)])
    assert sorted(c.pattern for c in enumerate_cells(problem)) == [(0, 0, 0), (1, 1, 0)]


def test_split_keeps_corners_that_lie_on_the_cut():
    square = ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))
    below, above = split(square, (1, -1, 0))
    assert below == ((0, 0, 1), (1, 1, 1), (0, 1, 1)) and above == ((0, 0, 1), (1, 0, 1), (1, 1, 1))
    assert split(square, (1, 0, 0)) == (None, square)
    assert split(square, (0, 0, 0)) == (square, None)


def test_neighbors_reject_cells_that_overlap_or_leave_gaps():
    cells = enumerate_cells(lines((1, 0, 0), (0, 1, 0)))
    with pytest.raises(AssertionError):
        neighbors([*cells, cells[0]])
    coarse = enumerate_cells(lines((1, 0, 0)))
    with pytest.raises(AssertionError, match="overlap"):
        neighbors([coarse[0], *(c for c in cells if c.pattern[0] == 1)])


def test_is_fast_enough_for_hundreds_of_networks():
    problem = random_layers([2, 8, 8, 1], Random(0))
    start = perf_counter()
    cells = enumerate_cells(problem)
    neighbors(cells)
    assert perf_counter() - start < 2.0
    assert sum(c.area for c in cells) == 4
