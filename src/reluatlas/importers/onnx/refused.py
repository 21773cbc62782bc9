"""Why is an ONNX operator refused, and what can its user do? One true reason each."""

from __future__ import annotations

SMOOTH = "it is not piecewise linear. Use a network with ReLU or another piecewise-linear activation."
MULTIPLIES = "it multiplies what it computes from its input by itself, which is not piecewise linear."
NORM = "it divides by, or squares, what it computes from its input. Use batch norm in evaluation mode."
ROUNDS = "it jumps at whole numbers; only continuous functions have a polyhedral complex. Export the model without it."
CHOICE = (
    "it gives places of entries, which jump where another entry becomes the largest. Export the model without it: the "
    "scores that it reads are what the complex is made of."
)
QUANTISED = (
    "it belongs to a quantised model, which computes in whole numbers. Export the float model, before quantisation."
)
RANDOM = "it draws random numbers. Export the model in evaluation mode."
RECURRENT = (
    "its gates multiply what it computes from its input, step by step. Recurrent networks are not piecewise linear."
)
LOOP = (
    "loops and branches have no single graph. Export the model for one length, with loops unrolled and branches taken."
)
LISTS = "it makes lists of tensors. Export the model so that it computes with tensors alone."
SHAPED = "the shape of what it makes depends on the numbers in it. Export the model without this last step."

REASONS: dict[str, str] = {
    **dict.fromkeys(
        (
            "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Gelu",
            "Log", "Mish", "Pow", "ReduceLogSum", "ReduceLogSumExp", "Reciprocal", "Selu", "Sin", "Sinh", "Softplus",
            "Softsign", "Sqrt", "Swish", "Tan",
        ),
        SMOOTH,
    ),
    "HardSwish": "z * clip(z + 3, 0, 6) / 6 is quadratic from -3 to 3. Use a network with ReLU or hard sigmoid alone.",
    **dict.fromkeys(("CumProd", "Det", "ReduceProd", "SwiGLU"), MULTIPLIES),
    **dict.fromkeys(
        (
            "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization", "LpNormalization",
            "MeanVarianceNormalization", "RMSNormalization", "ReduceL2", "ReduceSumSquare",
        ),
        NORM,
    ),
    **dict.fromkeys(("Ceil", "Floor", "Mod", "Round"), ROUNDS),
    **dict.fromkeys(("ArgMax", "ArgMin", "Hardmax"), CHOICE),
    **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique"), SHAPED),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), RECURRENT),
    **dict.fromkeys(("If", "Loop", "Scan"), LOOP),
    **dict.fromkeys(
        (
            "ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul",
            "QuantizeLinear",
        ),
        QUANTISED,
    ),
    **dict.fromkeys(
        ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), RANDOM
    ),
    **dict.fromkeys(
        (
            "ConcatFromSequence", "Optional", "OptionalGetElement", "SequenceAt", "SequenceConstruct", "SequenceInsert",
            "SplitToSequence",
        ),
        LISTS,
    ),
    **dict.fromkeys(("Attention", "LinearAttention"), "attention multiplies what it computes from its input."),
}  # fmt: skip


def reason_of(operator: str, domain: str) -> str:
    """Return why a node is refused, and what to do."""
    if domain not in ("", "ai.onnx"):
        return (
            f"it belongs to the operator set `{domain[:40]}`, not to ONNX's own. Export the model again, without the "
            "optimisations of a runtime."
        )
    return REASONS.get(
        operator, "it is not one of those that docs/operators.md lists. Ask for it if it is piecewise linear."
    )
