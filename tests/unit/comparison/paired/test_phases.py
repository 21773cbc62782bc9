"""The bound of an affine function where rows hold is that of a linear program, solved elsewhere; and never below it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from reluatlas.comparison.paired.phases import most_on
from reluatlas.comparison.paired.tree import Phases


@pytest.mark.parametrize("seed", range(60))
def test_it_is_the_optimum(seed):
    rng = np.random.default_rng(seed)
    k, q = int(rng.integers(1, 8)), int(rng.integers(0, 9))
    rows, ends, along = rng.normal(size=(q, k)), rng.normal(size=q) / 2, rng.normal(size=k)
    rows /= np.abs(rows).sum(axis=1, keepdims=True)
    bound, point = most_on(Phases(np.zeros((2, 1), dtype=np.int8), rows, ends), 0.25, along, 0.5)
    truth = linprog(-along, A_ub=rows if q else None, b_ub=ends if q else None, bounds=[(-1, 1)] * k)
    if truth.status == 2:  # there is no such point
        assert bound < 0.0
        return
    assert truth.status == 0
    assert bound >= 0.75 - truth.fun - 1e-12
    assert bound <= 0.75 - truth.fun + 1e-8
    assert along @ point == pytest.approx(-truth.fun, abs=1e-8)


def test_a_constant_is_nothing_where_there_is_no_point():
    apart = Phases(np.zeros((2, 1), dtype=np.int8), np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.25, -0.5]))
    assert most_on(apart, 3.0, np.zeros(2), 0.0)[0] < 0.0
    touching = apart._replace(ends=np.array([0.25, -0.25]))
    assert most_on(touching, 3.0, np.zeros(2), 0.0)[0] == pytest.approx(3.0)


def test_no_rows_and_no_function():
    none = Phases(np.zeros((2, 1), dtype=np.int8), np.zeros((0, 2)), np.zeros(0))
    assert most_on(none, 1.0, np.zeros(2), 0.0)[0] == pytest.approx(1.0)
    assert most_on(none, 1.0, np.array([1.0, -2.0]), 0.0)[0] == pytest.approx(4.0)
