"""Which vertices and facets does each cell have? Read from the arrays of a complex, without its own answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Space
from reluatlas.errors import DimensionError
from reluatlas.typing import FloatArray, IntArray

_ROUNDING = 1e-14  # of the domain's largest coordinate: what vertices on its sides are off by


class Incidence(NamedTuple):
    """Owners and ends of the vertices and facets of all cells.

    Attributes
    ----------
    vertex_cell : ndarray, shape (V,)
    facet_cell : ndarray, shape (F,)
    facet, vertex : ndarray, shape (incidences,)
        Each vertex on each facet, by facets; in the plane from a facet's start to its end.
    is_ray : ndarray of bool, shape (V,)
    reach : ndarray, shape (V,)
        How far each coordinate may be off: the radius, and rounding beside the domain's sides.
    """

    vertex_cell: IntArray
    facet_cell: IntArray
    facet: IntArray
    vertex: IntArray
    is_ray: NDArray[np.bool_]
    reach: FloatArray


def has_vertices(cx: Any) -> bool:
    """Return whether the cells of a complex have their vertices: beyond six dimensions they do not."""
    try:
        return cx.vertices.points is not None
    except DimensionError:
        return False


def is_plane(cx: Any) -> bool:
    """Return whether cells are polygons, whose vertices are in order around them."""
    return getattr(cx.vertices, "on", None) is None


def owners(offsets: IntArray) -> IntArray:
    """Return the cell of each entry of runs."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def outline(cx: Any) -> tuple[IntArray, IntArray]:
    """Return, for each corner in `cx.vertices.points` of polygons, its cell and the next corner of that cell."""
    offsets = np.asarray(cx.vertices.offsets)
    cells = owners(offsets)
    following = np.arange(1, len(cells) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    return cells, following


def incidence(cx: Any) -> Incidence:
    """Return which vertices lie on which facets of a complex with vertices."""
    vertices, n = cx.vertices, len(cx.vertices.points)
    vertex_cell, facet_cell = owners(vertices.offsets), owners(cx.facets.offsets)
    is_ray = getattr(vertices, "is_ray", None)
    is_ray = np.zeros(n, dtype=bool) if is_ray is None else is_ray
    reach = np.asarray(vertices.radii, dtype=np.float64)
    if not isinstance(cx.domain, Space):
        reach = reach + _ROUNDING * float(np.abs([cx.domain.box.low, cx.domain.box.high]).max())
    if is_plane(cx):
        _, following = outline(cx)
        facet, vertex = np.repeat(np.arange(n), 2), np.stack([np.arange(n), following], axis=1).reshape(-1)
        return Incidence(vertex_cell, facet_cell, facet, vertex, is_ray, reach)
    bits = np.unpackbits(np.ascontiguousarray(vertices.on).view(np.uint8), axis=1, bitorder="little")
    vertex, bit = np.nonzero(bits)
    facet = np.asarray(cx.facets.offsets)[vertex_cell[vertex]] + bit
    order = np.argsort(facet, kind="stable")
    return Incidence(vertex_cell, facet_cell, facet[order], vertex[order], is_ray, reach)
