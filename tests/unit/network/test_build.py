from __future__ import annotations

import numpy as np
import pytest

from reluatlas.errors import DimensionError
from reluatlas.network.build import Builder
from reluatlas.network.network import Breakpoints, Note

Z = np.array([-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 7.0])

FUNCTIONS = {
    "relu": (lambda b: b.relu(0), np.maximum(Z, 0)),
    "leaky_relu": (lambda b: b.leaky_relu(0, 0.1), np.where(Z > 0, Z, 0.1 * Z)),
    "prelu": (lambda b: b.leaky_relu(0, np.arange(7.0)), np.where(Z > 0, Z, np.arange(7) * Z)),
    "abs": (lambda b: b.abs(0), np.abs(Z)),
    "clip": (lambda b: b.clip(0, -1.0, 0.5), np.clip(Z, -1, 0.5)),
    "clip below": (lambda b: b.clip(0, -1.0, np.inf), np.maximum(Z, -1)),
    "clip above": (lambda b: b.clip(0, -np.inf, 0.5), np.minimum(Z, 0.5)),
    "clip nowhere": (lambda b: b.clip(0, -np.inf, np.inf), Z),
    "clip to a point": (lambda b: b.clip(0, 2.0, 2.0), np.full(7, 2.0)),
    "clip crossed": (lambda b: b.clip(0, 3.0, 2.0), np.full(7, 2.0)),
    "scale": (lambda b: b.scale(0, 2.0, -1.0), 2 * Z - 1),
    "scale each": (lambda b: b.scale(0, np.arange(7), np.ones(7)), np.arange(7) * Z + 1),
    "gather": (lambda b: b.gather(0, [6, -1, 0], [2.0, 5.0, 1.0], shape=(3,)), np.array([14.0, 0.0, -3.0])),
    "add": (lambda b: b.add([0, b.relu(0), b.constant(np.ones(7))], [1.0, -2.0, 3.0]), Z - 2 * np.maximum(Z, 0) + 3),
    "maximum": (
        lambda b: b.maximum([0, b.scale(0, -2.0), b.constant([0.75])]),
        np.maximum(np.maximum(Z, -2 * Z), 0.75),
    ),
    "minimum": (lambda b: b.minimum([0, b.scale(0, -2.0)]), np.minimum(Z, -2 * Z)),
    "windows": (lambda b: b.max_windows(0, [[0, 6], [1], [2, 1, 0]], shape=(3,)), np.array([7.0, -1.0, -0.5])),
    "dense": (lambda b: b.dense(0, np.eye(7)[:2], [1.0, 2.0]), Z[:2] + np.array([1.0, 2.0])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    build, expected = FUNCTIONS[name]
    b = Builder((7,))
    net = b.finish(build(b))
    assert np.array_equal(net(Z), expected)


def test_shapes_are_broadcast_and_joined():
    b = Builder((2, 3))
    assert b.shape(0) == (2, 3) and b.size(0) == 6
    row = b.constant([[10.0, 20.0, 30.0]])
    total = b.add([0, row])
    joined = b.concatenate([total, 0], axis=1)
    assert b.shape(total) == (2, 3) and b.shape(joined) == (2, 6)
    x = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(b.finish(joined)(x), np.concatenate([x + np.array([10, 20, 30]), x], axis=1))
    wide = b.maximum([0, row])
    assert b.shape(wide) == (2, 3)
    assert np.array_equal(b.finish(wide)(x), np.maximum(x, [[10, 20, 30]]))


def test_reshape():
    b = Builder((2, 3))
    assert b.reshape(0, (2, 3)) == 0
    flat = b.reshape(0, (6,))
    assert b.finish(flat)(np.arange(6.0).reshape(2, 3)).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(DimensionError, match="sizes differ"):
        b.reshape(0, (5,))


def test_idle_knots_are_dropped():
    b = Builder((2,))
    alike = b.nodes[b.breakpoints(0, [0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0])]
    assert isinstance(alike, Breakpoints) and alike.is_relu
    mixed = b.nodes[
        b.breakpoints(0, [[0.0, 1.0], [0.0, 1.0]], [[2.0, 2.0, 2.0], [1.0, 1.0, 0.0]], [[0.0] * 3, [0.0, 0.0, 1.0]])
    ]
    assert isinstance(mixed, Breakpoints)
    assert mixed.knots.tolist() == [[np.inf], [1.0]]
    assert mixed.slopes.tolist() == [[2.0, 0.0], [1.0, 0.0]] and mixed.intercepts.tolist() == [[0.0, 0.0], [0.0, 1.0]]
    straight = b.nodes[b.leaky_relu(0, 1.0)]
    assert isinstance(straight, Breakpoints) and straight.knots.shape == (2, 0)


def test_dropped_knots_change_no_value():
    b = Builder((3,))
    here = b.leaky_relu(0, [1.0, 0.5, 0.0])
    net = b.finish(here)
    assert net([-2.0, -2.0, -2.0]).tolist() == [-2.0, -1.0, 0.0] and net([2.0] * 3).tolist() == [2.0] * 3
    assert net.patterns([[-2.0] * 3, [2.0] * 3]).tolist() == [[0, 0, 0], [0, 1, 1]]


def test_arrays_are_not_shared_with_the_caller():
    b = Builder((2,))
    bias = np.zeros(2)
    net = b.finish(b.dense(0, np.eye(2), bias))
    bias[:] = 5.0
    assert net([1.0, 2.0]).tolist() == [1.0, 2.0]


def test_notes_and_source():
    b = Builder((1,))
    b.note("rounded", "bn", "scale rounded to float64")
    net = b.finish(b.relu(0), source="file.onnx")
    assert net.notes == (Note("rounded", "bn", "scale rounded to float64"),) and net.source == "file.onnx"
