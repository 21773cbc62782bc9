"""Small ONNX models, and what an import of them must give."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def onnx_model(
    nodes: list[Any],
    constants: dict[str, Any] | None = None,
    *,
    shape: tuple[Any, ...] = (1, 4),
    opset: int = 17,
    output: str = "y",
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """Return a model with input `x`, output `y` and float32 constants (integers stay int64)."""
    stored = []
    for name, value in (constants or {}).items():
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        stored.append(numpy_helper.from_array(array, name))
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_empty_tensor_value_info(output)],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one_node(operator: str, constants: dict[str, Any] | None = None, **attributes: Any) -> onnx.ModelProto:
    """Return a model of a dense layer and one node that reads its 4 outputs, `h`, and the constants in order."""
    rng = np.random.default_rng(1)
    keep = {k: attributes.pop(k) for k in ("shape", "opset") if k in attributes}
    inputs = attributes.pop("inputs", ["h", *(constants or {})])
    outputs = attributes.pop("outputs", ["y"])
    size = keep.get("shape", (1, 4))[-1]
    weight = rng.normal(size=(size, size)).astype(np.float32)
    return onnx_model(
        [
            helper.make_node("MatMul", ["x", "W"], ["h"], name="first"),
            helper.make_node(operator, inputs, outputs, name="tested", **attributes),
        ],
        {"W": weight, **(constants or {})},
        **keep,
    )


def dense_model(**keywords: Any) -> onnx.ModelProto:
    """Return x -> relu(W x + b) as Gemm and Relu, 4 inputs, 3 outputs."""
    rng = np.random.default_rng(2)
    return onnx_model(
        [
            helper.make_node("Gemm", ["x", "W", "b"], ["h"], name="gemm", transB=1),
            helper.make_node("Relu", ["h"], ["y"], name="relu"),
        ],
        {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=3)},
        **keywords,
    )


def by_onnxruntime(
    model: onnx.ModelProto, points: np.ndarray, shape: tuple[int, ...], output: str = "y", name: str = "x"
) -> np.ndarray:
    """Return the model's outputs at points (N, ...), one at a time, by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.stack([session.run([output], {name: p.reshape(shape)})[0].reshape(-1) for p in points])
