"""Into which groups does the documentation put operators? A row of an operator table names its own: `Row`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Lower = TypeVar("Lower")


@dataclass(frozen=True)
class Row(Generic[Lower]):
    """A row of an operator table.

    Attributes
    ----------
    lower : callable
        Makes nodes of the network of one call of the operator.
    group : str
        The title of its group, one of `GROUPS`.
    """

    lower: Lower
    group: str


@dataclass(frozen=True)
class Group:
    """Operators that become the same kind of node.

    Attributes
    ----------
    title : str
    becomes : str
        The kind of node: affine, breakpoints, max, or nothing.
    remark : str
        What is supported of them, and how exact it is.
    """

    title: str
    becomes: str
    remark: str


GROUPS = (
    Group(
        "dense layers",
        "affine",
        "one factor depends on the input, the others are constants; a `Gemm`'s alpha and beta are multiplied into "
        "the weights, rounded where noted",
    ),
    Group(
        "convolutions",
        "affine",
        "any number of axes; stride, padding, `auto_pad`, dilation, groups, output padding; kept as a convolution",
    ),
    Group(
        "batch norm",
        "affine",
        "evaluation mode; scale and shift are rounded once to float64, with a note",
    ),
    Group(
        "average pools",
        "affine",
        "stride, padding (counted or not), dilation, ceil mode, divisor, adaptive; exact ratios such as 1/9",
    ),
    Group(
        "means and sums",
        "affine",
        "over any axes; exact ratios",
    ),
    Group(
        "resizing",
        "affine",
        "nearest and (bi-, tri-)linear; exact ratios while they stay below 2^32, else rounded with a note",
    ),
    Group(
        "arithmetic",
        "affine",
        "of tensors (sums) and constants; division by one small whole number is an exact ratio, by anything else "
        "its reciprocal is rounded with a note",
    ),
    Group(
        "moving entries",
        "affine",
        "with constant indices, shapes and conditions; padding with a constant, reflected, repeated or circular",
    ),
    Group(
        "functions of one variable",
        "breakpoints",
        "bounds and slopes are constants; `threshold` and shrinking where they are continuous (soft shrink)",
    ),
    Group(
        "comparisons, masks, choices",
        "breakpoints",
        "where what is made of them is continuous, decided exactly: `where(h > 0, h, 0)`, `h * (h > 0)`, `h * sign(h)`",
    ),
    Group(
        "norms",
        "breakpoints",
        "of p = 1: sums of absolute values; of torch also the largest absolute value",
    ),
    Group(
        "the larger or smaller of tensors",
        "max",
        "of tensors and constants; with constants only, breakpoints",
    ),
    Group(
        "max pools, maxout, sorting",
        "max",
        "stride, padding (left out of the windows), dilation, ceil mode, adaptive; not the indices; sorting of up "
        "to 64 entries along an axis, as the largest and smallest of pairs",
    ),
    Group(
        "casts, dropout, identity",
        "nothing",
        "casts to floats; dropout in evaluation mode",
    ),
    Group(
        "final activations",
        "nothing",
        "dropped at the very end, where their entries are at most moved or chosen, with a note: their arguments decide",
    ),
)
