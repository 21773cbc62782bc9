"""Every operator of the ONNX table, in each of its versions from operator set 7 on, against onnxruntime."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from reluatlas.errors import ModelFileError, ReluAtlasError
from reluatlas.importers.load import load
from reluatlas.importers.onnx import reference
from reluatlas.importers.onnx.graph import OLDEST_OPSET
from reluatlas.importers.onnx.operators.table import FINAL, OPERATORS
from tests.unit.importers.models import one_node, onnx_model
from tests.unit.importers.onnx.test_images import CASES as IMAGES
from tests.unit.importers.onnx.test_operators import C4, CASES, RNG, ints, masked

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

F32 = np.float32

# forms that an operator has in some versions only: attributes that became inputs, and the like
FORMS: dict[str, onnx.ModelProto] = {
    "And with itself": masked("And", ("Greater", 0.0), ("Greater", 0.0)),
    "Clip attributes": one_node("Clip", min=-0.3, max=0.8),
    "Dropout inputs": one_node("Dropout", {"r": F32(0.5)}),
    "Dropout old": one_node("Dropout", ratio=0.25),
    "Mean of one shape": one_node("Mean", inputs=["h", "x"]),
    "Pad attributes": one_node("Pad", pads=[0, 1, 0, 2], value=0.5),
    "ReduceL1 attributes": one_node("ReduceL1", axes=[1], keepdims=0),
    "ReduceL1 inputs": one_node("ReduceL1", {"a": ints(1)}),
    "ReduceMax attributes": one_node("ReduceMax", axes=[1]),
    "ReduceMax inputs": one_node("ReduceMax", {"a": ints(1)}),
    "ReduceMean inputs": one_node("ReduceMean", {"a": ints(1)}),
    "ReduceMin attributes": one_node("ReduceMin", axes=[1]),
    "ReduceMin inputs": one_node("ReduceMin", {"a": ints(1)}, keepdims=0),
    "ReduceSum attributes": one_node("ReduceSum", axes=[1]),
    "ReduceSum inputs": one_node("ReduceSum", {"a": ints(1)}),
    "Slice attributes": one_node("Slice", axes=[1], starts=[1], ends=[3]),
    "Split attributes": one_node("Split", axis=1, split=[1, 3], outputs=["z", "y"]),
    "Split parts": one_node("Split", axis=1, num_outputs=2, outputs=["z", "y"]),
    "Squeeze attributes": one_node("Squeeze", axes=[0]),
    "Sum of one shape": one_node("Sum", inputs=["h", "x", "h"]),
    "TopK attributes": one_node("TopK", k=2, outputs=["y", "places"]),
    "TopK input": one_node("TopK", {"k": ints(2)}, outputs=["y", "places"]),
    "Unsqueeze attributes": one_node("Unsqueeze", axes=[0]),
    "Upsample attributes": one_node("Upsample", scales=[1.0, 1.0, 2.0, 1.5], shape=(1, 2, 2, 4)),
    "Upsample inputs": one_node("Upsample", {"s": np.array([1, 1, 2, 1.5], F32)}, shape=(1, 2, 2, 4)),
    "Upsample linear": one_node("Upsample", {"s": np.array([1, 1, 2, 2], F32)}, mode="linear", shape=(1, 2, 2, 4)),
    "Resize scales": one_node("Resize", {"s": np.array([1, 1, 2, 1.5], F32)}, shape=(1, 2, 2, 4)),
    "Resize region": one_node(
        "Resize", {"r": np.zeros(0, F32), "s": np.array([1, 1, 2, 1.5], F32)}, mode="linear", shape=(1, 2, 2, 4)
    ),
    "Tile": one_node("Tile", {"r": ints(2, 1)}),
}

ALL = {**CASES, **IMAGES, **FORMS}

# versions that onnxruntime has no kernel for, that are deprecated, or (Equal) that take no floats
NOT_RUN = {"Equal": [7], "GlobalLpPool": [22], "Scatter": [11], "Upsample": [10]}


@cache
def newest() -> int:
    """Return the newest operator set that onnx and onnxruntime both know."""
    versions = range(onnx.defs.onnx_opset_version(), OLDEST_OPSET, -1)
    return next(v for v in versions if by_onnxruntime(one_node("Relu", opset=v), np.zeros((1, 4), F32)) is not None)


def first_versions(operator: str) -> list[int]:
    """Return, of each version of an operator that some supported set holds, the oldest such set."""
    known = sorted({s.since_version for s in onnx.defs.get_all_schemas_with_history()
                    if s.name == operator and s.domain == ""})  # fmt: skip
    ends = [*known[1:], newest() + 1]
    return [
        max(v, OLDEST_OPSET)
        for v, end in zip(known, ends, strict=True)
        if max(v, OLDEST_OPSET) < min(end, newest() + 1)
    ]


def by_onnxruntime(model: onnx.ModelProto, points: np.ndarray) -> np.ndarray | None:
    """Return what onnxruntime computes, or None where it does not take the model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        shape = session.get_inputs()[0].shape
        return np.stack([session.run(["y"], {"x": p.reshape(shape)})[0].reshape(-1) for p in points])
    except Exception:  # its errors share no class
        return None


def in_set(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    twin.opset_import[0].version = opset
    return twin


def helpers(operator: str) -> list[onnx.ModelProto]:
    if operator in FINAL:
        return [one_node(operator)]
    return [model for name, model in ALL.items() if name.split()[0] == operator]


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_each_version_computes_what_onnxruntime_does(operator):
    missed = []
    for opset in first_versions(operator):
        compared = 0
        for model in helpers(operator):
            twin = in_set(model, opset)
            shape = tuple(d.dim_value for d in twin.graph.input[0].type.tensor_type.shape.dim)
            points = np.random.default_rng(opset).normal(size=(3, *shape)).astype(np.float32)
            expected = by_onnxruntime(twin, points)
            if expected is None or compared == 2:
                continue
            compared += 1
            net = load(twin)
            assert not [n for n in net.notes if n.kind == "checked"], net.notes
            got = net(points.reshape(3, -1)).reshape(3, -1)
            if operator in FINAL:
                got = final(operator, got)
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=f"operator set {opset}")
        if not compared:
            missed.append(opset)
    assert missed == NOT_RUN.get(operator, [])


def final(operator: str, z: np.ndarray) -> np.ndarray:
    if operator in ("Sigmoid", "Tanh"):
        return 1 / (1 + np.exp(-z)) if operator == "Sigmoid" else np.tanh(z)
    soft = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return soft if operator == "Softmax" else np.log(soft)


def test_reference_that_is_wrong_is_not_blamed_on_the_model(monkeypatch):
    reference._operators.cache_clear()
    monkeypatch.setattr(reference, "max_pool", lambda at, x: -x[..., :1, :1])
    try:
        net = load(one_node("MaxPool", kernel_shape=[2, 2], shape=(1, 1, 2, 2)))
    finally:
        reference._operators.cache_clear()
    (note,) = net.notes
    assert note.kind == "checked" and "MaxPool node `tested`" in note.text and "onnxruntime" in note.text


def test_what_no_runtime_takes_is_refused():
    wrong: list[Any] = [
        one_node("Split", {"s": ints(5, 9)}, axis=1, outputs=["y", "z"], shape=(1, 2)),
        one_node("Split", axis=1, split=[5, 9], outputs=["y", "z"], shape=(1, 2), opset=11),
        one_node("Reshape", {"s": ints(-5)}),
        one_node("Reshape", {"s": ints(1, -5)}),
        one_node("Concat", inputs=["h", "x"], axis=5),
        one_node("Transpose", perm=[0, 0]),
        one_node("Squeeze", {"a": ints(1)}),
        one_node("Gather", {"i": np.array([0.5], F32)}, axis=1),
        one_node("Relu", inputs=["h", "x"]),
    ]
    for model in wrong:
        points = RNG.normal(size=(1, *(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)))
        assert by_onnxruntime(model, points.astype(F32)) is None
        with pytest.raises(ReluAtlasError) as caught:
            load(model)
        assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)
    with pytest.raises(ModelFileError, match="sum of 'split'"):
        load(wrong[0])


def test_types_that_do_not_fit_are_refused():
    nodes = [helper.make_node("Add", ["x", "c"], ["y"])]
    with pytest.raises(ModelFileError, match="no model that a runtime takes"):
        load(onnx_model(nodes, {"c": np.arange(4)}))
    assert load(onnx_model(nodes, {"c": C4})).n_outputs == 4
