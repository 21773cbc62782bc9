"""From a case of the oracles to reluatlas, through public doors: layers of arrays, or a model in ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import reluatlas as ra
from tests.oracles.steps import Abs, Beside, Case, Clip, Conv, Dense, Leaky, MaxOf, Plus, Pool, Relu, Windows


def network_of(case: Case) -> ra.Network:
    """Return the network: by layers where it is dense and ReLU, one in four of these by ONNX, as all others."""
    layers = case.layers()
    if layers is not None and case.seed % 4 != 2:
        return ra.load(layers)
    return ra.load(model_of(case))


def domain_of(case: Case) -> ra.Box | ra.Slice | ra.Space:
    """Return the domain."""
    if case.is_space:
        return ra.Space(case.k)
    box = ra.Box(case.low, case.high)
    return box if case.basis is None else ra.Slice(case.origin, case.basis, box=box)


def model_of(case: Case) -> onnx.ModelProto:
    """Return an ONNX model with float64 weights; with float32 ones where it has a convolution."""
    kind, dtype = TensorProto.DOUBLE, np.float64
    if any(isinstance(step, Conv) for step in case.steps):
        kind, dtype = TensorProto.FLOAT, np.float32
    stored: dict[str, np.ndarray] = {}
    nodes: list[Any] = []

    def add(operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(operator, inputs, [output], name=f"{operator}_{len(nodes)}", **attributes))

    def keep(value: Any, to: Any = dtype) -> str:
        name = f"c{len(stored)}"
        stored[name] = np.asarray(value).astype(to)
        return name

    is_image = len(case.shape) == 3
    for at, step in enumerate(case.steps):
        here, out = f"t{at}", f"t{at + 1}"
        if isinstance(step, Dense):
            if is_image:
                add("Flatten", [here], f"flat{at}")
                here, is_image = f"flat{at}", False
            add("Gemm", [here, keep(step.weight), keep(step.bias)], out, transB=1)
        elif isinstance(step, Relu):
            add("Relu", [here], out)
        elif isinstance(step, Abs):
            add("Abs", [here], out)
        elif isinstance(step, Leaky):
            add("LeakyRelu", [here], out, alpha=step.alpha)
        elif isinstance(step, Clip):
            add("Clip", [here, keep(step.low), keep(step.high)], out)
        elif isinstance(step, Windows):
            index = np.array(step.windows)
            add("Gather", [here, keep(index, np.int64)], f"picked{at}", axis=1)
            add("ReduceMax", [f"picked{at}"], out, axes=[2], keepdims=0)
        elif isinstance(step, MaxOf):
            add("Max", [f"t{at if t == -1 else t}" for t in step.tensors], out)
        elif isinstance(step, Plus):
            add("Add", [here, f"t{step.tensor}"], out)
        elif isinstance(step, Beside):
            add("Concat", [here, f"t{step.tensor}"], out, axis=1)
        elif isinstance(step, Conv):
            add("Conv", [here, keep(step.weight), keep(step.bias)], out)
        else:
            assert isinstance(step, Pool)
            sides = {"kernel_shape": [step.size] * 2, "strides": [step.stride] * 2}
            add("MaxPool", [here], out, **sides)
    graph = helper.make_graph(
        nodes,
        case.family,
        [helper.make_tensor_value_info("t0", kind, [1, *case.shape])],
        [helper.make_tensor_value_info(f"t{len(case.steps)}", kind, [1, case.n_outputs()])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
