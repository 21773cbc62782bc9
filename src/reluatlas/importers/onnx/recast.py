"""How is a part of an ONNX model made a model of its own: some nodes, one, all of it in float64? By copies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ModelFileError
from reluatlas.importers.lowering.weights import MAX_ENTRIES
from reluatlas.importers.onnx.reference import evaluator
from reluatlas.network.network import Shape


def extract(model: Any, nodes: Sequence[Any], *, shapes: Mapping[str, Shape], output: str) -> Any:
    """Return the part of a model that some of its nodes make, with inputs of fixed shapes and one output."""
    import onnx

    needed = {name for node in nodes for name in node.input}
    elements = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    part = onnx.ModelProto()
    part.ir_version = max(model.ir_version, 4)  # before, initializers had to be inputs too
    part.opset_import.extend(model.opset_import)
    part.graph.name = model.graph.name or "model"
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    for name, shape in shapes.items():
        part.graph.input.append(onnx.helper.make_tensor_value_info(name, elements[name], list(shape)))
    part.graph.output.add().name = output
    return part


def in_float64(model: Any) -> Any:
    """Return a copy of a model in which every float is a float64: weights, constants, casts and the input."""
    import onnx
    from onnx import AttributeProto, TensorProto, numpy_helper

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)

    def recast(tensor: Any) -> Any:
        if tensor.data_type not in floats:
            return tensor
        return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)

    double = onnx.ModelProto()
    double.ir_version = model.ir_version
    double.opset_import.extend(model.opset_import)
    graph = double.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        graph.initializer.append(recast(tensor))
    for value in graph.input:
        if value.type.tensor_type.elem_type in floats:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                attribute.t.CopyFrom(recast(attribute.t))
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i in floats:
                attribute.i = TensorProto.DOUBLE
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                single = attribute.name == "value_float"
                numbers = np.array(attribute.f if single else list(attribute.floats), dtype=np.float64)
                attribute.CopyFrom(onnx.helper.make_attribute("value", numpy_helper.from_array(numbers)))
    return double


def pass_through(model: Any, outputs: Collection[str]) -> None:
    """Let the nodes that make some tensors, from their first input, do nothing: in place."""
    import onnx

    for node in model.graph.node:
        if node.output[0] in outputs:
            node.CopyFrom(onnx.helper.make_node("Identity", node.input[:1], node.output[:1], name=node.name))


def node_runner(model: Any, node: Any) -> Callable[[Sequence[NDArray | None]], list[NDArray]]:
    """Return a function that runs one node on given inputs, by ONNX's reference evaluator."""

    def run(arrays: Sequence[NDArray | None]) -> list[NDArray]:
        import onnx

        claimed = result_size(node.op_type, [a for a in arrays if a is not None])
        if claimed > MAX_ENTRIES:
            raise ModelFileError(
                f"{node.op_type} node `{node.name or node.output[0]}` makes {claimed:,} numbers; "
                f"the limit is {MAX_ENTRIES:,}."
            )
        part = onnx.ModelProto()
        part.ir_version = max(model.ir_version, 4)
        part.opset_import.extend(model.opset_import)
        part.graph.name = "node"
        part.graph.node.append(node)
        feeds = {}
        for name, array in zip(node.input, arrays, strict=True):
            if array is not None and name not in feeds:
                feeds[name] = array
                part.graph.input.add().name = name
        for name in node.output:
            if name:
                part.graph.output.add().name = name
        with np.errstate(all="ignore"):
            return [np.asarray(a) for a in evaluator(part).run(None, feeds)]

    return run


def result_size(operator: str, arrays: Sequence[NDArray]) -> int:
    """Return a bound on the number of entries that an operator makes of constants."""
    if operator == "ConstantOfShape":
        return prod(int(d) for d in arrays[0].reshape(-1))
    if operator == "Expand":
        return arrays[0].size * prod(max(1, int(d)) for d in arrays[1].reshape(-1))
    if operator == "Tile":
        return arrays[0].size * prod(max(0, int(d)) for d in arrays[1].reshape(-1))
    if operator == "Range":
        start, limit, delta = (float(a) for a in arrays)
        return int(max(0.0, min((limit - start) / delta if delta else np.inf, 2.0**60))) + 1
    if operator in ("Gather", "MatMul", "Gemm"):
        return arrays[0].size * arrays[1].size
    try:
        return prod(np.broadcast_shapes(*(a.shape for a in arrays)))
    except ValueError:
        return sum(a.size for a in arrays)
