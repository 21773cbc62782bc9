"""What are the rows of a network on one cell? Composed from the weights, in whole numbers: nothing is rounded.

A part of the check: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any

import numpy as np

from reluatlas.deadline import look
from reluatlas.domain import Domain, Slice
from reluatlas.network.operators import Convolution, Dense, Gather
from reluatlas.network.record import Affine, Breakpoints, Max

Row = tuple[list[Fraction], Fraction]
"""An affine function: its coefficients and its constant."""
_KEPT = 64  # matrices of operators


class Tensor:
    """Affine functions of z, one per entry: `matrix / scale`, columns k coefficients and a constant."""

    def __init__(self, matrix: Any, scale: int) -> None:
        self.matrix = matrix
        self.scale = scale


def chosen(node: Breakpoints | Max, source: list[Row], pieces: Sequence[int], k: int) -> Tensor:
    """Return what a cut node gives when its units have these pieces."""
    out: list[list[Fraction]] = []
    for i, p in enumerate(pieces):
        if isinstance(node, Breakpoints):
            slope, shift = Fraction(float(node.slopes[i, p])), Fraction(float(node.intercepts[i, p]))
            a, c = source[i]
            out.append([*(slope * v for v in a), slope * c + shift] if slope else [Fraction(0)] * k + [shift])
        else:
            a, c = source[int(node.candidates[node.offsets[i] + p])]
            out.append([*a, c])
    return whole(out)


def whole(table: list[list[Fraction]]) -> Tensor:
    """Return a tensor of these numbers."""
    from flint import fmpz_mat

    scale = lcm(*(v.denominator for row in table for v in row)) if table else 1
    numbers = [[v.numerator * (scale // v.denominator) for v in row] for row in table]
    return Tensor(fmpz_mat(numbers) if table else None, scale)


def fractions(tensor: Tensor) -> list[Row]:
    """Return the rows of a tensor."""
    if tensor.matrix is None:
        return []
    width = tensor.matrix.ncols()
    values = [int(v) for v in tensor.matrix.entries()]
    out = []
    for start in range(0, len(values), width):
        row = [Fraction(v, tensor.scale) if v else Fraction(0) for v in values[start : start + width]]
        out.append((row[:-1], row[-1]))
    return out


def identity(k: int) -> Tensor:
    """Return the tensor of the coordinates themselves."""
    return whole([[Fraction(int(i == j)) for j in range(k + 1)] for i in range(k)])


def start(domain: Domain) -> Tensor:
    """Return the network's input in the coordinates of a domain."""
    k = domain.dim
    if not isinstance(domain, Slice):
        return identity(k)
    table = np.concatenate([domain.basis.T, domain.origin[:, None]], axis=1)
    return whole([[Fraction(float(v)) for v in row] for row in table])


@lru_cache(maxsize=_KEPT)
def matrix_of(operator: Any) -> tuple[Any, int]:
    """Return an operator's matrix as whole numbers over one denominator."""
    from flint import fmpz_mat

    table = np.zeros((operator.n_out, operator.n_in))
    denominator = 1
    if isinstance(operator, Dense):
        table = operator.weight
    elif isinstance(operator, Gather):
        for i, (j, factor) in enumerate(zip(operator.index.tolist(), operator.scale.tolist(), strict=True)):
            if j >= 0:
                table[i, j] = factor
    else:
        sparse = operator.sparse if isinstance(operator, Convolution) else operator
        for i in range(sparse.n_out):
            run = slice(sparse.indptr[i], sparse.indptr[i + 1])
            table[i, sparse.indices[run]] = sparse.values[run]
        denominator = sparse.denominator
    # powers of two: the largest denominator is a multiple of all
    shared, rows = 1, []
    for row in table:
        look()
        rows.append([value.as_integer_ratio() for value in row.tolist()])
        shared = max(shared, max((d for _, d in rows[-1]), default=1))
    whole_rows = []
    for pairs in rows:
        look()
        whole_rows.append([n * (shared // d) for n, d in pairs])
    return fmpz_mat(table.shape[0], table.shape[1], [n for row in whole_rows for n in row]), shared * denominator


def affine(node: Affine, tensors: dict[int, Tensor], k: int) -> Tensor:
    """Return what an affine node gives."""
    from flint import fmpz_mat

    size = node.bias.size
    bias = whole([[*([Fraction(0)] * k), Fraction(float(v))] for v in node.bias])
    total, scale = bias.matrix, bias.scale
    for source, operator in zip(node.inputs, node.operators, strict=True):
        matrix, denominator = matrix_of(operator)
        part, own = matrix * tensors[source].matrix, denominator * tensors[source].scale
        shared = lcm(scale, own)
        total, scale = total * (shared // scale) + part * (shared // own), shared
    return Tensor(total if total is not None else fmpz_mat(size, k + 1), scale)
