"""Networks from lists of (W, b)."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.importers.load import load

RNG = np.random.default_rng(0)
LAYERS = [(RNG.normal(size=(5, 3)), RNG.normal(size=5)), (RNG.normal(size=(2, 5)), RNG.normal(size=2))]


def test_layers_compute_what_they_say():
    net = load(LAYERS)
    x = RNG.normal(size=(7, 3))
    (w, b), (v, c) = LAYERS
    np.testing.assert_allclose(net(x), np.maximum(x @ w.T + b, 0) @ v.T + c, rtol=1e-13, atol=1e-13)
    assert net.input_shape == (3,) and net.output_shape == (2,) and net.n_neurons == 5 and net.notes == ()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.int8])
def test_types_are_taken_over_exactly(dtype):
    layers = [((w * 4).astype(dtype), (b * 4).astype(dtype)) for w, b in LAYERS]
    net = load(layers)
    assert np.array_equal(net.nodes[1].operators[0].weight, layers[0][0].astype(np.float64)) and net.notes == ()


def test_integers_beyond_two_to_the_53_are_noted():
    net = load([(np.array([[2**53 + 1]]), np.array([0]))])
    assert [n.kind for n in net.notes] == ["rounded"]


def test_missing_bias_is_zero_and_one_layer_is_affine():
    net = load([([[1, 2]], None)])
    assert net([3.0, 4.0]).tolist() == [11.0] and net.n_neurons == 0


def test_given_arrays_are_not_shared():
    weight, bias = np.ones((2, 2)), np.ones(2)
    net = load([(weight, bias)])
    weight[:], bias[:] = 5, 5
    assert net([1.0, 0.0]).tolist() == [2.0, 2.0]


def test_mean_and_std():
    x = RNG.normal(size=(4, 3))
    got = load(LAYERS, mean=[1, 2, 3], std=0.3)(x)
    np.testing.assert_allclose(got, load(LAYERS)((x - [1, 2, 3]) / 0.3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ([], ArgumentError, "empty list"),
        ([3], ArgumentError, r"model\[0\].*\(W, b\)"),
        ([LAYERS[0], (LAYERS[1][0].T, None)], DimensionError, r"\(5, 2\); expected \(out, 5\)"),
        ([(LAYERS[0][0], np.zeros(3))], DimensionError, r"\(3,\); expected \(5,\)"),
        ([(np.zeros(3), np.zeros(3))], DimensionError, r"expected \(out, in\)"),
        ([(np.zeros((0, 3)), np.zeros(0))], DimensionError, r"expected \(out, in\)"),
        ([(np.full((2, 2), np.nan), None)], NonFiniteError, "4 NaN or infinite"),
        ([(np.eye(2), [0, np.inf])], NonFiniteError, "b of layer 0"),
        ([(np.eye(2) * 1j, None)], ArgumentError, "real numbers"),
        ([([[1, 2], [3]], None)], ArgumentError, "not an array"),
        (5, ArgumentError, "of type `int`"),
        ({"W": 1}, ArgumentError, "of type `dict`"),
    ],
)
def test_bad_layers_are_one_clear_sentence(layers, error, words):
    with pytest.raises(error, match=words):
        load(layers)


def test_other_arguments_are_checked():
    with pytest.raises(ArgumentError, match="input_shape"):
        load(LAYERS, input_shape=(4,))
    for shape in ((0,), (), (1.5,), "ab", 3):
        with pytest.raises(ArgumentError, match="input_shape"):
            load(LAYERS, input_shape=shape)
    with pytest.raises(ArgumentError, match="module"):
        load(LAYERS, module=object())
    with pytest.raises(ArgumentError, match="module"):
        load("model.onnx", module=object())
