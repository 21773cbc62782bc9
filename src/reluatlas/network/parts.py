"""Which named parts does an input have? Several inputs of a model are one joint input, one after another, flat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.typing import FloatArray


@dataclass(frozen=True)
class Part:
    """One input of a model with several: its entries are a run of the joint input.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Without a batch axis.
    start : int
        Where its entries begin in the joint input.
    """

    name: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Number of its entries."""
        return prod(self.shape)

    @property
    def slice(self) -> slice:
        """Its entries among those of the joint input."""
        return slice(self.start, self.start + self.size)


def parts_of(named: Sequence[tuple[str, Sequence[int]]]) -> tuple[Part, ...]:
    """Return parts that follow on each other."""
    out, start = [], 0
    for name, shape in named:
        part = Part(str(name), tuple(int(s) for s in shape), start)
        out.append(part)
        start += part.size
    return tuple(out)


def check_names(parts: Sequence[Part], given: Mapping[str, Any], label: str) -> None:
    """Raise when a mapping does not name each part once.

    Raises
    ------
    ArgumentError
        When a name is missing or unknown, or the network has one input.
    """
    names = [part.name for part in parts]
    if not names:
        raise ArgumentError(f"`{label}` names parts of the input but the network has one input. Pass an array.")
    unknown = [name for name in given if name not in names]
    missing = [name for name in names if name not in given]
    if unknown or missing:
        wrong = f"has no part `{unknown[0]}`" if unknown else f"lacks the part `{missing[0]}`"
        raise ArgumentError(
            f"`{label}` {'names a part that the network lacks: it' if unknown else ''} {wrong}; expected "
            f"{', '.join(names)}.".replace("  ", " ")
        )


def join(parts: Sequence[Part], X: Mapping[str, Any]) -> FloatArray:
    """Return points as rows of the joint input: (N, n), or (n,) where each part is one point.

    Raises
    ------
    ArgumentError
        When a name is missing or unknown.
    DimensionError
        When an array has another shape, or the parts have other numbers of points.
    """
    check_names(parts, X, "X")
    rows, counts = [], []
    for part in parts:
        array = np.asarray(X[part.name], dtype=np.float64)
        if array.shape == part.shape or array.shape == (part.size,):
            rows.append(array.reshape(1, -1))
            counts.append(None)
        elif array.ndim and (array.shape[1:] == part.shape or array.shape[1:] == (part.size,)):
            rows.append(array.reshape(array.shape[0], -1))
            counts.append(array.shape[0])
        else:
            raise DimensionError(
                f"`X[{part.name!r}]` has shape {array.shape} but that part has shape {part.shape}. "
                f"Pass (N, {', '.join(map(str, part.shape))}), or one point."
            )
    lengths = {n for n in counts if n is not None}
    if len(lengths) > 1:
        raise DimensionError(f"the parts of `X` have {sorted(lengths)} points; expected as many in each.")
    if not lengths:
        return np.concatenate(rows, axis=1)[0]
    n = lengths.pop()
    return np.concatenate([np.broadcast_to(row, (n, row.shape[1])) for row in rows], axis=1)


def joined_sides(parts: Sequence[Part], ranges: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper sides of a box of the joint input, from `(low, high)` of each part.

    Each of the two is a number or an array of the part's shape; a part that is to stay where it is has `low == high`,
    which no `Box` takes: cut a `Slice` instead.

    Raises
    ------
    ArgumentError, DimensionError
        When a name is missing or unknown, or a range is no pair of numbers or arrays of the part's shape.
    """
    check_names(parts, ranges, "ranges")
    sides = []
    for part in parts:
        try:
            low, high = ranges[part.name]
        except (TypeError, ValueError):
            raise ArgumentError(
                f"`ranges[{part.name!r}]` is no pair (low, high). Pass two numbers or arrays."
            ) from None
        both = []
        for side in (low, high):
            array = np.asarray(side, dtype=np.float64)
            if array.shape not in ((), part.shape, (part.size,)):
                raise DimensionError(
                    f"`ranges[{part.name!r}]` has a side of shape {array.shape} but that part has shape {part.shape}."
                )
            both.append(np.broadcast_to(array.reshape(-1) if array.ndim else array, (part.size,)))
        sides.append(both)
    low, high = (np.concatenate(columns) for columns in zip(*sides, strict=True))
    return low, high
