"""The oracle of two networks, against sums done by hand."""

from __future__ import annotations

from fractions import Fraction

from tests.oracles.plain import Input, dense, on_box, relu
from tests.oracles.two_networks import clipped, compare, integral_of_square

SQUARE = (
    (Fraction(0), Fraction(0)),
    (Fraction(1), Fraction(0)),
    (Fraction(1), Fraction(1)),
    (Fraction(0), Fraction(1)),
)


def _net(*last):
    return on_box([Input(2), dense(0, [[1, 0], [0, 1]], [0, 0]), relu(1, 2), dense(2, *last)])


def test_half_of_a_relu_is_what_it_is():
    found = compare(_net([[1, 1]], [0]), _net([[1, Fraction(1, 2)]], [0]), 1)
    # relu(y) / 2 on [-1, 1]^2
    assert found.largest == (Fraction(1, 2),)
    assert found.mean == (Fraction(1, 8),)
    assert found.mean_square == (Fraction(1, 24),)
    assert not found.is_equal
    assert found.disagreement == 0
    # both are zero in one quadrant
    assert found.f_tied == found.g_tied == Fraction(1, 4)


def test_classes_by_the_largest_output():
    f = _net([[1, 0], [0, 1]], [0, 0])  # relu(x) against relu(y)
    g = _net([[0, 0], [0, 0]], [0, 1])  # always the second
    found = compare(f, g, 2)
    # f is of the first class where x > 0 and x > y, and where both are zero: 3/8 and 1/4
    assert found.pairs[0, 1] == Fraction(5, 8)
    assert found.disagreement == Fraction(5, 8)
    assert found.f_tied == Fraction(1, 4)
    assert found.g_tied == 0
    assert found.is_equal is False


def test_signs_are_cut_where_they_change():
    half = clipped(SQUARE, (Fraction(1), Fraction(1), Fraction(-1)))
    assert half == (SQUARE[1], SQUARE[2], SQUARE[3])
    assert integral_of_square(SQUARE, (Fraction(1), Fraction(0), Fraction(0))) == Fraction(1, 3)


def test_a_network_equals_itself():
    found = compare(_net([[1, 1]], [0]), _net([[1, 1]], [0]), 1)
    assert found.is_equal
    assert found.largest == (0,)
    assert found.n_cells == 4
