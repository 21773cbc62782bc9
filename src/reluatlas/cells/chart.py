"""In which coordinates is a cell cut? Those of the domain, or, where the first layer sees all it can, its units.

When the rows of the first affine map of a network on the whole space are independent, every vector of its units is
taken somewhere, and a cell is the preimage of a polyhedron in these units: 64 coordinates instead of 784, in which
the rows of the first layer are bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.modular import Independent, independent, modulo, product
from reluatlas.deadline import current, look, under
from reluatlas.domain import Domain, Slice, Space
from reluatlas.errors import DimensionError, DomainError, TimeLimitError
from reluatlas.network.interpret import Choice, sources
from reluatlas.network.network import Affine, Dense, Gather, Input, Network, Node, require_network
from reluatlas.network.operators import apply_operator, as_sparse, coefficients, denominator
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.point_shapes import require_order
from reluatlas.network.values.bounded import FloatBounds
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic
from reluatlas.typing import FloatArray

_MOST = 2**24  # entries of the first map
_APART = 1e-6  # least distance of a row of length 1 from the space of those before it
_MODERATE = 200  # most bits that the rows of the first map are away from 1
_FOR_PROOF = 0.25  # of the time, for the proof that the first map reaches everything


@dataclass(frozen=True, eq=False)
class Chart:
    """The coordinates z of cells of a network on a domain.

    Attributes
    ----------
    network : Network
    domain : Box, Slice or Space
    local : Network
        The network of the domain's coordinates u.
    inner : Network
        The network of the coordinates z: `local` itself, or `local` without its first `depth` nodes.
    depth : int
        z is the tensor of node `depth` of `local`.
    proof : Independent or None
        That the map from u to z reaches every z; None where they are the same.
    """

    network: Network
    domain: Domain
    local: Network
    inner: Network
    depth: int
    proof: Independent | None

    @property
    def k(self) -> int:
        """Number of the domain's coordinates."""
        return self.local.n_inputs

    @property
    def is_reduced(self) -> bool:
        """Whether z are the units of the first layer."""
        return self.depth > 0

    @cached_property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The domain's bounds on z."""
        n = self.inner.n_inputs
        if isinstance(self.domain, Space):
            return np.full(n, -np.inf), np.full(n, np.inf)
        return self.domain.box.low, self.domain.box.high

    def is_strictly_inside(self, u: FloatArray) -> bool:
        """Return whether a point is off the domain's boundary."""
        return isinstance(self.domain, Space) or bool(np.all((self.domain.box.low < u) & (u < self.domain.box.high)))

    @cached_property
    def linear(self) -> tuple[FloatArray, FloatArray]:
        """Float64 `L` and `c` with `z = L u + c`; only where they differ."""
        return _composed(self.local, self.depth)

    @cached_property
    def gram(self) -> FloatArray:
        """`L L^T`: scalar products of rows in z are `g gram g^T` in u."""
        linear = self.linear[0]
        return linear @ linear.T

    def to_inner(self, u: FloatArray) -> FloatArray:
        """Return the coordinates z of a point u, rounded."""
        if not self.is_reduced:
            return np.array(u, dtype=np.float64)
        linear, constant = self.linear
        return linear @ u + constant

    def to_inner_exactly(self, u: FloatArray) -> list[Fraction]:
        """Return the coordinates z of a point u as fractions."""
        values = ExactPoint(self.local, self.integers, u, {}, 0).values(self.depth)
        scale = Fraction(2) ** values.exponent / values.denominator
        return [number * scale for number in values.numbers]

    def from_inner(self, z: FloatArray, near: FloatArray) -> FloatArray:
        """Return the points u (..., n) next to `near` whose coordinates are z (..., k), rounded."""
        if not self.is_reduced:
            return np.array(z, dtype=np.float64)
        linear, constant = self.linear
        return near + np.linalg.solve(self.gram, (z - (linear @ near + constant)).T).T @ linear

    def rows_in_domain(self, G: FloatArray) -> FloatArray:
        """Return rows on z as rows on u."""
        return G @ self.linear[0] if self.is_reduced else G

    def lengths(self, G: FloatArray) -> FloatArray:
        """Return the Euclidean lengths in u of rows on z."""
        if not self.is_reduced:
            return np.linalg.norm(G, axis=1)
        return np.sqrt(np.maximum(np.einsum("ij,ij->i", G @ self.gram, G), 0.0))

    @cached_property
    def integers(self) -> IntegerArithmetic:
        """Exact arithmetic that keeps the operators of these networks."""
        return IntegerArithmetic()

    @cached_property
    def float_bounds(self) -> FloatBounds:
        """Bounded float64 arithmetic that keeps the operators of these networks."""
        return FloatBounds()

    @cached_property
    def background(self) -> Background:
        """The background of `local`."""
        return Background(self.local)

    def choice(self, pattern: NDArray[np.integer], inner: bool = True) -> Choice:
        """Return a pattern as pieces per cut node (1, units) of `inner`, or of `local`."""
        slices = (self.inner if inner else self.local).pattern_slices()
        return {t: np.asarray(pattern[s], dtype=np.int64)[None] for t, s in slices.items()}


_MOST_KEPT = 4
_kept: list[Chart] = []


def chart_of(network: Network, domain: Domain | None) -> Chart:
    """Return the chart of a network on a domain (None: the whole space); the last few are kept.

    Raises
    ------
    DomainError, DimensionError
        When the domain is none of Box, Slice and Space, or does not fit the network.
    """
    require_network(network)
    domain = Space(network.n_inputs) if domain is None else domain
    if not isinstance(domain, Domain):
        raise DomainError(f"`domain` is a {type(domain).__name__}; expected a `Box`, `Slice` or `Space`.")
    if domain.n_inputs != network.n_inputs:
        raise DimensionError(
            f"`domain` has dimension {domain.n_inputs} but the network takes {network.n_inputs} inputs. "
            f"Pass a `Box` with {network.n_inputs} sides, a `Slice` of that space, or `Space({network.n_inputs})`."
        )
    if isinstance(domain, Slice):
        require_order(domain.input_shape, network.input_shape, "domain")
    for known in _kept:
        same = known.domain is domain or (isinstance(domain, Space) and isinstance(known.domain, Space))
        if known.network is network and same:
            return known
    local = _on_slice(network, domain) if isinstance(domain, Slice) else network
    depth, proof, is_late = 0, None, False
    if isinstance(domain, Space):
        try:
            with under(current().share(_FOR_PROOF)):
                depth, proof = _reduction(local)
        except TimeLimitError:
            is_late = True  # all that is lost are smaller rows
            look()
    chart = Chart(network, domain, local, _without(local, depth) if depth else local, depth, proof)
    if not is_late:
        _kept[:] = [*_kept[1 - _MOST_KEPT :], chart]
    return chart


def _on_slice(network: Network, domain: Slice) -> Network:
    k = domain.dim
    lifted = Affine((0,), (Dense(np.ascontiguousarray(domain.basis.T)),), domain.origin, network.input_shape, "slice")
    nodes = [Input((k,)), lifted, *(moved(node, lambda s: s + 1) for node in network.nodes[1:])]
    return Network(tuple(nodes), network.output + 1, source=network.source)


def _without(network: Network, depth: int) -> Network:
    """Return the network of the tensor of node `depth`."""
    first = Input(network.nodes[depth].shape)
    nodes = (first, *(moved(node, lambda s: s - depth) for node in network.nodes[depth + 1 :]))
    return Network(nodes, network.output - depth, source=network.source)


def moved(node: Node, to: Callable[[int], int]) -> Node:
    """Return a node that reads other nodes."""
    if isinstance(node, Affine):
        return replace(node, inputs=tuple(to(s) for s in node.inputs))
    assert not isinstance(node, Input)
    return replace(node, input=to(node.input))


def _reduction(network: Network) -> tuple[int, Independent | None]:
    """Return up to which node a network can be left out, with the proof that nothing is lost."""
    readers: dict[int, list[int]] = {}
    for t, node in enumerate(network.nodes):
        for s in sources(node):
            readers.setdefault(s, []).append(t)
    depth = 0
    while depth + 1 < len(network.nodes) and network.output > depth:
        node = network.nodes[depth + 1]
        if not isinstance(node, Affine) or node.inputs != (depth,) or readers[depth] != [depth + 1]:
            break
        depth += 1
    n, m = network.n_inputs, prod(network.nodes[depth].shape)
    if depth == 0 or m > n or m * n > _MOST or network.output == depth or not _is_moderate(network, depth):
        return 0, None
    proof = independent(_residues(network, depth))
    return (depth, proof) if proof is not None and _is_well_conditioned(network, depth) else (0, None)


def _composed(network: Network, depth: int) -> tuple[FloatArray, FloatArray]:
    """Return the map of the first `depth` nodes in float64, from the last to the first: never more rows than units."""
    constant = np.zeros(network.n_inputs)
    for node in network.nodes[1 : depth + 1]:
        assert isinstance(node, Affine)
        constant = apply_operator(node.operators[0], constant[None])[0] + node.bias
    linear: FloatArray | None = None
    for node in reversed(network.nodes[1 : depth + 1]):
        look()
        assert isinstance(node, Affine)
        operator = node.operators[0]
        if isinstance(operator, Dense):
            linear = operator.weight if linear is None else linear @ operator.weight
        elif linear is None:
            linear = as_sparse(operator).numerators.toarray() / denominator(operator)
        elif isinstance(operator, Gather):
            linear = (as_sparse(operator).transposed.numerators @ linear.T).T
        else:
            linear = apply_operator(operator.transposed, linear)
    return np.eye(network.n_inputs) if linear is None else linear, constant


def _is_well_conditioned(network: Network, depth: int) -> bool:
    """Return whether points in the units of the first layer tell float64 where they are in the domain."""
    if all(isinstance(o, Gather) for n in network.nodes[1 : depth + 1] if isinstance(n, Affine) for o in n.operators):
        return True
    linear = _composed(network, depth)[0]
    unit = linear / np.linalg.norm(linear, axis=1, keepdims=True)
    try:
        # how far each unit's direction is from those before it
        apart = np.diagonal(np.linalg.cholesky(unit @ unit.T))
    except np.linalg.LinAlgError:
        return False
    return bool(apart.min(initial=1.0) > _APART)


def _is_moderate(network: Network, depth: int) -> bool:
    """Return whether float64 has ample room for the first `depth` nodes, for products with them and their lengths."""
    low = high = 0.0
    for node in network.nodes[1 : depth + 1]:
        assert isinstance(node, Affine)
        operator = node.operators[0]
        sizes = np.abs(operator.weight).max(axis=1) if isinstance(operator, Dense) else np.abs(coefficients(operator))
        low += min(0.0, float(np.log2(sizes.min(initial=np.inf, where=sizes > 0))))
        high += max(0.0, float(np.log2(max(sizes.max(initial=1.0), np.abs(node.bias).max(initial=1.0)))))
    return low > -_MODERATE and high < _MODERATE


def _residues(network: Network, depth: int) -> NDArray[np.int64]:
    """Return the matrix of the first `depth` nodes modulo the prime, up to a factor.

    From the last to the first, so that there are never more rows than units, whatever lies between.
    """
    rows: NDArray[np.int64] | None = None
    for node in reversed(network.nodes[1 : depth + 1]):
        look()
        assert isinstance(node, Affine)
        operator = node.operators[0]
        if isinstance(operator, Dense):
            residues = modulo(operator.weight)
            rows = residues if rows is None else product(rows, residues)
            continue
        sparse = as_sparse(operator)
        residues = sparse.numerators.copy()
        residues.data = modulo(sparse.values)
        rows = residues.toarray() if rows is None else product(rows, residues)
    assert rows is not None
    return rows
