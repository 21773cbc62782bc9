"""How does an ONNX graph become a network? A walk over its nodes with the operator table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError, ModelFileError, ReluAtlasError, UnsupportedLayerError
from reluatlas.importers.check import ModelRuns
from reluatlas.importers.ends import Shapes, chosen_output, shape_of
from reluatlas.importers.finish import Imported, Normalization, begin, begin_joint
from reluatlas.importers.lowering.steps import Steps, Value, settle
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.lowering.weights import MAX_ENTRIES
from reluatlas.importers.onnx.call import Call, Refused
from reluatlas.importers.onnx.file import check_model, read_onnx, stored_tensors
from reluatlas.importers.onnx.operators.masks import READS_STEPS
from reluatlas.importers.onnx.operators.table import FINAL, FOLDED, OPERATORS, PASSING
from reluatlas.importers.onnx.order import needed_nodes
from reluatlas.importers.onnx.recast import extract, in_float64, node_runner, pass_through
from reluatlas.importers.onnx.refused import reason_of
from reluatlas.importers.onnx.run import Feeds, native_run, reference_run, runtime_run
from reluatlas.importers.onnx.shapes import inferred_shapes
from reluatlas.network.network import Shape

OLDEST_OPSET = 7  # before, broadcasting was an attribute


def from_onnx_file(path: Path, **options: Any) -> Imported:
    """Return the network in a `.onnx` or `.onnx.gz` file; see `reluatlas.load` for the options."""
    return _guarded(lambda: read_onnx(path), path.name, **options)


def from_onnx_model(model: Any, **options: Any) -> Imported:
    """Return the network of an `onnx.ModelProto` in memory, which is not changed; see `reluatlas.load`."""
    import onnx

    def twin() -> Any:
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        check_model(copied, "model", folder=None)
        return copied

    return _guarded(twin, "the ONNX model", **options)


def _guarded(read: Callable[[], Any], source: str, **options: Any) -> Imported:
    try:
        return _from_checked(read(), source, **options)
    except ReluAtlasError:
        raise
    except UnicodeDecodeError:
        raise ModelFileError(f"`{source}` holds names that are not UTF-8 text. Export it again.") from None
    except Exception as problem:  # names that are no text, fields of wrong types, ...
        raise ModelFileError(f"`{source}` is malformed ({type(problem).__name__}). Export it again.") from problem


def _from_checked(
    model: Any,
    source: str,
    *,
    input_shape: Shapes | None = None,
    output: str | int | None = None,
    mean: Any = None,
    std: Any = None,
) -> Imported:
    import onnx
    from onnx.inliner import inline_local_functions

    if model.functions:  # the file's own operators: what they are made of takes their place
        model = inline_local_functions(model)
    opset = _opset(model, source)
    names = [o.name for o in model.graph.output]
    output_name = names[chosen_output(names, output, source)]
    nodes = needed_nodes(model.graph, output_name, source)
    entries = _entries(model, nodes, output_name, source)
    layouts = {
        e.name: input_layout(e, shape_of(input_shape, e.name, [o.name for o in entries], source), source)
        for e in entries
    }
    feeds = Feeds.of(entries, {name: shape for name, (shape, _) in layouts.items()})
    part = extract(model, nodes, shapes=feeds.shapes, output=output_name)
    shapes, problem = inferred_shapes(part, source)
    double = in_float64(part)
    low, given, norm = _begun(layouts, mean, std)
    low.stored = sum(prod(t.dims) for _, t in stored_tensors(part.graph))
    values: dict[str, Value | Refused] = dict(given)
    for name, x in given.items():
        low.name, low.operator = name, "input"
        low.checkpoint(name, x)
    for tensor in double.graph.initializer:
        values[tensor.name] = onnx.numpy_helper.to_array(tensor)
    for node in double.graph.node:
        low.name, low.operator = node.name or node.output[0], node.op_type
        for name in node.output:
            low.keep_size(shapes.get(name, ()))
            low.keep_room(prod(shapes.get(name, ())))
        lower_node(low, double, node, values, opset)  # what it finds wrong, it says of the node
    if problem is not None:
        raise problem
    made = values.get(output_name)
    if isinstance(made, Steps):
        made = settle(low, made)
    if not isinstance(made, Tensor):
        raise UnsupportedLayerError(f"the output `{output_name}` of `{source}` does not depend on its input.")

    # a dropped softmax is left out of the model that is run, too: all that follows it is compared
    dropped = [n for n in part.graph.node if n.op_type in FINAL and isinstance(values[n.output[0]], Tensor)]
    for whole in (double, part):
        pass_through(whole, {n.output[0] for n in dropped})
    point_type, epsilon = precision(part)
    runs = ModelRuns(
        reference_run(double, feeds.in_type(np.dtype(np.float64))),
        native_run(part, source, feeds) if part.graph.node else feeds.arrays,
        reference_run(part, feeds),
        epsilon,
        point_type,
        runtime_run(part, [c.name for c in low.checkpoints[len(entries) :]], feeds),
    )
    return Imported(low, made, runs, norm, source)


def _begun(
    layouts: Mapping[str, tuple[Shape, bool]], mean: Any, std: Any
) -> tuple[Lowering, dict[str, Tensor], Normalization | None]:
    if len(layouts) > 1:
        named = [(name, shape) for name, (shape, _) in layouts.items()]
        return begin_joint(named, has_batch=any(has for _, has in layouts.values()), mean=mean, std=std)
    ((name, (shape, has_batch)),) = layouts.items()
    inner = shape[1:] if has_batch else shape
    low, x, norm = begin(inner, has_batch=has_batch, mean=mean, std=std, name=name or "input")
    return low, {name: x}, norm


def lower_node(low: Lowering, model: Any, node: Any, values: dict[str, Value | Refused], opset: int) -> None:
    """Add what one ONNX node does to the network, or fold it when it reads only constants."""
    low.name, low.operator = node.name or node.output[0], node.op_type
    missing = [name for name in node.input if name and name not in values]
    if missing:
        raise ModelFileError(f"{low.label} reads `{missing[0]}`, which nothing before it makes. Check the model.")
    inputs: list[Value | None] = []
    for name in node.input:
        value = values[name] if name else None
        if isinstance(value, Refused):
            raise low.unsupported(f"it reads `{name}`: {value.reason}.")
        inputs.append(value)
    tensors = [v for v in inputs if isinstance(v, Tensor | Steps)]
    _keep_final(low, node.op_type, inputs)
    foreign = node.domain not in ("", "ai.onnx")
    constant = not tensors or node.op_type in ("EyeLike", "Shape", "Size")
    if foreign or node.op_type not in (FOLDED if constant else OPERATORS):
        raise low.unsupported(reason_of(node.op_type, node.domain))
    try:
        call = Call(_attributes(node, opset), node_runner(model, node), opset, sum(1 for n in node.output if n))
        made: Sequence[Value | Refused]
        if constant:
            made = call.run([_only_shape(v) if isinstance(v, Tensor | Steps) else v for v in inputs])
            if any(v.dtype.kind == "f" for v in inputs if isinstance(v, np.ndarray)):
                low.builder.note("folded", low.name, f"{node.op_type} of constants is computed in float64")
        else:
            if node.op_type not in READS_STEPS:
                inputs = [None if v is None else settle(low, v) for v in inputs]
            result = OPERATORS[node.op_type](low, call, inputs)
            made = [result] if isinstance(result, Tensor | Steps | np.ndarray) else result
    except ReluAtlasError:
        raise
    except Exception as problem:  # attributes, types or shapes that the operator cannot have
        raise ModelFileError(
            f"{low.label} cannot be read: {str(problem).splitlines()[0] if str(problem) else type(problem).__name__}. "
            "Check the model."
        ) from problem
    others = [Refused("only the first output of that node is supported")] * len(node.output)
    for name, value in zip(node.output, [*made, *others], strict=False):
        if name:
            values[name] = value
            if isinstance(value, Tensor):
                low.checkpoint(name, value)


def _keep_final(low: Lowering, operator: str, inputs: Sequence[Value | None]) -> None:
    # behind a dropped softmax its entries may be moved, or some of them chosen, and nothing else
    dropped = next((v.dropped for v in inputs if isinstance(v, Tensor) and v.dropped), "")
    mixed = operator == "Concat" and any(not isinstance(v, Tensor) or not v.dropped for v in inputs)
    if dropped and (operator not in PASSING or mixed):
        raise UnsupportedLayerError(
            f"{dropped} is followed by {low.label}: it is not piecewise linear, and can be left out only at the very "
            "end of a model, where its entries are at most moved or chosen."
        )


def _only_shape(t: Tensor | Steps) -> NDArray:
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


def _entries(model: Any, nodes: Sequence[Any], output: str, source: str) -> list[Any]:
    """Return the inputs that an output needs, in the model's order, once they are found to be tensors of floats."""
    stored = {t.name for t in model.graph.initializer}
    needed = {output, *(name for node in nodes for name in node.input)}
    entries = [i for i in model.graph.input if i.name not in stored and i.name in needed]
    if not entries:
        raise UnsupportedLayerError(f"the output `{output}` of `{source}` does not depend on any input.")
    for entry in entries:
        if not entry.type.HasField("tensor_type") or entry.type.tensor_type.elem_type not in _float_types():
            raise UnsupportedLayerError(
                f"the input `{entry.name}` of `{source}` is no tensor of floats. Export in floats."
            )
    return entries


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
    """Return the coarsest type of the inputs, and the coarsest distance from 1 to the next number of all types."""
    from onnx.helper import tensor_dtype_to_np_dtype

    bits = _float_types()
    kinds = [i.type.tensor_type.elem_type for i in model.graph.input]
    used = {*kinds, *(t.data_type for t in model.graph.initializer)}
    for node in model.graph.node:
        used.update(a.t.data_type for a in node.attribute if a.HasField("t"))
        used.update(a.i for a in node.attribute if node.op_type == "Cast" and a.name == "to")
    coarsest = min(kinds, key=lambda kind: bits[kind])
    return tensor_dtype_to_np_dtype(coarsest), 2.0 ** -min(bits[k] for k in used if k in bits)
