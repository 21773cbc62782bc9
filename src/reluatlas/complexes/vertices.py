"""Which vertices lie on which facet, and which vertices of different cells are one point? By exact coordinates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic import limbs
from reluatlas.arithmetic.bits import EMPTY
from reluatlas.arithmetic.rationals import to_floats
from reluatlas.compiled.jit import inner, kernel
from reluatlas.compiled.structs import pack
from reluatlas.complexes.record import ComplexRecord, Vertices
from reluatlas.complexes.union_find import components
from reluatlas.errors import InternalError
from reluatlas.geometry.programs.exact import interior_point
from reluatlas.network.network import Breakpoints
from reluatlas.subdivision.constraints.exact_rows import Reference, WholeRows
from reluatlas.subdivision.path.composition import new_state, restore_path
from reluatlas.subdivision.path.exact_rows import load_line, slot_of
from reluatlas.subdivision.program.layout import M_INFINITE, M_K, M_LEVELS, Lowered
from reluatlas.subdivision.program.lower import lower
from reluatlas.typing import FloatArray, IntArray

_SEEDS = np.array([0x9E3779B97F4A7C15, 0xD1B54A32D192ED03], dtype=np.uint64)


class Corners(NamedTuple):
    """The vertices on facets: those on facet j are `index[offsets[j]:offsets[j + 1]]`, rows of `Vertices.points`."""

    offsets: IntArray
    index: IntArray  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index


def following(offsets: IntArray) -> IntArray:
    """Return, for each corner of a polygon, the next corner of its cell."""
    out = np.arange(1, int(offsets[-1]) + 1)
    out[offsets[1:] - 1] = offsets[:-1]
    return out


def corners_of(vertices: Vertices, facet_offsets: IntArray) -> Corners:
    """Return the vertices on each facet; in the plane the ends of each edge, in its direction."""
    if vertices.on is None:
        ends = np.stack([np.arange(len(vertices.radii)), following(vertices.offsets)], axis=1)
        return Corners(np.arange(0, 2 * len(ends) + 1, 2), ends.reshape(-1))
    first = np.repeat(facet_offsets[:-1], np.diff(vertices.offsets))
    facets, on = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for b in range(int(np.diff(facet_offsets).max(initial=0))):
        held = np.flatnonzero((vertices.on[:, b // 64] >> np.uint64(b % 64)) & np.uint64(1))
        facets.append(first[held] + b)
        on.append(held)
    facet, index = np.concatenate(facets), np.concatenate(on)
    order = np.argsort(facet, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(facet, minlength=int(facet_offsets[-1])))])
    return Corners(offsets.astype(np.int64), index[order])


def vertex_ids(cx: ComplexRecord) -> IntArray:
    """Return a label for each row of `Vertices.points`: equal labels for one point; 0, 1, ... by first occurrence.

    Guarantees: in the plane exact, over the facets that cells share. In other dimensions by the exact coordinates
    modulo the prime 2^61 - 1, with 122 bits of a hash: equal points have equal labels; of n different points two are
    taken for one with a probability of about n^2 2^-120 (k > 1).
    """
    if cx.vertices.on is None:
        inner = np.flatnonzero(cx.facets.neighbor >= 0)
        label = components(cx.facets.line.size, inner, following(cx.facets.offsets)[cx.facets.twin[inner]])
    else:
        key = vertex_keys(cx)
        _, label = np.unique(key.view(np.dtype((np.void, 16))).reshape(-1), return_inverse=True)
    _, first, row = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[row.reshape(-1)]


def vertex_keys(cx: ComplexRecord) -> NDArray[np.uint64]:
    """Return two hashes (V, 2) of the exact coordinates of each vertex."""
    assert cx.vertices.rows is not None
    return keys_of(lower(cx.network, cx.domain), cx.patterns, cx.vertices.offsets, cx.vertices.rows)


def keys_of(lowered: Lowered, patterns: NDArray[np.integer], offsets: IntArray, lines: IntArray) -> NDArray[np.uint64]:
    """Return two hashes (V, 2) of the exact coordinates of vertices, given by the rows (V, k) that meet in each.

    Those of cell i, with pattern i, are `offsets[i]:offsets[i + 1]`.
    """
    k = lowered.domain.dim
    state, matrix = new_state(lowered.program), np.zeros((k, k + 2), dtype=np.uint64)
    out = np.zeros((len(lines), 2), dtype=np.uint64)
    pieces = np.zeros(patterns.shape[1], dtype=np.int32)
    whole = _write_keys(lowered.packed, pack(state), patterns, offsets, lines, pieces, matrix, _SEEDS, out)
    if not whole:
        raise InternalError("the rows of a vertex are not independent. Please report it with the network.")
    return out


def far_points(cx: ComplexRecord, cells: IntArray) -> FloatArray:
    """Return a point inside each of some cells of a `Space`, which need not have a vertex.

    Found in rational numbers from their facets, and rounded.
    """
    whole = WholeRows(cx.network, cx.domain)
    breaks = [isinstance(cx.network.nodes[t], Breakpoints) for t in cx.network.cuts]
    columns = [s.start for s in cx.network.pattern_slices().values()]
    out = np.zeros((cells.size, cx.domain.dim))
    for i, cell in enumerate(cells.tolist()):
        pattern, rows = cx.patterns[cell], []
        for line in cx.facets.line[cx.facets.offsets[cell] : cx.facets.offsets[cell + 1]].tolist():
            reference = Reference.of(line)
            level, unit, first, _ = reference
            above = not breaks[level] or int(pattern[columns[level] + unit]) > first
            *slope, constant = whole(reference, pattern)
            rows.append([-a for a in slope] + [constant] if above else [*slope, -constant])
        point = interior_point(rows, cx.domain.dim)
        assert point is not None
        out[i] = to_floats(point)
    return out


@inner
def _subtract_multiple(row, other, factor, n):
    """Subtract `factor` times another row, modulo the prime."""
    for c in range(n):
        taken = limbs.mul_mod(other[c], factor)
        row[c] = row[c] - taken if row[c] >= taken else row[c] + limbs.PRIME - taken


@inner
def _solve(matrix, k):
    """Reduce k rows of k + 2 numbers until the first k columns are the identity; return whether that is possible."""
    for col in range(k):
        pivot = col
        while pivot < k and matrix[pivot, col] == EMPTY:
            pivot += 1
        if pivot == k:
            return False
        for c in range(k + 2):
            matrix[pivot, c], matrix[col, c] = matrix[col, c], matrix[pivot, c]
        scale = limbs.inverse_mod(matrix[col, col])
        for c in range(k + 2):
            matrix[col, c] = limbs.mul_mod(matrix[col, c], scale)
        for i in range(k):
            if i != col and matrix[i, col] != EMPTY:
                _subtract_multiple(matrix[i], matrix[col], matrix[i, col], k + 2)
    return True


@inner
def _mix(total, value):
    z = (total ^ value) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def _write_keys(P, S, patterns, offsets, lines, pieces, matrix, seeds, out):
    """Write two hashes of each vertex; return False when the rows of one are dependent."""
    k = P.meta[M_K]
    for cell in range(patterns.shape[0]):
        for c in range(pieces.size):
            pieces[c] = patterns[cell, c]
        restore_path(P, S, P.meta[M_LEVELS] - 1, pieces)
        for v in range(offsets[cell], offsets[cell + 1]):
            for i in range(k):
                load_line(P, S, lines[v, i], np.int64(0))
                for c in range(k + 2):
                    matrix[i, c] = EMPTY
                for c in range(k + 1 + P.meta[M_INFINITE]):
                    matrix[i, c] = limbs.residue(S.buf, slot_of(P, c), S.buf_len[c])
            if not _solve(matrix, k):
                return False
            for half in range(2):
                total = seeds[half]
                for i in range(k):
                    total = _mix(_mix(total, matrix[i, k]), matrix[i, k + 1])
                out[v, half] = total
    return True
