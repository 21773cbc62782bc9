"""Lower bounds on the number of pieces: every proof is checked again, by evaluation in fractions alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.analysis.joining.conflicts import null_weights
from tests.convert import to_nodes
from tests.oracles.pointwise import map_along, pattern_at
from tests.unit.analysis.joining.small import network


def check_conflict(cx, conflict, tolerance):
    """Assert that no affine function is within a tolerance of the network on the two cells of a conflict."""
    nodes, net = to_nodes(cx.network), cx.network
    total, moments = Fraction(0), [Fraction(0)] * (cx.domain.dim + 1)
    assert set(conflict.cell.tolist()) <= set(conflict.cells)
    for x, cell, weight in zip(conflict.points.tolist(), conflict.cell.tolist(), conflict.weights, strict=True):
        point = [Fraction(v) for v in x]
        pattern = tuple(cx.patterns[cell].tolist())
        assert tuple(pattern_at(nodes, point)) == pattern, "the point is not in its cell"
        row = map_along(nodes, net.output, len(point), pattern)[conflict.output]
        value = sum((a * v for a, v in zip(row, (*point, 1), strict=True)), Fraction(0))
        total += weight * value
        moments = [m + weight * v for m, v in zip(moments, (*point, 1), strict=True)]
    assert not any(moments) and sum(map(abs, conflict.weights)) == 1
    assert total >= conflict.difference > Fraction(tolerance)


@pytest.mark.parametrize("shape", [(1, 6, 4, 1), (2, 5, 4, 2), (3, 4, 1)])
@pytest.mark.parametrize("quarters", [False, True])
def test_conflicts_hold(shape, quarters):
    cx = ra.enumerate_cells(network(shape, 1, quarters=quarters), ra.Box(-1, 1, dim=shape[0]))
    n_conflicts = 0
    for share in (0.02, 0.1):
        answer = ra.join_cells(cx, share * ra.join_cells(cx, 0).output_range)
        bound = answer.lower_bound(answer.tolerance)
        n = len(bound.cells)
        assert bound.n_pieces == max(n, 1) <= answer.n_pieces
        assert sorted(c.cells for c in bound.conflicts) == [(i, j) for i in bound.cells for j in bound.cells if i < j]
        for conflict in bound.conflicts:
            check_conflict(cx, conflict, bound.tolerance)
        n_conflicts += len(bound.conflicts)
    assert n_conflicts >= 2


def test_a_wrong_conflict_is_found():
    cx = ra.enumerate_cells(network((2, 3, 2), 1), ra.Box(-1, 1, dim=2))
    conflict = ra.join_cells(cx, 0.01).lower_bound(0.01).conflicts[0]
    check_conflict(cx, conflict, 0.01)
    with pytest.raises(AssertionError):
        check_conflict(cx, conflict, float(conflict.difference) * 1.001)
    object.__setattr__(conflict, "cell", conflict.cell[::-1].copy())
    with pytest.raises(AssertionError):
        check_conflict(cx, conflict, 0.01)


def test_weights_are_zero_on_affine_functions_and_nothing_else():
    assert null_weights(np.array([[-1.0], [0.0], [1.0]])) == (Fraction(1, 4), Fraction(-1, 2), Fraction(1, 4))
    assert null_weights(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])) is None  # independent: a map takes all values
    assert null_weights(np.array([[0.0], [0.0], [0.0]])) is None  # more than one set of weights


def test_a_limit_leaves_what_was_found_and_the_words_say_it():
    cx = ra.enumerate_cells(network((2, 8, 8, 2), 1), ra.Box(-1, 1, dim=2))
    answer = ra.join_cells(cx, 0)
    short = answer.lower_bound(0.1, max_seconds=0.3)
    assert short.n_pieces >= 1 and repr(short).startswith(f"FewestPieces(at least {short.n_pieces} within 0.1")
