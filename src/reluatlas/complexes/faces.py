"""Which faces does a complex have? Vertices, edges, ... of all cells, each once.

A face of a cell is what some of its facets have in common. Going down from a cell, the facets of a face are the
largest of its intersections with facets that do not hold it. All of it follows from which vertex lies on which
facet; coordinates are not asked. Vertices at infinity take part, so faces of unbounded cells are found, too. Two faces
of different cells are one face when they have the same vertices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bits import EMPTY, FULL, ONE_BIT, WORD
from reluatlas.compiled.jit import inner, kernel
from reluatlas.complexes.record import ComplexRecord
from reluatlas.complexes.vertices import corners_of
from reluatlas.errors import ArgumentError

IntArray = NDArray[np.int64]
_ROOM = 1 << 14


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of one dimension, each once.

    Attributes
    ----------
    dim : int
    offsets : ndarray, shape (n + 1,)
        Vertices of face i are `index[offsets[i]:offsets[i + 1]]`.
    index : ndarray
        Rows of `Vertices.points`, all of one cell, in no particular order. In an unbounded face of a `Space` some
        are directions (`Vertices.is_ray`).
    cell : ndarray, shape (n,)
        The first cell that the face belongs to.
    """

    dim: int
    offsets: IntArray
    index: IntArray
    cell: IntArray

    def __len__(self) -> int:
        return self.cell.size


def f_vector(cx: ComplexRecord, vertex_ids: IntArray) -> tuple[int, ...]:
    """Return the numbers of different faces of dimension 0, 1, ..., k; `vertex_ids` is that of the complex."""
    k = cx.domain.dim
    if cx.vertices.on is None:
        n, n_inner = cx.facets.line.size, int(np.sum(cx.facets.neighbor >= 0))
        return int(vertex_ids.max(initial=-1)) + 1, n - n_inner // 2, cx.n_cells
    dim, key, _, _, _ = _found(cx, vertex_ids, -1)
    return (*(_first_of_each(key[dim == d]).size for d in range(k)), cx.n_cells)


def faces(cx: ComplexRecord, vertex_ids: Callable[[], IntArray], dim: int) -> Faces:
    """Return the faces of one dimension; see `PolyhedralComplex.faces`. `vertex_ids` is called where it is needed."""
    k = cx.domain.dim
    if isinstance(dim, bool) or not isinstance(dim, int | np.integer) or not 0 <= dim <= k:
        raise ArgumentError(f"`dim={dim!r}` must be a whole number from 0 (vertices) to {k} (cells).")
    if dim == k:
        return Faces(int(dim), cx.vertices.offsets, np.arange(len(cx.vertices.radii)), np.arange(cx.n_cells))
    if cx.vertices.on is None:
        once = np.flatnonzero((cx.facets.twin < 0) | (cx.facets.twin > np.arange(cx.facets.twin.size)))
        if dim == 0:
            _, once = np.unique(vertex_ids(), return_index=True)
        run = np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))
        ends = corners_of(cx.vertices, cx.facets.offsets).index.reshape(-1, 2)[once, : dim + 1]
        return Faces(int(dim), np.arange(0, ends.size + 1, dim + 1), ends.reshape(-1), run[once])
    _, key, cell, offsets, index = _found(cx, vertex_ids(), int(dim))
    once = np.sort(_first_of_each(key))
    sizes = np.diff(offsets)[once]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.arange(int(starts[-1])) + np.repeat(offsets[once] - starts[:-1], sizes)
    return Faces(int(dim), starts, index[places], cell[once])


def _first_of_each(key: NDArray[np.uint64]) -> IntArray:
    """Return the first row of each value of a key (n, 2)."""
    _, first = np.unique(np.ascontiguousarray(key).view(np.dtype((np.void, 16))).reshape(-1), return_index=True)
    return first


def _found(
    cx: ComplexRecord, vertex_ids: IntArray, wanted: int
) -> tuple[NDArray[np.int8], NDArray[np.uint64], IntArray, IntArray, IntArray]:
    """Return the faces below every cell: dimension, key, cell, and offsets and vertices (of dimension `wanted`)."""
    on, k = cx.vertices.on, cx.domain.dim
    assert on is not None
    vertex = _vertex_keys(vertex_ids)
    most = int(np.diff(cx.vertices.offsets).max(initial=1))
    room, n_index = _ROOM, _ROOM
    parts: list[tuple[NDArray[np.int8], NDArray[np.uint64], IntArray, IntArray, IntArray]] = []
    start = 0
    while start < cx.n_cells:
        dim, key = np.zeros(room, dtype=np.int8), np.zeros((room, 2), dtype=np.uint64)
        cell, size = np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
        index = np.zeros(n_index, dtype=np.int64)
        closure, trial = np.zeros((room, on.shape[1]), dtype=np.uint64), np.zeros((2, on.shape[1]), dtype=np.uint64)
        members = np.zeros(most, dtype=np.int64)
        end, n, n_members = write_faces(
            on, cx.vertices.offsets, cx.facets.offsets, start, k, vertex, wanted, closure, trial, members, dim, key,
            cell, size, index,
        )  # fmt: skip
        if end == start:
            room, n_index = 2 * room, 2 * n_index
            continue
        kept = dim[:n] == wanted if wanted >= 0 else dim[:n] < k
        parts.append((dim[:n][kept], key[:n][kept], cell[:n][kept], size[:n][kept], index[:n_members].copy()))
        start = end
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return none.astype(np.int8), np.zeros((0, 2), dtype=np.uint64), none, np.zeros(1, dtype=np.int64), none
    dims, keys, cells, sizes, indices = (np.concatenate(column) for column in zip(*parts, strict=True))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return dims, keys, cells, offsets, indices


def _vertex_keys(ids: IntArray) -> NDArray[np.uint64]:
    """Return two random-looking numbers (V, 2) for each vertex, the same for the same id."""
    n = int(ids.max(initial=-1)) + 1
    return np.random.default_rng(0).integers(0, 1 << 64, (n, 2), dtype=np.uint64)[ids]


@inner
def _has(bits, b):
    return bits[b // WORD] & (ONE_BIT << np.uint64(b % WORD)) != EMPTY


@inner
def _meet(on, lo, hi, held, b, out):
    """Write the facets through all vertices on facet b and on all facets `held`; return how many vertices these are."""
    found = 0
    for w in range(out.size):
        out[w] = FULL
    for v in range(lo, hi):
        inside = _has(on[v], b)
        for w in range(out.size):
            inside &= (on[v, w] & held[w]) == held[w]
        if inside:
            found += 1
            for w in range(out.size):
                out[w] &= on[v, w]
    return found


@inner
def _is_facet_of(on, lo, hi, held, b, n_facets, trial):
    """Return whether facet b cuts a facet out of the face on all facets `held`; the facets through it in `trial[0]`."""
    if _has(held, b) or _meet(on, lo, hi, held, b, trial[0]) == 0:
        return False
    for other in range(n_facets):
        if other == b or not _has(trial[0], other) or _has(held, other):
            continue
        # the intersection lies in that with `other`: it is the same one, or smaller
        _meet(on, lo, hi, held, other, trial[1])
        if not _has(trial[1], b) or other < b:
            return False
    return True


@kernel
def write_faces(
    on, offsets, facet_offsets, start, k, vertex, wanted, closure, trial, members, dim, key, cell, size, index
):
    """Write the faces below the cells from `start` on, until there is no room; return (next cell, faces, vertices).

    Each cell has its faces from itself down, dimension by dimension.
    """
    n = n_members = np.int64(0)
    for i in range(start, facet_offsets.size - 1):
        lo, hi, n_facets = offsets[i], offsets[i + 1], facet_offsets[i + 1] - facet_offsets[i]
        first, first_member = n, n_members
        at, end = n, n
        if end < dim.size:
            dim[end], cell[end], size[end] = k, i, 0
            for w in range(closure.shape[1]):
                closure[end, w] = EMPTY
            end += 1
        full = end == at
        while at < end and not full:
            for b in range(n_facets):
                if not _is_facet_of(on, lo, hi, closure[at], b, n_facets, trial):
                    continue
                known = False
                for other in range(end - 1, at, -1):
                    if dim[other] != dim[at] - 1:
                        break
                    same = True
                    for w in range(closure.shape[1]):
                        same &= closure[other, w] == trial[0, w]
                    if same:
                        known = True
                        break
                if known:
                    continue
                if end == dim.size:
                    full = True
                    break
                n_here = 0
                key[end, 0], key[end, 1] = EMPTY, EMPTY
                for w in range(closure.shape[1]):
                    closure[end, w] = trial[0, w]
                for v in range(lo, hi):
                    inside = True
                    for w in range(closure.shape[1]):
                        inside &= (on[v, w] & trial[0, w]) == trial[0, w]
                    if inside:
                        members[n_here] = v
                        n_here += 1
                        key[end, 0] += vertex[v, 0]
                        key[end, 1] += vertex[v, 1]
                dim[end], cell[end], size[end] = dim[at] - 1, i, n_here
                if dim[end] == wanted:
                    if n_members + n_here > index.size:
                        full = True
                        break
                    for j in range(n_here):
                        index[n_members + j] = members[j]
                    n_members += n_here
                end += 1
            at += 1
        if full:
            return i, first, first_member
        n = end
    return facet_offsets.size - 1, n, n_members
