"""What do operators make of constants, and is it exact? Weights that a model computes from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reluatlas.importers.lowering.weights import product
from reluatlas.importers.torch.run import is_float, recast

# operators that round nothing, whatever they are given
_EXACT = frozenset({
    "_to_copy", "_unsafe_index", "_unsafe_view", "abs", "alias", "amax", "amin", "arange", "argmax", "argmin",
    "as_strided", "bitwise_and", "bitwise_not", "bitwise_or", "cat", "ceil", "chunk", "clamp", "clamp_max",
    "clamp_min", "clone", "constant_pad_nd", "contiguous", "copy", "detach", "diag_embed", "diagonal", "empty",
    "empty_like", "eq", "expand", "eye", "fill", "flatten", "flip", "floor", "full", "full_like", "gather", "ge",
    "getitem", "gt", "index", "index_put", "index_select", "isfinite", "isinf", "isnan", "le", "lift_fresh_copy",
    "logical_and", "logical_not", "logical_or", "lt", "masked_fill", "max", "maximum", "min", "minimum", "movedim",
    "narrow", "ne", "neg", "new_empty", "new_full", "new_ones", "new_zeros", "ones", "ones_like", "pad", "permute",
    "pixel_shuffle", "pixel_unshuffle", "relu", "repeat", "reshape", "roll", "round", "scalar_tensor", "scatter",
    "select", "select_scatter", "sign", "slice", "slice_scatter", "sort", "split", "split_with_sizes", "squeeze",
    "stack", "t", "to", "topk", "transpose", "tril", "triu", "trunc", "unbind", "unflatten", "unsqueeze", "view",
    "where", "zeros", "zeros_like",
})  # fmt: skip


def is_random(target: Any) -> bool:
    """Return whether an operator draws random numbers."""
    import torch

    return torch.Tag.nondeterministic_seeded in getattr(target, "tags", ())


def fold(target: Any, packet: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return what an operator makes of constants, in float64, and whether that may be rounded.

    Products, sums and differences are checked; other arithmetic counts as rounded.
    """
    import torch

    double = torch.float64
    with torch.no_grad():
        made = target(*recast(tuple(args), double), **{k: recast(v, double) for k, v in kwargs.items()})
    made = recast(list(made) if isinstance(made, tuple) else made, double)
    if packet in _EXACT or not holds_floats(made):
        return made, False
    if packet in ("mul", "add", "sub") and len(args) == 2 and not kwargs:
        a, b = (np.asarray(recast(v, double), dtype=np.float64) for v in args)
        return made, product(a, b)[1] if packet == "mul" else _sum_is_rounded(a, b if packet == "add" else -b)
    return made, True


def holds_floats(value: Any) -> bool:
    """Return whether a constant, or one of several, is a tensor of floats."""
    import torch

    parts = value if isinstance(value, list) else [value]
    return any(isinstance(p, torch.Tensor) and is_float(p) for p in parts)


def _sum_is_rounded(a: np.ndarray, b: np.ndarray) -> bool:
    # the error of a float sum is a float itself (Knuth's two-sum)
    total = a + b
    rest = total - a
    return bool(np.any((a - (total - rest)) + (b - rest) != 0))
