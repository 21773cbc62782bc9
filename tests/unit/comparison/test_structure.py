"""How alike two networks cut a plane: as the rational oracle says, whatever the order and scale of units."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.comparison.structure.regions import best_matching
from reluatlas.comparison.structure.reinitialize import reinitialized
from reluatlas.errors import ArgumentError, DimensionError, DomainError, TimeLimitError
from reluatlas.network.network import Affine, Convolution, Gather
from reluatlas.testing import FAMILIES
from tests.convert import to_problem
from tests.oracles.structure import best, structure

SQUARE = ra.Box(-1, 1, dim=2)
ODD = ra.Slice([0.5, -0.25], [[1.0, 0.5], [-0.25, 2.0]], box=ra.Box([-1, -0.5], [0.5, 0.75]))


def dense(*widths, seed=0):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(widths)])


def shuffled(net, seed, factors=(0.25, 0.5, 1.0, 2.0, 8.0)):
    """Return a network with its units in another order, each scaled by a factor that the next layer undoes."""
    rng, layers = np.random.default_rng(seed), [(w.copy(), b.copy()) for w, b in net.dense_layers()]
    for (w, b), (after, _) in pairwise(layers):
        order, factor = rng.permutation(len(b)), rng.choice(factors, len(b))
        w[:], b[:] = (factor[:, None] * w)[order], (factor * b)[order]
        after[:] = (after / factor)[:, order]
    return ra.load(layers)


def assert_as_oracle(f, g, domain, **how):
    found = ra.compare_structure(f, g, domain, jobs=1, **how)
    truth = structure(to_problem(f, domain), to_problem(g, domain), f.n_outputs, same_layer=bool(how))
    assert (found.regions.n_f, found.regions.n_g) == truth.n_regions
    assert (found.hyperplanes.n_f, found.hyperplanes.n_g) == truth.n_walls
    for name in ("regions", "overlap", "hyperplanes", "agreement"):
        assert getattr(found.scores, name) == pytest.approx(float(getattr(truth, name)), abs=1e-12), name


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("domain", [SQUARE, ODD])
def test_dense_pairs_match_the_oracle(seed, domain):
    assert_as_oracle(dense(2, 4, 2, seed=seed), dense(2, 3, 2, 2, seed=seed + 10), domain)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_match_the_oracle(family):
    small = [net for net in map(FAMILIES[family], (0, 1, 2, 4, 5, 6, 8, 9)) if net.n_inputs == 2 and _is_small(net)]
    pairs = [(f, g) for i, f in enumerate(small) for g in small[:i] if f.output_shape == g.output_shape]
    assert small
    f, g = pairs[0] if pairs else (small[0], doubled(small[0]))
    assert_as_oracle(f, g, SQUARE)


def doubled(net):
    """Return a network with its outputs doubled: the same walls, other maps."""
    output = net.nodes[net.output]
    twice = Affine((net.output,), (Gather(np.arange(net.n_outputs), np.full(net.n_outputs, 2.0), net.n_outputs),),
                   np.zeros(net.n_outputs), output.shape)  # fmt: skip
    return replace(net, nodes=(*net.nodes, twice), output=len(net.nodes))


def _is_small(net):
    cx = ra.enumerate_cells(net, SQUARE, jobs=1)
    return cx.n_cells <= 24 and cx.n_linear_regions <= 14


def test_only_walls_of_one_layer_match_where_that_is_asked_for():
    f, g = dense(2, 3, 3, 1, seed=4), dense(2, 4, 2, 1, seed=5)
    assert_as_oracle(f, g, SQUARE, layers="same")
    free, bound = (ra.compare_structure(f, g, SQUARE, layers=way).hyperplanes for way in ("any", "same"))
    assert bound.similarity < free.similarity
    assert all(a.endswith("of layer 1") == b.endswith("of layer 1") for a, b in zip(bound.f, bound.g, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_a_network_is_itself_whatever_the_order_and_scale_of_its_units(seed):
    f, g = dense(2, 6, 5, 2, seed=seed), dense(2, 7, 4, 2, seed=seed + 50)
    same = ra.compare_structure(f, shuffled(f, seed), SQUARE)
    assert vars(same.scores) == dict.fromkeys(("regions", "overlap", "hyperplanes", "agreement"), 1.0)
    assert same.regions.n_f == same.regions.n_g == same.regions.f.size
    assert not same.hyperplanes.between.any()
    one, other = (ra.compare_structure(net, g, SQUARE) for net in (f, shuffled(f, seed)))
    for name, value in vars(one.scores).items():
        assert getattr(other.scores, name) == pytest.approx(value, rel=1e-12), name
    assert (one.hyperplanes.n_f, one.n_cells) == (other.hyperplanes.n_f, other.n_cells)
    turned = ra.compare_structure(g, f, SQUARE)
    for name, value in vars(one.scores).items():
        assert getattr(turned.scores, name) == pytest.approx(value, rel=1e-12), name


def test_the_same_function_by_other_units_has_the_same_regions():
    f = dense(2, 5, 2, seed=1)
    (w, b), (v, c) = f.dense_layers()
    split = ra.load([(np.concatenate([w, 2 * w[:2]]), np.concatenate([b, 2 * b[:2]])),
                     (np.concatenate([v[:, :2] / 2, v[:, 2:], v[:, :2] / 4], axis=1), c)])  # fmt: skip
    found = ra.compare_structure(f, split, SQUARE)
    assert vars(found.scores) == dict.fromkeys(("regions", "overlap", "hyperplanes", "agreement"), 1.0)
    more = ra.load([(np.concatenate([w, [[1.0, 0.125]]]), np.append(b, 0.125)), (np.pad(v, ((0, 0), (0, 1))), c)])
    unread = ra.compare_structure(f, more, SQUARE)  # a unit that nothing reads cuts cells, not linear regions
    assert unread.similarity == 1.0
    assert unread.hyperplanes.similarity == pytest.approx(2 * 5 / 11)


def test_constants_and_networks_without_walls():
    flat = ra.load([(np.zeros((1, 2)), np.ones(1)), (np.ones((1, 1)), np.zeros(1))])
    other = ra.load([(np.zeros((1, 2)), np.ones(1)), (np.ones((1, 1)), np.ones(1))])
    same, apart = ra.compare_structure(flat, flat, SQUARE), ra.compare_structure(flat, other, SQUARE)
    assert vars(same.scores) == dict.fromkeys(("regions", "overlap", "hyperplanes", "agreement"), 1.0)
    assert (apart.scores.agreement, apart.similarity, apart.scores.overlap) == (0.0, 0.0, 1.0)
    one = ra.compare_structure(flat, dense(2, 3, 1), SQUARE)
    assert (one.hyperplanes.similarity, one.hyperplanes.n_f, one.hyperplanes.f) == (0.0, 0, ())


def test_the_matching_is_the_best_one():
    rng = np.random.default_rng(0)
    for _ in range(30):
        n, m = rng.integers(1, 7, 2)
        table = np.where(rng.random((n, m)) < 0.6, rng.integers(0, 64, (n, m)) / 64, 0.0)
        f, g = (index.reshape(-1) for index in np.indices((n, m)))
        chosen = best_matching(f, g, table.reshape(-1), int(n), int(m))
        assert len(set(f[chosen])) == len(set(g[chosen])) == chosen.size
        assert table.reshape(-1)[chosen].sum() == float(best([list(row) for row in table]))  # type: ignore[arg-type]


def test_chance_comes_from_a_seed_or_from_the_caller():
    f, g = dense(2, 6, 2, seed=1), dense(2, 5, 2, seed=2)
    found = ra.compare_structure(f, g, SQUARE, chance=2, seed=3)
    assert len(found.chance) == 4
    assert found.chance == ra.compare_structure(f, g, SQUARE, chance=2, seed=3).chance
    assert found.chance != ra.compare_structure(f, g, SQUARE, chance=2, seed=4).chance
    drawn = reinitialized(g, np.random.default_rng([3, 0]))
    given = ra.compare_structure(f, g, SQUARE, chance=[drawn, f])
    assert given.chance[0] == found.chance[0]
    assert given.chance[1].regions == 1.0
    assert "chance" in found.words[0]
    assert "`chance=`" in ra.compare_structure(f, g, SQUARE).summary()
    assert found.to_dict()["scores"]["regions"] == found.similarity


def test_classes_in_another_order_are_told():
    f = dense(2, 6, 3, seed=1)
    *layers, (w, b) = f.dense_layers()
    g = ra.load([*layers, (w[[2, 0, 1]], b[[2, 0, 1]])])
    found = ra.compare_structure(f, g, SQUARE)
    assert found.scores.overlap == found.hyperplanes.similarity == 1.0 > found.similarity
    assert "classes of g were in another order" in found.words[-1]


def test_weights_drawn_anew_keep_the_kind_of_network():
    net = dense(3, 40, 2)
    drawn = reinitialized(net, np.random.default_rng(0))
    (w, b), (v, _) = drawn.dense_layers()
    assert w.shape == (40, 3) and 0.5 < np.abs(w).max() * np.sqrt(3) <= 1 and np.abs(b).max() * np.sqrt(3) <= 1
    assert 0.5 < np.abs(v).max() * np.sqrt(40) <= 1
    taps = Convolution(np.ones((2, 1, 2)), np.array([[0, 1], [1, 2]]), 3)
    image = replace(net, nodes=(net.nodes[0], Affine((0,), (taps,), np.zeros(4), (2, 2))), output=1, classes=None)
    node = reinitialized(image, np.random.default_rng(0)).nodes[1]
    assert isinstance(node, Affine) and isinstance(node.operators[0], Convolution)
    assert node.operators[0].weight.shape == (2, 1, 2) and np.abs(node.operators[0].weight).max() <= 2**-0.5
    assert node.bias[0] == node.bias[1] != node.bias[2] == node.bias[3]  # one for each channel
    none = replace(net, nodes=(net.nodes[0],), output=0, classes=None)
    with pytest.raises(ArgumentError, match="drawn anew"):
        reinitialized(none, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("given", "error", "what"),
    [
        ({"where": ra.Box(-1, 1, dim=3)}, DimensionError, "`where` has"),
        ({"where": ra.Space(2)}, DomainError, "`Space`"),
        ({"where": 3}, DomainError, "`int`"),
        ({"layers": "first"}, ArgumentError, "`layers='first'`"),
        ({"chance": -1}, ArgumentError, "negative"),
        ({"chance": 0.5}, ArgumentError, "`chance=0.5`"),
        ({"chance": True}, ArgumentError, "`chance=True`"),
        ({"chance": [3]}, ArgumentError, "`g` is"),
        ({"seed": -1}, ArgumentError, "`seed=-1`"),
        ({"max_cells": 3}, ArgumentError, "`max_cells=3` is not enough"),
        ({"max_seconds": 1e-9}, TimeLimitError, "time"),
    ],
)
def test_what_makes_no_sense_is_refused(given, error, what):
    arguments = {"where": SQUARE} | given
    with pytest.raises(error, match=what):
        ra.compare_structure(dense(2, 9, 9, 2), dense(2, 9, 9, 2, seed=1), **arguments)


def test_other_shapes_and_dimensions_are_refused():
    with pytest.raises(DimensionError, match=r"`f` takes inputs of shape \(2,\) but `g` of shape \(3,\)"):
        ra.compare_structure(dense(2, 3, 1), dense(3, 3, 1), SQUARE)
    with pytest.raises(DomainError, match="in a plane"):
        ra.compare_structure(dense(3, 3, 1), dense(3, 3, 1), ra.Box(-1, 1, dim=3))
