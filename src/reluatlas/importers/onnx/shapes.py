"""Do the shapes and types of an ONNX model fit together? ONNX's own inference is asked before anything is made."""

from __future__ import annotations

import re
from math import prod
from typing import Any

from reluatlas.errors import ModelFileError

SMALL = 1024  # entries of a constant that shapes may be computed from


def inferred_shapes(part: Any, source: str) -> tuple[dict[str, tuple[int, ...]], ModelFileError | None]:
    """Return the shapes of a model's tensors, free lengths as 1, and the error that they do not fit, or None.

    Parameters
    ----------
    part : onnx.ModelProto
        With the shape of its input fixed.
    source : str
    """
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(_light(part), check_type=True, strict_mode=True, data_prop=True)
    except Exception as problem:  # its class depends on onnx's version
        found = f"`{source}` is no model that a runtime takes: {_first_problem(problem)}. Export it again."
        return {}, ModelFileError(found)
    shapes = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        dims = value.type.tensor_type.shape.dim
        shapes[value.name] = tuple(max(0, d.dim_value) if d.HasField("dim_value") else 1 for d in dims)
    return shapes, None


def _light(part: Any) -> Any:
    # weights are only said to be there: inference would copy them, and needs no numbers but those of shapes
    import onnx

    light = onnx.ModelProto()
    light.ir_version = max(part.ir_version, 4)
    light.opset_import.extend(part.opset_import)
    light.graph.name = "shapes"
    light.graph.node.extend(part.graph.node)
    light.graph.input.extend(part.graph.input)
    light.graph.output.extend(part.graph.output)
    for tensor in part.graph.initializer:
        if prod(tensor.dims) <= SMALL:
            light.graph.initializer.append(tensor)
        else:
            light.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return light


def _first_problem(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    text = re.sub(r"\[\w+Error\]\s*|Inference error\(s\):\s*", "", " ".join(lines)).rstrip(". ")
    return f"{text[:300]}" if text else type(problem).__name__
