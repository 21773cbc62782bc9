"""How is a local network laid out for the kernels? As a `Program` of its own, of open units alone: `laid_out`.

Its input are the k coordinates and the constant 1; for each cut node with open units it has one affine tensor, of what
these units read, and one cut. Kernels that make float64 rows see no difference; exact rows are the whole network's.

The error of a row: each product along a path from the input to it is rounded while weights are composed, at most
`roundings` times, and again in every local sum and cut that it goes through. The sizes of all such products,
over all pieces of the open units, are summed like the row itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import SLACK_PATH, TINY, UNIT_ROUNDOFF
from reluatlas.arithmetic.floats import mantissas
from reluatlas.domain import Box, Slice
from reluatlas.network.operators import Dense
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max, Node
from reluatlas.subdivision.local.compose import OUTPUT, Rows, entries_of
from reluatlas.subdivision.program.error_bounds import EACH_LEVEL, Edge, roundings, staged
from reluatlas.subdivision.program.keys import keys_of_one
from reluatlas.subdivision.program.layout import (
    M_CERTAIN,
    M_K,
    M_LEVELS,
    M_LOCAL,
    M_MAX_SIZE,
    M_OUT,
    M_ROW_LIMBS,
    M_ROWS,
    M_TENSORS,
    M_UNITS,
    Program,
)
from reluatlas.subdivision.program.lower import edges_of, exact_of, levels_of, nodes_of, sides_of
from reluatlas.typing import FloatArray, IntArray


class LocalGraph:
    """The local network as a graph, with all that `lower` asks of a network's bounds.

    Parameters
    ----------
    whole : Graph
    is_exact : ndarray
        Whether the rows of each tensor of the whole network are exact in float64, whatever the pattern.
    rows : mapping
        What `composed` gives.
    kept : mapping
        The open units of each cut node, with those that open windows choose from.
    """

    def __init__(
        self,
        whole: Graph,
        domain: Box | Slice,
        is_exact: NDArray,
        rows: Mapping[int, Rows],
        kept: Mapping[int, IntArray],
    ) -> None:
        self.k = k = domain.dim
        self.levels = [i for i, t in enumerate(whole.cuts) if kept[t].size]
        self.kept = [kept[whole.cuts[i]] for i in self.levels]
        n_kept = sum(own.size for own in self.kept)
        self._nodes: list[Node] = [Input((k + 1,))]
        is_constant = np.arange(k + 1) == k
        self._bound: list[FloatArray] = [np.stack([~is_constant, is_constant], axis=1).astype(np.float64)]
        self._error: list[FloatArray] = [np.zeros((k + 1, 2))]
        self._exact: list[bool] = [True]
        self._terms: list[int] = [0]
        self._sizes: list[list[FloatArray]] = [[]]
        self._sources: list[int] = [0]  # the input, and the cuts so far
        self._each = n_kept + k + 1 + EACH_LEVEL
        done = roundings(whole)
        at: dict[int, int] = {}  # where the local cut of a whole one is
        for i, own in zip(self.levels, self.kept, strict=True):
            t = whole.cuts[i]
            node = whole.nodes[t]
            assert isinstance(node, Breakpoints | Max)
            if t in rows:
                self._add_affine(rows[t], done[node.input], is_exact[node.input])
            source = len(self._nodes) - 1 if t in rows else at[node.input]
            if isinstance(node, Breakpoints):
                cut: Node = Breakpoints(source, node.knots[own], node.slopes[own], node.intercepts[own], (own.size,))
            else:
                entries = entries_of(node, own) if t in rows else kept[node.input]
                held = [node.candidates[node.offsets[w] : node.offsets[w + 1]] for w in own]
                offsets = np.concatenate([[0], np.cumsum([h.size for h in held])]).astype(np.int64)
                cut = Max(source, offsets, np.searchsorted(entries, np.concatenate(held)), (own.size,))
            self._add_cut(cut, bool(is_exact[t]))
            at[t] = len(self._nodes) - 1
            self._sources.append(at[t])
        self._add_affine(rows[OUTPUT], done[whole.output], is_exact[whole.output])
        self.network = Graph(tuple(self._nodes), len(self._nodes) - 1, classes=None)
        self._lay_out()

    def _add_affine(self, rows: Rows, done: int, is_exact: bool) -> None:
        """Add a tensor of sums over the input and all open units before it."""
        sources, operators, sizes = [], [], []
        # a gradient's size is that of its largest coordinate
        start, bound = 0, np.stack([rows.size[: self.k].max(axis=0, initial=0.0), rows.size[self.k]], axis=1)
        for s in self._sources:
            here = slice(start, start + self._bound[s].shape[0])
            start = here.stop
            weight, size = rows.weight[here], rows.size[here]
            if size.any():
                sources.append(s)
                operators.append(Dense(np.ascontiguousarray(weight.T)))
                sizes.append(size.reshape(-1))
                if s:
                    bound += size.T @ self._bound[s]
        bound *= SLACK_PATH
        level = len(self._sources)
        error = (done + level * self._each) * UNIT_ROUNDOFF * SLACK_PATH * bound + TINY * (bound > 0.0)
        self._add(
            Affine(tuple(sources), tuple(operators), np.zeros(bound.shape[0]), (bound.shape[0],)), bound,
            np.zeros_like(bound) if is_exact else error, is_exact, done + self._each, sizes,
        )  # fmt: skip

    def _add_cut(self, node: Breakpoints | Max, is_exact: bool) -> None:
        bound, error = self._bound[node.input], self._error[node.input]
        if isinstance(node, Breakpoints):
            slope = np.abs(node.slopes).max(axis=1, initial=0.0)
            shift = np.abs(node.intercepts).max(axis=1, initial=0.0)
            bound, error = bound * slope[:, None], error * slope[:, None]
            bound[:, 1] += shift
            plain = bool(np.all(np.isin(node.slopes, (-1.0, 0.0, 1.0)))) and not node.intercepts.any()
            if not plain and not is_exact:
                error = (error + 8 * UNIT_ROUNDOFF * (bound + error)) * SLACK_PATH + TINY * (bound > 0.0)
        else:
            bound = np.maximum.reduceat(bound[node.candidates], node.offsets[:-1], axis=0)
            error = np.maximum.reduceat(error[node.candidates], node.offsets[:-1], axis=0)
        self._add(node, bound, np.zeros_like(error) if is_exact else error, is_exact, 0, [])

    def _add(
        self, node: Node, bound: FloatArray, error: FloatArray, is_exact: bool, n_terms: int, sizes: list[FloatArray]
    ) -> None:
        self._nodes.append(node)
        self._bound.append(bound)
        self._error.append(error)
        self._exact.append(bool(is_exact))
        self._terms.append(n_terms)
        self._sizes.append(sizes)

    def _lay_out(self) -> None:
        """Set what `lower` reads."""
        nodes, self.cuts = self.network.nodes, self.network.cuts
        self.sizes = np.array([b.shape[0] for b in self._bound], dtype=np.int64)
        self.off = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        level_of = {c: i for i, c in enumerate(self.cuts)}
        before = np.cumsum([isinstance(n, Breakpoints | Max) for n in nodes])
        self.level = np.array([level_of.get(i, int(before[i]) - 1) for i in range(len(nodes))], dtype=np.int64)
        n = len(nodes)
        self.denominator, self.scale = np.ones(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.limbs, self.exact = np.zeros(n, dtype=np.int64), np.array(self._exact)
        self.n_terms = np.array(self._terms, dtype=np.int64)
        self.error = np.concatenate(self._error)
        self.size = np.concatenate([np.zeros(0), *(s for sizes in self._sizes for s in sizes)])

    def rows(self, t: int) -> slice:
        """Return where the rows of tensor t lie."""
        return slice(int(self.off[t]), int(self.off[t + 1]))

    def edges(self, t: int) -> list[Edge]:
        """Return the operators that add up to tensor t."""
        node = self.network.nodes[t]
        if not isinstance(node, Affine):
            return []
        return staged(node, self.cuts[self.level[t]] if self.level[t] >= 0 else -1)


def laid_out(graph: LocalGraph, domain: Box | Slice, whole: Program) -> Program:
    """Return the program of a local network; exact signs, and the room for them, are those of the whole one."""
    bounds: Any = graph
    k = graph.k
    levels = levels_of(bounds)
    sides, _ = sides_of(domain)
    rows0 = np.zeros((k + 1, int(graph.off[-1])))
    rows0[:, : k + 1] = np.eye(k + 1)
    in_man, in_exp = mantissas(rows0[:, : k + 1])
    none = [np.zeros(0, dtype=np.int64)]
    column = np.concatenate(none + [whole.pat_off[i] + own for i, own in zip(graph.levels, graph.kept, strict=True)])
    column = column.astype(np.int64)
    meta = np.zeros_like(whole.meta)
    meta[M_CERTAIN], meta[M_ROW_LIMBS], meta[M_LOCAL] = whole.meta[M_CERTAIN], whole.meta[M_ROW_LIMBS], 1
    meta[M_TENSORS], meta[M_LEVELS] = len(graph.network.nodes), len(graph.cuts)
    meta[M_ROWS], meta[M_UNITS], meta[M_MAX_SIZE] = graph.off[-1], levels["pat_off"][-1], graph.sizes.max()
    meta[M_OUT], meta[M_K] = graph.network.output, k
    return Program(
        **levels, **edges_of(bounds), **nodes_of(bounds), **exact_of(bounds), **sides,
        rows0=rows0, in_man=in_man, in_exp=in_exp,
        err_g=np.ascontiguousarray(graph.error[:, 0]), err_c=np.ascontiguousarray(graph.error[:, 1]),
        n_terms=graph.n_terms, column=column, key=keys_of_one(column), w_size=graph.size,
        to_level=np.array(graph.levels, dtype=np.int64),
        to_unit=np.concatenate(none + graph.kept).astype(np.int64), meta=meta,
    )  # fmt: skip
