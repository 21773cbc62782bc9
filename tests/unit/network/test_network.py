from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.network.archive import pack_network, unpack_network
from reluatlas.network.balance import balanced
from reluatlas.network.build import Builder
from reluatlas.network.decision import deciding
from reluatlas.network.network import Affine, Breakpoints, Dense, Gather, Input, Max, Network, require_network
from reluatlas.network.record import Graph
from reluatlas.network.values.float64 import outputs


def small() -> Network:
    b = Builder((1, 2))
    z = b.dense(0, [[1.0, -1.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0, 1.0, 0.0, -1.0])
    h = b.clip(b.relu(z), 0.5, 1.0)
    return b.finish(b.max_windows(h, [[0, 1], [2, 3], [1]], shape=(3, 1)), source="a test")


def test_sizes_and_shapes():
    net = small()
    assert net.input_shape == (1, 2) and net.output_shape == (3, 1)
    assert (net.n_inputs, net.n_outputs, net.n_neurons, net.n_windows) == (2, 3, 8, 3)
    assert net.cuts == (2, 3, 4)
    assert net.pattern_slices() == {2: slice(0, 4), 3: slice(4, 8), 4: slice(8, 11)}
    assert repr(net) == "Network((1, 2) -> (3, 1), 8 neurons, 3 max windows, from a test)"


def test_networks_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        small().output = 0  # type: ignore[misc]


def test_whatever_makes_a_network_makes_one_that_users_can_call():
    net = small()
    made = {
        "replace": dataclasses.replace(net, source="another"),
        "copy": copy.copy(net),
        "deepcopy": copy.deepcopy(net),
        "pickle": pickle.loads(pickle.dumps(net)),
        "file": unpack_network(pack_network(net)),
        "decision": deciding(net, "class"),
        "balance": balanced(Builder((1,)).finish(0)),
    }
    b = Builder((1,))
    far = b.finish(b.dense(b.relu(b.dense(0, [[2.0**-200]])), [[2.0**200]]))
    made["balance of far numbers"] = balanced(far)
    assert made["balance of far numbers"] is not far and far([3.0]) == made["balance of far numbers"]([3.0])
    for how, other in made.items():
        assert type(other) is Network, how
        assert other not in (net, Graph(net.nodes, net.output)), "networks are equal only to themselves"


def test_functions_read_the_record_and_users_need_the_network():
    net = small()
    graph = Graph(net.nodes, net.output, source="a test")
    X = np.array([[0.25, -0.5], [2.0, 1.0]])
    by_hand = [[[1.0], [0.5], [1.0]], [[1.0], [1.0], [1.0]]]
    assert outputs(graph, graph.points(X)[0]).reshape(2, 3, 1).tolist() == by_hand == net(X).tolist()
    assert repr(graph) == "Graph((1, 2) -> (3, 1), 8 neurons, 3 max windows, from a test)"
    require_network(net)
    with pytest.raises(ArgumentError, match="`net` is of type `Graph`; expected a network"):
        require_network(graph)


@pytest.mark.parametrize(
    ("shape", "expected", "single"),
    [((1, 2), 1, True), ((2,), 1, True), ((5, 1, 2), 5, False), ((5, 2), 5, False), ((0, 2), 0, False)],
)
def test_points_of_accepted_shapes(shape, expected, single):
    rows, alone = small().points(np.ones(shape))
    assert rows.shape == (expected, 2) and alone is single


@pytest.mark.parametrize("shape", [(), (3,), (5, 3), (5, 2, 1), (2, 5, 1, 2)])
def test_points_of_other_shapes(shape):
    with pytest.raises(DimensionError, match=r"`X` has shape .* takes points of shape \(1, 2\)"):
        small().points(np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_are_finite(bad):
    with pytest.raises(NonFiniteError, match="finite"):
        small()([[0.0, bad]])


def test_call_keeps_shapes():
    net = small()
    assert net(np.zeros((4, 1, 2))).shape == (4, 3, 1)
    assert net([0.25, 0.5]).tolist() == [[1.0], [0.5], [1.0]]


def test_is_relu():
    b = Builder((2,))
    nodes = [
        b.relu(0),
        b.leaky_relu(0, 0.0),
        b.leaky_relu(0, 0.1),
        b.abs(0),
        b.clip(0, 0.0, np.inf),
        b.clip(0, 0.0, 6.0),
    ]
    found = [b.nodes[i].is_relu for i in nodes]  # type: ignore[union-attr]
    assert found == [True, True, False, False, True, False]


ONE = np.ones((1, 1))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Input((2,)), "comes first"),
        (Affine((1,), (Dense(np.ones((2, 2))),), np.zeros(2), (2,)), "does not come before"),
        (Affine((-1,), (Dense(np.ones((2, 2))),), np.zeros(2), (2,)), "does not come before"),
        (Affine((0,), (Dense(np.ones((2, 3))),), np.zeros(2), (2,)), "maps 3 to 2 numbers; expected 2 to 2"),
        (Affine((0,), (Gather(np.zeros(3, int), np.ones(3), 2),), np.zeros(2), (2,)), "maps 2 to 3 numbers"),
        (Affine((0,), (Dense(np.ones((2, 2))),), np.zeros(3), (2,)), "3 bias numbers; expected 2"),
        (Breakpoints(0, np.zeros((3, 1)), np.ones((3, 2)), np.zeros((3, 2)), (3,)), "does not fit"),
        (Breakpoints(1, np.zeros((2, 1)), np.ones((2, 2)), np.zeros((2, 2)), (2,)), "does not fit"),
        (Max(0, np.array([0, 2]), np.array([0, 2]), (1,)), "reads entries"),
        (Max(0, np.array([0, 2]), np.array([0, -1]), (1,)), "reads entries"),
        (Max(0, np.array([0, 2, 2]), np.array([0, 1]), (2,)), "does not fit"),
        (Max(0, np.array([0, 2]), np.array([0, 1]), (2,)), "does not fit"),
    ],
)
def test_nodes_that_do_not_fit(node, message):
    with pytest.raises(DimensionError, match=message):
        Network((Input((2,)), node), 1)


def test_the_input_comes_first():
    with pytest.raises(DimensionError, match="comes first"):
        Network((Affine((), (), np.zeros(2), (2,)),), 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coefficients_are_finite(bad):
    b = Builder((1,))
    cases = [
        lambda b: b.dense(0, [[bad]], name="fc1"),
        lambda b: b.dense(0, [[1.0]], [bad], name="fc1"),
        lambda b: b.gather(0, [0], bad, shape=(1,), name="fc1"),
        lambda b: b.leaky_relu(0, bad, name="fc1"),
    ]
    for case in cases:
        b = Builder((1,))
        with pytest.raises(NonFiniteError, match="`fc1` has NaN or infinite"):
            b.finish(case(b))
