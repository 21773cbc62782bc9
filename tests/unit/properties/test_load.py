"""Properties are read as they are written: numbers as ratios, and what cannot be read by line and column."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import DataFileError, PropertyError

NAMES = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
BOX = "(assert (>= X_0 0.1))\n(assert (<= X_0 0.3))\n(assert (>= X_1 -1e-3))\n(assert (<= X_1 -1e-3))\n"


def test_numbers_are_ratios_and_ends_may_be_equal():
    (case,) = ra.load_property(NAMES + BOX + "(assert (<= (* -0.1 Y_0) (+ Y_1 (* 2 X_0) 0.7)))").cases
    assert case.low == (Fraction(1, 10), Fraction(-1, 1000)) and case.high == (Fraction(3, 10), Fraction(-1, 1000))
    (row,) = case.inequalities
    assert row.outputs == {0: Fraction(-1, 10), 1: -1} and row.inputs == {0: -2} and row.bound == Fraction(7, 10)


def test_cases_are_multiplied_out():
    text = "(assert (or (and (<= Y_0 1) (>= Y_1 2)) (<= Y_1 -3)))(assert (or (= X_0 0.2) (>= Y_0 (/ 1 3))))"
    cases = ra.load_property(NAMES + BOX + text).cases
    assert [len(case.inequalities) for case in cases] == [2, 3, 1, 2]
    assert [case.low[0] == case.high[0] for case in cases] == [True, False, True, False]
    assert cases[1].inequalities[-1].bound == Fraction(-1, 3)


def test_empty_ways_are_left_out_and_constants_decided():
    prop = ra.load_property(NAMES + BOX + "(assert (or (<= X_0 0) (and (<= 1 2) (<= Y_0 0)) (<= 3 2)))")
    assert len(prop.cases) == 1 and len(prop.cases[0].inequalities) == 1
    assert len(prop.areas()) == 1


def test_files_comments_and_other_spellings(tmp_path):
    path = tmp_path / "p.vnnlib"
    names = NAMES.replace("declare-const X_1", "declare-fun X_1 ()")
    path.write_text(f"; a comment (\n(set-logic QF_LRA)\n{names}{BOX}(assert (<= Y_0 (- Y_1)))(check-sat)")
    prop = ra.load_property(path)
    assert prop.source == "p.vnnlib" and prop.cases[0].inequalities[0].outputs == {0: 1, 1: 1}
    with pytest.raises(DataFileError, match="cannot be read"):
        ra.load_property(tmp_path / "none.vnnlib")
    (tmp_path / "b.vnnlib").write_bytes(b"(\xff\xfe)")
    with pytest.raises(DataFileError, match="is not text"):
        ra.load_property(tmp_path / "b.vnnlib")


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("(assert (< Y_0 1))", 9, 9, "is strict"),
        ("(assert (<= Y_2 1))", 9, 13, "neither a number nor a declared variable"),
        ("(assert (<= (* Y_0 X_0) 1))", 9, 13, "multiplies two variables"),
        ("(assert (=> (<= Y_0 1) (<= Y_1 1)))", 9, 9, "`=>` is not part"),
        ("(assert (sum Y_0 1))", 9, 9, "`sum` is not known"),
        ("(assert\n  (<= Y_0 nan))", 10, 11, "neither a number"),
        ("(assert (<= Y_0 1e999))", 9, 17, "too many digits, or an exponent"),
        ("(assert (<= Y_0 1e300))", 9, 17, "beyond 2**500"),
        ("(assert (<= Y_0 (/ 1 0)))", 9, 22, "expected a number that is not 0"),
        ("(assert (<= Y_0 1)", 9, 1, "never closed"),
        ("(assert (<= Y_0 1)))", 9, 20, "closes nothing"),
        ("(assert Y_0)", 9, 9, "is not a condition"),
        ("(assert (or))", 9, 9, "no conditions"),
        ("(assert (<= Y_0))", 9, 9, "compares two terms"),
        ("(declare-const Z_0 Real)", 9, 1, "not the name of an input or output"),
        ("(declare-const X_0 Real)", 9, 1, "declared twice"),
        ("(declare-const X_3 Real)", 9, 1, "`X_2` is not"),
        ("(declare-const Y_2 Int)", 9, 1, "does not declare a real number"),
        ("(declare-network f)", 9, 1, "not a command of VNN-LIB 1.0"),
        ("(assert (<= X_0 0))", 1, 1, "no input is allowed: `X_0` is at least 0.1 and at most 0"),
        ("(" * 200, 9, 101, "parentheses are open at once"),
        ("(assert (<= (if Y_0) 1))", 9, 13, "is not a term"),
    ],
)
def test_what_cannot_be_read_is_said_with_line_and_column(text, line, column, says):
    with pytest.raises(PropertyError, match=r"line \d+, column \d+") as caught:
        ra.load_property(NAMES + BOX + text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_boxes_need_both_ends_and_names():
    with pytest.raises(PropertyError, match="`X_1` has no lower bound"):
        ra.load_property(NAMES + "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (<= Y_0 1))")
    with pytest.raises(PropertyError, match="no outputs are declared"):
        ra.load_property("(declare-const X_0 Real)(assert (<= X_0 1))")
    with pytest.raises(PropertyError, match="nothing is asserted"):
        ra.load_property(NAMES)


def test_another_network_is_refused_with_the_line():
    net = ra.load([(np.ones((1, 3)), np.zeros(1))])
    with pytest.raises(PropertyError, match=r"line 2, column 1: the property has 2 inputs .* the network has 3"):
        ra.load_property(NAMES + BOX + "(assert (<= Y_0 1))", net)
    with pytest.raises(ra.errors.DimensionError, match="is about 2 inputs but the network has 3"):
        ra.check_property(net, ra.load_property(NAMES + BOX + "(assert (<= Y_0 1))"))


def test_too_many_cases_are_refused():
    text = "(assert (or " + "".join(f"(<= Y_0 {i})" for i in range(50)) + "))"
    with pytest.raises(PropertyError, match="more than 100,000 cases"):
        ra.load_property(NAMES + BOX + text * 3)
