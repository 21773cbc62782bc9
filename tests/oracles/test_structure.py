"""The oracle of structure on what one can work out by hand."""

from __future__ import annotations

from fractions import Fraction

from tests.oracles.plain import Input, dense, on_box, relu
from tests.oracles.structure import best, structure


def line(c: Fraction):
    """Return relu(x - c) on the square [-1, 1]^2."""
    return on_box([Input(2), dense(0, [[1, 0]], [-c]), relu(1, 1), dense(2, [[1]], [0])])


def test_two_lines_by_hand():
    found = structure(line(Fraction(0)), line(Fraction(1, 2)), 1)
    assert (found.n_regions, found.n_walls) == ((2, 2), (1, 1))
    assert found.overlap == Fraction(3, 4)
    # sides of 1/2 and 1/4 that differ on 1/4: chance is 1/2, so kappa is 1/2
    assert found.hyperplanes == Fraction(1, 2)
    # means 1/4 and 1/16, mean squares 1/6 and 1/48; |f - g|^2: x^2 up to 1/2, then 1/4
    unrelated = Fraction(1, 6) + Fraction(1, 48) - Fraction(2, 64)
    low, high = Fraction(1, 48), Fraction(1, 16)
    assert found.agreement == 1 - (low + high) / unrelated
    matched = Fraction(1, 2) + Fraction(1, 4) * max(Fraction(0), 1 - high / (Fraction(1, 4) * unrelated))
    assert found.regions == matched


def test_a_matching_need_not_be_greedy():
    assert best([[Fraction(3), Fraction(2)], [Fraction(2), Fraction(0)]]) == 4
    assert best([[Fraction(1), Fraction(5), Fraction(2)]]) == 5
    assert best([]) == 0
