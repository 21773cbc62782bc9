"""What is there to draw? Polygons, edges once each, and the pieces of cells with one winning output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.decision import require_classes, scores
from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


TIE = -1
"""Class of a piece of a cell on all of which the top two outputs tie."""


def polygons(cx: PolyhedralComplex) -> list[FloatArray]:
    """Return the vertices (v, 2) of every cell, counter-clockwise, in the order of the cells."""
    return np.split(cx.vertices.points, cx.vertices.offsets[1:-1])


def cell_of_vertex(cx: PolyhedralComplex) -> IntArray:
    """Return the cell that each row of `cx.vertices.points` belongs to."""
    return np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))


def edges(cx: PolyhedralComplex) -> IntArray:
    """Return one index into the facets for each edge inside the domain.

    Sides of the domain are left out: the frame of the axes draws them. An edge with a cell on both
    sides is stored twice and returned once.
    """
    twin = cx.facets.twin
    once = (twin < 0) | (np.arange(twin.size) < twin)
    return np.flatnonzero(once & (cx.facets.neighbor != -1))


def segments(cx: PolyhedralComplex, which: IntArray) -> FloatArray:
    """Return the end points (S, 2, 2) of facets `which`."""
    offsets = cx.vertices.offsets
    following = np.arange(1, cx.vertices.points.shape[0] + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    return np.stack([cx.vertices.points[which], cx.vertices.points[following[which]]], axis=1)


def centroids(cx: PolyhedralComplex) -> FloatArray:
    """Return the mean of the vertices (n_cells, 2) of every cell: a point inside it."""
    totals = np.add.reduceat(cx.vertices.points, cx.vertices.offsets[:-1], axis=0)
    return totals / np.diff(cx.vertices.offsets)[:, None]


def class_pieces(cx: PolyhedralComplex) -> tuple[list[FloatArray], IntArray, IntArray]:
    """Return polygons on each of which one class is decided on, their cells and their classes.

    With one output, the classes are 0 where it is negative and 1 where it is positive. Pieces on
    all of which the top outputs tie have class `TIE`.
    """
    require_classes(cx.network, "a picture by class")
    A, b = scores(cx.network, cx.affine.A), scores(cx.network, cx.affine.b)
    shapes, owner, classes = sign_pieces(cx, A[:, 0], b[:, 0]) if A.shape[1] == 1 else largest_pieces(cx, A, b)
    return shapes, owner, np.where(is_tied(cx, owner, classes), TIE, classes)


def is_tied(cx: PolyhedralComplex, cells: IntArray, outputs: IntArray) -> NDArray[np.bool_]:
    """Return for pieces with an output on top whether another ties with it (of one output: whether it is zero)."""
    full = cx.decision_boundary().full_pieces
    piece, output = np.nonzero(full.outputs)
    m = cx.n_outputs
    top = np.zeros_like(outputs) if m == 1 else outputs
    return np.isin(cells * m + top, full.cell[piece] * m + output)


def sign_pieces(
    cx: PolyhedralComplex, slope: FloatArray, constant: FloatArray
) -> tuple[list[FloatArray], IntArray, IntArray]:
    """Return the cells cut along the zero set of a function, their cells, and 1 where it is positive."""
    zero = np.zeros_like(constant)
    return largest_pieces(cx, np.stack([np.zeros_like(slope), slope], axis=1), np.stack([zero, constant], axis=1))


def largest_pieces(cx: PolyhedralComplex, A: FloatArray, b: FloatArray) -> tuple[list[FloatArray], IntArray, IntArray]:
    """Return polygons on each of which one row of `A[i] u + b[i]` is the largest, with cells and rows.

    `A` is (n_cells, m, 2), `b` (n_cells, m). The pieces of a cell fill it; a cell with one largest
    row is returned whole; of rows that are equal on a piece the lowest counts. Cuts are made in
    float64, for display.
    """
    owner, points, offsets = cell_of_vertex(cx), cx.vertices.points, cx.vertices.offsets
    whole = polygons(cx)
    winner = np.argmax(np.einsum("imk,ik->im", A, centroids(cx)) + b, axis=1)
    # a row that is the largest at every vertex is the largest on the whole cell
    crossed = np.zeros(cx.n_cells, dtype=bool)
    step = max(1, 4_000_000 // A.shape[1])
    for start in range(0, points.shape[0], step):
        look()
        here = owner[start : start + step]
        values = np.einsum("imk,ik->im", A[here], points[start : start + step]) + b[here]
        beaten = values[np.arange(here.size), winner[here]] < values.max(axis=1)
        crossed[here[beaten]] = True
    shapes: list[FloatArray] = []
    cells: list[int] = []
    rows: list[int] = []
    for i in range(cx.n_cells):
        if i % 1024 == 0:
            look()
        parts = [(whole[i], int(winner[i]))]
        if crossed[i]:
            parts = _split(whole[i], points[offsets[i] : offsets[i + 1]] @ A[i].T + b[i])
        for shape, row in parts:
            shapes.append(shape)
            cells.append(i)
            rows.append(row)
    return shapes, np.array(cells, dtype=np.int64), np.array(rows, dtype=np.int64)


def _split(polygon: FloatArray, values: FloatArray) -> list[tuple[FloatArray, int]]:
    """Return the parts of a polygon on which each column of `values`, affine on it, is the largest."""
    floor = values.min(axis=0).max()
    candidates = np.flatnonzero(values.max(axis=0) >= floor)
    parts = []
    for c in candidates:
        joined = np.column_stack([polygon, values])
        for d in candidates:
            if d == c or not len(joined):
                continue
            height = joined[:, 2 + c] - joined[:, 2 + d]
            if height.any():
                joined = _keep(joined, height)
            elif d < c:  # equal on the whole part: it belongs to the lower index
                joined = joined[:0]
        if len(joined) >= 3:
            parts.append((joined[:, :2], int(c)))
    return parts or [(polygon, int(values.mean(axis=0).argmax()))]


def _keep(rows: FloatArray, height: FloatArray) -> FloatArray:
    """Return the polygon `rows` cut to where `height`, given at its vertices, is not negative."""
    kept = []
    for j in range(len(rows)):
        k = (j + 1) % len(rows)
        if height[j] >= 0:
            kept.append(rows[j])
        if height[j] * height[k] < 0:
            kept.append(rows[j] + (rows[k] - rows[j]) * (height[j] / (height[j] - height[k])))
    inside = bool((height > 0).any())
    return np.array(kept) if inside else rows[:0]
