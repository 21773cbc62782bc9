from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from reluatlas.datasets.toy import NAMES, symmetries, toy_problem
from reluatlas.errors import ArgumentError


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_the_same_points_inside_the_square_and_both_classes(name):
    problem = toy_problem(name, n_train=2000, seed=3)
    again = toy_problem(name, n_train=2000, seed=3)
    assert np.array_equal(problem.X_train, again.X_train) and np.array_equal(problem.y_test, again.y_test)
    assert problem.X_train.shape == (2000, 2) and problem.y_train.shape == (2000,)
    for X, y in ((problem.X_train, problem.y_train), (problem.X_test, problem.y_test)):
        assert np.abs(X).max() <= 1 and set(y.tolist()) == {0, 1}
        assert 0.4 < y.mean() < 0.6
    if name != "xor":
        assert not np.array_equal(problem.X_train, toy_problem(name, n_train=2000, seed=4).X_train)


def test_the_circle_follows_the_rule_of_the_paper():
    problem = toy_problem("circle", n_train=5000)
    for X, y in ((problem.X_train, problem.y_train), (problem.X_test, problem.y_test)):
        square = (X**2).sum(axis=1)
        assert np.all(square[y == 1] < 0.25)
        assert np.all((square[y == 0] > 0.5) & (square[y == 0] < 0.75))
    ticks = np.linspace(-1, 1, 101)
    square = ticks[:, None] ** 2 + ticks**2
    assert len(problem.X_test) == ((square < 0.25) | ((square > 0.5) & (square < 0.75))).sum()


def test_four_circles_alternate_by_quadrant():
    problem = toy_problem("circles", n_train=5000)
    for x, y in ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)):
        near = ((problem.X_train - (x, y)) ** 2).sum(axis=1) < 0.25**2
        assert near.any() and set(problem.y_train[near].tolist()) == {1 if x * y > 0 else 0}


def test_xor_is_four_points_in_turn():
    problem = toy_problem("xor", n_train=10)
    assert len(problem.X_test) == 4
    assert np.array_equal(problem.X_train[:4], problem.X_test) and np.array_equal(problem.X_train[4:8], problem.X_test)
    assert np.array_equal(problem.y_test, (problem.X_test.prod(axis=1) < 0))


@pytest.mark.parametrize("name", ["circle", "circles", "xor"])
def test_symmetries_carry_the_test_points_onto_points_of_the_same_or_the_swapped_label(name):
    X, y = toy_problem(name).X_test, toy_problem(name).y_test
    for Q, sign in symmetries(name):
        assert np.allclose(Q @ Q.T, np.eye(2))
        moved = X @ Q.T
        if name == "circle":
            assert sign == 1 and np.allclose((moved**2).sum(axis=1), (X**2).sum(axis=1))
            continue
        apart, nearest = KDTree(X).query(moved)
        assert apart.max() < 1e-9
        assert np.array_equal(y[nearest], y if sign == 1 else 1 - y)


@pytest.mark.parametrize("name", ["moons", "spiral"])
def test_a_half_turn_swaps_the_classes(name):
    problem = toy_problem(name, n_train=20_000)
    (_, one), (Q, sign) = symmetries(name)
    assert (one, sign) == (1, -1)
    means = [problem.X_train[problem.y_train == c].mean(axis=0) for c in (0, 1)]
    assert np.allclose(Q @ means[0], means[1], atol=0.03)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"name": "cube"}, "name='cube'"),
        ({"name": "moons", "seed": -1}, "seed=-1"),
        ({"name": "moons", "seed": 1.5}, "seed=1.5"),
        ({"name": "moons", "n_train": 0}, "n_train=0"),
        ({"name": "moons", "n_train": True}, "n_train=True"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, what):
    with pytest.raises(ArgumentError, match=what):
        toy_problem(**arguments)
