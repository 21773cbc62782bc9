"""What does each supported operator become? The groups of the documentation's table, by framework."""

from __future__ import annotations

from dataclasses import dataclass

from reluatlas.importers.onnx import refused
from reluatlas.importers.onnx.operators import table as onnx_operators
from reluatlas.importers.torch.operators import table as torch_operators


@dataclass(frozen=True)
class Group:
    """Operators that become the same kind of node.

    Attributes
    ----------
    title : str
    becomes : str
        The kind of node: affine, breakpoints, max, or nothing.
    onnx, torch : tuple of str
        Names in the operator tables.
    remark : str
        What is supported of them, and how exact it is.
    """

    title: str
    becomes: str
    onnx: tuple[str, ...]
    torch: tuple[str, ...]
    remark: str


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GROUPS = (
    Group(
        "dense layers", "affine", _names("Einsum Gemm MatMul"),
        _names("_sparse_addmm addmm addmv baddbmm bmm linear matmul mm mv"),
        "one factor depends on the input, the others are constants; "
        "a `Gemm`'s alpha and beta are multiplied into the weights, rounded where noted",
    ),
    Group(
        "convolutions", "affine", _names("Conv ConvTranspose"), _names("convolution"),
        "any number of axes; stride, padding, `auto_pad`, dilation, groups, output padding; kept as a convolution",
    ),
    Group(
        "batch norm", "affine", _names("BatchNormalization"), _names("_native_batch_norm_legit_no_training batch_norm"),
        "evaluation mode; scale and shift are rounded once to float64, with a note",
    ),
    Group(
        "average pools", "affine", _names("AveragePool GlobalAveragePool"),
        _names("_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d avg_pool1d avg_pool2d avg_pool3d"),
        "stride, padding (counted or not), dilation, ceil mode, divisor, adaptive; exact ratios such as 1/9",
    ),
    Group(
        "means and sums", "affine", _names("CumSum Mean ReduceMean ReduceSum"), _names("cumsum mean sum"),
        "over any axes; exact ratios",
    ),
    Group(
        "resizing", "affine", _names("Resize Upsample"),
        _names(
            "upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_trilinear3d"
        ),
        "nearest and (bi-, tri-)linear; exact ratios while they stay below 2^32, else rounded with a note",
    ),
    Group(
        "arithmetic", "affine", _names("Add Div Mul Neg Sub Sum"), _names("add div mul neg rsub sub"),
        "of tensors (sums) and constants; division by one small whole number is an exact ratio, by anything else "
        "its reciprocal is rounded with a note",
    ),
    Group(
        "moving entries", "affine",
        _names("CenterCropPad Concat Pad Scatter ScatterElements ScatterND Trilu") + onnx_operators.REARRANGING,
        (*sorted(torch_operators.REARRANGING), "constant_pad_nd", "pad"),
        "with constant indices, shapes and conditions; padding with a constant, reflected, repeated or circular",
    ),
    Group(
        "functions of one variable", "breakpoints",
        _names("Abs Clip HardSigmoid LeakyRelu PRelu Relu Shrink ThresholdedRelu"),
        _names(
            "abs clamp clamp_max clamp_min hardshrink hardsigmoid hardtanh leaky_relu prelu relu relu6 rrelu "
            "softshrink threshold"
        ),
        "bounds and slopes are constants; `threshold` and shrinking where they are continuous (soft shrink)",
    ),
    Group(
        "comparisons, masks, choices", "breakpoints",
        _names("And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Sign Where Xor"),
        _names(
            "bitwise_and bitwise_not bitwise_or bitwise_xor ge gt heaviside le logical_and logical_not logical_or "
            "logical_xor lt sgn sign where"
        ),
        "where what is made of them is continuous, decided exactly: `where(h > 0, h, 0)`, `h * (h > 0)`, `h * sign(h)`",
    ),
    Group(
        "norms", "breakpoints", _names("GlobalLpPool LpPool ReduceL1"), _names("linalg_vector_norm"),
        "of p = 1: sums of absolute values; of torch also the largest absolute value",
    ),
    Group(
        "the larger or smaller of tensors", "max", _names("Max Min"), _names("max.other maximum min.other minimum"),
        "of tensors and constants; with constants only, breakpoints",
    ),
    Group(
        "max pools, maxout, sorting", "max", _names("GlobalMaxPool MaxPool ReduceMax ReduceMin TopK"),
        _names(
            "adaptive_max_pool2d adaptive_max_pool3d amax amin max.default max.dim max_pool2d_with_indices "
            "max_pool3d_with_indices min.default min.dim cummax cummin kthvalue median.dim sort topk"
        ),
        "stride, padding (left out of the windows), dilation, ceil mode, adaptive; not the indices; sorting of up "
        "to 64 entries along an axis, as the largest and smallest of pairs",
    ),
    Group(
        "casts, dropout, identity", "nothing", _names("Cast CastLike Dropout Identity"),
        tuple(sorted(torch_operators.UNCHANGED)),
        "casts to floats; dropout in evaluation mode",
    ),
    Group(
        "final activations", "nothing", onnx_operators.FINAL,
        _names("_log_softmax _softmax log_sigmoid log_softmax sigmoid softmax tanh"),
        "dropped at the very end, where their entries are at most moved or chosen, with a note: their arguments decide",
    ),
)  # fmt: skip


def markdown() -> str:
    """Return the documentation's page on operators."""
    lines = [
        "# Supported operators",
        "",
        "<!-- Written by scripts/operators_table.py from the operator tables. Do not edit. -->",
        "",
        "A network is made of three kinds of node: affine, breakpoints (a piecewise-linear function of one variable)",
        "and max. This is what the operators of a model become. ONNX: operator sets 7 to the newest. torch: the ATen",
        "operators that `torch.export` leaves; modules such as `Conv2d` are made of them.",
        "",
        "| | becomes | ONNX | ATen | |",
        "|---|---|---|---|---|",
    ]
    for g in GROUPS:
        onnx, torch = (", ".join(f"`{n}`" for n in sorted(set(names))) for names in (g.onnx, g.torch))
        lines.append(f"| {g.title} | {g.becomes} | {onnx} | {torch} | {g.remark} |")
    folded = sorted(onnx_operators.FOLDED - set(onnx_operators.OPERATORS))
    lines += [
        "",
        "Of constants, the following ONNX operators are computed at import, too (shape arithmetic): "
        + ", ".join(f"`{n}`" for n in folded)
        + "; of torch, any.",
        "",
        "## Refused, and why",
        "",
        "Anything that is not in the table is refused with the name of the node. Of these, the message says why:",
        "",
        "| ONNX | ATen | |",
        "|---|---|---|",
    ]
    reasons: dict[str, tuple[list[str], list[str]]] = {}
    for side, table in enumerate((refused.REASONS, torch_operators.REASONS)):
        for name, reason in table.items():
            reasons.setdefault(reason, ([], []))[side].append(f"`{name}`")
    for reason, (onnx_names, torch_names) in reasons.items():
        lines.append(f"| {', '.join(sorted(onnx_names))} | {', '.join(sorted(torch_names))} | {reason} |")
    lines += [
        "",
        "Also refused: batch norm or dropout in training mode, free lengths without `input_shape=`, control flow that",
        "depends on the data, products of two tensors that depend on the input.",
        "",
        "## What is rounded",
        "",
        "Coefficients are the stored weights, upcast exactly to float64, or ratios of whole numbers. Everything that",
        "had to be rounded is in `Network.notes`: the scale and shift of a batch norm, the reciprocal of a constant",
        "that is no small whole number, weights times a `Gemm`'s factors, and ratios where more than about five",
        "average pools of 7 x 7 follow on each other (a denominator above 2^32).",
        "",
    ]
    return "\n".join(lines)
