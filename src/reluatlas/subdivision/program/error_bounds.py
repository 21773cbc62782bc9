"""How large, how uncertain, and on which scale whole can the rows of each tensor be? Over all activation patterns.

See `reluatlas.subdivision.program.layout` for the words.
"""

from __future__ import annotations

from math import lcm, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import LOST, SLACK_PATH, SMALLEST, TINY, UNIT_ROUNDOFF
from reluatlas.arithmetic.floats import fraction_bits
from reluatlas.deadline import look
from reluatlas.domain import Domain, Space
from reluatlas.errors import DomainError
from reluatlas.geometry.vertices.polygon import FARTHEST
from reluatlas.network.network import Affine, Breakpoints, Input, LinearOperator, Max, Network
from reluatlas.network.operators import apply_operator, coefficients, denominator, mapped, terms
from reluatlas.network.record import Graph
from reluatlas.subdivision.program.layout import CUT, FIXED, INNER

MAX_DENOMINATOR = 2**36  # of a tensor: its products with half a mantissa fit into 64 bits
FINEST = 150
"""Exact rows are whole multiples of 2^-150: their products with vertices lose less by underflow than any bound adds."""
MOST_OPEN = 1024
"""A local network (`reluatlas.subdivision.local`) has at most so many units: each reads all before it."""
EACH_LEVEL = 12
"""Roundings of a product in one local cut and sum, besides one for each unit that is added."""


class Edge(NamedTuple):
    """A linear operator from an earlier tensor, and whether that is a cut's, of the same block, or of neither."""

    source: int
    operator: LinearOperator
    stage: int


def staged(node: Affine, first: int) -> list[Edge]:
    """Return the operators of an affine node, whose block begins with the cut node `first`; -1 before all cuts."""
    return [
        Edge(s, operator, CUT if s == first else (INNER if s > first else FIXED))
        for s, operator in zip(node.inputs, node.operators, strict=True)
    ]


def _least(operator: LinearOperator) -> float:
    sizes = np.abs(coefficients(operator)) / denominator(operator)
    return float(sizes.min(initial=np.inf, where=sizes > 0))


def _abs_apply(operator: LinearOperator, values: NDArray) -> NDArray:
    """Return |operator| applied to columns (n_in, ...)."""
    return apply_operator(mapped(operator, np.abs), values.T).T


def roundings(network: Graph) -> list[int]:
    """Return how often a product of weights on a path to each tensor is rounded at most, when it is summed up."""
    out: list[int] = []
    for node in network.nodes:
        if isinstance(node, Input):
            out.append(0)
        elif isinstance(node, Affine):
            before = max((out[i] for i in node.inputs), default=0)
            out.append(before + 3 + sum(terms(operator) + 2 for operator in node.operators))
        else:
            out.append(out[node.input] + 2)
    return out


class RowBounds:
    """Bounds, errors and scales of the rows of all tensors: walks the graph once, tensor by tensor."""

    def __init__(self, network: Network, domain: Domain) -> None:
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
        """Return where the rows of tensor t lie."""
        return slice(int(self.off[t]), int(self.off[t + 1]))

    def edges(self, t: int) -> list[Edge]:
        """Return the operators that add up to tensor t."""
        node = self.network.nodes[t]
        if not isinstance(node, Affine):
            return []
        return staged(node, self.cuts[self.level[t]] if self.level[t] >= 0 else -1)

    def bounds(self, t: int) -> None:
        """Bound magnitudes and errors of all rows of tensor t, for every activation pattern."""
        node, here = self.network.nodes[t], self.rows(t)
        if isinstance(node, Input):
            origin, basis = self.domain.frame()
            self.bound[here, 0] = np.abs(basis).max(axis=0)
            self.bound[here, 1] = np.abs(origin)
            self.alive[here] = self.bound[here] > 0
            self.exact[t] = self.scale[t] <= FINEST
            self.error[here] = 0.0 if self.exact[t] else TINY * self.alive[here]
        elif isinstance(node, Affine):
            bound = np.stack([np.zeros(node.bias.size), np.abs(node.bias)], axis=1)
            error = np.zeros_like(bound)
            alive = np.stack([np.zeros(node.bias.size, bool), node.bias != 0], axis=1)
            fed = np.zeros_like(alive)
            n_terms = 1
            for edge in self.edges(t):
                source = self.rows(edge.source)
                bound += _abs_apply(edge.operator, self.bound[source]) * SLACK_PATH
                error += _abs_apply(edge.operator, self.error[source]) * SLACK_PATH
                fed |= _abs_apply(edge.operator, self.alive[source].astype(float)) > 0
                n_terms += terms(edge.operator) + (denominator(edge.operator) != 1)
                if denominator(edge.operator) != 1 and _least(edge.operator) < LOST:
                    # ratios below 2^-1022 are rounded by up to 2^-1075, whatever their size
                    error += terms(edge.operator) * SMALLEST * self.bound[source].max(axis=0, initial=0.0)
            alive |= fed
            bound += LOST * alive
            self.n_terms[t] = np.max(n_terms, initial=1)
            self.exact[t] = all(self.exact[e.source] for e in self.edges(t)) and self._fits(t, bound)
            if not self.exact[t]:
                error += (n_terms + 4) * UNIT_ROUNDOFF * SLACK_PATH * (bound + error) + TINY * alive
                error[~fed] = 0.0  # zero, or the bias alone
            self.bound[here], self.error[here], self.alive[here] = bound, error, alive
        else:
            source = self.rows(node.input)
            if isinstance(node, Breakpoints):
                slope = np.abs(node.slopes).max(axis=1, initial=0.0)
                shift = np.abs(node.intercepts).max(axis=1, initial=0.0)
                bound = self.bound[source] * slope[:, None]
                bound[:, 1] += shift
                bound += LOST * self.alive[source]
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
        return self.scale[t] <= FINEST and bool(np.all(bound * 2.0 ** int(self.scale[t]) <= 2.0**52))

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
        top = self.bound[self.rows(t)].max(initial=0.0) * SLACK_PATH
        for other in self.network.nodes[t + 1 :]:
            if isinstance(other, Breakpoints) and other.input == t:
                top = max(top, float(np.abs(other.knots[np.isfinite(other.knots)]).max(initial=0.0)))
        is_cut = any(isinstance(n, Breakpoints | Max) and n.input == t for n in self.network.nodes)
        if not top < (FARTHEST if is_cut else np.inf):
            raise DomainError(
                f"the rows of `{self._name(t)}` may be as large as {top:.1e} on this domain, where float64 has no room "
                f"for their products with points. Expected at most {FARTHEST:.0e}. Multiply the weights and biases of "
                "a layer by a power of two below 1, and the weights behind its ReLU by the inverse: no cell changes."
            )
        bits = (
            int(self.scale[t]) + int(self.denominator[t]).bit_length() + (int(np.frexp(top)[1]) if top > 0 else 0) + 2
        )
        self.limbs[t] = max(1, -(-bits // 64))

    def _name(self, t: int) -> str:
        return self.network.nodes[t].name or f"node {t}"

    def map_error(self) -> NDArray[np.float64]:
        """Return bounds (outputs, 2) on the errors of maps, found in this network or in any local one."""
        network, here = self.network, self.rows(self.network.output)
        if isinstance(self.domain, Space) or self.exact[network.output]:
            return self.error[here].copy()
        each = min(MOST_OPEN, sum(int(self.sizes[c]) for c in self.cuts)) + self.k + 1 + EACH_LEVEL
        total = roundings(network)[network.output] + (len(self.cuts) + 2) * each
        bound = self.bound[here]
        return np.maximum(self.error[here], (total * UNIT_ROUNDOFF * bound + TINY * (bound > 0.0)) * SLACK_PATH**2)

    def run(self) -> None:
        """Go through all tensors."""
        with np.errstate(all="ignore"):  # what is not finite is refused
            for t in range(len(self.network.nodes)):
                look()
                self.integer_scale(t)
                self.bounds(t)
                self.integer_width(t)
