"""Verdicts with a closed form: flat boxes, points, touches, planted violations, limits, many inputs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.certify.statement import Case, Inequality
from reluatlas.errors import ArgumentError
from reluatlas.network.build import Builder

ABS = [([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]


def prop_of(low, high, *cases, n_outputs=1) -> ra.Property:
    """Return a property of one box; a case is a list of (inputs, outputs, bound)."""
    ends = tuple(Fraction(v) for v in low), tuple(Fraction(v) for v in high)
    rows = [tuple(Inequality(dict(i), dict(o), Fraction(b)) for i, o, b in case) for case in cases]
    return ra.Property(len(low), n_outputs, tuple(Case(*ends, row) for row in rows))


@pytest.mark.parametrize(
    ("bound", "verdict"),
    [("1", "violated"), ("1.0000000000000000000000000000000000001", "holds"), ("0.9999999999999999999", "violated")],
)
def test_a_bound_is_met_or_missed_by_any_number(bound, verdict):
    answer = ra.check_property(ra.load(ABS), prop_of(["-1"], ["1/2"], [({}, {0: Fraction(-1)}, "-" + bound)]))
    assert answer.verdict == verdict and answer.is_complete


def test_ends_that_float64_lacks_decide():
    # |x| >= 0.1 on [-1/20, 0.1], where the float64 nearest to 0.1 is above it
    net = ra.load(ABS)
    assert ra.check_property(net, prop_of(["-0.05"], ["0.1"], [({}, {0: -1}, "-0.1")])).verdict == "violated"
    above = -Fraction(0.1)
    assert above < -Fraction("0.1")
    assert ra.check_property(net, prop_of(["-0.05"], ["0.1"], [({}, {0: -1}, above)])).verdict == "holds"


def test_flat_boxes_and_points():
    net = ra.load([(np.eye(2), np.zeros(2)), ([[1.0, 1.0]], [0.0])])  # relu(x) + relu(y)
    third = Fraction(1, 3)
    for high, bound, verdict in [
        ((third, 1), third + 1, "violated"), ((third, 1), third + 1 + Fraction(1, 10**30), "holds"),
        ((third, -1), third, "violated"), ((third, -1), third + Fraction(1, 10**30), "holds"),
    ]:  # fmt: skip
        found = ra.check_property(net, prop_of((third, -1), high, [({}, {0: -1}, -bound)]))
        assert found.verdict == verdict
        if found.witness is not None:
            assert found.witness.exact_input[0] == third


def test_inputs_and_outputs_in_one_term():
    net = ra.load(ABS)  # |x| <= x / 2 + b on [-1, 1]
    row = {0: Fraction(-1, 2)}, {0: Fraction(1)}
    assert ra.check_property(net, prop_of([-1], [1], [(*row, 0)])).witness.exact_input == (0,)
    assert ra.check_property(net, prop_of([-1], [1], [(*row, Fraction(-1, 10**20))])).verdict == "holds"


def test_conditions_that_only_hold_together():
    # neither y0 <= -0.1 - x nor y0 <= -0.1 + x holds on all of the box, but their sum refutes both
    net = ra.load(ABS)
    case = [({0: Fraction(1)}, {0: Fraction(1)}, "-0.1"), ({0: Fraction(-1)}, {0: Fraction(1)}, "-0.1")]
    answer = ra.check_property(net, prop_of([-1], [1], case))
    assert answer.verdict == "holds" and answer.certificate is not None


def test_planted_violations_of_width_1e_6_are_found():
    rng = np.random.default_rng(0)
    for seed in range(6):
        n = 2 + seed % 4
        center = rng.uniform(-0.9, 0.9, n)
        # relu(1 - 1e6 * sum of |x - c|) on a rough ground of 1e-3: above 0.5 only within 1e-6 of c
        first = np.concatenate([np.eye(n), -np.eye(n), rng.normal(size=(12, n))])
        bias = np.concatenate([-center, center, rng.normal(size=12)])
        steep = np.concatenate([np.full(2 * n, -1e6), np.zeros(12)])
        rough = np.concatenate([np.zeros(2 * n), rng.normal(size=12) * 1e-3])
        second = np.stack([steep, rough, -rough]), np.array([1.0, 0.0, 0.0])
        net = ra.load([(first, bias), second, (np.array([[1.0, 1.0, -1.0]]), np.zeros(1))])
        assert net(center)[0] > 0.9 and net(center + 2e-6)[0] < 0.5
        answer = ra.check_property(net, prop_of([-1] * n, [1] * n, [({}, {0: Fraction(-1)}, "-0.9")]), seed=seed)
        assert answer.verdict == "violated"
        assert np.abs(answer.witness.x - center).sum() <= 1e-6


def test_max_pooling_and_several_boxes():
    b = Builder((2,))
    z = b.dense(0, [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    net = b.finish(b.max_windows(z, [[0, 1, 2]], shape=(1,)))
    # the largest of x, y, -x - y is at least 0, and 0 only at the origin
    first = prop_of([-1, -1], [1, 1], [({}, {0: Fraction(1)}, Fraction(-1, 10**25))])
    second = prop_of([1, 1], [2, 2], [({}, {0: Fraction(1)}, Fraction(99, 100))])
    both = ra.Property(2, 1, (*first.cases, *second.cases))
    answer = ra.check_property(net, both)
    assert answer.verdict == "holds" and len(answer.certificate.trees) == 2
    touched = ra.check_property(net, prop_of([-1, -1], [1, 1], [({}, {0: Fraction(1)}, 0)]))
    assert touched.verdict == "violated" and touched.witness.exact_input == (0, 0)


def test_many_inputs_by_units():
    rng = np.random.default_rng(1)
    n = 40
    layers = [(rng.normal(size=(20, n)) / 6, rng.normal(size=20) / 2), (rng.normal(size=(3, 20)), np.zeros(3))]
    net = ra.load(layers)
    x = rng.normal(size=n)
    y = net(x)
    c = int(np.argmax(y))
    cases = [[({}, {c: Fraction(1), j: Fraction(-1)}, 0)] for j in range(3) if j != c]
    verdicts = []
    for eps in (0.001, 0.5):
        prop = prop_of([Fraction(v - eps) for v in x], [Fraction(v + eps) for v in x], *cases, n_outputs=3)
        answer = ra.check_property(net, prop, max_seconds=60)
        verdicts.append(answer.verdict)
        if answer.witness is not None:
            assert int(np.argmax(answer.witness.y)) != c
    assert verdicts == ["holds", "violated"]


def test_an_answer_in_time_says_what_is_left():
    rng = np.random.default_rng(2)
    layers = [(rng.normal(size=(60, 5)), rng.normal(size=60)), (rng.normal(size=(60, 60)) / 8, rng.normal(size=60)),
              (rng.normal(size=(1, 60)), np.zeros(1))]  # fmt: skip
    net = ra.load(layers)
    top = max(float(net(p)[0]) for p in rng.uniform(-1, 1, (4000, 5)))
    prop = prop_of([-1] * 5, [1] * 5, [({}, {0: Fraction(-1)}, Fraction(-top * 1.2))])
    answer = ra.check_property(net, prop, max_seconds=0.2)
    if answer.verdict == "open":
        assert answer.stopped_by == "max_seconds" and answer.left and 0 < answer.share_left <= 1
        assert not answer.is_complete and answer.certificate is None and answer.witness is None
    else:
        assert answer.verdict == "holds"


@pytest.mark.parametrize("more", [{"max_seconds": 0}, {"jobs": 0}, {"seed": -1}, {"progress": 3}])
def test_bad_arguments(more):
    with pytest.raises(ArgumentError):
        ra.check_property(ra.load(ABS), prop_of([-1], [1], [({}, {0: -1}, -5)]), **more)


def test_a_case_without_conditions_is_any_input():
    assert ra.check_property(ra.load(ABS), prop_of([-1], [1], [])).verdict == "violated"


def test_properties_made_by_hand_are_looked_at():
    with pytest.raises(ra.errors.DimensionError, match="has 1 low and 2 high ends; expected 2 each"):
        ra.Property(2, 1, (Case((Fraction(0),), (Fraction(1), Fraction(1)), ()),))
    with pytest.raises(ra.errors.DimensionError, match="names an input or output"):
        prop_of([0], [1], [({}, {1: 1}, 0)])
    with pytest.raises(ArgumentError, match="no `Fraction`"):
        ra.Property(1, 1, (Case((0.5,), (1.0,), ()),))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="has no input"):
        prop_of([1], [0], [({}, {0: 1}, 0)])
    with pytest.raises(ArgumentError, match="`cases` is empty"):
        ra.Property(1, 1, ())
