"""What is said to be bounded is bounded: against exact linear programs, and polytopes of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.arithmetic.rationals import WholeRow, ratio_of
from reluatlas.geometry.halfspaces.boundedness import is_surely_bounded, open_direction
from reluatlas.geometry.programs.exact import maximize_exactly


def is_bounded_exactly(G):
    """Ask for the largest and the least value of every coordinate."""
    k = G.shape[1]
    rows = [WholeRow([int(v) for v in row], 1) for row in G]
    origin = ratio_of(np.zeros(k))
    return all(
        maximize_exactly([sign * int(i == j) for i in range(k)], rows, origin).is_bounded
        for j in range(k)
        for sign in (1, -1)
    )


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_answers_are_those_of_exact_programs(k):
    rng = np.random.default_rng(k)
    seen = {True: 0, False: 0}
    for _ in range(60):
        G = rng.integers(-3, 4, (int(rng.integers(k, 4 * k + 2)), k))
        G = G[G.any(axis=1)].astype(np.float64)
        if not len(G):
            continue
        bounded = is_bounded_exactly(G)
        seen[bounded] += 1
        # small whole numbers are far from any doubt: what is bounded is proven, too
        assert is_surely_bounded(G, np.zeros(len(G))) == bounded
        rows = [WholeRow([int(v) for v in row], 1) for row in G]
        direction = open_direction(G, rows)
        if bounded:
            assert direction is None
        elif direction is None:
            # all that is open is a line or more: nothing falls
            assert np.linalg.matrix_rank(G) < k
        else:
            assert any(direction) and all(
                sum(a * d for a, d in zip(row.a, direction, strict=True)) <= 0 for row in rows
            )
    assert min(seen.values()) > 5


@pytest.mark.parametrize("k", [8, 64])
def test_simplices_cubes_and_what_is_open(k):
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(k, k)))[0]
    cube = np.concatenate([turn, -turn]) * 10.0 ** rng.integers(-8, 8, (2 * k, 1))
    simplex = np.concatenate([turn, -turn.sum(axis=0)[None]])
    for G in (cube, simplex):
        error = 1e-15 * np.abs(G).max(axis=1)
        assert is_surely_bounded(G, error)
        assert not is_surely_bounded(G[1:], error[1:])  # one is left out: open
        assert not is_surely_bounded(G, 1e3 * np.abs(G).max(axis=1))  # nothing is known of the rows
    strip = np.concatenate([turn[: k - 1], -turn[: k - 1], turn[: k - 1] * 2.0])
    assert not is_surely_bounded(strip, np.zeros(len(strip)))
    # open by a hair: a direction that hardly decreases one row
    leaning = simplex.copy()
    leaning[-1] = -turn[1:].sum(axis=0) + 1e-13 * turn[0]
    assert not is_surely_bounded(leaning, np.zeros(k + 1))


def test_a_flat_cone_is_found_exactly():
    rng = np.random.default_rng(3)
    k = 12
    # a wedge times a line that ends: rows in opposite pairs leave directions of lower dimension only
    base = rng.integers(-9, 10, (k - 3, k)).astype(np.float64)
    half = rng.integers(-9, 10, (2, k)).astype(np.float64)
    G = np.concatenate([base, -base, half])
    rows = [WholeRow([int(v) for v in row], 1) for row in G]
    direction = open_direction(G, rows)
    assert direction is not None and not is_surely_bounded(G, np.zeros(len(G)))
    rates = [sum(a * d for a, d in zip(row.a, direction, strict=True)) for row in rows]
    assert rates[: 2 * (k - 3)] == [0] * (2 * (k - 3)) and max(rates[-2:]) < 0
