"""Which ONNX operators compare, choose or jump? Their rows of the table; `Steps` may go through them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reluatlas.importers.lowering import steps as st
from reluatlas.importers.lowering.steps import Steps, Value
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.onnx.call import Call, Inputs, Operator, rearranged, required, tensor


def _compare(sign: str) -> Operator:
    def lower(low: Lowering, call: Call, inputs: Inputs) -> Value:
        a, b = required(low, inputs, 2)
        return st.compare(low, a, b, sign)

    return lower


def _logical(kind: str) -> Operator:
    def lower(low: Lowering, call: Call, inputs: Inputs) -> Value:
        return st.logical(low, required(low, inputs, 1 if kind == "not" else 2), kind)

    return lower


def _sign(low: Lowering, call: Call, inputs: Inputs) -> Value:
    return st.sign(low, required(low, inputs, 1)[0])


def _where(low: Lowering, call: Call, inputs: Inputs) -> Sequence[Value] | Value:
    condition, a, b = required(low, inputs, 3)
    if isinstance(condition, Steps) or isinstance(a, Steps) or isinstance(b, Steps):
        return st.choose(low, condition, a, b)
    if isinstance(condition, Tensor):
        raise low.unsupported("its condition is no comparison but a number that depends on the network's input.")
    filled = [v if isinstance(v, Tensor) else constant_tensor(low, v) for v in (a, b)]
    return rearranged(low, call, [condition, *filled])


def _shrink(low: Lowering, call: Call, inputs: Inputs) -> Value:
    at = call.attributes
    made = st.shrink(low, tensor(low, inputs[0], "data"), float(at["lambd"]), float(at["bias"]))
    return st.settle(low, made)


def _thresholded(low: Lowering, call: Call, inputs: Inputs) -> Value:
    made = st.thresholded(low, tensor(low, inputs[0], "data"), float(call.attributes["alpha"]))
    return st.settle(low, made)


def cast_mask(low: Lowering, value: Steps, target: int) -> Value:
    """Return a mask cast to an ONNX type."""
    from onnx.helper import tensor_dtype_to_np_dtype

    kind = np.dtype(tensor_dtype_to_np_dtype(target)).kind
    return st.cast(low, value, {"b": "b", "i": "i", "u": "i"}.get(kind, "f"))


def constant_tensor(low: Lowering, value: np.ndarray) -> Tensor:
    """Return a constant as a tensor of the network."""
    return low.affine([], [], low.coefficients(value, "a constant"), value.shape)


MASK_OPERATORS: dict[str, Operator] = {
    "And": _logical("and"),
    "Equal": _compare("=="),
    "Greater": _compare(">"),
    "GreaterOrEqual": _compare(">="),
    "Less": _compare("<"),
    "LessOrEqual": _compare("<="),
    "Not": _logical("not"),
    "Or": _logical("or"),
    "Shrink": _shrink,
    "Sign": _sign,
    "ThresholdedRelu": _thresholded,
    "Where": _where,
    "Xor": _logical("xor"),
}

# operators that read a mask as it is, before it is known to be continuous
READS_STEPS = frozenset(MASK_OPERATORS) - {"Shrink", "ThresholdedRelu"} | {
    "Add", "Cast", "CastLike", "Expand", "Flatten", "Identity", "Mul", "Neg", "Reshape", "Slice", "Squeeze",
    "Sub", "Sum", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
