"""The distance of the nearest other class is that of the closed polytopes, cell by cell; bounds hold at every stop."""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.deadline import Deadline, under
from reluatlas.errors import TimeLimitError
from reluatlas.testing import FAMILIES
from tests.convert import fractions, to_nodes
from tests.oracles import nearest, plain
from tests.oracles.pointwise import map_along, pattern_at

NORMS = (1, 2, float("inf"))
SEEDS = range(10)
MOST = {"max_identical": 24}  # inputs times units, 16 of the others: what the oracle does in a second


def networks(family):
    """Yield small networks with classes, and a point of each, on a grid where the seed is even: ties and touches."""
    for seed in SEEDS:
        net = FAMILIES[family](seed)
        if (
            net.classes is None
            or net.n_inputs * (net.n_neurons + net.n_windows) > MOST.get(family, 16)
            or net.n_inputs > 4
        ):
            continue
        x = np.random.default_rng([seed, 3]).uniform(-1, 1, net.n_inputs)
        yield seed, net, (x if seed % 2 else np.round(2 * x) / 2)


def targets(net, x, against=None):
    """Return the sums of outputs that are to be at least 0, by the rational outputs at x."""
    nodes = to_nodes(net)
    forms = map_along(nodes, net.output, net.n_inputs, pattern_at(nodes, fractions(x)))
    values = [sum((a * b for a, b in zip(f, [*fractions(x), Fraction(1)], strict=True)), Fraction(0)) for f in forms]
    if len(values) == 1:
        return [{0: -1 if values[0] > 0 else 1}]
    sign = -1 if net.classes == "min" else 1
    label = values.index(max(values) if sign > 0 else min(values))
    others = [j for j in range(len(values)) if j != label] if against is None else against
    return [{j: sign, label: -sign} for j in others]


def sides(low, high):
    rows = []
    for j in range(len(low)):
        for sign, bound in ((1, high[j]), (-1, low[j])):
            rows.append([Fraction(sign * int(i == j)) for i in range(len(low))] + [sign * Fraction(float(bound))])
    return rows


def truth_of(net, x, norm, domain):
    rows = [] if domain is None else sides(domain.low, domain.high)
    return nearest.distance(to_nodes(net), net.output, fractions(x), targets(net, x), norm, rows)


def is_at_least(length, size, norm):
    """Return whether a float64 length is at least the distance of a size (norm 2: its square; None: no point)."""
    if size is None or length == np.inf:
        return length == np.inf
    return (Fraction(length) ** 2 if norm == 2 else Fraction(length)) >= size


def is_at_most(length, size, norm):
    if size is None:
        return True
    return length != np.inf and (Fraction(length) ** 2 if norm == 2 else Fraction(length)) <= size


@pytest.mark.parametrize("family", FAMILIES)
def test_distances_are_those_of_closed_polytopes(family):
    n, n_stopped = 0, 0
    for seed, net, x in networks(family):
        for k, norm in enumerate(NORMS):
            domain = ra.Box(-1, 1, dim=net.n_inputs) if (seed + k) % 3 else None
            truth = truth_of(net, x, norm, domain)
            found = ra.nearest_class(net, x, norm=norm, domain=domain)
            assert found.is_exact and found.size == truth, (seed, norm)
            assert found.lower_bound == found.upper_bound
            n += 1
            if truth is not None:
                check_answer(found, net, x, norm, domain, truth)
            for looks in (60, 400):
                n_stopped += check_stop(net, x, norm, domain, truth, looks)
    assert n >= 3 and (n_stopped > 0 or family in ("zero_rows", "sliver", "three_lines_meet"))


def check_answer(found, net, x, norm, domain, truth):
    """The point is at its distance, is in the domain, and ties; so does the witness, as far as float64 can."""
    step = [a - b for a, b in zip(found.point, fractions(x), strict=True)]
    size = {1: sum(map(abs, step)), 2: sum(s * s for s in step)}.get(norm, max(map(abs, step)))
    assert size == truth
    if domain is not None:
        assert all(
            a <= b <= c for a, b, c in zip(fractions(domain.low), found.point, fractions(domain.high), strict=True)
        )
    nodes = to_nodes(net)
    forms = map_along(nodes, net.output, net.n_inputs, pattern_at(nodes, found.point))
    at = [sum((a * b for a, b in zip(f, [*found.point, Fraction(1)], strict=True)), Fraction(0)) for f in forms]
    assert any(sum((at[j] * f for j, f in target.items()), Fraction(0)) >= 0 for target in targets(net, x))
    assert found.witness_distance >= found.upper_bound * (1 - 1e-12)


def check_stop(net, x, norm, domain, truth, looks):
    """Stop after so many looks at the clock; return whether that was before the end."""
    ticks = count()
    try:
        with under(Deadline(looks, clock=lambda: next(ticks))):
            found = ra.nearest_class(net, x, norm=norm, domain=domain)
    except TimeLimitError:
        return True
    if found.is_exact:
        assert found.size == truth
        return False
    assert found.stopped_by == "max_seconds"
    assert is_at_most(found.lower_bound, truth, norm) and is_at_least(found.upper_bound, truth, norm)
    return True


def test_a_touch_of_lower_dimension_is_told():
    # outputs 0 and -|x| - |y|: they tie at the origin only
    absolute = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    net = ra.load([(absolute, np.zeros(4)), (np.array([[0.0] * 4, [-1.0] * 4]), np.zeros(2))])
    for norm, size in ((1, Fraction(7)), (2, Fraction(25)), (float("inf"), Fraction(4))):
        found = ra.nearest_class(net, [3.0, -4.0], norm=norm)
        assert found.is_exact and found.size == size and found.point == (0, 0)
        assert found.crosses is False
    raised = ra.load([(absolute, np.zeros(4)), (np.array([[0.0] * 4, [-1.0] * 4]), np.array([0.0, 1.0]))])
    found = ra.nearest_class(raised, [3.0, -4.0], norm=1)
    assert found.size == 6 and found.crosses is True


def test_a_tie_at_the_point_itself():
    net = ra.load([(np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2))])
    found = ra.nearest_class(net, [2.0, 2.0])
    assert found.is_exact and found.upper_bound == 0.0 and found.crosses is True and found.against == 1
    touch = ra.nearest_class(net, [-1.0, -1.0], domain=ra.Box(-2, 0, dim=2))  # both are 0 all over
    assert touch.upper_bound == 0.0 and touch.crosses is False


@pytest.mark.parametrize("norm", NORMS)
def test_slices_are_measured_in_input_units(norm):
    n = 0
    for seed in range(10):
        rng = np.random.default_rng([seed, 11])
        layers = [(np.round(rng.normal(size=(5, 3)), 2), np.round(rng.normal(size=5), 2))]
        layers.append((np.round(rng.normal(size=(3, 5)), 2), np.zeros(3)))
        net = ra.load(layers)
        basis, origin = np.round(rng.normal(size=(2, 3)), 2), np.round(rng.normal(size=3), 2)
        plane = ra.Slice(origin, basis, box=ra.Box(-2, 2, dim=2))
        u = np.round(rng.uniform(-1, 1, 2), 2)
        # the same network of the plane's coordinates, with exact rows: one more layer in front
        b, o = [fractions(r) for r in basis], fractions(origin)

        front = plain.Affine(((0, tuple(tuple((i, b[i][j]) for i in range(2)) for j in range(3))),), tuple(o))
        moved = [plain.Input(2), front]
        for node in to_nodes(net)[1:]:
            moved.append(shifted(node))
        x = [*fractions(u)]
        forms = map_along(moved, net.output + 1, 2, pattern_at(moved, x))
        values = [f[0] * x[0] + f[1] * x[1] + f[2] for f in forms]
        label = values.index(max(values))
        asked = [{j: 1, label: -1} for j in range(3) if j != label]
        truth = nearest.distance(moved, net.output + 1, x, asked, norm, sides([-2, -2], [2, 2]), b)
        found = ra.nearest_class(net, u, norm=norm, domain=plane)
        assert found.is_exact and found.size == truth
        n += truth is not None
    assert n > 3


def shifted(node):
    """Return a node that reads what comes one place later."""
    from dataclasses import replace

    if isinstance(node, plain.Affine):
        return replace(node, terms=tuple((s + 1, rows) for s, rows in node.terms))
    return replace(node, source=node.source + 1)


@pytest.mark.parametrize("seed", range(6))
def test_levels_and_chosen_classes(seed):
    rng = np.random.default_rng([seed, 5])
    layers = [(rng.normal(size=(5, 2)), rng.normal(size=5)), (rng.normal(size=(3, 5)), rng.normal(size=3))]
    net = ra.load(layers)
    x = rng.uniform(-1, 1, 2)
    nodes, domain = to_nodes(net), ra.Box(-2, 2, dim=2)
    label = int(net(x[None])[0].argmax())
    other = (label + 1) % 3
    found = ra.nearest_class(net, x, norm=1, domain=domain, against=[other])
    truth = nearest.distance(nodes, net.output, fractions(x), targets(net, x, [other]), 1, sides([-2, -2], [2, 2]))
    assert found.is_exact and found.size == truth and (truth is None or found.against == other)
    value = float(net(x[None])[0, 1]) + (0.5 if seed % 2 else -0.5)
    sign = 1 if seed % 2 else -1
    truth = nearest.distance(
        nodes, net.output, fractions(x), [{1: sign}], 2, sides([-2, -2], [2, 2]), shift=-sign * Fraction(value)
    )
    found = ra.nearest_class(net, x, level=(1, value), domain=domain)
    assert found.is_exact and found.size == truth
