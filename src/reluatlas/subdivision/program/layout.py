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
from reluatlas.domain import Domain
from reluatlas.network.network import Network

INPUT, AFFINE, BREAK, MAX = 0, 1, 2, 3
DENSE, SPARSE = 0, 1
FIXED, CUT, INNER = 0, 1, 2


class Program(NamedTuple):
    """Flat arrays that the compiled kernels read; see the module's docstring for the words.

    Written once, by `lower` and the functions of its file; only read from then on. T tensors with R rows in all,
    L levels, A affine tensors, E edges (the operators), k coordinates, n inputs; other letters are what comes
    together (LC, LL and LU are C, L and U in a local network, 0 elsewhere). Rows and entries are counted within their
    tensor, places within all. Edges of tensor t are
    `e_ptr[t]:e_ptr[t + 1]`. A sparse edge is held by columns and by rows; where many rows read the same entries, in
    blocks (`RowBlocks`), too. In `*_man`, `*_exp` a number is an odd integer times a power of two, man * 2**exp.

    | arrays | shape | what they hold | written by |
    |---|---|---|---|
    | `kind` | (T,) | INPUT, AFFINE, BREAK or MAX | `nodes_of` |
    | `off` | (T + 1,) | first row of each tensor, and the end | `levels_of` |
    | `size` | (T,) | number of rows | `levels_of` |
    | `level` | (T,) | level of a cut, block of an affine tensor | `levels_of` |
    | `src` | (T,) | tensor that a cut reads; -1 for others | `nodes_of` |
    | `cut` | (L,) | tensor of each level | `levels_of` |
    | `block_ptr` | (L + 2,) | places in `block`; block l begins at entry l + 1 | `levels_of` |
    | `block` | (A,) | affine tensors, block by block | `levels_of` |
    | `pat_off` | (L + 1,) | first column of each level in a pattern | `levels_of` |
    | `e_ptr` | (T + 1,) | first edge of each tensor | `edges_of` |
    | `e_src` | (E,) | tensor that is read | `edges_of` |
    | `e_kind` | (E,) | DENSE or SPARSE | `edges_of` |
    | `e_stage` | (E,) | what is read: an earlier tensor (FIXED), the block's CUT, or the block (INNER) | `edges_of` |
    | `e_at` | (E, 3) | where it begins in `weight`, `g_ptr` and `r_ptr` | `edges_of` |
    | `e_ratio` | (E,) | denominator of the tensor over those of source and operator | `edges_of` |
    | `e_straight` | (E,) | s where row i reads entry s + i alone, for all i; else -1 | `edges_of` |
    | `weight` | (C,) | coefficients, column by column | `edges_of` |
    | `w_man`, `w_exp` | (C,) | the same before the operator's denominator, man * 2**exp | `edges_of` |
    | `g_ptr` | (G,) | sparse, by columns: places in `weight` | `edges_of` |
    | `g_row` | (C,) | sparse: row that a coefficient adds to | `edges_of` |
    | `r_ptr` | (H,) | sparse, by rows: places in `g_src` | `edges_of` |
    | `g_src`, `g_pos` | (S,) | entry that is read; place of its coefficient | `edges_of` |
    | `q_edge` | (E + 1,) | first block of rows of each edge | `_join_blocks` |
    | `q_row_ptr`, `q_col_ptr` | (B + 1,) | places in `q_row`, in `q_col` | `_join_blocks` |
    | `q_row` | (V,) | rows, block by block | `_join_blocks` |
    | `q_col` | (W,) | entries that all rows of a block read, ascending | `_join_blocks` |
    | `q_at` | (B,) | where its matrix begins; equal ones are held once | `_join_blocks` |
    | `q_weight` | (X,) | matrices (entries, rows up to a multiple of LANES) | `_join_blocks` |
    | `bias`, `b_man`, `b_exp` | (R,) | constants of affine rows, man * 2**exp | `nodes_of` |
    | `relu` | (T,) | 1 for a breakpoint tensor of ReLUs alone | `nodes_of` |
    | `n_knots` | (T,) | knots of each unit | `nodes_of` |
    | `k_at`, `s_at`, `m_at` | (T,) | where knots, slopes, windows begin | `nodes_of` |
    | `knot`, `k_man`, `k_exp` | (K,) | knots, of the pre-activation; filled up with inf | `nodes_of` |
    | `slope`, `s_man`, `s_exp` | (F,) | slopes of the pieces | `nodes_of` |
    | `shift`, `h_man`, `h_exp` | (F,) | intercepts of the pieces | `nodes_of` |
    | `m_ptr` | (M,) | places in `m_cand`, window by window | `nodes_of` |
    | `m_cand` | (N,) | candidates: entries of the tensor that is read | `nodes_of` |
    | `err_g`, `err_c` | (R,) | bounds on the error of each gradient entry, of the constant | `RowBounds` |
    | `n_terms` | (T,) | terms of the longest sum | `RowBounds` |
    | `rows0` | (k + 1, R) | rows of the input: basis and origin of the domain; else 0 | `_input` |
    | `in_man`, `in_exp` | ((k + 1) * n,) | the same of the input alone, man * 2**exp | `_input` |
    | `x_scale`, `x_den` | (T,) | exact rows times x_den * 2**x_scale are whole | `exact_of` |
    | `x_limbs` | (T,) | limbs (64 bits) of an exact number | `exact_of` |
    | `x_at` | (T + 1,) | where exact rows begin in `State.x_words` | `exact_of` |
    | `x_all` | (T,) | 1 where more than single rows may be read | `nodes_of` |
    | `x_float` | (T,) | 1 where float64 rows are exact | `exact_of` |
    | `anc_ptr` | (T + 1,) | places in `anc` | `levels_of` |
    | `anc` | (D,) | tensors that a tensor depends on, ascending | `levels_of` |
    | `side_val`, `side_man`, `side_exp` | (2 * k,) | ends of the domain, low and high in turn | `sides_of` |
    | `column` | (U,) | column of patterns of each unit of all levels | `levels_of` |
    | `key` | (U,) | key of each unit's piece 1 in hashes of patterns | `keys_of_one` |
    | `w_size` | (LC,) | local: size of what each weight is the sum of | `laid_out` |
    | `to_level` | (LL,) | local: level of the whole network | `laid_out` |
    | `to_unit` | (LU,) | local: unit of the whole network | `laid_out` |
    | `meta` | (12,) | the numbers that are named `M_...` below | `_lowered` |
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
    key: NDArray[np.uint64]
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
    domain: Domain
    n_units: int
    n_outputs: int
    piece_dtype: np.dtype
    map_error: NDArray[np.float64]
    """Bounds (outputs, 2) on the errors of the gradients and the constants of the maps that are found."""
    names: Any = None
    """Of a local network, its names in the whole one (`reluatlas.subdivision.local.names.Names`)."""

    @cached_property
    def packed(self) -> Pack:
        """The program as kernels take it."""
        return pack(self.program)
