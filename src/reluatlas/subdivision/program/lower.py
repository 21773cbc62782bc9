"""`lower`: a network on a slice, a box or the whole space, laid out for the compiled kernels as a `Program`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.floats import fraction_bits, mantissas
from reluatlas.deadline import look
from reluatlas.domain import Box, Domain, Slice, Space
from reluatlas.errors import DimensionError, DomainError, UnsupportedLayerError
from reluatlas.memory import require_memory
from reluatlas.network.balance import balanced
from reluatlas.network.interpret import sources
from reluatlas.network.network import (
    Affine,
    Breakpoints,
    Convolution,
    Dense,
    Gather,
    LinearOperator,
    Max,
    Network,
    Sparse,
    require_network,
)
from reluatlas.network.operators import as_sparse, denominator
from reluatlas.network.point_shapes import require_order
from reluatlas.subdivision.program.blocks import RowBlocks, row_blocks
from reluatlas.subdivision.program.error_bounds import RowBounds
from reluatlas.subdivision.program.keys import keys_of_one
from reluatlas.subdivision.program.layout import (
    AFFINE,
    BREAK,
    DENSE,
    M_CERTAIN,
    M_EXACT_WORDS,
    M_INFINITE,
    M_K,
    M_LEVELS,
    M_MAX_SIZE,
    M_OUT,
    M_ROW_LIMBS,
    M_ROWS,
    M_TENSORS,
    M_UNITS,
    MAX,
    SPARSE,
    Lowered,
    Program,
)

_AT_ONCE = 2**22  # numbers between two looks at the clock
_PER_DENSE, _PER_ENTRY = 44, 140  # bytes that a coefficient takes while a program is made, most of them to the end
MOST_PIECES, MOST_LEVELS = 1 << 10, 1 << 13
"""What one number holds that names a row: pieces of a unit or candidates of a window, layers that cut."""
Arrays = dict[str, Any]
"""Some of the arrays of a `Program`, by name."""


def check_domain(network: Network, domain: object) -> Domain:
    """Return the domain if the network can be cut on it.

    Raises
    ------
    DomainError
        When it is not a `Box`, `Slice` or `Space`.
    DimensionError
        When it does not fit the network's inputs.
    """
    require_network(network)
    if not isinstance(domain, Domain):
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
    if isinstance(domain, Slice):
        require_order(domain.input_shape, network.input_shape, "domain")
    return domain


def lower(network: Network, domain: Domain, *, certain: bool = True) -> Lowered:
    """Return the flat program of a network on a domain; those of the last four are kept.

    With `certain=False` doubtful signs are taken from float64: to measure what certainty costs, and
    for tests that show what it is good for.
    """
    return _lowered(network, check_domain(network, domain), certain)


@lru_cache(maxsize=4)
def _lowered(network: Network, domain: Domain, certain: bool) -> Lowered:
    _require_room(network)
    _check_references(network)
    bounds = RowBounds(balanced(network), domain)
    bounds.run()
    sides, side_limbs = sides_of(domain)
    levels = levels_of(bounds)
    none, column = np.zeros(0, dtype=np.int64), np.arange(levels["pat_off"][-1])
    program = Program(
        **levels, **edges_of(bounds), **nodes_of(bounds), **_input(bounds), **exact_of(bounds), **sides,
        err_g=np.ascontiguousarray(bounds.error[:, 0]), err_c=np.ascontiguousarray(bounds.error[:, 1]),
        n_terms=bounds.n_terms, column=column, key=keys_of_one(column), w_size=np.zeros(0), to_level=none,
        to_unit=none, meta=np.zeros(12, dtype=np.int64),
    )  # fmt: skip
    meta, n_units = program.meta, int(program.pat_off[-1])
    meta[M_CERTAIN], meta[M_INFINITE] = int(certain), int(isinstance(domain, Space))
    meta[M_TENSORS], meta[M_LEVELS] = len(network.nodes), len(bounds.cuts)
    meta[M_ROWS], meta[M_UNITS], meta[M_MAX_SIZE] = bounds.off[-1], n_units, bounds.sizes.max()
    meta[M_OUT], meta[M_K] = network.output, bounds.k
    meta[M_ROW_LIMBS] = max(int(bounds.limbs.max(initial=1)), side_limbs)
    meta[M_EXACT_WORDS] = program.x_at[-1]
    return Lowered(program, network, domain, n_units, network.n_outputs, piece_type(network), bounds.map_error())


def levels_of(bounds: RowBounds) -> Arrays:
    """Return where tensors lie, and in which order they are come by."""
    nodes, cuts = bounds.network.nodes, bounds.cuts
    blocks = [
        [i for i, n in enumerate(nodes) if isinstance(n, Affine) and bounds.level[i] == b] for b in range(-1, len(cuts))
    ]
    ancestors = _ancestors(bounds.network)
    return {
        "off": bounds.off, "size": bounds.sizes, "level": bounds.level, "cut": np.array(cuts, dtype=np.int64),
        "block_ptr": _starts([len(b) for b in blocks]), "block": _flat(blocks),
        "pat_off": _starts([bounds.sizes[c] for c in cuts]),
        "anc_ptr": _starts([len(a) for a in ancestors]), "anc": _flat(ancestors),
    }  # fmt: skip


def edges_of(bounds: RowBounds) -> Arrays:
    """Return the linear operators between tensors, by columns and by rows, as float64 and as whole numbers."""
    e_ptr, e_src, e_kind, e_stage, e_at, e_ratio, straight = [0], [], [], [], [], [], []
    weights: list[NDArray] = []
    whole: list[tuple[int, NDArray]] = []
    g_ptr: list[NDArray] = []
    g_row: list[tuple[int, NDArray]] = []
    r_ptr: list[NDArray] = []
    g_src: list[NDArray] = []
    g_pos: list[NDArray] = []
    blocked: list[RowBlocks | None] = []
    n_weights = n_pointers = n_rows_of = n_entries = 0
    for t in range(len(bounds.network.nodes)):
        for edge in bounds.edges(t):
            e_src.append(edge.source)
            e_stage.append(edge.stage)
            straight.append(_shift_of(edge.operator))
            ratio = int(bounds.denominator[edge.source]) * denominator(edge.operator)
            e_ratio.append(int(bounds.denominator[t]) // ratio)
            if isinstance(edge.operator, Dense):
                e_kind.append(DENSE)
                e_at.append((n_weights, 0, 0))
                weights.append(np.ascontiguousarray(edge.operator.weight.T).reshape(-1))
                blocked.append(None)
            else:
                # by columns: pointers into the weights and target rows; by rows: places of weights and source entries
                look()
                operator = as_sparse(edge.operator)
                turned = operator.transposed
                look()
                e_kind.append(SPARSE)
                e_at.append((n_weights, n_pointers, n_rows_of))
                g_ptr.append(turned.indptr + n_weights)
                n_pointers += turned.indptr.size
                weights.append(turned.values / operator.denominator)
                whole.append((n_weights, turned.values))
                g_row.append((n_weights, turned.indices))
                r_ptr.append(operator.indptr + n_entries)
                n_rows_of += operator.indptr.size
                source, by_row = _by_row(turned)
                g_src.append(source)
                g_pos.append(by_row + n_weights)
                n_entries += operator.indices.size
                blocked.append(row_blocks(operator))
            n_weights += weights[-1].size
        e_ptr.append(len(e_src))
    weight = _join(weights)
    target = np.zeros(n_weights, dtype=np.int64)
    for start, row in g_row:
        target[start : start + row.size] = row
    numerator = weight.copy()
    for start, values in whole:
        numerator[start : start + values.size] = values
    w_man, w_exp = np.empty(numerator.size, dtype=np.int64), np.empty(numerator.size, dtype=np.int32)
    for start in range(0, numerator.size, _AT_ONCE):
        look()
        part = slice(start, start + _AT_ONCE)
        w_man[part], w_exp[part] = mantissas(numerator[part])
    return {
        "e_ptr": np.array(e_ptr, dtype=np.int64), "e_src": np.array(e_src, dtype=np.int64),
        "e_kind": np.array(e_kind, dtype=np.int64), "e_stage": np.array(e_stage, dtype=np.int64),
        "e_at": np.array(e_at, dtype=np.int64).reshape(-1, 3), "e_ratio": np.array(e_ratio, dtype=np.int64),
        "e_straight": np.array(straight, dtype=np.int64), "weight": weight, "w_man": w_man, "w_exp": w_exp,
        "g_ptr": _join(g_ptr, np.int64), "g_row": target, "r_ptr": _join(r_ptr, np.int64),
        "g_src": _join(g_src, np.int64), "g_pos": _join(g_pos, np.int64), **_join_blocks(blocked),
    }  # fmt: skip


def _by_row(turned: Sparse) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, row by row of the operator whose transpose is given, the columns and where the transpose has them."""
    from scipy.sparse import csr_array

    places = csr_array(
        (np.arange(turned.indices.size), turned.indices, turned.indptr), shape=(turned.n_out, turned.n_in)
    )
    back = places.T.tocsr()
    return back.indices.astype(np.int64), back.data.astype(np.int64)


def _require_room(network: Network) -> None:
    """Refuse a network whose operators, spelled out for the kernels, do not fit into memory."""
    n_dense = n_sparse = 0
    for node in network.nodes:
        for operator in node.operators if isinstance(node, Affine) else ():
            if isinstance(operator, Dense):
                n_dense += operator.weight.size
            elif isinstance(operator, Convolution):
                n_sparse += operator.n_entries
            else:
                n_sparse += operator.values.size if isinstance(operator, Sparse) else operator.n_out
    require_memory(
        _PER_DENSE * n_dense + _PER_ENTRY * n_sparse,
        f"this network with its convolutions spelled out ({n_sparse + n_dense:,} coefficients)",
        "Take a smaller network, or smaller inputs; `trace`, `affine_at` and `patterns` need far less.",
    )


def nodes_of(bounds: RowBounds) -> Arrays:
    """Return what each node does: biases, knots and slopes, candidates."""
    nodes = bounds.network.nodes
    bias = np.zeros(int(bounds.off[-1]))
    kind, relu, n_knots, k_at, s_at, m_at, x_all = (np.zeros(len(nodes), dtype=np.int64) for _ in range(7))
    src = np.full(len(nodes), -1, dtype=np.int64)
    knots: list[NDArray] = []
    slopes: list[NDArray] = []
    shifts: list[NDArray] = []
    m_ptr: list[NDArray] = []
    m_cand: list[NDArray] = []
    x_all[bounds.network.output] = 1
    for t, node in enumerate(nodes):
        if isinstance(node, Affine):
            kind[t] = AFFINE
            bias[bounds.rows(t)] = node.bias
            x_all[list(node.inputs)] = 1
        elif isinstance(node, Breakpoints):
            kind[t], src[t], relu[t] = BREAK, node.input, int(node.is_relu)
            n_knots[t] = node.knots.shape[1]
            k_at[t], s_at[t] = sum(a.size for a in knots), sum(a.size for a in slopes)
            knots.append(node.knots.reshape(-1))
            slopes.append(node.slopes.reshape(-1))
            shifts.append(node.intercepts.reshape(-1))
        elif isinstance(node, Max):
            kind[t], src[t] = MAX, node.input
            x_all[node.input] = 1
            m_at[t] = sum(a.size for a in m_ptr)
            m_ptr.append(node.offsets + sum(a.size for a in m_cand))
            m_cand.append(node.candidates)
    knot = _join(knots)
    k_man, k_exp = mantissas(np.where(np.isfinite(knot), knot, 0.0))
    b_man, b_exp = mantissas(bias)
    slope, shift = _join(slopes), _join(shifts)
    s_man, s_exp = mantissas(slope)
    h_man, h_exp = mantissas(shift)
    return {
        "kind": kind, "src": src, "bias": bias, "b_man": b_man, "b_exp": b_exp,
        "relu": relu, "n_knots": n_knots, "k_at": k_at, "knot": knot, "k_man": k_man, "k_exp": k_exp,
        "s_at": s_at, "slope": slope, "s_man": s_man, "s_exp": s_exp, "shift": shift, "h_man": h_man, "h_exp": h_exp,
        "m_at": m_at, "m_ptr": _join(m_ptr, np.int64), "m_cand": _join(m_cand, np.int64), "x_all": x_all,
    }  # fmt: skip


def _input(bounds: RowBounds) -> Arrays:
    """Return the rows of the input in the coordinates of the domain."""
    origin, basis = bounds.domain.frame()
    rows0 = np.zeros((bounds.k + 1, int(bounds.off[-1])))
    here = bounds.rows(0)
    rows0[: bounds.k, here] = basis
    rows0[bounds.k, here] = origin
    in_man, in_exp = mantissas(rows0[:, here])
    return {"rows0": rows0, "in_man": in_man, "in_exp": in_exp}


def exact_of(bounds: RowBounds) -> Arrays:
    """Return on which scale, and in how many limbs, rows are whole numbers."""
    return {
        "x_scale": bounds.scale, "x_den": bounds.denominator, "x_limbs": bounds.limbs,
        "x_at": _starts((bounds.k + 1) * bounds.sizes * bounds.limbs), "x_float": bounds.exact.astype(np.int64),
    }  # fmt: skip


def sides_of(domain: Domain) -> tuple[Arrays, int]:
    """Return the ends of the domain, low and high in turn, and the limbs that they need."""
    k = domain.dim
    # the sides of a space are at -M and M, M infinite
    ends = (-np.ones(k), np.ones(k)) if isinstance(domain, Space) else (domain.box.low, domain.box.high)
    sides = np.stack(ends, axis=1).reshape(-1)
    side_man, side_exp = mantissas(sides)
    bits = fraction_bits(sides) + int(np.frexp(np.abs(sides).max())[1]) + 2
    return {"side_val": sides, "side_man": side_man, "side_exp": side_exp}, -(-bits // 64)


def piece_type(network: Network) -> np.dtype:
    """Return the type of the patterns that the kernels write."""
    return np.dtype(np.uint8 if _most_pieces(network) < 256 else np.uint16)


def _check_references(network: Network) -> None:
    """Refuse a network with more units or pieces than the name of a row holds; see `exact.line_reference`."""
    most = _most_pieces(network) + 1
    if most > MOST_PIECES:
        raise UnsupportedLayerError(
            f"`net` has a window of {most:,} candidates, a unit of as many pieces, or as many outputs; cells "
            f"are cut with up to {MOST_PIECES:,}. Split the maximum into several that follow each other, or use "
            "`cell_at` and `trace`, which have no such limit."
        )
    if len(network.cuts) > MOST_LEVELS:
        raise UnsupportedLayerError(
            f"`net` has {len(network.cuts):,} layers that cut; cells are cut with up to {MOST_LEVELS:,}. Use `cell_at` "
            "and `trace`, which have no such limit."
        )


def _most_pieces(network: Network) -> int:
    """Return the largest number that an activation pattern can hold, at least 1."""
    found = [1]
    for node in network.nodes:
        if isinstance(node, Breakpoints):
            found.append(int(node.knots.shape[1]))
        elif isinstance(node, Max):
            found.append(int(np.diff(node.offsets).max()) - 1)
    return max(found)


def _starts(sizes: Any) -> NDArray[np.int64]:
    """Return where each of some parts begins, and the end."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _flat(lists: list[list[int]]) -> NDArray[np.int64]:
    return np.array([item for items in lists for item in items], dtype=np.int64)


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
        return _starts(_join([np.diff(getattr(p, name)) for p in found], np.int64))

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
        found.append(set(sources(node)).union(*(found[i] for i in sources(node))))
    return [sorted(a) for a in found]
