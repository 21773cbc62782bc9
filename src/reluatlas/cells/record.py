"""What is known of a cell? The record that functions read: its rows and its facets, decided when first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.exactness import Exactness
from reluatlas.arithmetic.rationals import Coordinates, ratio_of, to_floats
from reluatlas.cells.chart import Chart, Domain
from reluatlas.cells.rows import CellRows, Composer, RowOf
from reluatlas.deadline import Deadline, under
from reluatlas.domain import Space
from reluatlas.errors import DomainError, InternalError, TimeLimitError
from reluatlas.geometry.halfspaces.facets import Facet, Found, find_facets
from reluatlas.geometry.halfspaces.system import FloatArray, Halfspaces
from reluatlas.network.maps.lost import map_of
from reluatlas.network.network import Breakpoints, Max, Network


class Owner(NamedTuple):
    """Whose row it is.

    Attributes
    ----------
    kind : {"neuron", "window", "domain"}
    layer : int
        Position among the breakpoint and max nodes, from 0; -1 for the domain.
    unit : int
        Position in the layer; for the domain, the coordinate.
    which : int
        The knot of a neuron or the losing candidate of a window, by position; for the domain 0 (low) or 1 (high).
    column : int
        Column of patterns; -1 for the domain.
    """

    kind: Literal["neuron", "window", "domain"]
    layer: int
    unit: int
    which: int
    column: int


@dataclass(frozen=True, eq=False)
class Facets:
    """The facets of a cell, in the order of their first rows.

    Attributes
    ----------
    rows : ndarray, shape (F,)
        Of each facet, its (first) row in `Cell.halfspaces`.
    owners : list of tuple of Owner
        All that vanishes there: rows that coincide are one facet.
    is_domain : ndarray of bool, shape (F,)
        Whether it lies on the domain's boundary, so that no cell is behind.
    points : ndarray, shape (F, k)
        A point on each facet, in its relative interior, rounded to float64.
    distances : ndarray, shape (F,)
        Euclidean distance in input units from `Cell.x` to each facet's hyperplane: at most the distance to the facet,
        and equal to it for the nearest.
    n_undecided : int
        Rows that were not decided before `max_seconds`; 0 when the list is complete.
    """

    rows: NDArray[np.int64]
    owners: list[tuple[Owner, ...]]
    is_domain: NDArray[np.bool_]
    points: FloatArray
    distances: FloatArray
    n_undecided: int

    def __len__(self) -> int:
        return self.rows.size

    def __repr__(self) -> str:
        rest = f", {self.n_undecided} rows undecided" if self.n_undecided else ""
        return f"Facets({len(self)}, {int(self.is_domain.sum())} on the domain's boundary{rest})"


@dataclass(eq=False, repr=False)
class CellRecord:
    """One activation pattern's cell, without what is measured of it; `Cell` says what is what."""

    chart: Chart
    pattern: NDArray[np.integer]
    x: FloatArray
    inside: Coordinates
    max_seconds: float = float("inf")

    @property
    def network(self) -> Network:
        """The network."""
        return self.chart.network

    @property
    def domain(self) -> Domain:
        """The domain that the cell is cut out of."""
        return self.chart.domain

    @property
    def k(self) -> int:
        """Number of the domain's coordinates."""
        return self.chart.k

    @cached_property
    def system(self) -> CellRows:
        """All rows, in the coordinates that the cell is cut in."""
        return Composer(self.chart, self.pattern).build(self.inside)

    @property
    def has_rows(self) -> bool:
        """Whether the rows are known: they are composed when first asked for."""
        return "system" in self.__dict__

    def _n_demands(self) -> int:
        """Return how many rows the pattern demands at most, and the domain."""
        demands = 0 if isinstance(self.domain, Space) else 2 * self.k
        local = self.chart.local
        for t, s in local.pattern_slices().items():
            node, pieces = local.nodes[t], self.pattern[s].astype(np.int64)
            if isinstance(node, Breakpoints):
                demands += int((pieces > 0).sum() + (pieces < np.isfinite(node.knots).sum(axis=1)).sum())
            else:
                assert isinstance(node, Max)
                demands += node.candidates.size - node.n_windows
        return demands

    def put_inside(self, candidates: Iterable[Coordinates]) -> None:
        """Take the first of some points that lies strictly inside."""
        system = self.system.system
        for point in candidates:
            if system.is_inside(point):
                self.inside = system.inside = point
                return
        raise InternalError("no point of a cell was found inside of all its rows.")

    @cached_property
    def found(self) -> Found:
        """What is known about every constraint, with certificates; see `reluatlas.geometry.halfspaces.facets`."""
        with under(Deadline(self.max_seconds)):
            system = self.system.system
            if system.inside is not self.inside or not system.is_inside(self.inside):
                raise InternalError("the point of a cell is not inside of all its rows.")
            return find_facets(system)

    @property
    def exactness(self) -> Exactness:
        """How certain pattern, facets and neighbors are."""
        n_undecided = self.facets.n_undecided
        if not self.has_rows:
            return Exactness("incomplete", 0, n_undecided)
        n_escalated = self.system.system.n_settled + self.found.n_exact_programs
        return Exactness("exact" if n_undecided == 0 else "incomplete", n_escalated, n_undecided)

    @cached_property
    def affine(self) -> AffineMaps:
        """The affine map on the cell: `A` (1, m, *input_shape) (on a slice: (1, m, k)), `b` (1, m)."""
        local = self.chart.local
        A, b = map_of(local, self.chart.choice(self.pattern, inner=False))
        return AffineMaps(A.reshape(1, local.n_outputs, *local.input_shape), b)

    @cached_property
    def constraints(self) -> NDArray[np.int64]:
        """The constraints of `system` that are the rows of `halfspaces`, in its order."""
        return np.array(sorted(self.system.owner, key=self._rank), dtype=np.int64)

    def _rank(self, c: int) -> tuple[int, ...]:
        of = self.system.owner[c]
        return (0, of.node, of.unit, of.which) if isinstance(of, RowOf) else (1, of[1], of[0], 0)

    @cached_property
    def halfspaces(self) -> Halfspaces:
        """All rows `A x <= b` that are not constant: units in topological order, then the domain's bounds."""
        system, constraints = self.system.system, self.constraints
        g, k = system.g, system.k
        G, h = np.zeros((constraints.size, k)), np.zeros(constraints.size)
        for i, c in enumerate(constraints.tolist()):
            if c < g:
                G[i], h[i] = system.G[c], system.h[c]
            else:
                j, is_upper = (c - g) % k, c >= g + k
                G[i, j], h[i] = (1.0, system.upper[j]) if is_upper else (-1.0, -system.lower[j])
        return self._in_domain(G, h)

    def _in_domain(self, G: FloatArray, h: FloatArray) -> Halfspaces:
        if not self.chart.is_reduced:
            return Halfspaces(G, h)
        return Halfspaces(self.chart.rows_in_domain(G), h - G @ self.chart.linear[1])

    def owner(self, c: int) -> Owner:
        """Return whose constraint it is."""
        of = self.system.owner[c]
        if not isinstance(of, RowOf):
            return Owner("domain", -1, of[0], int(of[1] > 0), -1)
        cuts = self.chart.inner.cuts
        column = self.chart.inner.pattern_slices()[of.node].start + of.unit
        kind = "neuron" if isinstance(self.chart.inner.nodes[of.node], Breakpoints) else "window"
        return Owner(kind, cuts.index(of.node), of.unit, of.which, column)

    @cached_property
    def _ordered(self) -> list[Facet]:
        place = {c: i for i, c in enumerate(self.constraints.tolist())}
        return sorted(self.found.facets, key=lambda f: min(place[c] for c in f.constraints))

    @cached_property
    def facets(self) -> Facets:
        """The facets: the rows that cannot be left out, each decided exactly.

        When the time of `max_seconds` was over before there were rows, none, and all that the pattern may demand are
        undecided.
        """
        try:
            _ = self.found
        except TimeLimitError:
            if self.has_rows:
                raise
            none = np.zeros(0, dtype=np.int64)
            return Facets(none, [], none.astype(bool), np.zeros((0, self.k)), np.zeros(0), self._n_demands())
        place = {c: i for i, c in enumerate(self.constraints.tolist())}
        rows = np.array([min(place[c] for c in f.constraints) for f in self._ordered], dtype=np.int64)
        owners = [tuple(self.owner(c) for c in sorted(f.constraints, key=place.__getitem__)) for f in self._ordered]
        is_domain = np.array([any(o.kind == "domain" for o in group) for group in owners], dtype=bool)
        return Facets(
            rows, owners, is_domain, self._points(), self._distances(rows), sum(map(len, self.found.undecided))
        )

    def _points(self) -> FloatArray:
        inside = self.inside if isinstance(self.inside, np.ndarray) else to_floats(self.inside)
        out = np.empty((len(self._ordered), self.system.system.k))
        with np.errstate(all="ignore"):
            for i, facet in enumerate(self._ordered):
                out[i] = self._point_on(facet, inside)
            points = self.chart.from_inner(out, self.x)
        beyond = np.flatnonzero(~np.isfinite(points).all(axis=1))
        if beyond.size:
            raise DomainError(
                f"facet {beyond[0]} of the cell lies beyond the numbers of float64 (1.8e308): no point on it is one. "
                "Ask for the cell on a `Box`, or multiply the weights of the first layer by a power of two."
            )
        return points

    def _point_on(self, facet: Facet, inside: FloatArray) -> FloatArray:
        far = facet.beyond if isinstance(facet.beyond, np.ndarray) else to_floats(facet.beyond)
        c, system = facet.constraints[0], self.system.system
        if c < system.g:
            near, beyond = system.h[c] - system.G[c] @ inside, system.h[c] - system.G[c] @ far
        else:
            j = (c - system.g) % system.k
            bound = (system.upper if c >= system.g + system.k else system.lower)[j]
            near, beyond = abs(bound - inside[j]), -abs(far[j] - bound)
        point = inside + near / (near - beyond) * (far - inside)
        if near > 0 > beyond and np.all(np.isfinite(point)):
            return np.asarray(point, dtype=np.float64)
        # too near, or too far, for float64: the crossing in fractions
        row, one, other = system.row(c), ratio_of(self.inside), ratio_of(facet.beyond)
        before = Fraction(row.slack(one), one.denominator)
        share = before / (before - Fraction(row.slack(other), other.denominator))
        pairs = zip(one.fractions, other.fractions, strict=True)
        return to_floats([a + share * (b - a) for a, b in pairs])

    def _distances(self, rows: NDArray[np.int64]) -> FloatArray:
        A, b = self.halfspaces.A[rows], self.halfspaces.b[rows]
        with np.errstate(over="ignore"):
            return np.maximum(b - A @ self.x, 0.0) / self.lengths(A)

    def lengths(self, A: FloatArray) -> FloatArray:
        """Return lengths of rows in input units."""
        if self.chart.network is self.chart.local:
            return np.linalg.norm(A, axis=1)
        basis = self.domain.frame()[1]  # type: ignore[union-attr]
        return np.sqrt(np.einsum("ij,ij->i", A @ np.linalg.inv(basis @ basis.T), A))
