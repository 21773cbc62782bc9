from __future__ import annotations

import numpy as np
import pytest

from reluatlas.network.build import Builder
from reluatlas.network.network import Breakpoints, Dense, Gather, Max
from reluatlas.network.values import float64
from tests.unit.network.nets import FAMILIES, network
from tests.unit.network.reference import germ


@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_equal_fractions(family):
    net = network(family, 11, n_inputs=3, depth=2)
    X = np.random.default_rng(3).uniform(-2, 2, (4, 3))
    found = net(X)
    for i, x in enumerate(X):
        exact = [float(f[0]) for f in germ(net, x, perturb=False)[1]]
        assert np.allclose(found[i], exact, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(exact).max()))


def test_values_of_every_node_and_up_to_one():
    net = network("concatenated", 0)
    X = np.random.default_rng(0).uniform(-1, 1, (3, 2))
    everything = float64.values(net, X)
    assert [v.shape[1] for v in everything] == [int(np.prod(n.shape)) for n in net.nodes]
    assert np.array_equal(everything[net.output], net(X))
    assert len(float64.values(net, X, upto=2)) == 3


def test_pieces():
    knots = np.array([[-1.0, 0.0], [2.0, np.inf]])
    node = Breakpoints(0, knots, np.ones((2, 3)), np.zeros((2, 3)), (2,))
    rows = np.array([[-1.0, 2.0], [0.0, 2.5], [5.0, -5.0]])
    assert float64.pieces(node, rows).tolist() == [[0, 0], [1, 1], [2, 0]]
    ragged = Max(0, np.array([0, 1, 3]), np.array([0, 1, 0]), (2,))
    assert float64.pieces(ragged, rows).tolist() == [[0, 0], [0, 0], [0, 1]]
    even = Max(0, np.array([0, 2]), np.array([1, 0]), (1,))
    assert float64.pieces(even, np.array([[1.0, 1.0], [2.0, 1.0]])).tolist() == [[0], [1]]


def test_operators():
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert float64.apply_operator(Dense(np.array([[1.0, -1.0]])), rows).tolist() == [[-1.0], [-1.0]]
    gather = Gather(np.array([1, -1, 1]), np.array([1.0, 7.0, -2.0]), 2)
    assert float64.apply_operator(gather, rows).tolist() == [[2.0, 0.0, -4.0], [4.0, 0.0, -8.0]]


def test_output_in_the_middle_and_input_as_output():
    b = Builder((2,))
    h = b.relu(0)
    b.dense(h, [[1.0, 1.0]])
    assert b.finish(h)([-1.0, 2.0]).tolist() == [0.0, 2.0]
    assert b.finish(0)([[-1.0, 2.0]]).tolist() == [[-1.0, 2.0]]
