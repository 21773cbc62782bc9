"""How are many units' rows pushed through a convolution? As small dense products: `row_blocks`, `add_blocks`.

Rows of a sparse operator that read the same entries (all channels of a convolution at one position) form a block:
its entries are listed once, its weights are a dense matrix, and equal matrices (those of all inner positions) are
held once, so that they stay in the cache. Units that are off are left out; the others are added in the order of
their number, as one by one they would be.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner
from reluatlas.deadline import look
from reluatlas.network.operators import Sparse

LANES = 8
"""Rows that are added to at once; a block's matrix has zero columns up to a multiple."""
FEW_ROWS = 4
"""Blocks have at least so many rows on average, or there are none: nothing would be gained."""


class RowBlocks(NamedTuple):
    """The rows of an operator in blocks that read the same entries.

    Block g has the rows `row[row_ptr[g]:row_ptr[g + 1]]` and the entries `col[col_ptr[g]:col_ptr[g + 1]]`, ascending.
    Its weights are the matrix (entries, rows, filled up with zeros to a multiple of `LANES`) at `weight[at[g]:]`.
    """

    row_ptr: NDArray[np.int64]
    row: NDArray[np.int64]
    col_ptr: NDArray[np.int64]
    col: NDArray[np.int64]
    at: NDArray[np.int64]
    weight: NDArray[np.float64]


def row_blocks(operator: Sparse) -> RowBlocks | None:
    """Return the blocks of a sparse operator, or None where they would have few rows."""
    rows_of: dict[bytes, list[int]] = {}
    for i in range(operator.n_out):
        look()
        entries = operator.indices[operator.indptr[i] : operator.indptr[i + 1]]
        rows_of.setdefault(np.sort(entries).tobytes(), []).append(i)
    if operator.n_out < FEW_ROWS * len(rows_of):
        return None
    place_of: dict[bytes, int] = {}
    rows, columns, at, weights = [], [], [], []
    n_weights = 0
    for key, members in rows_of.items():
        look()
        entries = np.frombuffer(key, dtype=operator.indices.dtype).astype(np.int64)
        matrix = np.zeros((entries.size, -(-len(members) // LANES) * LANES))
        for q, i in enumerate(members):
            own = slice(operator.indptr[i], operator.indptr[i + 1])
            matrix[:, q] = operator.values[own][np.argsort(operator.indices[own])] / operator.denominator
        rows.append(np.array(members, dtype=np.int64))
        columns.append(entries)
        name = np.int64(len(members)).tobytes() + matrix.tobytes()
        if name not in place_of:
            place_of[name] = n_weights
            weights.append(matrix.reshape(-1))
            n_weights += matrix.size
        at.append(place_of[name])
    return RowBlocks(
        _pointers(rows), np.concatenate(rows), _pointers(columns), np.concatenate(columns),
        np.array(at, dtype=np.int64), np.concatenate(weights),
    )  # fmt: skip


def _pointers(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.int64)


def _product(n_columns: int) -> Any:
    """Return a compiled function that adds a block's products to the sums of its rows, for some coordinates.

    With p = at + place[q]: `out[c, i] += sum over q of weight[p + i] * values[c, q]` for the first n rows i, one q
    after another. Sums stay in vector registers, which compilers do not find by themselves in such short loops.
    """

    @intrinsic
    def multiply(typingctx, weight, at, n, place, count, values, out):
        signature = types.void(weight, at, n, place, count, values, out)

        def codegen(context, builder, sig, args):
            word, real = ir.IntType(64), ir.DoubleType()
            vector = ir.VectorType(real, LANES)
            multiply_add = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{LANES}f64"
            )
            arrays = [context.make_array(sig.args[i])(context, builder, args[i]) for i in (0, 3, 5, 6)]
            weights, places, numbers, sums = (a.data for a in arrays)
            number_row, sum_row = (cgutils.unpack_tuple(builder, a.shape)[1] for a in arrays[2:])
            first, n_rows, n_units = args[1], args[2], args[4]

            def vector_at(pointer, index):
                return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())

            def spread(number):
                lane = builder.insert_element(ir.Constant(vector, ir.Undefined), number, word(0))
                return builder.shuffle_vector(
                    lane, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
                )

            def rows(i, width):
                """Do `width` vectors of rows from row i on: their sums stay in registers."""
                total = [[cgutils.alloca_once(builder, vector) for _ in range(width)] for _ in range(n_columns)]
                here = [builder.add(i, word(LANES * v)) for v in range(width)]
                where = [
                    [vector_at(sums, builder.add(builder.mul(word(c), sum_row), row)) for row in here]
                    for c in range(n_columns)
                ]
                for c in range(n_columns):
                    for v in range(width):
                        builder.store(builder.load(where[c][v], align=8), total[c][v])
                with cgutils.for_range(builder, n_units) as unit:
                    q = unit.index
                    start = builder.add(first, builder.load(builder.gep(places, [q])))
                    w = [builder.load(vector_at(weights, builder.add(start, row)), align=8) for row in here]
                    for c in range(n_columns):
                        number = builder.gep(numbers, [builder.add(builder.mul(word(c), number_row), q)])
                        x = spread(builder.load(number))
                        for v in range(width):
                            old = builder.load(total[c][v])
                            builder.store(builder.call(multiply_add, [w[v], x, old]), total[c][v])
                for c in range(n_columns):
                    for v in range(width):
                        builder.store(builder.load(total[c][v]), where[c][v], align=8)

            n_pairs = builder.udiv(n_rows, word(2 * LANES))
            with cgutils.for_range(builder, n_pairs) as pair:
                rows(builder.mul(pair.index, word(2 * LANES)), 2)
            done = builder.mul(n_pairs, word(2 * LANES))
            with builder.if_then(builder.icmp_unsigned("<", done, n_rows)):
                rows(done, 1)
            return context.get_dummy_value()

        return signature, codegen

    return multiply


_multiply_3: Any = _product(3)
_multiply_1: Any = _product(1)


@inner
def add_blocks(P, S, e, lo, source, start, out):
    """Write rows of a tensor (at `lo`): those in `start` plus what the marked units of edge e's source contribute."""
    rows, mark, place, units, values, part = S.rows, S.mark, S.place, S.listed, S.values, S.part
    columns = rows.shape[0]
    for g in range(P.q_edge[e], P.q_edge[e + 1]):
        n_units = 0
        top, first = P.q_row_ptr[g], P.q_col_ptr[g]
        n = P.q_row_ptr[g + 1] - top
        wide = (n + LANES - 1) // LANES * LANES
        for q in range(P.q_col_ptr[g + 1] - first):
            j = P.q_col[first + q]
            place[n_units] = q * wide
            units[n_units] = j
            n_units += mark[j]
        for c in range(columns):
            row, values_c, start_c, part_c = rows[c], values[c], start[c], part[c]
            for q in range(n_units):
                values_c[q] = row[source + units[q]]
            for i in range(n):
                part_c[i] = start_c[lo + P.q_row[top + i]]
        c = 0
        while c + 3 <= columns:
            _multiply_3(P.q_weight, P.q_at[g], wide, place, n_units, values[c : c + 3], part[c : c + 3])
            c += 3
        while c < columns:
            _multiply_1(P.q_weight, P.q_at[g], wide, place, n_units, values[c : c + 1], part[c : c + 1])
            c += 1
        for c in range(columns):
            out_c, part_c = out[c], part[c]
            for i in range(n):
                out_c[lo + P.q_row[top + i]] = part_c[i]
