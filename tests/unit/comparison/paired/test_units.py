"""Each case of what units make of a pair of pre-activations holds at points, in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.comparison.paired.units import Range, Relus, Units, units_of
from reluatlas.network.record import Breakpoints

FUNCTIONS = {
    "relu": ([0.0], [0.0, 1.0], [0.0, 0.0]),
    "leaky": ([0.0], [0.125, 1.0], [0.0, 0.0]),
    "falling": ([0.0], [-1.0, 0.25], [0.0, 0.0]),
    "clip": ([0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
    "steps of slope": ([-1.0, 0.5, 2.0], [0.5, -1.0, 2.0, 0.0], [0.5, -1.0, -2.5, 1.5]),
    # the pieces do not quite meet: intercepts are rounded
    "rounded": ([0.1, 0.7], [0.3, 1.1, -0.7], [0.0, -0.08, 1.18]),
}


def node_of(name: str, n: int) -> Breakpoints:
    knots, slopes, intercepts = (np.tile(row, (n, 1)) for row in FUNCTIONS[name])
    return Breakpoints(0, knots, slopes, intercepts, (n,))


def exactly(name: str, z: Fraction) -> Fraction:
    knots, slopes, intercepts = FUNCTIONS[name]
    piece = sum(z > Fraction(knot) for knot in knots)
    return Fraction(slopes[piece]) * z + Fraction(intercepts[piece])


def ranges(n: int, seed: int) -> tuple[Range, Range]:
    """Return ranges of z and of d: wide and narrow ones, points, ends at zero."""
    rng = np.random.default_rng(seed)

    def some(scale: float) -> Range:
        low = rng.integers(-16, 9, n) / 8 * scale
        return Range(low[None], (low + rng.integers(0, 12, n) / 8 * scale * rng.integers(0, 2, n))[None])

    return some(1.0), some(0.25)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_outputs_and_their_difference_are_where_it_is_said(name):
    n, rng = 300, np.random.default_rng(1)
    z, d = ranges(n, seed=2)
    y = Range(z.low + d.low, z.high + d.high)
    units = units_of(node_of(name, n), 1)
    assert isinstance(units, Relus) == (name == "relu")
    with np.errstate(all="ignore"):
        alone, apart = units.alone(z), units.apart(y, z, d)
    kinds = set()
    for i in range(n):
        slope, shift, radius = (Fraction(float(v[0, i])) for v in alone[:3])
        by_d, by_z, moved, off = (Fraction(float(v[0, i])) for v in apart[:4])
        kinds.add((bool(alone.several[0, i]), bool(apart.f_several[0, i]), off == 0))
        for s in (0, 1, 8, *rng.integers(0, 9, 4).tolist()):
            for t in (0, 4, 8):
                there = Fraction(z.low[0, i]) + Fraction(s, 8) * Fraction(z.high[0, i] - z.low[0, i])
                gap = Fraction(d.low[0, i]) + Fraction(t, 8) * Fraction(d.high[0, i] - d.low[0, i])
                out = exactly(name, there)
                # at a knot, pieces whose numbers are rounded may not meet
                assert abs(out - slope * there - shift) <= radius + (Fraction(2.0**-52) if name == "rounded" else 0)
                change = exactly(name, there + gap) - out
                # of units on one piece each, two numbers are rounded once
                rounded = Fraction(2.0**-52) * (abs(by_z * there) + abs(moved)) if by_z or not off else 0
                assert abs(change - by_d * gap - by_z * there - moved) <= off + rounded
    assert len(kinds) > 3


def test_equal_units_have_no_difference():
    z, _ = ranges(50, seed=3)
    zero = Range(np.zeros((1, 50)), np.zeros((1, 50)))
    for name in ("relu", "leaky", "clip"):
        found = units_of(node_of(name, 50), 1).apart(z, z, zero)
        assert not found.shift.any() and not found.radius.any() and not found.by_z.any()


def test_relus_are_the_general_case():
    z, d = ranges(400, seed=4)
    y = Range(z.low + d.low, z.high + d.high)
    with np.errstate(all="ignore"):
        quick, general = Relus().apart(y, z, d), Units(node_of("relu", 400), 1, np.zeros(400)).apart(y, z, d)
    np.testing.assert_allclose(quick.radius, general.radius, rtol=1e-8, atol=1e-12)
    assert np.all(quick.radius <= np.maximum(-d.low, d.high) / 2 * (1 + 1e-8) + 1e-12)
