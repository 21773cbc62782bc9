"""What does each supported operator become? The documentation's page, made of the operator tables."""

from __future__ import annotations

from reluatlas.importers.groups import GROUPS
from reluatlas.importers.onnx import refused
from reluatlas.importers.onnx.operators import table as onnx_operators
from reluatlas.importers.torch.operators import masks as torch_masks
from reluatlas.importers.torch.operators import table as torch_operators


def groups_of_onnx() -> dict[str, str]:
    """Return the group of each ONNX operator, by its name."""
    return {name: row.group for name, row in onnx_operators.OPERATORS.items()}


def groups_of_torch() -> dict[str, str]:
    """Return the group of each ATen operator, by its name."""
    return {
        **dict.fromkeys(torch_operators.REARRANGING, "moving entries"),
        **dict.fromkeys(torch_operators.UNCHANGED, "casts, dropout, identity"),
        **{name: row.group for name, row in torch_operators.OPERATORS.items()},
        **{name: row.group for name, row in torch_masks.MASK_OPERATORS.items()},
    }


def _listed(groups: dict[str, str], title: str) -> str:
    return ", ".join(f"`{name}`" for name in sorted(groups) if groups[name] == title)


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
    onnx, torch = groups_of_onnx(), groups_of_torch()
    for g in GROUPS:
        lines.append(f"| {g.title} | {g.becomes} | {_listed(onnx, g.title)} | {_listed(torch, g.title)} | {g.remark} |")
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
