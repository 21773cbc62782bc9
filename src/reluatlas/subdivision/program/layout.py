"""What do the compiled kernels read of a network on a domain? Flat arrays, made by `lower`.

Every tensor of the graph is rows of an affine function of the k coordinates (k + 1 columns, the last one the constant).
Three things are laid out side by side:

- the float64 coefficients, transposed so that adding one active unit to a block is contiguous;
- rigorous bounds on the rounding error of every row the kernels will ever compute, valid for all
  activation patterns (the products of absolute values), split into the gradient and the constant
  part so that a network without biases keeps exact zeros;
- the same coefficients as odd integers times powers of two, and a scale for every tensor on which all
  its rows are integers (a power of two, times a whole number where averages were taken), so that any row
  can be recomputed exactly.

Words: a *cut* is a breakpoint or max node; *level* l is the l-th cut in topological order; *block* l
holds the affine tensors between cut l and the next, block -1 those before the first cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.structs import Pack, pack
from reluatlas.domain import Box, Slice, Space
from reluatlas.network.network import Network

INPUT, AFFINE, BREAK, MAX = 0, 1, 2, 3
DENSE, SPARSE = 0, 1
FIXED, CUT, INNER = 0, 1, 2
UNIT_ROUNDOFF = 2.0**-53
TINY = 2.0**-300
"""Least error of a row that is rounded at all. Products of float64 numbers lose up to 2^-1075 where they underflow."""
SLACK = 1.0 + 1e-9


class Program(NamedTuple):
    """Flat arrays that the compiled kernels read; see the module's docstring for the words.

    Tensors: `kind`, `off`, `size`, `level` (block of an affine tensor, level of a cut), `src` (input of
    a cut). Levels: `cut`, `block_ptr`/`block` (affine tensors of block l at entry l + 1), `pat_off`.
    Edges of tensor t: `e_ptr[t]:e_ptr[t + 1]`. A sparse edge is held by columns (`g_ptr`, `g_row`) and by rows
    (`r_ptr`, `g_src`, `g_pos`); where many rows read the same entries, in blocks, too: those of edge e from
    `q_edge[e]` to `q_edge[e + 1]`, with the arrays of `RowBlocks`. Row i of an edge with `e_straight` >= 0 reads entry
    `e_straight + i` alone. Exact rows of tensor t are integers over `x_den[t] * 2**x_scale[t]`. Entry
    arrays `*_man`, `*_exp` hold odd integers and exponents: value = man * 2**exp. Unit j of all levels is column
    `column[j]` of activation patterns.

    Of a local network (`reluatlas.cells.local`) only float64 rows are here: `w_size` are the sizes of what each weight
    is the sum of; level l and unit j are `to_level[l]` and `to_unit[j]` of the whole network, which has the exact rows.
    """

    kind: NDArray[np.int64]
    off: NDArray[np.int64]
    size: NDArray[np.int64]
    level: NDArray[np.int64]
    src: NDArray[np.int64]
    cut: NDArray[np.int64]
    block_ptr: NDArray[np.int64]
    block: NDArray[np.int64]
    pat_off: NDArray[np.int64]
    e_ptr: NDArray[np.int64]
    e_src: NDArray[np.int64]
    e_kind: NDArray[np.int64]
    e_stage: NDArray[np.int64]
    e_at: NDArray[np.int64]
    e_ratio: NDArray[np.int64]
    e_straight: NDArray[np.int64]
    weight: NDArray[np.float64]
    w_man: NDArray[np.int64]
    w_exp: NDArray[np.int32]
    g_ptr: NDArray[np.int64]
    g_row: NDArray[np.int64]
    r_ptr: NDArray[np.int64]
    g_src: NDArray[np.int64]
    g_pos: NDArray[np.int64]
    q_edge: NDArray[np.int64]
    q_row_ptr: NDArray[np.int64]
    q_row: NDArray[np.int64]
    q_col_ptr: NDArray[np.int64]
    q_col: NDArray[np.int64]
    q_at: NDArray[np.int64]
    q_weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    b_man: NDArray[np.int64]
    b_exp: NDArray[np.int32]
    relu: NDArray[np.int64]
    n_knots: NDArray[np.int64]
    k_at: NDArray[np.int64]
    knot: NDArray[np.float64]
    k_man: NDArray[np.int64]
    k_exp: NDArray[np.int32]
    s_at: NDArray[np.int64]
    slope: NDArray[np.float64]
    s_man: NDArray[np.int64]
    s_exp: NDArray[np.int32]
    shift: NDArray[np.float64]
    h_man: NDArray[np.int64]
    h_exp: NDArray[np.int32]
    m_at: NDArray[np.int64]
    m_ptr: NDArray[np.int64]
    m_cand: NDArray[np.int64]
    err_g: NDArray[np.float64]
    err_c: NDArray[np.float64]
    n_terms: NDArray[np.int64]
    rows0: NDArray[np.float64]
    in_man: NDArray[np.int64]
    in_exp: NDArray[np.int32]
    x_scale: NDArray[np.int64]
    x_den: NDArray[np.int64]
    x_limbs: NDArray[np.int64]
    x_at: NDArray[np.int64]
    x_all: NDArray[np.int64]
    x_float: NDArray[np.int64]
    anc_ptr: NDArray[np.int64]
    anc: NDArray[np.int64]
    side_val: NDArray[np.float64]
    side_man: NDArray[np.int64]
    side_exp: NDArray[np.int32]
    column: NDArray[np.int64]
    w_size: NDArray[np.float64]
    to_level: NDArray[np.int64]
    to_unit: NDArray[np.int64]
    meta: NDArray[np.int64]


# entries of Program.meta
(
    M_TENSORS, M_LEVELS, M_ROWS, M_UNITS, M_OUT, M_K, M_ROW_LIMBS, M_EXACT_WORDS, M_MAX_SIZE, M_CERTAIN, M_INFINITE,
    M_LOCAL,
) = range(12)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program with what the Python side needs beside it."""

    program: Program
    network: Network
    domain: Box | Slice | Space
    n_units: int
    n_outputs: int
    piece_dtype: np.dtype
    map_error: NDArray[np.float64]
    """Bounds (outputs, 2) on the errors of the gradients and the constants of the maps that are found."""
    names: Any = None
    """Of a local network, its names in the whole one (`reluatlas.cells.local.names.Names`)."""

    @cached_property
    def packed(self) -> Pack:
        """The program as kernels take it."""
        return pack(self.program)
