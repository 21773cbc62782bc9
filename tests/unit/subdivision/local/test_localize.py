"""The rows of a local network are right up to their bounds, and what it costs is counted."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.build import Builder
from reluatlas.subdivision.local import localize
from reluatlas.subdivision.local.compose import OUTPUT, composed
from reluatlas.subdivision.program.layout import M_OUT
from reluatlas.subdivision.program.lower import lower
from reluatlas.testing import zoo
from tests.convert import to_nodes
from tests.oracles.pointwise import map_along


def part_of(box, seed):
    rng = np.random.default_rng(seed)
    half = (box.high - box.low) / 8
    middle = (box.high + box.low) / 2 + 3 * half * rng.uniform(-1, 1, half.size)
    return ra.Box(middle - half, middle + half)


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_maps_are_within_the_bounds_of_the_local_rows(family, monkeypatch):
    monkeypatch.setattr(localize, "mode", "on")
    n_rounded = n_asked = 0
    for seed in (0, 1, 2, 4, 5, 6):
        net, box = zoo.FAMILIES[family](seed), zoo.domain_for(seed)
        assert isinstance(box, ra.Box)
        here = part_of(box, seed)
        lowered = lower(net, here)
        local = localize.localized(lowered, always=True)
        assert local is not None
        program = local.lowered.program
        at = int(program.off[program.meta[M_OUT]])
        own = np.stack([program.err_g[at : at + net.n_outputs], program.err_c[at : at + net.n_outputs]], axis=1)
        assert np.all(own <= lowered.map_error)
        cx, nodes = ra.enumerate_cells(net, here, jobs=1), to_nodes(net)
        for cell in range(min(cx.n_cells, 12)):
            forms = map_along(nodes, net.output, 2, cx.patterns[cell].tolist())
            for o, form in enumerate(forms):
                found = (*cx.affine.A[cell, o], cx.affine.b[cell, o])
                for c, (exact, value) in enumerate(zip(form, found, strict=True)):
                    off = abs(exact - Fraction(float(value)))
                    assert off <= Fraction(float(own[o, int(c == 2)]))
                    n_rounded += off > 0
                    n_asked += 1
    assert n_asked > 50
    assert n_rounded > 0 or family in ("ternary", "eight_bit", "concat", "residual", "pruned")


def dense(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(m, n)) * np.sqrt(2 / n), 0.3 * rng.normal(size=m)) for n, m in pairwise(sizes)])


def test_it_pays_where_few_units_are_open_and_not_where_all_are():
    net = dense(2, 100, 100, 100, 2)
    few = localize.localized(lower(net, ra.Box([0.1, 0.1], [0.15, 0.15])))
    assert few is not None and few.lowered.n_units < 60
    assert 5 * localize.operations(few.lowered.program) < localize.operations(lower(net, ra.Box(0, 1, dim=2)).program)
    assert localize.localized(lower(net, ra.Box(-5, 5, dim=2))) is None
    assert localize.localized(lower(net, ra.Box(-5, 5, dim=2)), always=True) is not None
    assert localize.localized(lower(net, ra.Space(2)), always=True) is None


def test_it_is_not_looked_for_where_cells_are_few():
    lowered = lower(dense(2, 100, 100, 100, 2), ra.Box(0, 1, dim=2))
    assert localize.is_worth_a_look(lowered, 64, 150, 1e-3)
    assert not localize.is_worth_a_look(lowered, 64, 150, 0.9)


def test_weights_that_float64_cannot_hold_make_no_local_network():
    def chain(size):
        b, here = Builder((2,)), 0
        for _ in range(4):
            here = b.relu(b.dense(here, np.eye(2) * size, np.full(2, size)))
        return b.finish(here)

    box, on = ra.Box(-1, 1, dim=2), np.ones(8, dtype=np.int64)
    none = dict.fromkeys(chain(1.0).cuts, np.zeros(0, dtype=np.int64))
    rows = composed(chain(0.5), box, on, none)
    assert rows is not None and np.array_equal(rows[OUTPUT].weight[:2], np.eye(2) / 16)
    assert composed(chain(2.0**-280), box, on, none) is None
    assert composed(chain(2.0**280), box, on, none) is None


def without_last_sum(net):
    """Return a network that ends where another one cuts for the last time."""
    last = net.cuts[-1]
    return ra.Network(net.nodes[: last + 1], last, source="ends with a cut", classes=None)


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_networks_that_end_with_a_cut(family, monkeypatch):
    for seed in (0, 1, 2, 4):
        net, box = without_last_sum(zoo.FAMILIES[family](seed)), zoo.domain_for(seed)
        for here in (box, part_of(box, seed)):
            found = {}
            for mode in ("off", "on", "items"):
                monkeypatch.setattr(localize, "mode", mode)
                found[mode] = ra.enumerate_cells(net, here, jobs=1)
                assert ra.count_cells(net, here, jobs=1).n_cells == found[mode].n_cells
            patterns, nodes = [set(map(tuple, cx.patterns.tolist())) for cx in found.values()], to_nodes(net)
            assert patterns[0] == patterns[1] == patterns[2]
            cx = found["on"]
            for cell in range(min(cx.n_cells, 8)):
                forms = map_along(nodes, net.output, 2, cx.patterns[cell].tolist())
                np.testing.assert_allclose(cx.affine.A[cell], [[float(c) for c in f[:2]] for f in forms], atol=1e-9)
                np.testing.assert_allclose(cx.affine.b[cell], [float(f[2]) for f in forms], atol=1e-9)
