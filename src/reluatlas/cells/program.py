"""`lower`: a network on a slice, laid out for the compiled kernels.

`lower` turns a network and a bounded k-dimensional domain into flat arrays: every tensor of the graph
becomes rows of an affine function of the k coordinates (k + 1 columns, the last one the constant).
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
from functools import cached_property, lru_cache
from math import lcm, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.cells.blocks import RowBlocks, row_blocks
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DimensionError, DomainError
from reluatlas.network.graph import Affine, Breakpoints, Dense, Gather, Input, LinearOperator, Max, Network
from reluatlas.network.operators import apply_operator, as_sparse, coefficients, denominator, mapped, terms
from reluatlas.packs import Pack, pack

INPUT, AFFINE, BREAK, MAX = 0, 1, 2, 3
DENSE, SPARSE = 0, 1
FIXED, CUT, INNER = 0, 1, 2
UNIT_ROUNDOFF = 2.0**-53
MAX_DENOMINATOR = 2**36  # of a tensor: its products with half a mantissa fit into 64 bits
TINY = 1e-300
SLACK = 1.0 + 1e-9


class Program(NamedTuple):
    """Flat arrays that the compiled kernels read; see the module's docstring for the words.

    Tensors: `kind`, `off`, `size`, `level` (block of an affine tensor, level of a cut), `src` (input of
    a cut). Levels: `cut`, `block_ptr`/`block` (affine tensors of block l at entry l + 1), `pat_off`.
    Edges of tensor t: `e_ptr[t]:e_ptr[t + 1]`. A sparse edge is held by columns (`g_ptr`, `g_row`) and by rows
    (`r_ptr`, `g_src`, `g_pos`); where many rows read the same entries, in blocks, too: those of edge e from
    `q_edge[e]` to `q_edge[e + 1]`, with the arrays of `RowBlocks`. Row i of an edge with `e_straight` >= 0 reads entry
    `e_straight + i` alone. Exact rows of tensor t are integers over `x_den[t] * 2**x_scale[t]`. Entry
    arrays `*_man`, `*_exp` hold odd integers and exponents: value = man * 2**exp.
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
    meta: NDArray[np.int64]


# entries of Program.meta
M_TENSORS, M_LEVELS, M_ROWS, M_UNITS, M_OUT, M_K, M_ROW_LIMBS, M_EXACT_WORDS, M_MAX_SIZE, M_CERTAIN, M_INFINITE = range(
    11
)


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program with what the Python side needs beside it."""

    program: Program
    network: Network
    domain: Box | Slice | Space
    n_units: int
    n_outputs: int
    piece_dtype: np.dtype

    @cached_property
    def packed(self) -> Pack:
        """The program as kernels take it."""
        return pack(self.program)


def check_domain(network: Network, domain: object) -> Box | Slice | Space:
    """Return the domain if the network can be cut on it.

    Raises
    ------
    DomainError
        When it is not a `Box`, `Slice` or `Space`.
    DimensionError
        When it does not fit the network's inputs.
    """
    if not isinstance(domain, Box | Slice | Space):
        raise DomainError(f"`domain` is a {type(domain).__name__}; expected a `Box`, `Slice` or `Space`.")
    if domain.n_inputs != network.n_inputs:
        n, k = network.n_inputs, domain.n_inputs
        hint = (
            f"Pass a `Box` with {n} sides, or a `Slice` of the {n}-dimensional input space."
            if n != 2
            else "Pass a `Box` with 2 sides."
        )
        if isinstance(domain, Space):
            raise DimensionError(f"`domain` is a space of {k} dimensions but the network takes {n} inputs.")
        if isinstance(domain, Box):
            raise DimensionError(f"`domain` has dimension {k} but the network takes {n} inputs. {hint}")
        raise DimensionError(f"`domain` is a slice of {k} inputs but the network takes {n}. {hint}")
    return domain


def dyadic(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return odd integers and exponents with `values == man * 2.0**exp`; (0, 0) for zeros."""
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    fraction, exponent = np.frexp(flat)
    man = (fraction * 2.0**53).astype(np.int64)
    low = man & -man
    zeros = np.where(man != 0, np.frexp(low.astype(np.float64))[1] - 1, 0)
    man >>= zeros
    exp = np.where(man != 0, exponent - 53 + zeros, 0).astype(np.int32)
    return man, exp


def fraction_bits(values: NDArray[np.float64]) -> int:
    """Return the least s >= 0 such that every value is an integer times 2**-s."""
    man, exp = dyadic(values)
    return int(max(0, -exp[man != 0].min(initial=0)))


class _Edge(NamedTuple):
    source: int
    operator: LinearOperator
    stage: int


def _abs_apply(operator: LinearOperator, values: NDArray) -> NDArray:
    """Return |operator| applied to columns (n_in, ...)."""
    return apply_operator(mapped(operator, np.abs), values.T).T


class _Lowering:
    """The state of one `lower` call: walks the graph once, tensor by tensor."""

    def __init__(self, network: Network, domain: Box | Slice | Space) -> None:
        self.network, self.domain = network, domain
        self.k = domain.dim
        nodes = network.nodes
        self.sizes = np.array([prod(n.shape) for n in nodes], dtype=np.int64)
        self.off = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        self.cuts = network.cuts
        level_of = {c: i for i, c in enumerate(self.cuts)}
        before = np.cumsum([isinstance(n, Breakpoints | Max) for n in nodes])
        self.level = np.array([level_of.get(i, int(before[i]) - 1) for i in range(len(nodes))], dtype=np.int64)
        # columns: gradient bound, constant bound, gradient error, constant error, structural flags
        self.bound = np.zeros((self.off[-1], 2))
        self.error = np.zeros((self.off[-1], 2))
        self.alive = np.zeros((self.off[-1], 2), dtype=bool)
        self.scale = np.zeros(len(nodes), dtype=np.int64)
        self.denominator = np.ones(len(nodes), dtype=np.int64)
        self.limbs = np.zeros(len(nodes), dtype=np.int64)
        self.exact = np.zeros(len(nodes), dtype=bool)
        self.n_terms = np.zeros(len(nodes), dtype=np.int64)

    def rows(self, t: int) -> slice:
        return slice(int(self.off[t]), int(self.off[t + 1]))

    def edges(self, t: int) -> list[_Edge]:
        node = self.network.nodes[t]
        if not isinstance(node, Affine):
            return []
        first = self.cuts[self.level[t]] if self.level[t] >= 0 else -1
        out = []
        for source, operator in zip(node.inputs, node.operators, strict=True):
            stage = CUT if source == first else (INNER if source > first else FIXED)
            out.append(_Edge(source, operator, stage))
        return out

    def bounds(self, t: int) -> None:
        """Bound magnitudes and errors of all rows of tensor t, for every activation pattern."""
        node, here = self.network.nodes[t], self.rows(t)
        if isinstance(node, Input):
            origin, basis = self.domain.frame()
            self.bound[here, 0] = np.abs(basis).max(axis=0)
            self.bound[here, 1] = np.abs(origin)
            self.alive[here] = self.bound[here] > 0
            self.exact[t] = True
        elif isinstance(node, Affine):
            bound = np.stack([np.zeros(node.bias.size), np.abs(node.bias)], axis=1)
            error = np.zeros_like(bound)
            alive = np.stack([np.zeros(node.bias.size, bool), node.bias != 0], axis=1)
            fed = np.zeros_like(alive)
            n_terms = 1
            for edge in self.edges(t):
                source = self.rows(edge.source)
                bound += _abs_apply(edge.operator, self.bound[source]) * SLACK
                error += _abs_apply(edge.operator, self.error[source]) * SLACK
                fed |= _abs_apply(edge.operator, self.alive[source].astype(float)) > 0
                n_terms += terms(edge.operator) + (denominator(edge.operator) != 1)
            alive |= fed
            self.n_terms[t] = np.max(n_terms, initial=1)
            self.exact[t] = all(self.exact[e.source] for e in self.edges(t)) and self._fits(t, bound)
            if not self.exact[t]:
                error += (n_terms + 4) * UNIT_ROUNDOFF * SLACK * (bound + error) + TINY * alive
                error[~fed] = 0.0  # zero, or the bias alone
            self.bound[here], self.error[here], self.alive[here] = bound, error, alive
        else:
            source = self.rows(node.input)
            if isinstance(node, Breakpoints):
                slope = np.abs(node.slopes).max(axis=1, initial=0.0)
                shift = np.abs(node.intercepts).max(axis=1, initial=0.0)
                bound = self.bound[source] * slope[:, None]
                bound[:, 1] += shift
                error = self.error[source] * slope[:, None]
                alive = self.alive[source] & (slope > 0)[:, None]
                alive[:, 1] |= shift > 0
                plain = bool(np.all(np.isin(node.slopes, (-1.0, 0.0, 1.0)))) and not node.intercepts.any()
            else:
                wide = np.maximum.reduceat
                pick = lambda a: wide(a[source][node.candidates], node.offsets[:-1], axis=0)  # noqa: E731
                bound, error, alive = pick(self.bound), pick(self.error), pick(self.alive)
                plain = True
            self.exact[t] = self.exact[node.input] and (plain or self._fits(t, bound))
            if not plain and not self.exact[t]:
                error = error + 4 * UNIT_ROUNDOFF * (bound + error) + TINY * alive
                error[~alive] = 0.0
            self.bound[here], self.error[here], self.alive[here] = bound, error, alive

    def _fits(self, t: int, bound: NDArray) -> bool:
        """Whether every sum for tensor t is an integer below 2**53 on its scale: floats are then exact."""
        if self.denominator[t] != 1:
            return False
        with np.errstate(over="ignore"):
            return bool(np.all(bound * 2.0 ** min(int(self.scale[t]), 1000) <= 2.0**52)) and self.scale[t] < 1000

    def integer_scale(self, t: int) -> None:
        """Choose the power of two, and the whole number, on which all rows of tensor t are integers."""
        node = self.network.nodes[t]
        need = 0
        if isinstance(node, Input):
            origin, basis = self.domain.frame()
            need = max(fraction_bits(origin), fraction_bits(basis))
        elif isinstance(node, Affine):
            need = fraction_bits(node.bias)
            for edge in self.edges(t):
                need = max(need, int(self.scale[edge.source]) + fraction_bits(coefficients(edge.operator)))
            shared = lcm(*(int(self.denominator[e.source]) * denominator(e.operator) for e in self.edges(t)))
            if shared > MAX_DENOMINATOR:
                raise DomainError(
                    f"node {t} of the network is a ratio over {shared}: too many averages follow on each other; the "
                    f"limit is {MAX_DENOMINATOR}."
                )
            self.denominator[t] = shared
        elif isinstance(node, Breakpoints):
            need = max(int(self.scale[node.input]) + fraction_bits(node.slopes), fraction_bits(node.intercepts))
        else:
            need = int(self.scale[node.input])
        for other in self.network.nodes[t + 1 :]:
            if isinstance(other, Breakpoints) and other.input == t:
                need = max(need, fraction_bits(other.knots[np.isfinite(other.knots)]))
        if isinstance(node, Breakpoints | Max):
            self.denominator[t] = self.denominator[node.input]
        self.scale[t] = need

    def integer_width(self, t: int) -> None:
        """Choose the number of 64-bit limbs for the rows of tensor t."""
        top = self.bound[self.rows(t)].max(initial=0.0) * SLACK
        for other in self.network.nodes[t + 1 :]:
            if isinstance(other, Breakpoints) and other.input == t:
                top = max(top, float(np.abs(other.knots[np.isfinite(other.knots)]).max(initial=0.0)))
        if not np.isfinite(top):
            raise DomainError("the network's weights are so large that its values overflow float64 on this domain.")
        bits = (
            int(self.scale[t]) + int(self.denominator[t]).bit_length() + (int(np.frexp(top)[1]) if top > 0 else 0) + 2
        )
        self.limbs[t] = max(1, -(-bits // 64))

    def run(self) -> None:
        for t in range(len(self.network.nodes)):
            self.integer_scale(t)
            self.bounds(t)
            self.integer_width(t)


def lower(network: Network, domain: Box | Slice | Space, *, certain: bool = True) -> Lowered:
    """Return the flat program of a network on a bounded domain; those of the last four are kept.

    With `certain=False` doubtful signs are taken from float64: to measure what certainty costs, and
    for tests that show what it is good for.
    """
    return _lowered(network, check_domain(network, domain), certain)


@lru_cache(maxsize=4)
def _lowered(network: Network, domain: Box | Slice | Space, certain: bool) -> Lowered:
    walk = _Lowering(network, domain)
    walk.run()
    nodes, cuts, off = network.nodes, walk.cuts, walk.off
    n_tensors, n_rows = len(nodes), int(off[-1])

    blocks = [
        [i for i, n in enumerate(nodes) if isinstance(n, Affine) and walk.level[i] == b] for b in range(-1, len(cuts))
    ]
    pat = np.concatenate([[0], np.cumsum([walk.sizes[c] for c in cuts])]).astype(np.int64)

    e_ptr, e_src, e_kind, e_stage, e_at, e_ratio = [0], [], [], [], [], []
    weights: list[NDArray] = []
    whole: list[tuple[int, NDArray]] = []
    g_ptr: list[NDArray] = []
    g_row: list[NDArray] = []
    r_ptr: list[NDArray] = []
    g_src: list[NDArray] = []
    g_pos: list[NDArray] = []
    blocked: list[RowBlocks | None] = []
    straight: list[int] = []
    n_weights = n_pointers = n_rows_of = n_entries = 0
    for t in range(n_tensors):
        for edge in walk.edges(t):
            e_src.append(edge.source)
            e_stage.append(edge.stage)
            straight.append(_shift_of(edge.operator))
            ratio = int(walk.denominator[edge.source]) * denominator(edge.operator)
            e_ratio.append(int(walk.denominator[t]) // ratio)
            if isinstance(edge.operator, Dense):
                e_kind.append(DENSE)
                e_at.append((n_weights, 0, 0))
                weights.append(np.ascontiguousarray(edge.operator.weight.T).reshape(-1))
                blocked.append(None)
            else:
                # by columns: pointers into the weights and target rows; by rows: places of weights and source entries
                operator = as_sparse(edge.operator)
                turned = operator.transposed
                e_kind.append(SPARSE)
                e_at.append((n_weights, n_pointers, n_rows_of))
                g_ptr.append(turned.indptr + n_weights)
                n_pointers += turned.indptr.size
                weights.append(turned.values / operator.denominator)
                whole.append((n_weights, turned.values))
                g_row.append(np.stack([np.arange(turned.indices.size) + n_weights, turned.indices]))
                r_ptr.append(operator.indptr + n_entries)
                n_rows_of += operator.indptr.size
                by_row = np.argsort(turned.indices, kind="stable")
                g_src.append(np.repeat(np.arange(operator.n_in), np.diff(turned.indptr))[by_row])
                g_pos.append(by_row + n_weights)
                n_entries += operator.indices.size
                blocked.append(row_blocks(operator))
            n_weights += weights[-1].size
        e_ptr.append(len(e_src))
    weight = _join(weights)
    target = np.zeros(n_weights, dtype=np.int64)
    for position, row in g_row:
        target[position] = row

    bias = np.zeros(n_rows)
    relu, n_knots, k_at, s_at, m_at = (np.zeros(n_tensors, dtype=np.int64) for _ in range(5))
    src = np.full(n_tensors, -1, dtype=np.int64)
    knots: list[NDArray] = []
    slopes: list[NDArray] = []
    shifts: list[NDArray] = []
    m_ptr: list[NDArray] = []
    m_cand: list[NDArray] = []
    kind = np.zeros(n_tensors, dtype=np.int64)
    used_by_affine = np.zeros(n_tensors, dtype=np.int64)
    used_by_affine[network.output] = 1
    max_piece = 1
    for t, node in enumerate(nodes):
        if isinstance(node, Affine):
            kind[t] = AFFINE
            bias[walk.rows(t)] = node.bias
            for s in node.inputs:
                used_by_affine[s] = 1
        elif isinstance(node, Breakpoints):
            kind[t], src[t], relu[t] = BREAK, node.input, int(node.is_relu)
            n_knots[t] = node.knots.shape[1]
            k_at[t], s_at[t] = sum(a.size for a in knots), sum(a.size for a in slopes)
            knots.append(node.knots.reshape(-1))
            slopes.append(node.slopes.reshape(-1))
            shifts.append(node.intercepts.reshape(-1))
            max_piece = max(max_piece, int(node.knots.shape[1]))
        elif isinstance(node, Max):
            kind[t], src[t] = MAX, node.input
            used_by_affine[node.input] = 1
            m_at[t] = sum(a.size for a in m_ptr)
            m_ptr.append(node.offsets + sum(a.size for a in m_cand))
            m_cand.append(node.candidates)
            max_piece = max(max_piece, int(np.diff(node.offsets).max()) - 1)

    finite = _join(knots)
    k_man, k_exp = dyadic(np.where(np.isfinite(finite), finite, 0.0))
    numerator = weight.copy()
    for start, values in whole:
        numerator[start : start + values.size] = values
    w_man, w_exp = dyadic(numerator)
    b_man, b_exp = dyadic(bias)
    s_man, s_exp = dyadic(_join(slopes))
    h_man, h_exp = dyadic(_join(shifts))

    origin, basis = domain.frame()
    rows0 = np.zeros((walk.k + 1, n_rows))
    rows0[: walk.k, walk.rows(0)] = basis
    rows0[walk.k, walk.rows(0)] = origin
    in_man, in_exp = dyadic(rows0[:, walk.rows(0)])

    # the sides of a space are at -M and M, M infinite
    ends = (-np.ones(walk.k), np.ones(walk.k)) if isinstance(domain, Space) else (domain.box.low, domain.box.high)
    sides = np.stack(ends, axis=1).reshape(-1)
    side_man, side_exp = dyadic(sides)
    row_limbs = int(walk.limbs.max(initial=1))
    side_bits = fraction_bits(sides) + int(np.frexp(np.abs(sides).max())[1]) + 2
    row_limbs = max(row_limbs, -(-side_bits // 64))
    x_words = (walk.k + 1) * walk.sizes * walk.limbs
    x_at = np.concatenate([[0], np.cumsum(x_words)]).astype(np.int64)

    ancestors = _ancestors(network)
    meta = np.zeros(11, dtype=np.int64)
    meta[M_CERTAIN], meta[M_INFINITE] = int(certain), int(isinstance(domain, Space))
    meta[M_TENSORS], meta[M_LEVELS], meta[M_ROWS], meta[M_UNITS] = n_tensors, len(cuts), n_rows, int(pat[-1])
    meta[M_OUT], meta[M_K], meta[M_ROW_LIMBS] = network.output, walk.k, row_limbs
    meta[M_EXACT_WORDS], meta[M_MAX_SIZE] = int(x_at[-1]), int(walk.sizes.max())
    edge_at = np.array(e_at, dtype=np.int64).reshape(-1, 3)
    program = Program(
        kind=kind, off=off, size=walk.sizes, level=walk.level, src=src, cut=np.array(cuts, dtype=np.int64),
        block_ptr=np.concatenate([[0], np.cumsum([len(b) for b in blocks])]).astype(np.int64),
        block=np.array([t for b in blocks for t in b], dtype=np.int64), pat_off=pat,
        e_ptr=np.array(e_ptr, dtype=np.int64), e_src=np.array(e_src, dtype=np.int64),
        e_kind=np.array(e_kind, dtype=np.int64), e_stage=np.array(e_stage, dtype=np.int64),
        e_at=edge_at, e_ratio=np.array(e_ratio, dtype=np.int64),
        e_straight=np.array(straight, dtype=np.int64), weight=weight, w_man=w_man, w_exp=w_exp,
        g_ptr=_join(g_ptr, np.int64), g_row=target, r_ptr=_join(r_ptr, np.int64),
        g_src=_join(g_src, np.int64), g_pos=_join(g_pos, np.int64), **_join_blocks(blocked),
        bias=bias, b_man=b_man, b_exp=b_exp,
        relu=relu, n_knots=n_knots, k_at=k_at, knot=finite, k_man=k_man, k_exp=k_exp,
        s_at=s_at, slope=_join(slopes), s_man=s_man, s_exp=s_exp, shift=_join(shifts), h_man=h_man, h_exp=h_exp,
        m_at=m_at, m_ptr=_join(m_ptr, np.int64), m_cand=_join(m_cand, np.int64),
        err_g=np.ascontiguousarray(walk.error[:, 0]), err_c=np.ascontiguousarray(walk.error[:, 1]),
        n_terms=walk.n_terms, rows0=rows0, in_man=in_man, in_exp=in_exp, x_scale=walk.scale, x_den=walk.denominator,
        x_limbs=walk.limbs, x_at=x_at, x_all=used_by_affine, x_float=walk.exact.astype(np.int64),
        anc_ptr=np.concatenate([[0], np.cumsum([len(a) for a in ancestors])]).astype(np.int64),
        anc=np.array([t for a in ancestors for t in a], dtype=np.int64),
        side_val=sides, side_man=side_man, side_exp=side_exp, meta=meta,
    )  # fmt: skip
    return Lowered(
        program,
        network,
        domain,
        int(pat[-1]),
        network.n_outputs,
        np.dtype(np.uint8 if max_piece < 256 else np.uint16),
    )


def _join(parts: list[NDArray], dtype: type = np.float64) -> NDArray:
    return np.ascontiguousarray(np.concatenate(parts), dtype=dtype) if parts else np.zeros(0, dtype=dtype)


def _shift_of(operator: LinearOperator) -> int:
    """Return s when row i of an operator reads entry s + i alone, for all rows, else -1."""
    if not isinstance(operator, Gather) or not operator.n_out or operator.index[0] < 0 or not operator.scale.all():
        return -1
    shift = int(operator.index[0])
    return shift if np.array_equal(operator.index, np.arange(shift, shift + operator.n_out)) else -1


def _join_blocks(parts: list[RowBlocks | None]) -> dict[str, NDArray]:
    """Return the blocks of all edges as arrays of a `Program`."""
    found = [p for p in parts if p is not None]

    def pointers(name: str) -> NDArray[np.int64]:
        widths = _join([np.diff(getattr(p, name)) for p in found], np.int64)
        return np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)

    before = np.cumsum([0, *(p.weight.size for p in found)])
    return {
        "q_edge": np.cumsum([0, *(0 if p is None else p.at.size for p in parts)], dtype=np.int64),
        "q_row_ptr": pointers("row_ptr"),
        "q_row": _join([p.row for p in found], np.int64),
        "q_col_ptr": pointers("col_ptr"),
        "q_col": _join([p.col for p in found], np.int64),
        "q_at": _join([p.at + shift for p, shift in zip(found, before[:-1], strict=True)], np.int64),
        "q_weight": _join([p.weight for p in found]),
    }


def _ancestors(network: Network) -> list[list[int]]:
    """Return, for each node, the sorted indices of the nodes that it depends on."""
    found: list[set[int]] = []
    for node in network.nodes:
        direct = node.inputs if isinstance(node, Affine) else (node.input,) if not isinstance(node, Input) else ()
        found.append(set(direct).union(*(found[i] for i in direct)))
    return [sorted(a) for a in found]
