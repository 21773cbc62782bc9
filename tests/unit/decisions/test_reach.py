"""Within its radius an explanation holds, and at a bend it does not: against maps and distances found otherwise."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError
from reluatlas.testing import zoo
from tests.convert import to_nodes
from tests.oracles.pointwise import map_along


def distance_to(polygon: np.ndarray, x: np.ndarray) -> float:
    """Return the distance of a point outside of a convex polygon from it."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    way = end - start
    t = np.clip(((x - start) * way).sum(axis=1) / np.maximum((way**2).sum(axis=1), 1e-300), 0, 1)
    return float(np.linalg.norm(start + t[:, None] * way - x, axis=1).min())


def form_of(net, pattern, why):
    forms = map_along(to_nodes(net), net.output, net.n_inputs, pattern.tolist())
    return tuple(
        sum(sign * forms[output][k] for output, sign in why.question.factors.items()) for k in range(net.n_inputs + 1)
    )


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_the_radius_is_safe_and_mostly_the_distance_of_the_nearest_other_map(family):
    n_equal = n_asked = 0
    for seed in (0, 1, 2, 4, 5, 6):
        net, box = zoo.FAMILIES[family](seed), zoo.domain_for(seed)
        if net.classes is None or not isinstance(box, ra.Box):
            continue
        cx = ra.enumerate_cells(net, box, jobs=1)
        for x in np.random.default_rng(seed).uniform(box.low, box.high, (3, 2)):
            why = ra.explain(net, x, domain=box)
            reach = why.reach()
            here = form_of(net, why.cell.pattern, why)
            others = [i for i in range(cx.n_cells) if form_of(net, cx.patterns[i], why) != here]
            true = min((distance_to(cx.polygon(i), x) for i in others), default=np.inf)
            assert reach.is_complete and reach.radius <= true * (1 + 1e-9) + 1e-12
            assert (reach.bend is None) == (not others)
            n_asked += 1
            n_equal += reach.radius >= true * (1 - 1e-9) - 1e-12
    assert n_equal >= 0.8 * n_asked


def test_facets_behind_which_nothing_changes_are_passed():
    # relu(x) and relu(-x - 1) add nothing to the margin; relu(y - 2) does
    layers = [
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], [0.0, -1.0, -2.0, 10.0]),
        ([[1.0, 2.0, 1.0, 1.0], [1.0, 2.0, 0.0, 0.0]], [0.0, 0.0]),
    ]
    why = ra.explain(ra.load(layers), [0.25, 0.0])
    reach = why.reach()
    assert reach.radius == 2.0 and reach.bend.units == ("neuron 3 of layer 1",) and reach.n_cells == 3
    assert reach.bend.weights.tolist() == [0.0, 2.0] and reach.bend.change == 1.0
    few = why.reach(max_cells=1)
    assert few.radius == 0.25 and few.bend is None and few.stopped_by == "max_cells" and not few.is_complete
    with pytest.raises(ArgumentError, match="max_cells"):
        why.reach(max_cells=0)


def test_on_a_bend_the_distance_is_zero_and_the_next_one_is_told():
    layers = [([[1.0, 0.0], [1.0, 0.0]], [0.0, -3.0]), ([[1.0, 1.0], [0.0, 0.0]], [1.0, 0.0])]
    why = ra.explain(ra.load(layers), [0.0, 0.0])
    reach = why.reach()
    assert why.ties == ("neuron 1 of layer 1",)
    assert reach.radius == 0.0 and reach.bend.units == why.ties
    assert reach.further is not None and reach.further.distance == 3.0


def test_what_is_known_when_the_time_is_over_is_safe():
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(60, 40)), rng.normal(size=60)), (rng.normal(size=(3, 60)), rng.normal(size=3))]
    why = ra.explain(ra.load(layers), rng.normal(size=40))
    cut = why.reach(max_seconds=1e-6)
    assert cut.stopped_by == "max_seconds" and cut.radius == 0.0 and cut.bend is None
    assert ra.explain(why.network, why.x).reach().radius > 0
