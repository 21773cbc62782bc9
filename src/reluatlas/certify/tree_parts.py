"""Which parts does a row cut a polytope into? Many polytopes at once, each by its vertices.

Vertices are float64 with a bound on their error; on which facets a vertex lies is known exactly, so an edge is two
vertices that alone hold all facets which both are on. A sign that bounds do not settle is asked for, and whole numbers
tell. A part of the check of trees: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.tree_rows import WIDER, U
from reluatlas.domain import Box
from reluatlas.typing import FloatArray, IntArray

Signs = NDArray[np.int8]
Bools = NDArray[np.bool_]
Settle = Callable[[int, int], int]
"""Returns the sign of a polytope's row at a vertex: (polytope, vertex)."""

_G = 20 * U  # of sums of up to seven products
_UNKNOWN = 1e300
_TINY = 2.0**-300
_NUMBERS = 2**22


@dataclass(eq=False)
class Parts:
    """B polytopes of at most V vertices and F facets; the rows `g . x + c >= 0` of facets have the constant last.

    Attributes
    ----------
    x : ndarray, shape (B, V, k)
    radius, is_there : ndarray, shape (B, V)
        Each coordinate is off by at most the radius; which vertices there are.
    on : ndarray, shape (B, V, F)
    row, error : ndarray, shape (B, F, k + 1)
    name : ndarray, shape (B, F, 3)
        (layer, unit, knot) or (layer, winner's entry, loser's entry); a side of the domain is (-1, coordinate, 0 or 1).
    """

    x: FloatArray
    radius: FloatArray
    is_there: Bools
    on: Bools
    row: FloatArray
    error: FloatArray
    name: IntArray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: IntArray | Bools) -> Parts:
        """Return some of them."""
        return Parts(*(getattr(self, f.name)[which] for f in fields(self)))


def whole_box(box: Box) -> Parts:
    """Return a box as one polytope."""
    k = box.dim
    sides = np.stack([box.low, box.high])
    corner = np.indices((2,) * k).reshape(k, -1).T
    name = np.array([(-1, i, s) for i in range(k) for s in (0, 1)], dtype=np.int64)
    row = np.zeros((2 * k, k + 1))
    row[np.arange(2 * k), name[:, 1]] = 1 - 2 * name[:, 2]
    row[:, -1] = (2 * name[:, 2] - 1) * sides[name[:, 2], name[:, 1]]
    on = corner[:, name[:, 1]] == name[:, 2]
    x = sides[corner, np.arange(k)]
    n = len(corner)
    return Parts(
        x[None],
        np.zeros((1, n)),
        np.ones((1, n), dtype=bool),
        on[None],
        row[None],
        np.zeros((1, *row.shape)),
        name[None],
    )


def joined(parts: list[Parts]) -> Parts:
    """Return polytopes of several lots as one."""
    if len(parts) == 1:
        return parts[0]
    most = {"v": max(p.on.shape[1] for p in parts), "f": max(p.on.shape[2] for p in parts)}
    out = []
    for f, axes in zip(fields(Parts), ("v", "v", "v", "vf", "f", "f", "f"), strict=True):
        arrays = [getattr(p, f.name) for p in parts]
        shape = (sum(map(len, arrays)), *(most[a] for a in axes), *arrays[0].shape[1 + len(axes) :])
        out.append(np.zeros(shape, dtype=arrays[0].dtype))
        begin = 0
        for a in arrays:
            out[-1][(slice(begin, begin + len(a)), *(slice(n) for n in a.shape[1:]))] = a
            begin += len(a)
    return Parts(*out)


def signs(parts: Parts, row: FloatArray, error: FloatArray, settle: Settle) -> Signs:
    """Return the sign of one row (B, k + 1) of each polytope at its vertices: (B, V), 0 where there is none."""
    x, reach = _homogeneous(parts.x), _homogeneous(np.abs(parts.x) + parts.radius[:, :, None])
    with np.errstate(over="ignore"):
        value = np.einsum("bvk,bk->bv", x, row)
        bound = np.einsum("bvk,bk->bv", reach, error + _G * np.abs(row))
        bound = WIDER * (bound + np.abs(row[:, :-1]).sum(axis=1)[:, None] * parts.radius)
    sign = ((value > bound).astype(np.int8) - (value < -bound).astype(np.int8)) * parts.is_there
    for b, v in zip(*(a.tolist() for a in np.nonzero((sign == 0) & (bound > 0) & parts.is_there)), strict=True):
        sign[b, v] = settle(b, v)
    return sign


def sides(
    parts: Parts, row: FloatArray, error: FloatArray, wanted: Bools, settle: Callable[[int, int, int], int]
) -> tuple[Bools, Bools]:
    """Return which rows (B, R, k + 1) are positive at a vertex of their polytope, and which negative: (B, R) each.

    Of rows that are not `wanted` (B, R) neither is returned. `settle` is asked of (polytope, vertex, row).
    """
    inside = np.where(parts.is_there[:, :, None], parts.x, parts.x[:, :1])
    most = np.ones((len(parts), parts.x.shape[2] + 1))
    most[:, :-1] = np.abs(inside).max(axis=1)
    radius = np.where(parts.is_there, parts.radius, 0.0).max(axis=1)
    with np.errstate(over="ignore"):
        value = _homogeneous(inside) @ row.transpose(0, 2, 1)
        most[:, :-1] += radius[:, None]
        size = np.abs(row)
        bound = ((error + _G * size) @ most[:, :, None])[:, :, 0]
        bound = WIDER * (bound + size[:, :, :-1].sum(axis=2) * radius[:, None])
    low, high = value.min(axis=1), value.max(axis=1)
    above, below = (high > bound) & wanted, (low < -bound) & wanted
    b, r = np.nonzero(wanted & (low <= bound) & (high >= -bound) & ~(above & below))
    if b.size:
        sign = signs(parts.take(b), row[b, r], error[b, r], lambda i, v: settle(int(b[i]), v, int(r[i])))
        above[b, r], below[b, r] = (sign > 0).any(axis=1), (sign < 0).any(axis=1)
    return above, below


def _homogeneous(x: FloatArray) -> FloatArray:
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


def kept(parts: Parts, sign: Signs, row: FloatArray, error: FloatArray, name: IntArray) -> Parts:
    """Return the part of each polytope on which its row (B, k + 1) is >= 0, from the signs at its vertices (B, V)."""
    k = parts.x.shape[2]
    is_cut: Bools = np.any((sign < 0) & parts.is_there, axis=1)
    b, both, x, radius = _new_vertices(parts, sign, row, error)
    old = parts.is_there & (sign >= 0)
    n_old, n_new = old.sum(axis=1), np.bincount(b, minlength=len(parts))
    width = int((n_old + n_new).max(initial=1))
    out_x, out_radius = np.zeros((len(parts), width, k)), np.zeros((len(parts), width))
    on = np.zeros((len(parts), width, parts.on.shape[2] + 1), dtype=bool)
    ob, ov = np.nonzero(old)
    slot = (np.cumsum(old, axis=1) - 1)[ob, ov]
    out_x[ob, slot], out_radius[ob, slot] = parts.x[ob, ov], parts.radius[ob, ov]
    on[ob, slot, :-1] = parts.on[ob, ov]
    on[ob, slot, -1] = (sign[ob, ov] == 0) & np.asarray(is_cut)[ob]
    slot = n_old[b] + np.arange(b.size) - (np.cumsum(n_new) - n_new)[b]
    out_x[b, slot], out_radius[b, slot] = x, radius
    on[b, slot, :-1], on[b, slot, -1] = both, True
    # a facet has at least k vertices: a row with fewer may go
    is_facet = on.sum(axis=1) >= k
    order = np.argsort(~is_facet, axis=1, kind="stable")[:, : int(is_facet.sum(axis=1).max(initial=1))]

    def listed(before: NDArray, new: NDArray) -> NDArray:
        return np.take_along_axis(np.concatenate([before, new[:, None]], axis=1), order[:, :, None], axis=1)

    on &= is_facet[:, None, :]
    is_there = np.arange(width) < (n_old + n_new)[:, None]
    on = np.take_along_axis(on, order[:, None, :], axis=2)
    rows = listed(parts.row, row), listed(parts.error, error), listed(parts.name, name)
    return Parts(out_x, out_radius, is_there, on, *rows)


def _new_vertices(
    parts: Parts, sign: Signs, row: FloatArray, error: FloatArray
) -> tuple[IntArray, Bools, FloatArray, FloatArray]:
    """Return where rows cross edges: polytopes in order, facets of these edges, points and their radii."""
    k = parts.x.shape[2]
    above, below = (sign > 0) & parts.is_there, (sign < 0) & parts.is_there
    found = [np.zeros((3, 0), dtype=np.int64)]
    each = max(1, parts.on.shape[1] ** 2)
    step = max(1, _NUMBERS // each)
    for begin in range(0, len(parts), step):
        some = slice(begin, begin + step)
        on = parts.on[some].astype(np.float32)
        shared = on @ on.transpose(0, 2, 1) >= k - 1
        pairs = np.stack(np.nonzero(shared & above[some, :, None] & below[some, None, :]))
        pairs[0] += begin
        found.append(pairs)
    b, i, j = np.concatenate(found, axis=1)
    both = parts.on[b, i] & parts.on[b, j]
    if k >= 3:
        is_edge = np.zeros(b.size, dtype=bool)
        step = max(1, _NUMBERS // max(1, parts.on.shape[1] * parts.on.shape[2]))
        for begin in range(0, b.size, step):
            some = slice(begin, begin + step)
            holds = (parts.on[b[some]] | ~both[some, None, :]).all(axis=2) & parts.is_there[b[some]]
            is_edge[some] = holds.sum(axis=1) == 2
        b, both = b[is_edge], both[is_edge]
    of_edge = np.argsort(~both, axis=1, kind="stable")[:, : k - 1]
    rows = np.concatenate([row[b][:, None], parts.row[b[:, None], of_edge]], axis=1)
    errors = np.concatenate([error[b][:, None], parts.error[b[:, None], of_edge]], axis=1)
    return b, both, *_meeting(rows, errors)


def _meeting(rows: FloatArray, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where k rows (N, k, k + 1) vanish, with a bound: that of Rump, by an inverse and what it leaves."""
    k = rows.shape[1]
    with np.errstate(all="ignore"):
        power = np.frexp(np.abs(rows[:, :, :-1]).max(axis=2, initial=0.0))[1][:, :, None]
        rows, errors = np.ldexp(rows, -power), np.ldexp(errors, -power)
        a, c = rows[:, :, :-1], rows[:, :, -1]
        inverse, is_fine = _inverse(a)
        size = np.abs(inverse)
        x = -np.einsum("nij,nj->ni", inverse, c)
        x[~np.isfinite(x).all(axis=1)] = 0.0
        x[np.abs(x) < _TINY] = 0.0  # no product below underflows
        left = np.abs(np.einsum("nij,nj->ni", a, x) + c)
        left += np.einsum("nij,nj->ni", errors[:, :, :-1] + _G * np.abs(a), np.abs(x))
        left += errors[:, :, -1] + _G * np.abs(c)
        off = np.abs(np.eye(k) - inverse @ a) + size @ (_G * np.abs(a) + errors[:, :, :-1])
        norm = off.sum(axis=2).max(axis=1, initial=0.0)
        radius = WIDER * np.einsum("nij,nj->ni", size, left).max(axis=1, initial=0.0) / (1 - norm)
        is_fine &= (norm < 0.5) & (radius < 1e200) & ((size == 0) | (size > _TINY)).all(axis=(1, 2))
    return np.where(is_fine[:, None], x, 0.0), np.where(is_fine, radius, _UNKNOWN)


def _inverse(a: FloatArray) -> tuple[NDArray, Bools]:
    """Return inverses (N, k, k), roughly, and for which there is any; that of the others is the identity."""
    is_plane = a.shape[1] == 2
    determinant = a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0] if is_plane else np.linalg.det(a)
    is_fine = np.isfinite(determinant) & (determinant != 0)
    a = np.where(is_fine[:, None, None], a, np.eye(a.shape[1]))
    if a.shape[1] != 2:
        return np.linalg.inv(a), is_fine
    turned = np.stack([a[:, 1, 1], -a[:, 0, 1], -a[:, 1, 0], a[:, 0, 0]], axis=1).reshape(-1, 2, 2)
    return turned / np.where(is_fine, determinant, 1.0)[:, None, None], is_fine
