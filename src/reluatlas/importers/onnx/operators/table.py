"""Which ONNX operators are supported, and how is each lowered? `OPERATORS`, the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reluatlas.errors import DimensionError
from reluatlas.importers.lowering import steps as st
from reluatlas.importers.lowering import tensors as lo
from reluatlas.importers.lowering import windows
from reluatlas.importers.lowering.steps import Steps, Value
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.lowering.tensors import Value as Plain
from reluatlas.importers.lowering.weights import batch_norm
from reluatlas.importers.onnx.call import (
    Call,
    Inputs,
    Operator,
    constant,
    constants,
    plain,
    rearranged,
    required,
    tensor,
)
from reluatlas.importers.onnx.operators.axes import AXIS_OPERATORS
from reluatlas.importers.onnx.operators.images import IMAGE_OPERATORS
from reluatlas.importers.onnx.operators.masks import MASK_OPERATORS, cast_mask, constant_tensor


def _first_rearranged(low: Lowering, call: Call, inputs: Inputs) -> Sequence[Value]:
    first, rest = inputs[0], constants(low, inputs[1:], "shape or index")
    if isinstance(first, Steps):
        return [st.moved(first, np.asarray(m, dtype=np.int64)) for m in call.run([first.marks(), *rest])]
    return rearranged(low, call, [tensor(low, first, "data"), *rest])


def _concat(low: Lowering, call: Call, inputs: Inputs) -> list[Tensor]:
    return rearranged(low, call, [v if isinstance(v, Tensor) else constant_tensor(low, v) for v in plain(low, inputs)])


def _pad(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    x, at = tensor(low, inputs[0], "data"), call.attributes
    pads, value = at.get("pads"), at.get("value", 0.0)
    if len(inputs) > 1:
        pads = constant(low, inputs[1], "pads").reshape(-1).tolist()
    if len(inputs) > 2 and inputs[2] is not None:
        value = float(constant(low, inputs[2], "value").reshape(()))
    rank = len(x.shape)
    axes: Sequence[int] = range(rank)
    if len(inputs) > 3 and inputs[3] is not None:
        axes = [int(a) % rank for a in constant(low, inputs[3], "axes").reshape(-1)]
    if pads is None or len(pads) != 2 * len(axes):
        raise DimensionError(f"{low.label} has the pads {pads} for {len(axes)} axes.")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = int(pads[i]), int(pads[len(axes) + i])
    mode = at.get("mode", b"constant").decode()
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise low.unsupported(f"its mode is {mode}; expected constant, reflect, edge or wrap.")
    return windows.pad(low, x, before, after, value=value, mode=mode)


def _mean(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.divide(low, _sum(low, plain(low, inputs), [1.0] * len(inputs)), len(inputs))


def _unchanged(low: Lowering, call: Call, inputs: Inputs) -> Value:
    return required(low, inputs[:1], 1)[0]


def _cast_like(low: Lowering, call: Call, inputs: Inputs) -> Value:
    value, like = required(low, inputs, 2)
    if isinstance(value, Steps) and isinstance(like, np.ndarray):
        return st.cast(low, value, {"b": "b", "i": "i", "u": "i"}.get(like.dtype.kind, "f"))
    return value


def _dropout(low: Lowering, call: Call, inputs: Inputs) -> list[Value]:
    training = inputs[2] if len(inputs) > 2 else None
    if training is not None and np.any(constant(low, training, "training mode")):
        raise low.unsupported("it is in training mode. Export the model in evaluation mode.")
    low.builder.note("dropped", low.name, "dropout does nothing in evaluation mode")
    x = tensor(low, inputs[0], "data")
    return [x, np.ones(x.shape, dtype=bool)] if call.n_outputs > 1 else [x]


def _cast(low: Lowering, call: Call, inputs: Inputs) -> Value:
    from onnx import TensorProto as T

    target = call.attributes.get("to", T.DOUBLE)
    if isinstance(inputs[0], Steps):
        return cast_mask(low, inputs[0], target)
    if target not in (T.FLOAT, T.DOUBLE, T.FLOAT16, T.BFLOAT16):
        raise low.unsupported("it casts a tensor to a type that is not a float, which is not continuous.")
    return tensor(low, inputs[0], "data")


def _total(low: Lowering, values: Sequence[Value], scales: Sequence[float]) -> Value:
    settled = [v for v in values if not isinstance(v, Steps)]
    return _sum(low, settled, scales) if len(settled) == len(values) else st.add(low, values, scales)


def _sum(low: Lowering, values: Sequence[Plain], scales: Sequence[float]) -> Tensor:
    tensors = [(v, s) for v, s in zip(values, scales, strict=True) if isinstance(v, Tensor)]
    shift = np.zeros(())
    for value, s in zip(values, scales, strict=True):
        if isinstance(value, np.ndarray):
            shift = shift + s * low.coefficients(value, "the constant")
    if len(tensors) == 1:
        return lo.scale_shift(low, tensors[0][0], tensors[0][1], shift)
    total = lo.combine(low, [t for t, _ in tensors], [s for _, s in tensors])
    return total if not shift.any() and shift.shape == () else lo.scale_shift(low, total, 1.0, shift)


def _add(low: Lowering, call: Call, inputs: Inputs) -> Value:
    return _total(low, required(low, inputs), [1.0] * len(inputs))


def _sub(low: Lowering, call: Call, inputs: Inputs) -> Value:
    return _total(low, required(low, inputs, 2), [1.0, -1.0])


def _mul(low: Lowering, call: Call, inputs: Inputs) -> Value:
    a, b = required(low, inputs, 2)
    if isinstance(a, Steps) or isinstance(b, Steps):
        return st.multiply(low, a, b)
    if isinstance(a, Tensor):
        return lo.scale_shift(low, a, constant(low, b, "second factor"))
    return lo.scale_shift(low, tensor(low, b, "factor"), a)


def _div(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    a, b = plain(low, inputs, 2)
    return lo.divide(low, tensor(low, a, "dividend"), constant(low, b, "divisor"))


def _neg(low: Lowering, call: Call, inputs: Inputs) -> Value:
    if isinstance(inputs[0], Steps):
        return st.add(low, [inputs[0]], [-1.0])
    return lo.scale_shift(low, tensor(low, inputs[0], "data"), -1.0)


def _matmul(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    a, b = plain(low, inputs, 2)
    if isinstance(a, Tensor):
        return lo.matmul(low, a, constant(low, b, "second factor"), constant="right")
    return lo.matmul(low, tensor(low, b, "factor"), a, constant="left")


def _gemm(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    a, b = plain(low, inputs[:2], 2)
    c = st.settle(low, inputs[2]) if len(inputs) > 2 and inputs[2] is not None else None
    at = call.attributes
    turned = [v if not at[f] else _transposed(low, v) for v, f in ((a, "transA"), (b, "transB"))]
    alpha, beta = float(at["alpha"]), float(at["beta"])
    bias = None
    if c is not None and not isinstance(c, Tensor):
        bias = lo.scaled(low, c, beta)
    if isinstance(turned[0], Tensor):
        matrix = lo.scaled(low, constant(low, turned[1], "second factor"), alpha)
        out = lo.matmul(low, turned[0], matrix, constant="right", bias=bias)
    else:
        second = tensor(low, turned[1], "factor")
        out = lo.matmul(low, second, lo.scaled(low, turned[0], alpha), constant="left", bias=bias)
    return lo.combine(low, [out, c], [1.0, beta]) if isinstance(c, Tensor) else out


def _transposed(low: Lowering, value: Plain) -> Plain:
    if isinstance(value, Tensor):
        return lo.rearrange(low, [value], value.marks().T)
    return value.T


def _relu(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.piecewise(low, tensor(low, inputs[0], "data"), [0.0], [0.0, 1.0], [0.0, 0.0])


def _leaky(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.leaky_relu(low, tensor(low, inputs[0], "data"), float(call.attributes["alpha"]))


def _prelu(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    a, b = plain(low, inputs, 2)
    return lo.leaky_relu(low, tensor(low, a, "data"), constant(low, b, "slope"))


def _abs(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.absolute(low, tensor(low, inputs[0], "data"))


def _clip(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    bounds: list[float | None] = [call.attributes.get("min"), call.attributes.get("max")]
    for i, value in enumerate(inputs[1:3]):
        if value is not None:
            bounds[i] = float(constant(low, value, "bound").reshape(()))
    return lo.clip(low, tensor(low, inputs[0], "data"), *bounds)


def _hard_sigmoid(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    at = call.attributes
    z = lo.scale_shift(low, tensor(low, inputs[0], "data"), float(at["alpha"]), float(at["beta"]))
    return lo.clip(low, z, 0.0, 1.0)


def _max(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.extreme(low, plain(low, inputs), sign=1)


def _min(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.extreme(low, plain(low, inputs), sign=-1)


def _final(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    return lo.drop_final(low, tensor(low, inputs[0], "data"))


def _batch_norm(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    if call.attributes.get("training_mode") or call.n_outputs > 1:
        raise low.unsupported("it is in training mode. Export the model in evaluation mode.")
    x = tensor(low, inputs[0], "data")
    names = ("scale", "bias", "mean", "variance")
    scale, shift, mean, variance = [
        low.coefficients(constant(low, v, n), n) for v, n in zip(inputs[1:5], names, strict=True)
    ]
    a, b, rounded = batch_norm(scale, shift, mean, variance, float(call.attributes["epsilon"]))
    return lo.channels(low, x, a, b, rounded=rounded)


REARRANGING = ("Compress", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Reshape",
               "ReverseSequence", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
               "Unsqueeze")  # fmt: skip

# operators at the very end that are left out: their arguments decide
FINAL = ("LogSoftmax", "Sigmoid", "Softmax", "Tanh")

# operators that a dropped softmax or sigmoid may still be followed by: they move its entries, or choose among them
PASSING = frozenset(REARRANGING) | {"Cast", "CastLike", "Concat", "Dropout", "Identity"}

OPERATORS: dict[str, Operator] = {
    **dict.fromkeys(REARRANGING, _first_rearranged),
    **AXIS_OPERATORS,
    **IMAGE_OPERATORS,
    **MASK_OPERATORS,
    "Abs": _abs,
    "Add": _add,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Clip": _clip,
    "Concat": _concat,
    "Div": _div,
    "Dropout": _dropout,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "Identity": _unchanged,
    "LeakyRelu": _leaky,
    "LogSoftmax": _final,
    "MatMul": _matmul,
    "Max": _max,
    "Mean": _mean,
    "Min": _min,
    "Mul": _mul,
    "Neg": _neg,
    "PRelu": _prelu,
    "Pad": _pad,
    "Relu": _relu,
    "Sigmoid": _final,
    "Softmax": _final,
    "Sub": _sub,
    "Sum": _add,
    "Tanh": _final,
}

# operators that may be run on constants: the above, and those of shape and weight arithmetic
FOLDED = frozenset(OPERATORS) | {
    "ArgMax", "ArgMin", "Ceil", "Constant", "ConstantOfShape", "DequantizeLinear", "Erf", "Exp", "EyeLike", "Floor",
    "IsInf", "IsNaN", "Log", "Mod", "NonZero", "Pow", "Range", "Reciprocal", "ReduceL2", "ReduceProd",
    "ReduceSumSquare", "Round", "Shape", "Size", "Sqrt",
}  # fmt: skip
