"""Do the arrays of a stored complex make one? Ranges, order, finiteness, reciprocity, before compiled code sees them.

What is checked is what kernels rely on and what can be told without cutting again: every reference names a row of the
network, every facet has a twin that names it, the pattern and the line of a facet agree, corners of both sides are one
point within their radii. That the lines lie where they should, and that maps are those of the patterns, is what the
sums in the file's head stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.exactness import Exactness
from reluatlas.complexes.look_up import PatternTable
from reluatlas.complexes.record import ComplexRecord, Vertices
from reluatlas.complexes.vertices import corners_of, following
from reluatlas.domain import Domain, Space
from reluatlas.network.network import Breakpoints, Network
from reluatlas.subdivision.runner.kinds import is_plane
from reluatlas.typing import IntArray

_STOPS = ("", "max_cells", "max_seconds", "interrupt")
_STATUS = ("exact", "float64")


def checked_stop(value: Any) -> Any:
    """Return what stopped an enumeration.

    Raises
    ------
    ValueError
        When it is no such word.
    """
    if value not in _STOPS:
        raise ValueError(f"`stopped_by` is {value!r:.60}")
    return value


def checked_exactness(value: Any) -> Exactness:
    """Return how certain an answer is.

    Raises
    ------
    ValueError
        When it is not what an enumeration says of itself.
    """
    counts = ("n_escalated", "n_uncertain", "n_visits", "n_doubtful_visits")
    if not isinstance(value, dict) or set(value) != {"status", *counts} or value["status"] not in _STATUS:
        raise ValueError("`exactness` is not that of an enumeration")
    if any(not isinstance(value[c], int) or isinstance(value[c], bool) or value[c] < 0 for c in counts):
        raise ValueError("`exactness` has a count that is none")
    if value["status"] == "exact" and value["n_uncertain"]:
        raise ValueError("`exactness` is exact with decisions that are not certain")
    return Exactness(**value)


def check_offsets(name: str, offsets: IntArray, size: int, least: int) -> None:
    """Refuse offsets that do not split `size` entries into runs of at least `least`.

    Raises
    ------
    ValueError
        When they do not.
    """
    # sorted first: differences of wild numbers may overflow
    if offsets[0] != 0 or offsets[-1] != size or np.any(offsets[1:] < offsets[:-1]):
        raise ValueError(f"`{name}` does not split {size} entries")
    if np.any(np.diff(offsets) < least):
        raise ValueError(f"`{name}` has runs of less than {least} entries")


def check_vertices(vertices: Vertices, domain: Domain, facet_offsets: IntArray) -> None:
    """Refuse vertices that are not finite, outside of the domain, or on facets that their cells do not have.

    Raises
    ------
    ValueError
        When they are.
    """
    points, radii, k = vertices.points, vertices.radii, domain.dim
    if not np.isfinite(points).all() or not (radii >= 0).all():
        raise ValueError("`points` or `radii` are not finite numbers")
    check_offsets("offsets", vertices.offsets, len(points), 3 if is_plane(domain) else k + 1)
    if not isinstance(domain, Space):
        if vertices.is_ray.any():
            raise ValueError("`is_ray` names vertices at infinity of a bounded domain")
        low, high, r = domain.box.low, domain.box.high, radii[:, None]
        if np.any(points < low - r) or np.any(points > high + r):
            raise ValueError("`points` are outside of the domain")
    if vertices.on is None:
        return
    size = np.repeat(np.diff(facet_offsets), np.diff(vertices.offsets))
    for word in range(vertices.on.shape[1]):
        n = np.clip(size - 64 * word, 0, 64)
        beyond = np.where(n < 64, vertices.on[:, word] >> np.minimum(n, 63).astype(np.uint64), np.uint64(0))
        if beyond.any():
            raise ValueError("`on` names facets that a cell does not have")
    corners = corners_of(vertices, facet_offsets)
    if np.any(np.diff(corners.offsets) < max(1, k)):
        raise ValueError("`on` gives a facet too few vertices")


class Rows:
    """The rows of a network that references may name.

    Parameters
    ----------
    network : Network
    k : int
        Dimension of the domain, which has 2 k sides.
    """

    def __init__(self, network: Network, k: int) -> None:
        nodes: list[Any] = [network.nodes[t] for t in network.cuts]
        self.k = k
        self.is_break = np.array([isinstance(node, Breakpoints) for node in nodes], dtype=bool)
        self.first = np.array([s.start for s in network.pattern_slices().values()], dtype=np.int64)
        most = [
            np.isfinite(node.knots).sum(axis=1) if isinstance(node, Breakpoints) else np.diff(node.offsets) - 1
            for node in nodes
        ]
        self.sizes = np.array([m.size for m in most], dtype=np.int64)
        self.most: IntArray = np.concatenate([np.zeros(0, dtype=np.int64), *most]).astype(np.int64)
        """The largest piece of each column of patterns: the number of knots, or the last candidate."""

    def split(self, line: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Return level, unit, first and second of references."""
        return line >> 50, (line >> 20) & 0x3FFFFFFF, (line >> 10) & 1023, line & 1023

    def are_rows(self, line: IntArray) -> NDArray[np.bool_]:
        """Return which references name a row of the network."""
        level, unit, first, second = self.split(line)
        out = (line >= 0) & (level < self.sizes.size)
        if not self.sizes.size:
            return np.zeros(line.shape, dtype=bool)
        level = np.where(out, level, 0)
        out &= unit < self.sizes[level]
        most = self.most[np.where(out, self.first[level] + unit, 0)] if self.most.size else np.zeros_like(line)
        knot = (first < most) & (second == 0)
        pair = (first <= most) & (second <= most) & (first != second)
        return out & np.where(self.is_break[level], knot, pair)

    def are_sides(self, line: IntArray) -> NDArray[np.bool_]:
        """Return which references name a side of the domain."""
        return (line < 0) & (line >= -2 * self.k)


def check_patterns(patterns: NDArray[np.integer], rows: Rows) -> None:
    """Refuse pieces that units do not have.

    Raises
    ------
    ValueError
        When there are some.
    """
    if patterns.size and np.any(patterns.max(axis=0) > rows.most):
        raise ValueError("`patterns` has pieces that the network's units do not have")


def check_complex(cx: ComplexRecord, by_pattern: PatternTable, rows: Rows) -> None:
    """Refuse facets and patterns that do not agree; arrays have the right types and lengths.

    Raises
    ------
    ValueError
        When they do not.
    """
    facets, n = cx.facets, cx.n_cells
    if not np.array_equal(by_pattern.cells(cx.patterns), np.arange(n)):
        raise ValueError("`patterns` has one pattern twice")
    if not (np.isfinite(cx.affine.A).all() and np.isfinite(cx.affine.b).all()):
        raise ValueError("`affine_A` or `affine_b` are not finite numbers")
    line, neighbor, twin = facets.line, facets.neighbor, facets.twin
    inside = rows.are_rows(line)
    if not np.all(inside | (rows.are_sides(line) & (not isinstance(cx.domain, Space)))):
        raise ValueError("`line` names rows that the network and the domain do not have")
    if cx.vertices.rows is not None and not np.all(rows.are_rows(cx.vertices.rows) | rows.are_sides(cx.vertices.rows)):
        raise ValueError("`rows` names rows that the network and the domain do not have")
    own = np.repeat(np.arange(n), np.diff(facets.offsets))
    _check_twins(cx, own, inside)
    j = np.flatnonzero(inside)
    level, unit, first, second = rows.split(line[j])
    column, is_break = rows.first[level] + unit, rows.is_break[level]
    here = cx.patterns[own[j], column].astype(np.int64)
    if np.any(np.where(is_break, (here != first) & (here != first + 1), here != first)):
        raise ValueError("`line` names rows at which the patterns do not turn")
    met = neighbor[j] >= 0
    there = cx.patterns[neighbor[j[met]], column[met]].astype(np.int64)
    other = np.where(is_break, 2 * first + 1 - here, second)[met]
    swapped = np.where(is_break, line[j], (line[j] >> 20 << 20) | (second << 10) | first)[met]
    if np.any(there != other) or np.any(line[twin[j[met]]] != swapped):
        raise ValueError("`neighbor` names cells whose patterns do not turn there")
    _check_places(cx, np.flatnonzero(twin >= 0), np.flatnonzero(line < 0))


def _check_twins(cx: ComplexRecord, own: IntArray, inside: NDArray[np.bool_]) -> None:
    line, neighbor, twin = cx.facets.line, cx.facets.neighbor, cx.facets.twin
    unexplored = neighbor == -2
    if unexplored.any() and cx.is_complete and cx.exactness.status == "exact":
        raise ValueError("`neighbor` has facets of a complete complex with nothing behind them")
    if np.any((neighbor < -2) | (neighbor >= cx.n_cells)) or np.any((neighbor == -1) != ~inside):
        raise ValueError("`neighbor` names cells that are not there")
    met = neighbor >= 0
    if np.any((twin >= 0) != met) or np.any(twin < -1) or np.any(twin >= line.size):
        raise ValueError("`twin` names facets that are not there")
    there = twin[met]
    if np.any(twin[there] != np.flatnonzero(met)) or np.any(own[there] != neighbor[met]) or np.any(own == neighbor):
        raise ValueError("`neighbor` and `twin` do not name each other")


def _check_places(cx: ComplexRecord, met: IntArray, sides: IntArray) -> None:
    """Refuse vertices of a facet that its twin, or its side of the domain, does not have."""
    vertices, line, twin = cx.vertices, cx.facets.line, cx.facets.twin
    corners = corners_of(vertices, cx.facets.offsets)
    n = np.diff(corners.offsets)
    if np.any(n[met] != n[twin[met]]):
        raise ValueError("`twin` names facets with other vertices")
    if vertices.on is None:
        here, there = met, following(vertices.offsets)[twin[met]]
        for _ in range(2):
            gap = np.abs(vertices.points[here] - vertices.points[there]).max(axis=1)
            if np.any(gap > vertices.radii[here] + vertices.radii[there]):
                raise ValueError("`points` are not those of both sides of a facet")
            here, there = following(vertices.offsets)[met], twin[met]
    if not isinstance(cx.domain, Space) and sides.size:
        facet = np.repeat(np.arange(line.size), n)
        on_side = np.flatnonzero(line[facet] < 0)
        which, at = -1 - line[facet[on_side]], corners.index[on_side]
        bounds = np.stack([cx.domain.box.low, cx.domain.box.high], axis=1).reshape(-1)
        if np.any(np.abs(vertices.points[at, which // 2] - bounds[which]) > vertices.radii[at]):
            raise ValueError("`points` are not on the side of the domain that `line` says")
