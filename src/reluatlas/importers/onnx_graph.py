"""How does an ONNX graph become a network? A walk over its nodes with the operator table."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError, ModelFileError, ReluAtlasError, UnsupportedLayerError
from reluatlas.importers.check import ModelRuns
from reluatlas.importers.finish import Imported, begin
from reluatlas.importers.lowering import Lowering, Tensor, Value
from reluatlas.importers.onnx_call import Call
from reluatlas.importers.onnx_file import check_model, read_onnx
from reluatlas.importers.onnx_operators import FOLDED, OPERATORS, PASSING, REASONS, supported
from reluatlas.importers.onnx_recast import extract, in_float64, native_run, node_runner, reference_run
from reluatlas.importers.weights import MAX_ENTRIES
from reluatlas.network.graph import Shape

OLDEST_OPSET = 7  # before, broadcasting was an attribute


def from_onnx_file(path: Path, *, input_shape: Shape | None = None, mean: Any = None, std: Any = None) -> Imported:
    """Return the network in a `.onnx` or `.onnx.gz` file; see `reluatlas.load`."""
    return _guarded(read_onnx(path), path.name, input_shape, mean, std)


def from_onnx_model(model: Any, *, input_shape: Shape | None = None, mean: Any = None, std: Any = None) -> Imported:
    """Return the network of an `onnx.ModelProto` in memory, which is not changed; see `reluatlas.load`."""
    import onnx

    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    check_model(twin, "model", folder=None)
    return _guarded(twin, "the ONNX model", input_shape, mean, std)


def _guarded(model: Any, source: str, input_shape: Shape | None, mean: Any, std: Any) -> Imported:
    try:
        return _from_checked(model, source, input_shape, mean, std)
    except ReluAtlasError:
        raise
    except Exception as problem:  # names that are no text, fields of wrong types, ...
        raise ModelFileError(f"`{source}` is malformed ({type(problem).__name__}). Export it again.") from problem


def _from_checked(model: Any, source: str, input_shape: Shape | None, mean: Any, std: Any) -> Imported:
    import onnx

    opset = _opset(model, source)
    entry, output_name = _ends(model, source)
    nodes = needed_nodes(model.graph, output_name, source)
    shape, has_batch = input_layout(entry, input_shape, source)
    part = extract(model, nodes, input_name=entry.name, shape=shape, output=output_name)
    double = in_float64(part)
    low, x, norm = begin(
        shape[1:] if has_batch else shape, has_batch=has_batch, mean=mean, std=std, name=entry.name or "input"
    )
    values: dict[str, Value] = {entry.name: x}
    low.name, low.operator = entry.name, "input"
    low.checkpoint(entry.name, x)
    for tensor in double.graph.initializer:
        values[tensor.name] = onnx.numpy_helper.to_array(tensor)
    for node in double.graph.node:
        lower_node(low, double, node, values, opset)
    output = values.get(output_name)
    if not isinstance(output, Tensor):
        raise UnsupportedLayerError(f"the output `{output_name}` of `{source}` does not depend on its input.")

    # what a dropped softmax took is the output that both have
    last = next(c.name for c in reversed(low.checkpoints) if c.node == output.node)
    point_type, epsilon = precision(part)
    native = extract(part, needed_nodes(part.graph, last, source), input_name=entry.name, shape=shape, output=last)
    runs = ModelRuns(
        reference_run(double, entry.name, shape, np.dtype(np.float64)),
        native_run(native, entry.name, shape, point_type) if native.graph.node else lambda z: {entry.name: z},
        reference_run(native, entry.name, shape, point_type),
        epsilon,
        point_type,
    )
    return Imported(low, output, runs, norm, source)


def lower_node(low: Lowering, model: Any, node: Any, values: dict[str, Value], opset: int) -> None:
    """Add what one ONNX node does to the network, or fold it when it reads only constants."""
    low.name, low.operator = node.name or node.output[0], node.op_type
    missing = [name for name in node.input if name and name not in values]
    if missing:
        raise ModelFileError(f"{low.label} reads `{missing[0]}`, which nothing before it makes. Check the model.")
    inputs = [values[name] if name else None for name in node.input]
    tensors = [v for v in inputs if isinstance(v, Tensor)]
    for t in tensors:
        if t.dropped and node.op_type not in PASSING:
            raise UnsupportedLayerError(
                f"{t.dropped} is followed by {low.label}: it is not piecewise linear, and can be left out only at "
                "the very end of a model."
            )
    foreign = node.domain not in ("", "ai.onnx")
    constant = not tensors or node.op_type in ("Shape", "Size")
    if foreign or node.op_type not in (FOLDED if constant else OPERATORS):
        reason = (
            "it belongs to another operator set." if foreign else REASONS.get(node.op_type, "it is not in the table.")
        )
        raise UnsupportedLayerError(f"{low.label} is not supported: {reason} Supported operators: {supported()}.")
    try:
        call = Call(_attributes(node, opset), node_runner(model, node), opset, sum(1 for n in node.output if n))
        if constant:
            made: Sequence[Value] = call.run([_only_shape(v) if isinstance(v, Tensor) else v for v in inputs])
            if any(v is not None and v.dtype.kind == "f" for v in inputs if not isinstance(v, Tensor)):
                low.builder.note("folded", low.name, f"{node.op_type} of constants is computed in float64")
        else:
            result = OPERATORS[node.op_type](low, call, inputs)
            made = [result] if isinstance(result, Tensor) else result
    except ReluAtlasError:
        raise
    except Exception as problem:  # attributes, types or shapes that the operator cannot have
        raise ModelFileError(
            f"{low.label} cannot be read: {str(problem).splitlines()[0] if str(problem) else type(problem).__name__}. "
            "Check the model."
        ) from problem
    for name, value in zip([n for n in node.output if n], made, strict=False):
        values[name] = value
        if isinstance(value, Tensor) and not value.dropped:
            low.checkpoint(name, value)


def _only_shape(t: Tensor) -> NDArray:
    return np.broadcast_to(np.int8(0), t.shape)


def _attributes(node: Any, opset: int) -> dict[str, Any]:
    import onnx

    schema = onnx.defs.get_schema(node.op_type, opset, "")
    out = {
        name: onnx.helper.get_attribute_value(a.default_value)
        for name, a in schema.attributes.items()
        if a.default_value.type
    }
    for attribute in node.attribute:
        known = schema.attributes.get(attribute.name)
        if known is not None and cast(Any, known.type).value != attribute.type:
            raise ModelFileError(
                f"attribute `{attribute.name}` of {node.op_type} node `{node.name or node.output[0]}` has the wrong "
                f"type; expected {str(known.type).rsplit('.', 1)[-1]}."
            )
        out[attribute.name] = onnx.helper.get_attribute_value(attribute)
    return out


def _opset(model: Any, source: str) -> int:
    import onnx

    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if not versions:
        raise ModelFileError(f"`{source}` names no ONNX operator set; it is not a complete model.")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise UnsupportedLayerError(
            f"`{source}` uses ONNX operator set {versions[0]}; expected {OLDEST_OPSET} to {newest}. "
            "Convert it with onnx.version_converter, or install a newer onnx."
        )
    return versions[0]


def _ends(model: Any, source: str) -> tuple[Any, str]:
    stored = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in stored]
    outputs = [o.name for o in model.graph.output]
    for what, names in (("inputs", [i.name for i in inputs]), ("outputs", outputs)):
        if len(names) != 1:
            raise UnsupportedLayerError(
                f"`{source}` has {len(names)} {what} ({', '.join(names[:5])}); expected one. "
                "Export a model with one input and one output."
            )
    kind, np_types = inputs[0].type.tensor_type.elem_type, _float_types()
    if not inputs[0].type.HasField("tensor_type") or kind not in np_types:
        raise UnsupportedLayerError(
            f"the input `{inputs[0].name}` of `{source}` is no tensor of floats. Export in floats."
        )
    return inputs[0], outputs[0]


def needed_nodes(graph: Any, output: str, source: str) -> list[Any]:
    """Return the nodes that the output needs, in their order.

    Raises
    ------
    ModelFileError
        When two nodes make one tensor, so that what it is depends on the order.
    """
    makers: set[str] = set()
    for node in graph.node:
        if not node.output:
            raise ModelFileError(f"{node.op_type} node `{node.name}` of `{source}` has no output. Check the model.")
        for name in node.output:
            if name and name in makers:
                raise ModelFileError(f"`{source}` makes the tensor `{name}` twice. Check the model.")
            makers.add(name)
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(n for n in node.output if n):
            kept.append(node)
            needed.update(n for n in node.input if n)
    return kept[::-1]


def input_layout(entry: Any, input_shape: Shape | None, source: str) -> tuple[Shape, bool]:
    """Return the shape that the model's input gets, and whether its first axis is a batch axis.

    The first of several axes is a batch axis when its length is 1 or free.

    Raises
    ------
    ArgumentError, DimensionError
        When a length is free and `input_shape` does not say it, or does not fit.
    """
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        if input_shape is None:
            raise ArgumentError(f"the input `{entry.name}` of `{source}` has no shape. Pass `input_shape=`.")
        return _limited((1, *input_shape), source), True
    dims = [int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim]
    said = tuple("?" if d is None else d for d in dims)
    if not dims:
        raise DimensionError(
            f"the input `{entry.name}` of `{source}` is a single number without axes; expected a tensor."
        )
    if input_shape is not None:
        for shape, has_batch in (((1, *input_shape), True), (input_shape, False)):
            if len(shape) == len(dims) and all(d in (None, s) for d, s in zip(dims, shape, strict=True)):
                return _limited(shape, source), has_batch
        raise DimensionError(
            f"`input_shape` is {input_shape} but the input of `{source}` is {said} with its batch axis."
        )
    has_batch = len(dims) > 1 and dims[0] in (None, 1)
    inner = dims[1:] if has_batch else dims
    if None in inner:
        raise ArgumentError(
            f"the input `{entry.name}` of `{source}` has shape {said} with free lengths. Pass `input_shape=`, "
            "the shape of one input without the batch axis."
        )
    fixed = tuple(d for d in inner if d is not None)
    return _limited((1, *fixed) if has_batch else fixed, source), has_batch


def _limited(shape: Shape, source: str) -> Shape:
    if prod(shape) > MAX_ENTRIES:
        raise DimensionError(f"the input of `{source}` has shape {shape}; the limit is {MAX_ENTRIES:,} numbers.")
    return shape


def _float_types() -> dict[int, int]:
    """Bits behind the leading one of each float type."""
    from onnx import TensorProto as T

    return {T.FLOAT: 23, T.DOUBLE: 52, T.FLOAT16: 10, T.BFLOAT16: 7}


def precision(model: Any) -> tuple[np.dtype, float]:
    """Return the type of the input and the coarsest distance from 1 to the next number of its float types."""
    from onnx.helper import tensor_dtype_to_np_dtype

    bits = _float_types()
    kind = model.graph.input[0].type.tensor_type.elem_type
    used = {kind, *(t.data_type for t in model.graph.initializer)}
    for node in model.graph.node:
        used.update(a.t.data_type for a in node.attribute if a.HasField("t"))
        used.update(a.i for a in node.attribute if node.op_type == "Cast" and a.name == "to")
    return tensor_dtype_to_np_dtype(kind), 2.0 ** -min(bits[k] for k in used if k in bits)
