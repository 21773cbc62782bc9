"""What can be asked of a complex without cutting anything: volumes, points inside, graph, table."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.dual_graph import DualGraph
from reluatlas.compiled.structs import pack
from reluatlas.complexes.facets import Facets
from reluatlas.complexes.record import ComplexRecord
from reluatlas.complexes.vertices import far_points, following
from reluatlas.errors import ArgumentError
from reluatlas.geometry.vertices.volume import new_scratch
from reluatlas.geometry.vertices.volume import volumes as solid_volumes
from reluatlas.network.decision import classes_of
from reluatlas.network.network import Network

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def volumes(cx: ComplexRecord) -> FloatArray:
    """Return the volume of each cell in the domain's coordinates; infinite for unbounded ones, and beyond float64."""
    vertices = cx.vertices
    if vertices.on is None:
        return areas(vertices.points, vertices.offsets)
    out, k = np.zeros(cx.n_cells), cx.domain.dim
    scratch = new_scratch(k, int(np.diff(vertices.offsets).max(initial=1)), vertices.on.shape[1])
    points, exponent = _moderate(vertices.points, vertices.offsets, k)
    solid_volumes(points, vertices.on, vertices.offsets, np.diff(cx.facets.offsets), k, pack(scratch), out)
    with np.errstate(over="ignore"):
        out = np.ldexp(out, k * exponent)
    out[~cx.is_bounded] = np.inf
    return out


def _moderate(points: FloatArray, offsets: IntArray, k: int) -> tuple[FloatArray, IntArray]:
    """Return vertices, those of each cell over 2^e so that products of k do not overflow, and e for each cell."""
    exponent = np.zeros(offsets.size - 1, dtype=np.int64)
    if points.size and np.abs(points).max() > 2.0 ** (900 // k):
        exponent = np.maximum.reduceat(np.frexp(np.abs(points).max(axis=1))[1], offsets[:-1]).astype(np.int64)
        points = np.ldexp(points, -np.repeat(exponent, np.diff(offsets))[:, None])
    return points, exponent


def areas(points: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the area of each polygon, 0 where rounding makes it negative."""
    if offsets.size < 2:
        return np.zeros(0)
    first = np.repeat(offsets[:-1], np.diff(offsets))
    arm = points - points[first]
    nxt = following(offsets)
    cross = arm[:, 0] * arm[nxt, 1] - arm[:, 1] * arm[nxt, 0]
    return np.maximum(np.add.reduceat(cross, offsets[:-1]) / 2, 0.0)


def interior_points(cx: ComplexRecord) -> FloatArray:
    """Return a point inside of each cell: the mean of its vertices, moved along its rays where it has some."""
    points, offsets, is_ray = cx.vertices.points, cx.vertices.offsets, cx.vertices.is_ray
    if cx.n_cells == 0:
        return np.zeros((0, cx.domain.dim))
    if not is_ray.any():
        return np.add.reduceat(points, offsets[:-1], axis=0) / np.diff(offsets)[:, None]
    n = np.add.reduceat(~is_ray, offsets[:-1])
    middle = np.add.reduceat(np.where(is_ray[:, None], 0.0, points), offsets[:-1], axis=0) / np.maximum(n, 1)[:, None]
    along = np.add.reduceat(np.where(is_ray[:, None], points, 0.0), offsets[:-1], axis=0)
    out = middle + along
    without = np.flatnonzero(n == 0)
    if without.size:
        out[without] = far_points(cx, without)
    return out


def column_of(network: Network, layer: int, unit: int) -> int:
    """Return the column of patterns that a unit has."""
    slices = list(network.pattern_slices().values())
    if isinstance(layer, bool) or not isinstance(layer, int | np.integer) or not 0 <= layer < len(slices):
        raise ArgumentError(f"`layer={layer!r}` is no layer; the network has {len(slices)}, counted from 0.")
    columns = slices[layer]
    size = columns.stop - columns.start
    if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < size:
        raise ArgumentError(f"`unit={unit!r}` is no unit of layer {layer}, which has {size}, counted from 0.")
    return columns.start + int(unit)


def dual_graph(facets: Facets, n_cells: int) -> DualGraph:
    """Return the dual graph in compressed rows; facets of a cell stay in their order."""
    inner = np.flatnonzero(facets.neighbor >= 0)
    before = np.concatenate([[0], np.cumsum(facets.neighbor >= 0)])
    return DualGraph(before[facets.offsets].astype(np.int64), facets.neighbor[inner], inner)


def table(
    cx: ComplexRecord, *, center: FloatArray, volume: FloatArray, linear_region: IntArray, affine_map: IntArray
) -> dict[str, NDArray]:
    """Return columns of numbers, one entry per cell: those given, and others."""
    offsets, k = cx.facets.offsets, cx.domain.dim
    values = np.einsum("imk,ik->im", cx.affine.A, center) + cx.affine.b
    with_neighbor = np.concatenate([[0], np.cumsum(cx.facets.neighbor >= 0)])
    columns: dict[str, NDArray] = {
        "cell": np.arange(cx.n_cells),
        "volume": volume,
        **{f"center_{a}": center[:, a] for a in range(k)},
        "n_vertices": np.add.reduceat(~cx.vertices.is_ray, cx.vertices.offsets[:-1])
        if cx.n_cells
        else np.zeros(0, dtype=np.int64),
        "n_neighbors": np.diff(with_neighbor[offsets]),
        "linear_region": linear_region,
        "affine_map": affine_map,
        "class_at_center": classes_of(cx.network, values),
    }
    for c in range(min(cx.n_outputs, 10)):
        columns |= {f"slope_{c}_{a}": cx.affine.A[:, c, a] for a in range(k)}
        columns[f"constant_{c}"] = cx.affine.b[:, c]
    return columns


def html_summary(cx: ComplexRecord) -> str:
    """Return a table of the main numbers for a notebook, with a small picture of the cells."""
    rows = [
        ("cells", f"{cx.n_cells:,}" + ("" if cx.is_complete else f" (incomplete: stopped by {cx.stopped_by})")),
        ("domain", repr(cx.domain)),
        ("network", repr(cx.network)),
        ("exactness", str(cx.exactness)),
    ]
    body = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    return f"<div><strong>PolyhedralComplex</strong><table>{body}</table>{_thumbnail(cx)}</div>"


def _thumbnail(cx: ComplexRecord, side: int = 240, most: int = 5000) -> str:
    if not 0 < cx.n_cells <= most or cx.vertices.on is not None:
        return ""
    low, high = cx.box.low, cx.box.high
    at = (cx.vertices.points - low) / (high - low) * side
    at[:, 1] = side - at[:, 1]
    runs = np.split(np.round(at, 1), cx.vertices.offsets[1:-1])
    path = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in run) + "Z" for run in runs)
    return (
        f"<svg width='{side}' height='{side}' viewBox='0 0 {side} {side}'><path d='{path}' fill='#eef3f8' "
        "stroke='#336' stroke-width='0.4' stroke-linejoin='bevel'/></svg>"
    )
