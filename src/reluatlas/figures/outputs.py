"""Which function of the outputs is drawn? One output, a difference of two, or the largest of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

FloatArray = NDArray[np.float64]
Output = int | tuple[int, int] | None


def resolve(output: Output, n_outputs: int) -> int | tuple[int, int] | None:
    """Return the output asked for: an index, a pair (plus, minus), or None for all of three or more.

    None stands for the single output, for output 1 minus output 0 of two, and for all of more.
    """
    if output is None:
        return {1: 0, 2: (1, 0)}.get(n_outputs)
    pair = output if isinstance(output, tuple | list) else (output,)
    whole = all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in pair)
    if not whole or len(pair) not in (1, 2) or not all(0 <= c < n_outputs for c in pair) or len(set(pair)) != len(pair):
        raise ArgumentError(
            f"`output={output!r}` names no output; there are {n_outputs}. Pass an index below {n_outputs}, "
            "a pair (c, d) of different ones for the difference c minus d, or None."
        )
    return int(pair[0]) if len(pair) == 1 else (int(pair[0]), int(pair[1]))


def maps_of(cx: PolyhedralComplex, output: int | tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Return slopes (n_cells, 2) and constants (n_cells,) of one output or difference."""
    A, b = cx.affine.A, cx.affine.b
    if isinstance(output, int):
        return A[:, output], b[:, output]
    plus, minus = output
    return A[:, plus] - A[:, minus], b[:, plus] - b[:, minus]


def name_of(output: int | tuple[int, int], n_outputs: int) -> str:
    """Return the name of an output or difference for a label."""
    if isinstance(output, tuple):
        return f"output {output[0]} − output {output[1]}"
    return "output" if n_outputs == 1 else f"output {output}"
