"""Comparisons, masks and choices are functions of one variable, and become breakpoints where they are continuous."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.errors import ReluAtlasError, UnsupportedLayerError
from reluatlas.importers.finish import begin
from reluatlas.importers.lowering import curves as cv
from reluatlas.importers.lowering import steps as st
from reluatlas.importers.lowering import tensors as lo
from reluatlas.network.network import Breakpoints, Max

ZERO, ONE = np.zeros(()), np.ones(())
RAMP = np.arange(5.0)


def built(form, shape=(2, 5)):
    """Return the network of `form(low, x)` and what it gives at points of a grid that holds all knots."""
    low, x, _ = begin(shape, has_batch=True)
    low.name, low.operator = "tested", "Where"
    out = st.settle(low, form(low, x))
    net = low.builder.finish(out.node)
    points = np.random.default_rng(0).integers(-8, 9, size=(60, *shape)) / 4
    return net, points, net(points).reshape(60, *out.shape[1:])


def positive(low, x):
    return st.compare(low, x, ZERO, ">")


def turned(low, x):
    return lo.rearrange(low, [x], x.marks()[..., ::-1])


def clip_by_masks(low, x):
    inside = st.logical(low, [st.compare(low, x, -ONE, ">"), st.compare(low, x, ONE, "<")], "and")
    above, below = st.compare(low, x, ONE, ">="), st.compare(low, x, -ONE, "<=")
    return st.add(low, [st.multiply(low, x, inside), above, below], [1.0, 1.0, -1.0])


def halves(form):
    return lambda low, x: form(low, lo.rearrange(low, [x], x.marks()[:, :1]), lo.rearrange(low, [x], x.marks()[:, 1:]))


def relu_first(low, x):
    return st.choose(low, st.compare(low, lo.clip(low, x, 0.0, None), ZERO, ">"), x, ZERO)


FORMS = {
    "where": (lambda low, x: st.choose(low, positive(low, x), x, ZERO), lambda X: np.maximum(X, 0)),
    "where not": (
        lambda low, x: st.choose(low, st.logical(low, [positive(low, x)], "not"), ZERO, x),
        lambda X: np.maximum(X, 0),
    ),
    "mask": (lambda low, x: st.multiply(low, x, st.compare(low, x, ZERO, ">=")), lambda X: np.maximum(X, 0)),
    "mask from the left": (
        lambda low, x: st.multiply(low, st.compare(low, ZERO, x, "<"), x),
        lambda X: np.maximum(X, 0),
    ),
    "sign": (lambda low, x: st.multiply(low, x, st.sign(low, x)), np.abs),
    "leaky": (
        lambda low, x: st.choose(low, positive(low, x), x, lo.scale_shift(low, x, 0.1)),
        lambda X: np.where(X > 0, X, 0.1 * X),
    ),
    "shifted": (
        lambda low, x: st.choose(
            low,
            st.compare(low, lo.scale_shift(low, x, 2.0, -1.0), ZERO, "<"),
            lo.scale_shift(low, x, -3.0, 2.0),
            x,
        ),
        lambda X: np.where(2 * X - 1 < 0, 2 - 3 * X, X),
    ),
    "a knot an entry": (
        lambda low, x: st.choose(low, st.compare(low, x, RAMP, ">"), x, RAMP),
        lambda X: np.maximum(X, RAMP),
    ),
    "larger of two": (
        halves(lambda low, a, b: st.choose(low, st.compare(low, a, b, ">"), a, b)),
        lambda X: np.maximum(X[:, :1], X[:, 1:]),
    ),
    "smaller of two": (
        halves(lambda low, a, b: st.choose(low, st.compare(low, b, a, ">="), a, b)),
        lambda X: np.minimum(X[:, :1], X[:, 1:]),
    ),
    "clip by masks": (clip_by_masks, lambda X: np.clip(X, -1, 1)),
    "soft shrink": (lambda low, x: st.shrink(low, x, 0.5, 0.5), lambda X: np.sign(X) * np.maximum(np.abs(X) - 0.5, 0)),
    "shrink at 0": (lambda low, x: st.shrink(low, x, 0.0, 0.0), lambda X: X),
    "threshold": (lambda low, x: st.thresholded(low, x, 0.0), lambda X: np.maximum(X, 0)),
    "behind a clip": (relu_first, lambda X: np.maximum(X, 0)),
    "zeros like": (
        lambda low, x: lo.extreme(low, [x, lo.scale_shift(low, x, 0.0)], sign=1),
        lambda X: np.maximum(X, 0),
    ),
    "moved": (
        lambda low, x: st.multiply(low, turned(low, x), st.moved(positive(low, x), x.marks()[..., ::-1])),
        lambda X: np.maximum(X[..., ::-1], 0),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_form_is_what_numpy_computes(form):
    made, rule = FORMS[form]
    net, points, got = built(made)
    np.testing.assert_array_equal(got, rule(points))
    cuts = [net.nodes[i] for i in net.cuts]
    assert len(cuts) == (form != "shrink at 0") + (form == "behind a clip")
    assert all(isinstance(n, Max if "of two" in form else Breakpoints) for n in cuts)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (positive, "jumps at 0, from 0 to 1"),
        (lambda low, x: st.shrink(low, x, 0.5, 0.0), r"jumps at -0\.5"),
        (lambda low, x: st.thresholded(low, x, 0.25), r"jumps at 0\.25"),
        (lambda low, x: st.choose(low, positive(low, x), x, ONE), "jumps at 0, from 1 to 0"),
        # the two masks leave 0 out: a single point at which the sum jumps
        (lambda low, x: st.add(low, [positive(low, x), st.compare(low, x, ZERO, "<")]), "jumps at 0"),
        (lambda low, x: st.multiply(low, x, st.compare(low, x, np.full((), 1e-300), ">")), "jumps at 1e-300"),
        (lambda low, x: st.multiply(low, turned(low, x), positive(low, x)), "jumps"),
        (lambda low, x: st.compare(low, x, np.full((), np.nan), ">"), "NaN"),
        (lambda low, x: st.cast(low, st.multiply(low, positive(low, x), np.full((), 0.5)), "i"), "rounds"),
    ],
)
def test_what_jumps_is_refused(form, words):
    with pytest.raises(UnsupportedLayerError, match=words):
        built(form)


def test_curves_are_composed_exactly():
    third = Fraction(1, 3)
    tent = cv.Curve((third,), ((Fraction(1), Fraction(0)), (Fraction(0), third), (Fraction(-1), 2 * third)))
    rng = np.random.default_rng(1)
    outer = cv.joined([tent, cv.step(0, 1, 2)], cv.total)
    both = cv.composed(outer, cv.composed(tent, cv.linear(-2, 1)))
    for z in [Fraction(int(n), 24) for n in rng.integers(-60, 60, size=200)]:
        inner = min(1 - 2 * z, 2 * third - (1 - 2 * z))
        value = min(inner, 2 * third - inner) + (0 if inner < 0 else 1 if inner == 0 else 2)
        assert both(z) == value


def corner(slope):
    def form(low, x):  # |slope x - 1|, which meets at 1 / slope only
        a, b = lo.scale_shift(low, x, slope, -1.0), lo.scale_shift(low, x, -slope, 1.0)
        return st.choose(low, st.compare(low, a, ZERO, ">"), a, b)

    return form


def test_rounding_that_opens_a_gap_is_refused():
    net, points, got = built(corner(4.0))
    np.testing.assert_array_equal(got, np.abs(4 * points - 1))
    assert net.n_neurons == 10
    with pytest.raises(UnsupportedLayerError, match="no longer meet"):
        built(corner(3.0))

    def gap(low, x):
        other = lo.scale_shift(low, x, 0.1, 0.02)
        return st.choose(low, st.compare(low, x, np.full((), 0.1), ">"), lo.scale_shift(low, x, 0.3), other)

    with pytest.raises(ReluAtlasError, match=r"jumps at 0\.1"):
        built(gap)
