"""What are the rows of affine nodes, and what do they become when others are put in? Only where nothing is rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import SLACK_PATH, SMALLEST, UNIT_ROUNDOFF
from reluatlas.arithmetic.exact_sums import sums, times
from reluatlas.deadline import look
from reluatlas.network.operators import Sparse
from reluatlas.network.record import Affine, Node
from reluatlas.typing import FloatArray, IntArray

BIAS = -1
"""The source of constants, in column 0."""
_MOST_TERMS = 2**22
_SAMPLE = 8
MOST_ROUNDED = 2**25
"""Terms that are summed at once where sums may be rounded."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of numbers, sorted by row, source and column; none is zero.

    Row i is the sum of `value[e]` times entry `column[e]` of tensor `source[e]`, over its entries e.
    """

    n: int
    row: IntArray
    source: IntArray
    column: IntArray
    value: FloatArray

    @cached_property
    def starts(self) -> IntArray:
        """Where each row begins (n + 1,)."""
        return np.searchsorted(self.row, np.arange(self.n + 1)).astype(np.int64)

    @cached_property
    def counts(self) -> IntArray:
        """Number of entries of each row, the constant left out."""
        return np.bincount(self.row[self.source != BIAS], minlength=self.n)

    def of(self, chosen: NDArray) -> Rows:
        """Return the entries that a mask chooses."""
        return Rows(self.n, self.row[chosen], self.source[chosen], self.column[chosen], self.value[chosen])


def rows_of(node: Node) -> Rows | None:
    """Return the rows of an affine node; None where it convolves, divides, or sums of its numbers are rounded."""
    if not isinstance(node, Affine):
        return None
    parts = []
    for source, operator in zip(node.inputs, node.operators, strict=True):
        if not isinstance(operator, Sparse) or operator.denominator != 1:
            return None
        row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
        parts.append((row, np.full(row.size, source), operator.indices, operator.values))
    held = np.flatnonzero(node.bias)
    parts.append((held, np.full(held.size, BIAS), np.zeros(held.size, dtype=np.int64), node.bias[held]))
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    found, bad = _collected(node.bias.size, *joined)
    return None if bad.any() else found


def as_affine(rows: Rows, sizes: Sequence[int], like: Affine) -> Affine:
    """Return the affine node with these rows, named and shaped like another."""
    bias = np.zeros(rows.n)
    held = rows.source == BIAS
    bias[rows.row[held]] = rows.value[held]
    inputs = [int(s) for s in np.unique(rows.source[~held])]
    operators = []
    for source in inputs:
        here = rows.source == source
        indptr = np.searchsorted(rows.row[here], np.arange(rows.n + 1)).astype(np.int64)
        operators.append(Sparse(indptr, rows.column[here], rows.value[here], sizes[source]))
    return Affine(tuple(inputs), tuple(operators), bias, like.shape, like.name)


def _collected(
    n: int, row: IntArray, source: IntArray, column: IntArray, value: FloatArray
) -> tuple[Rows, NDArray[np.bool_]]:
    """Return rows with equal columns summed, and which rows had to be rounded."""
    order = np.lexsort((column, source, row))
    row, source, column, value = row[order], source[order], column[order], value[order]
    bad = np.zeros(n, dtype=bool)
    if row.size:
        first = _first(row, source, column)
        total, is_exact = sums(value, first, row[first])
        row, source, column, value = row[first], source[first], column[first], total
        bad[row[~is_exact]] = True
    held = value != 0
    return Rows(n, row[held], source[held], column[held], value[held]), bad


def _first(row: IntArray, source: IntArray, column: IntArray) -> IntArray:
    """Return where runs of equal places begin, in sorted entries."""
    new = (np.diff(row) != 0) | (np.diff(source) != 0) | (np.diff(column) != 0)
    return np.concatenate([[0], np.flatnonzero(new) + 1])


def substituted(
    rows: Rows, sources: Mapping[int, Rows], chosen: Mapping[int, NDArray[np.bool_]], *, all_or_none: bool = False
) -> Rows | None:
    """Return rows in which entries of tensors are replaced by the rows that make these; None where none can be.

    Where a new coefficient is not a float64 number, the row keeps the entries that it reads, and so do all others that
    read them.

    Parameters
    ----------
    rows : Rows
    sources : dict
        The rows of the tensors, by node.
    chosen : dict
        Which entries of each are to be replaced.
    all_or_none : bool
        Whether all of these are to be replaced, or none.
    """
    chosen = {s: mask.copy() for s, mask in chosen.items()}
    is_first = True
    while True:
        look()
        out = np.zeros(rows.row.size, dtype=bool)
        for s, mask in chosen.items():
            here = rows.source == s
            out[here] = mask[rows.column[here]]
        if not out.any():
            return None
        n_terms = _count(rows, sources, out)
        if is_first and (all_or_none or n_terms > _MOST_TERMS):
            # of trained weights nearly no sum is exact: a few rows tell
            some = np.unique(rows.row[out])[:_SAMPLE]
            _, bad = _put_in(rows.of(np.isin(rows.row, some)), sources, out[np.isin(rows.row, some)])
            if bad[some].any() if all_or_none else bad[some].all():
                return None
        is_first = False
        found, bad = _put_in(rows, sources, out)
        if not bad.any():
            return found
        if all_or_none:
            return None
        stuck = out & bad[rows.row]
        for s, mask in chosen.items():
            mask[rows.column[stuck & (rows.source == s)]] = False


def _count(rows: Rows, sources: Mapping[int, Rows], out: NDArray[np.bool_]) -> int:
    """Return how many terms come in where the entries `out` are replaced."""
    return sum(int(np.diff(other.starts)[rows.column[out & (rows.source == s)]].sum()) for s, other in sources.items())


def _put_in(rows: Rows, sources: Mapping[int, Rows], out: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.bool_]]:
    row, source, column, value, bad = _terms(rows, sources, out)
    found, rounded = _collected(rows.n, row, source, column, value)
    return found, bad | rounded


def _terms(
    rows: Rows, sources: Mapping[int, Rows], out: NDArray[np.bool_]
) -> tuple[IntArray, IntArray, IntArray, FloatArray, NDArray[np.bool_]]:
    """Return the terms (row, source, column, value) of rows with some entries put in; and which rows are rounded."""
    parts = [(rows.row[~out], rows.source[~out], rows.column[~out], rows.value[~out])]
    bad = np.zeros(rows.n, dtype=bool)
    for s, other in sources.items():
        here = np.flatnonzero(out & (rows.source == s))
        if not here.size:
            continue
        start, end = other.starts[rows.column[here]], other.starts[rows.column[here] + 1]
        count = end - start
        entry = np.repeat(here, count)
        at = np.repeat(start - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
        value, is_exact = times(rows.value[entry], other.value[at])
        bad[rows.row[entry[~is_exact]]] = True
        parts.append((rows.row[entry], other.source[at], other.column[at], value))
    row, source, column, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return row, source, column, value, bad


def roughly_substituted(
    rows: Rows, sources: Mapping[int, Rows], chosen: Mapping[int, NDArray[np.bool_]], sizes: Sequence[FloatArray]
) -> tuple[Rows, FloatArray] | None:
    """Return rows in which entries are replaced, rounded, and by how much each row's value is off for that.

    `sizes` bound the entries of all tensors. None where nothing is replaced, or numbers leave float64.
    """
    out = np.zeros(rows.row.size, dtype=bool)
    for s, mask in chosen.items():
        here = rows.source == s
        out[here] = mask[rows.column[here]]
    if not out.any() or _count(rows, sources, out) > MOST_ROUNDED:
        return None
    row, source, column, value, _ = _terms(rows, sources, out)
    order = np.lexsort((column, source, row))
    row, source, column, value = row[order], source[order], column[order], value[order]
    first = _first(row, source, column)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(value, first)
        size = np.add.reduceat(np.abs(value), first)
    count = np.diff(np.append(first, row.size))
    most = np.array(
        [1.0 if s == BIAS else sizes[s][c] for s, c in zip(source[first].tolist(), column[first].tolist(), strict=True)]
    )
    lost = ((count + 1) * (UNIT_ROUNDOFF * size * SLACK_PATH) + count * SMALLEST) * most
    error = np.asarray(np.bincount(row[first], weights=lost, minlength=rows.n) * SLACK_PATH, dtype=np.float64)
    if not (np.isfinite(total).all() and np.isfinite(error).all()):
        return None
    held = total != 0
    return Rows(rows.n, row[first][held], source[first][held], column[first][held], total[held]), error
