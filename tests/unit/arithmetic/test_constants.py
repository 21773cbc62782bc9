"""The constants of the error bounds: what `reluatlas.arithmetic.constants` proves is so in exact numbers."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import reluatlas
from reluatlas.arithmetic import constants
from reluatlas.arithmetic.constants import EPSILON, LOST, LOST_IN_SUMS, OPERATIONS, SMALLEST, UNIT_ROUNDOFF

U = Fraction(1, 2**53)


def test_units_are_those_of_float64():
    assert Fraction(UNIT_ROUNDOFF) == U and Fraction(EPSILON) == 2 * U == Fraction(float(np.finfo(np.float64).eps))
    assert SMALLEST > 0.0 and SMALLEST / 2 == 0.0
    # the worst case of one rounding is reached
    assert 1.0 + UNIT_ROUNDOFF == 1.0 and np.nextafter(1.0, 2.0) - 1.0 == EPSILON


@pytest.mark.parametrize("slack", OPERATIONS)
def test_a_slack_covers_its_operations_and_not_many_more(slack):
    s, m = Fraction(slack) - 1, OPERATIONS[slack]
    assert s / (1 + s) >= (m + 1) * U
    # (1 - U)^m >= 1 - m U, so the power is covered as well
    assert (1 + s) * (1 - (m + 1) * U) >= 1
    assert s / (1 + s) < 1.3 * (m + 1) * U


@pytest.mark.parametrize("slack", OPERATIONS)
def test_a_bound_that_is_rounded_down_at_every_step_is_made_up_for(slack):
    rng = np.random.default_rng(0)
    for n in (1, 2, 17, 1000):
        terms = rng.uniform(0.1, 1.0, n)
        computed = 0.0
        for term in terms.tolist():
            computed = computed + term * term
        exact = sum((Fraction(t) ** 2 for t in terms.tolist()), start=Fraction(0))
        assert Fraction(computed * slack) >= exact


def test_floors_cover_what_underflows():
    lost = Fraction(1, 2**1075)
    assert Fraction(LOST) >= 2**74 * lost and Fraction(LOST_IN_SUMS) >= 2**174 * lost
    rng = np.random.default_rng(1)
    a, b = np.ldexp(rng.uniform(-1, 1, (2, 500)), rng.integers(-545, -530, (2, 500)))
    exact = sum((Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)), start=Fraction(0))
    computed = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        computed += x * y
    assert Fraction(computed) != exact
    assert abs(Fraction(computed) - exact) <= Fraction(LOST)


def test_no_other_file_has_such_a_constant_of_its_own():
    """Roundoff, slacks and floors are written once."""
    root = Path(reluatlas.__file__).parent
    literal = re.compile(
        r"2(?:\.0)? ?\*\* ?-(?:53|52|1000|1074|700)\b|1\.0000+1\b|\b1\.01\b|1(?:\.0)? \+ (?:2\.0\*\*-|1e-)"
    )
    found = {}
    for room in ("arithmetic", "geometry", "subdivision", "cells", "paths", "network", "complexes"):
        for source in (root / room).rglob("*.py"):
            code = re.sub(r'""".*?"""|#[^\n]*', "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
            if source != Path(constants.__file__) and (hits := literal.findall(code)):
                found[str(source.relative_to(root))] = hits
    assert not found
