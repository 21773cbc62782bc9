"""Which ATen operators are supported, and how is each lowered? `OPERATORS`, the table.

Keys are names of overload packets (`add`) or of single overloads (`max.other`). Operators that only
move entries are run by torch itself on the entries' numbers; see `REARRANGING`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.importers.lowering import tensors as lo
from reluatlas.importers.lowering.tensors import Lowering, Tensor, Value
from reluatlas.importers.lowering.weights import batch_norm
from reluatlas.importers.torch.call import Call, Operator, constant, tensor
from reluatlas.importers.torch.operators.images import IMAGE_OPERATORS
from reluatlas.importers.torch.operators.masks import AXIS_OPERATORS


def _sum(low: Lowering, a: Any, b: Any, factors: tuple[float, float]) -> Tensor:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return lo.combine(low, [a, b], factors)
    t, scale, constant, factor = (
        (a, factors[0], b, factors[1]) if isinstance(a, Tensor) else (b, factors[1], a, factors[0])
    )
    return lo.scale_shift(low, tensor(low, t, "term"), scale, lo.scaled(low, constant, factor))


def _add(low: Lowering, call: Call) -> Tensor:
    return _sum(low, call["self"], call["other"], (1.0, float(call.get("alpha", 1))))


def _sub(low: Lowering, call: Call) -> Tensor:
    return _sum(low, call["self"], call["other"], (1.0, -float(call.get("alpha", 1))))


def _rsub(low: Lowering, call: Call) -> Tensor:
    return _sum(low, call["self"], call["other"], (-float(call.get("alpha", 1)), 1.0))


def _neg(low: Lowering, call: Call) -> Tensor:
    return lo.scale_shift(low, tensor(low, call["self"], "argument"), -1.0)


def _mul(low: Lowering, call: Call) -> Tensor:
    a, b = call["self"], call["other"]
    if isinstance(a, Tensor):
        return lo.scale_shift(low, a, constant(low, b, "second factor"))
    return lo.scale_shift(low, tensor(low, b, "factor"), a)


def _div(low: Lowering, call: Call) -> Tensor:
    if call.get("rounding_mode") is not None:
        raise low.unsupported("it rounds, which is not continuous.")
    return lo.divide(low, tensor(low, call["self"], "dividend"), constant(low, call["other"], "divisor"))


def _product(low: Lowering, a: Any, b: Any, bias: Any = None) -> Tensor:
    if isinstance(a, Tensor):
        return lo.matmul(low, a, constant(low, b, "second factor"), constant="right", bias=bias)
    return lo.matmul(low, tensor(low, b, "factor"), a, constant="left", bias=bias)


def _matmul(low: Lowering, call: Call) -> Tensor:
    return _product(low, call["self"], call.get("mat2", call.get("other", call.get("vec"))))


def _linear(low: Lowering, call: Call) -> Tensor:
    weight = constant(low, call["weight"], "weight")
    bias = call["bias"]
    return lo.matmul(
        low,
        tensor(low, call["input"], "input"),
        np.swapaxes(weight, 0, -1),
        constant="right",
        bias=None if bias is None else constant(low, bias, "bias"),
    )


def _addmm(low: Lowering, call: Call) -> Tensor:
    alpha, beta = float(call.get("alpha", 1)), float(call.get("beta", 1))
    second = call.get("mat2", call.get("batch2", call.get("vec")))
    first = call.get("mat1", call.get("batch1", call.get("mat")))
    if isinstance(first, Tensor):
        second = lo.scaled(low, constant(low, second, "second factor"), alpha)
    else:
        first = lo.scaled(low, first, alpha)
    start = call["self"]
    if isinstance(start, Tensor):
        return lo.combine(low, [start, _product(low, first, second)], [beta, 1.0])
    return _product(low, first, second, lo.scaled(low, start, beta))


def _relu(low: Lowering, call: Call) -> Tensor:
    return lo.piecewise(low, tensor(low, call["self"], "argument"), [0.0], [0.0, 1.0], [0.0, 0.0])


def _abs(low: Lowering, call: Call) -> Tensor:
    return lo.piecewise(low, tensor(low, call["self"], "argument"), [0.0], [-1.0, 1.0], [0.0, 0.0])


def _leaky(low: Lowering, call: Call) -> Tensor:
    return lo.leaky_relu(low, tensor(low, call["self"], "argument"), float(call["negative_slope"]))


def _prelu(low: Lowering, call: Call) -> Tensor:
    x, slope = tensor(low, call["self"], "argument"), constant(low, call["weight"], "slope")
    if slope.ndim == 1 and slope.size > 1 and len(x.shape) > 1:
        slope = slope.reshape(-1, *(1,) * (len(x.shape) - 2))
    return lo.leaky_relu(low, x, slope)


def _rrelu(low: Lowering, call: Call) -> Tensor:
    if call.get("training"):
        raise low.unsupported("it is in training mode. Call the module's eval first.")
    slope = (float(call["lower"]) + float(call["upper"])) / 2
    return lo.leaky_relu(low, tensor(low, call["self"], "argument"), slope)


def _clamp(low: Lowering, call: Call) -> Tensor:
    x = tensor(low, call["self"], "argument")
    bounds = call.get("min", call.get("min_val")), call.get("max", call.get("max_val"))
    if all(b is None or np.ndim(b) == 0 for b in bounds) and not any(isinstance(b, Tensor) for b in bounds):
        return lo.clip(low, x, *bounds)
    for bound, sign in zip(bounds, (1, -1), strict=True):
        if bound is not None:
            x = lo.extreme(low, [x, bound if isinstance(bound, Tensor) else np.asarray(bound)], sign=sign)
    return x


def _relu6(low: Lowering, call: Call) -> Tensor:
    return lo.clip(low, tensor(low, call["self"], "argument"), 0.0, 6.0)


def _hard_sigmoid(low: Lowering, call: Call) -> Tensor:
    shifted = lo.scale_shift(low, tensor(low, call["self"], "argument"), 1.0, 3.0)
    return lo.divide(low, lo.clip(low, shifted, 0.0, 6.0), 6.0)


def _pair(call: Call) -> list[Value]:
    return [v if isinstance(v, Tensor) else np.asarray(v) for v in (call["self"], call["other"])]


def _maximum(low: Lowering, call: Call) -> Tensor:
    return lo.extreme(low, _pair(call), sign=1)


def _minimum(low: Lowering, call: Call) -> Tensor:
    return lo.extreme(low, _pair(call), sign=-1)


def _final(low: Lowering, call: Call) -> Tensor:
    return lo.drop_final(low, tensor(low, call["self"], "argument"))


def _batch_norm(low: Lowering, call: Call) -> list[Tensor]:
    x = tensor(low, call["input"], "input")
    if call.get("training") or len(x.shape) < 2:
        raise low.unsupported("it is in training mode. Call the module's eval first.")
    size = x.shape[1]
    scale, shift, mean, variance = (
        np.full(size, default) if call[name] is None else low.coefficients(constant(low, call[name], name), name)
        for name, default in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0))
    )
    a, b, rounded = batch_norm(scale, shift, mean, variance, float(call["eps"]))
    return [lo.channels(low, x, a, b, rounded=rounded)]


REARRANGING = frozenset({
    "_unsafe_index", "_unsafe_view", "alias", "as_strided", "cat", "chunk", "clone", "contiguous", "copy", "detach",
    "diagonal", "expand", "flatten", "flip", "gather", "index", "index_put", "index_select", "lift_fresh_copy",
    "movedim", "narrow", "permute", "pixel_shuffle", "pixel_unshuffle", "repeat", "reshape", "roll",
    "scatter.src", "select", "select_scatter", "slice",
    "slice_scatter", "split", "split_with_sizes", "squeeze", "stack", "t", "transpose", "unbind", "unflatten",
    "unfold", "unsqueeze", "view", "where.self",
})  # fmt: skip

# of those, the ones that read whole numbers as entries; others read them as places
JOINING = frozenset({"cat", "copy", "select_scatter", "slice_scatter", "stack", "where"})

# casts and dropout: the argument itself
UNCHANGED = frozenset({"_to_copy", "dropout", "native_dropout", "to"})

# random in training only, which is found where they are lowered
SWITCHED = frozenset({
    "dropout", "gru", "lstm", "native_dropout", "rnn_relu", "rnn_tanh", "rrelu", "scaled_dot_product_attention",
})  # fmt: skip

# operators that read the shape of a tensor only, and make constants
OF_SHAPES = frozenset({
    "empty_like", "fill", "full_like", "new_empty", "new_full", "new_ones", "new_zeros", "ones_like", "zeros_like",
})  # fmt: skip

# operators that a dropped softmax, sigmoid or tanh may still be followed by: they move its entries, or choose some
PASSING = UNCHANGED | {
    "_unsafe_view", "alias", "chunk", "clone", "contiguous", "detach", "flatten", "flip", "index", "index_select",
    "movedim", "narrow", "permute", "reshape", "select", "slice", "split", "split_with_sizes", "squeeze", "t",
    "transpose", "unbind", "unflatten", "unsqueeze", "view",
}  # fmt: skip

OPERATORS: dict[str, Operator] = {
    **AXIS_OPERATORS,
    **IMAGE_OPERATORS,
    "_log_softmax": _final,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_softmax": _final,
    "_sparse_addmm": _addmm,
    "abs": _abs,
    "add": _add,
    "addmm": _addmm,
    "addmv": _addmm,
    "baddbmm": _addmm,
    "batch_norm": _batch_norm,
    "bmm": _matmul,
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp,
    "div": _div,
    "hardsigmoid": _hard_sigmoid,
    "hardtanh": _clamp,
    "leaky_relu": _leaky,
    "linear": _linear,
    "log_sigmoid": _final,
    "log_softmax": _final,
    "matmul": _matmul,
    "max.other": _maximum,
    "maximum": _maximum,
    "min.other": _minimum,
    "minimum": _minimum,
    "mm": _matmul,
    "mul": _mul,
    "mv": _matmul,
    "neg": _neg,
    "prelu": _prelu,
    "relu": _relu,
    "relu6": _relu6,
    "rrelu": _rrelu,
    "rsub": _rsub,
    "sigmoid": _final,
    "softmax": _final,
    "sub": _sub,
    "tanh": _final,
}

# kept whole: torch.export would take them apart into pieces that are not continuous, or not exact, by themselves,
# or of which messages could not say what they were
KEPT = (
    "gru", "hardshrink", "hardsigmoid", "hardswish", "heaviside", "linear", "log_sigmoid", "lstm",
    "matmul", "mish", "mv", "pad", "prelu", "relu6",
    "rnn_relu", "rnn_tanh", "rrelu", "scaled_dot_product_attention", "silu", "softplus", "softshrink", "threshold",
    "upsample_bilinear2d", "upsample_linear1d", "upsample_nearest1d", "upsample_nearest2d", "upsample_trilinear3d",
)  # fmt: skip

_ROUNDS = "it rounds, which is not continuous. Pass the float model."
_BATCH = (
    "it normalizes by the statistics of the batch at hand, not by running ones. Train batch norm with "
    "track_running_stats=True, and use it in evaluation mode."
)

REASONS: dict[str, str] = {
    **dict.fromkeys(
        ("gelu", "silu", "elu", "selu", "celu", "softplus", "mish", "hardswish", "erf", "exp", "pow", "log1p", "log",
         "sqrt", "rsqrt", "sin", "cos", "square", "glu"),
        "it is not piecewise linear. Use a network with ReLU or another piecewise-linear activation.",
    ),
    **dict.fromkeys(
        ("eq", "ne", "floor", "ceil", "round", "trunc", "fmod", "remainder", "bucketize", "isnan"),
        "it is not continuous. Only continuous functions have a polyhedral complex.",
    ),
    **dict.fromkeys(
        ("argmax", "argmin", "argsort"),
        "it gives places, which are whole numbers. Return the values that it compares: the largest output decides.",
    ),
    **dict.fromkeys(
        ("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine", "quantize_per_tensor",
         "quantize_per_channel", "dequantize_per_tensor", "fake_quantize_per_tensor_affine_cachemask",
         "fake_quantize_per_channel_affine_cachemask", "_fused_moving_avg_obs_fq_helper"),
        _ROUNDS,
    ),
    **dict.fromkeys(
        ("native_layer_norm", "native_group_norm", "var", "std", "var_mean"),
        "it divides by, or squares, what it computes from its input. Use batch norm in evaluation mode.",
    ),
    **dict.fromkeys(("_native_batch_norm_legit", "_native_batch_norm_legit_functional"), _BATCH),
    **dict.fromkeys(
        ("lstm", "gru", "rnn_relu", "rnn_tanh"), "recurrent networks multiply by gates or have no single graph."
    ),
    **dict.fromkeys(
        ("_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique2", "unique_dim"),
        "what follows depends on the numbers that it finds; expected the same operations for every input.",
    ),
    "embedding": "it looks up rows by whole numbers. Pass the part behind the embedding.",
    "scaled_dot_product_attention": "attention multiplies what it computes from its input.",
}  # fmt: skip
