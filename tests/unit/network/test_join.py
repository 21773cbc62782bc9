"""Two networks as one: outputs are those of both, parts that are equal are there once, nothing is rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.join import join, side_by_side
from reluatlas.network.network import Affine, Dense
from tests.architectures import ARCHITECTURES, architecture


def _other(net, seed):
    """Return a network with other last weights."""
    nodes = list(net.nodes)
    t = max(i for i, node in enumerate(nodes) if isinstance(node, Affine) and node.bias.size)
    nodes[t] = replace(nodes[t], bias=nodes[t].bias + np.random.default_rng(seed).normal(size=nodes[t].bias.size))
    return replace(net, nodes=tuple(nodes))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_outputs_are_those_of_both(name):
    f = ra.load(architecture(name))
    g = _other(f, 1)
    X = np.random.default_rng(0).normal(size=(20, f.n_inputs))
    both = side_by_side(f, g, with_difference=True)
    first, second = f(X).reshape(20, -1), g(X).reshape(20, -1)
    np.testing.assert_allclose(both(X), np.concatenate([first, second, first - second], axis=1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ra.difference(f, g)(X).reshape(20, -1), first - second, rtol=1e-12, atol=1e-12)
    assert join(f, g).n_shared >= len(f.nodes) - 3


def test_equal_networks_are_one_and_their_difference_is_zero():
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(4, 2)), rng.normal(size=4)), (rng.normal(size=(3, 4)), rng.normal(size=3))]
    f, g = ra.load(layers), ra.load(layers)
    both = join(f, g)
    assert both.f == both.g
    assert both.nodes == f.nodes
    apart = ra.difference(f, g)
    assert apart.n_neurons == f.n_neurons
    assert not apart(rng.normal(size=(9, 2))).any()
    assert ra.enumerate_cells(apart, ra.Box(-1, 1, dim=2)).n_affine_maps == 1


def test_nodes_that_differ_in_one_number_stay_apart():
    f = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    g = ra.load([(np.array([[1.0, 0.0], [0.0, 1.0 + 2.0**-52]]), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    both = ra.difference(f, g)
    assert both.n_neurons == 4
    weights = [o.weight for n in both.nodes if isinstance(n, Affine) for o in n.operators if isinstance(o, Dense)]
    assert any(1.0 + 2.0**-52 in w for w in weights)
