"""An exact row is what a network does on given pieces: compared with its own exact values at points of the cell."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic
from reluatlas.network.values.exact_rows import dot, exact_affine
from reluatlas.testing import zoo


@pytest.mark.parametrize("name", sorted(zoo.FAMILIES))
def test_rows_give_the_values_of_their_cell(name):
    net = zoo.FAMILIES[name](1)
    rng = np.random.default_rng(len(name))
    for x in rng.normal(size=(3, net.n_inputs)):
        pattern = net.patterns(x[None])[0]
        pieces = {t: pattern[columns] for t, columns in net.pattern_slices().items()}
        arithmetic = IntegerArithmetic()
        point = ExactPoint(net, arithmetic, x, {t: p[None] for t, p in pieces.items()}, 0)
        for o in range(net.n_outputs):
            row, constant = exact_affine(net, net.output, {o: 1}, pieces, arithmetic)
            value = sum((a * Fraction(v) for a, v in zip(row.fractions, x.tolist(), strict=True)), Fraction(0))
            number, exponent, denominator = point.entries(net.output, [o])[0]
            assert value + constant.fractions[0] == Fraction(number) * Fraction(2) ** exponent / denominator


def test_a_sum_of_entries_and_what_no_input_reaches():
    net = ra.load([(np.array([[2.0, 0.0], [0.5, 1.0]]), np.array([0.25, -3.0])), (np.eye(2), np.zeros(2))])
    pieces = {2: np.array([1, 0])}
    row, constant = exact_affine(net, net.output, {0: 3, 1: -1}, pieces, IntegerArithmetic())
    assert row.fractions == [6, 0] and constant.fractions == [Fraction(3, 4)]
    assert exact_affine(net, net.output, {1: 1}, pieces, IntegerArithmetic()).row.fractions == [0, 0]
    assert dot(row, row).fractions == [36]
