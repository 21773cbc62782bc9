"""The check behind every import must find what is wrong, and where."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from reluatlas.errors import ImportMismatchError
from reluatlas.importers.arrays import from_arrays
from reluatlas.importers.check import check_import
from reluatlas.importers.finish import finish
from reluatlas.importers.load import load
from reluatlas.importers.onnx.operators import table as onnx_operators
from reluatlas.network.network import Dense
from tests.unit.importers.models import dense_model, one_node

RNG = np.random.default_rng(0)
LAYERS = [(RNG.normal(size=(n, m)), RNG.normal(size=n)) for m, n in ((3, 8), (8, 8), (8, 2))]


def with_broken_weight(layer, factor):
    """Return an import whose network has one weight of one layer off by a factor."""
    imported = from_arrays(LAYERS)
    nodes = imported.low.builder.nodes
    index = 1 + 2 * layer
    weight = nodes[index].operators[0].weight.copy()
    weight[1, 2] *= factor
    nodes[index] = replace(nodes[index], operators=(Dense(weight),))
    return imported


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("factor", [-1.0, 1.01, 1 + 1e-9])
def test_one_wrong_weight_is_found_and_its_layer_named(layer, factor):
    with pytest.raises(
        ImportMismatchError, match=rf"parts from arrays at dense node `layer {layer}`, entry 1, in float64"
    ):
        finish(with_broken_weight(layer, factor))


def test_right_weights_pass():
    assert finish(with_broken_weight(1, 1.0)).n_outputs == 2


def test_wrong_bias_knot_and_normalization_are_found():
    imported = from_arrays(LAYERS)
    nodes = imported.low.builder.nodes
    nodes[1] = replace(nodes[1], bias=nodes[1].bias + 1e-9)
    with pytest.raises(ImportMismatchError, match="layer 0"):
        finish(imported)
    imported = from_arrays(LAYERS)
    nodes = imported.low.builder.nodes
    nodes[2] = replace(nodes[2], knots=nodes[2].knots + 0.5)
    with pytest.raises(ImportMismatchError, match="relu 0"):
        finish(imported)
    imported = from_arrays(LAYERS, mean=1.0, std=2.0)
    with pytest.raises(ImportMismatchError, match="layer 0"):
        finish(replace(imported, normalization=(np.full(3, 1.0), np.full(3, 2.0 + 1e-9))))


def test_difference_at_the_models_own_precision_alone_is_found_and_located():
    imported = from_arrays(LAYERS)
    exact = imported.runs.float64

    def native(z):
        return {name: value * (1.001 if name != "layer 0" else 1) for name, value in exact(z).items()}

    runs = replace(imported.runs, native=lambda z: {"layer 2": native(z)["layer 2"]}, native_tensors=native)
    with pytest.raises(ImportMismatchError, match=r"relu 0.*at the model's own precision"):
        finish(replace(imported, runs=runs))
    runs = replace(imported.runs, native=lambda z: {"layer 2": exact(z)["layer 2"] * (1 + 1e-7)})
    finish(replace(imported, runs=replace(runs, epsilon=1e-7)))


def test_nothing_compared_is_an_error():
    imported = from_arrays(LAYERS)
    with pytest.raises(ImportMismatchError, match="nothing was compared"):
        finish(replace(imported, runs=replace(imported.runs, float64=lambda z: {})))


def test_not_a_number_is_a_difference():
    imported = from_arrays(LAYERS)
    exact = imported.runs.float64
    broken = replace(imported.runs, float64=lambda z: {**exact(z), "relu 1": np.full((len(z), 8), np.nan)})
    with pytest.raises(ImportMismatchError, match="relu 1"):
        finish(replace(imported, runs=broken))


def test_sums_that_cancel_are_no_difference():
    # (x + 1e6) - 1e6 + x, then once more times 1e6: rounding alone, far above 1e-12 of the result
    big = np.full(3, 1e6)
    layers = [
        (np.eye(3), big),
        (np.vstack([np.eye(3), -np.eye(3)]), np.concatenate([-big, big])),
        (1e6 * RNG.normal(size=(2, 6)), None),
    ]
    assert load(layers).n_outputs == 2


def test_broken_operator_of_the_table_is_found(monkeypatch):
    table = dict(onnx_operators.OPERATORS)
    table["Relu"] = onnx_operators.OPERATORS["Abs"]
    monkeypatch.setattr("reluatlas.importers.onnx.graph.OPERATORS", table)
    with pytest.raises(ImportMismatchError, match=r"Relu node `relu`"):
        load(dense_model())
    monkeypatch.undo()
    table["LeakyRelu"] = onnx_operators.OPERATORS["Relu"]
    monkeypatch.setattr("reluatlas.importers.onnx.graph.OPERATORS", table)
    with pytest.raises(ImportMismatchError, match=r"LeakyRelu node `tested`"):
        load(one_node("LeakyRelu"))


def test_models_own_precision_is_run_by_onnxruntime(monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    runs = []
    original = onnxruntime.InferenceSession.run
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "run", lambda self, *args: runs.append(1) or original(self, *args)
    )
    load(dense_model())
    assert len(runs) >= 5


def test_model_is_checked_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert load(dense_model()).n_neurons == 3


def test_check_is_deterministic():
    imported = from_arrays(LAYERS)
    seen = []
    exact = imported.runs.float64
    runs = replace(imported.runs, float64=lambda z: seen.append(z) or exact(z))
    for _ in range(2):
        network = imported.low.builder.finish(imported.output.node)
        check_import(network, imported.low.checkpoints, runs)
    assert np.array_equal(seen[0], seen[1])
