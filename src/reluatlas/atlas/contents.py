"""What does an atlas know of a complex? Its cells in arrays, their patterns as flips, names, colors and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.atlas.flips import flips_of
from reluatlas.atlas.images import image_of
from reluatlas.atlas.looks import looks_of
from reluatlas.atlas.marks import Mark
from reluatlas.atlas.weights import MOST_BYTES, weights_of
from reluatlas.deadline import look
from reluatlas.errors import ArgumentError, DimensionError, DomainError, TimeLimitError
from reluatlas.figures import colors, polygons
from reluatlas.figures.axes import coordinate_names
from reluatlas.network.decision import has_decision, scores
from reluatlas.network.record import Breakpoints
from reluatlas.network.unit_names import column_name, layer_names

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

MOST_CELLS = 200_000
MOST_OUTPUT_BYTES = 96 << 20
FORMAT = 1
LEFT_OUT = -3
"""Stands for a neighbor that is not among the cells that are kept."""
NO_CLASS = 65535
_NO_COLUMN = {np.dtype(np.uint16): 65535, np.dtype(np.uint32): 4294967295}
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Contents:
    """What an atlas shows: words and small numbers as JSON has them, and arrays."""

    told: dict[str, Any]
    arrays: Arrays


def require_atlas(cx: PolyhedralComplex) -> None:
    """Refuse what is no complex in a bounded plane.

    Raises
    ------
    ArgumentError, DimensionError, DomainError
    """
    domain = getattr(cx, "domain", None)
    if domain is None or not hasattr(cx, "patterns"):
        raise ArgumentError(
            f"`cx` is a {type(cx).__name__}; expected a `PolyhedralComplex`. Pass what `enumerate_cells` returned."
        )
    if domain.dim != 2:
        raise DimensionError(
            f"`cx` has a domain of dimension {domain.dim} but an atlas is of a plane. Enumerate the cells of a slice "
            "of it: `ra.enumerate_cells(net, ra.Slice.through([a, b, c]))`."
        )
    if cx.vertices.on is not None:
        raise DomainError(
            f"`cx` is of {domain!r}, which has no end, and a page has one. Enumerate the cells of a `Box`."
        )
    if cx.n_cells == 0:
        raise ArgumentError("`cx` holds no cells, so there is nothing to show. Give `enumerate_cells` a larger budget.")


def contents_of(
    cx: PolyhedralComplex,
    marks: Sequence[Mark] = (),
    *,
    most_cells: int = MOST_CELLS,
    with_network: bool = True,
    most_weight_bytes: int = MOST_BYTES,
    with_maps: bool = True,
    with_boundary: bool = True,
    image: tuple[int, ...] | None = None,
    first_output: int = 0,
) -> Contents:
    """Return what an atlas shows of a complex in the plane.

    Parameters
    ----------
    cx : PolyhedralComplex
    marks : sequence of Mark
    most_cells : int
        Of more cells the largest are kept, and `told["left_out"]` says how many are not.
    with_network : bool
        Whether the frame of the domain and the weights go along.
    most_weight_bytes : int
        Of networks with larger weights these are left out, and the page says so.
    with_maps : bool
        Whether equal affine maps are found, and colors for them: that takes as long as the rest.
    with_boundary : bool
        Whether cells are divided where classes meet; else each has the class at its middle.
    image : tuple of int, optional
        The shape of inputs that are pictures, (height, width) or (channels, height, width), where the network does not
        say.
    first_output : int
        Outputs before this one are left out.
    """
    require_atlas(cx)
    keep = _largest(cx, most_cells)
    arrays: Arrays = {}
    _put_cells(arrays, cx, keep)
    look()
    n_outputs = _put_outputs(arrays, cx, keep, first_output)
    has_classes = _put_classes(arrays, cx, keep, divided=with_boundary)
    look()
    if with_maps:
        _put_maps(arrays, cx, keep)
    told: dict[str, Any] = {
        "format": FORMAT,
        "n_cells": int(keep.size),
        "n_all": cx.n_cells,
        "low": cx.box.low.tolist(),
        "high": cx.box.high.tolist(),
        "coordinates": list(coordinate_names(cx)),
        "unit_area": float(cx.domain.unit_volume),
        "is_complete": cx.is_complete,
        "stopped_by": cx.stopped_by,
        "exactness": cx.exactness.status,
        "left_out": _left_out(cx, keep),
        "n_outputs": n_outputs,
        "outputs_in_all": cx.n_outputs,
        "has_classes": has_classes,
        "decides": cx.network.classes,
        "output_names": [_output_name(cx, c) for c in range(n_outputs)],
        "layers": _layers(cx),
        "source": cx.network.source,
        "n_inputs": cx.network.n_inputs,
        **looks_of(cx, arrays),
        "marks": [{"label": mark.label, "u": np.asarray(mark.u, dtype=np.float64).tolist()} for mark in marks],
        "weights": None,
        "output_node": 0,
        "image": None,
    }
    _put_names(told, arrays, cx)
    if with_network:
        found = weights_of(cx.network, most_weight_bytes)
        if found is not None:
            told["weights"], told["output_node"] = found[0], cx.network.output
            arrays |= found[1]
        origin, basis = cx.domain.frame()
        arrays |= {"origin": origin.astype(np.float64), "basis": basis.astype(np.float64).reshape(-1)}
        told["image"] = image_of(cx, image)
    return Contents(told, arrays)


def _largest(cx: PolyhedralComplex, most: int) -> NDArray[np.int64]:
    if cx.n_cells <= most:
        return np.arange(cx.n_cells)
    return np.sort(np.argsort(-np.asarray(cx.volumes), kind="stable")[:most])


def _left_out(cx: PolyhedralComplex, keep: NDArray[np.int64]) -> str:
    if keep.size == cx.n_cells:
        return ""
    share = float(np.asarray(cx.volumes)[keep].sum() / np.asarray(cx.volumes).sum())
    return (
        f"The {keep.size:,} largest of {cx.n_cells:,} cells are shown; they cover {100 * share:.4g} % of the area. "
        "What is left out is paper."
    )


def _put_cells(arrays: Arrays, cx: PolyhedralComplex, keep: NDArray[np.int64]) -> None:
    """Put corners, neighbors, the unit of each facet, areas, and patterns as flips."""
    offsets, facets = cx.vertices.offsets, cx.facets
    sizes = np.diff(offsets)[keep]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    entry = np.repeat(offsets[keep] - starts[:-1], sizes) + np.arange(starts[-1])
    new = np.full(cx.n_cells + 1, LEFT_OUT, dtype=np.int64)
    new[keep] = np.arange(keep.size)
    behind = facets.neighbor[entry]
    neighbor = np.where(behind >= 0, new[np.maximum(behind, 0)], behind)
    first = np.array([s.start for s in cx.network.pattern_slices().values()] or [0])
    level = facets.level[entry].astype(np.int64)
    column = np.where(level >= 0, first[np.maximum(level, 0)] + facets.unit[entry], -1)
    units = cx.patterns.shape[1]
    kind = np.dtype(np.uint16 if units < 65535 else np.uint32)
    flips = flips_of(cx.patterns[keep], starts, neighbor, column)
    arrays |= {
        "corners": sizes.astype(np.uint16 if sizes.max(initial=0) < 65536 else np.uint32),
        "xy": cx.vertices.points[entry].reshape(-1),
        "neighbor": neighbor.astype(np.int32),
        "column": np.where(column >= 0, column, _NO_COLUMN[kind]).astype(kind),
        "area": np.asarray(cx.volumes, dtype=np.float64)[keep],
        **{f"flips.{name}": _plain(array) for name, array in flips._asdict().items()},
    }
    if keep.size < cx.n_cells:
        arrays["number"] = keep.astype(np.uint32)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers of a kind that pages read."""
    if array.dtype in (np.uint8, np.uint16, np.uint32):
        return array
    return array.astype(np.uint16 if array.max(initial=0) < 65536 else np.uint32)


def _put_outputs(arrays: Arrays, cx: PolyhedralComplex, keep: NDArray[np.int64], first: int) -> int:
    """Put slopes and the value at the mean of the corners, in float32; return of how many outputs."""
    m = int(min(cx.n_outputs - first, max(1, MOST_OUTPUT_BYTES // (12 * max(keep.size, 1)))))
    center = polygons.centroids(cx)[keep]
    A = cx.affine.A[keep, first : first + m]
    value = np.einsum("imk,ik->im", A, center) + cx.affine.b[keep, first : first + m]
    with np.errstate(over="ignore"):
        arrays["outputs"] = np.concatenate([A, value[:, :, None]], axis=2).astype(np.float32).reshape(-1)
    return m


def _put_classes(arrays: Arrays, cx: PolyhedralComplex, keep: NDArray[np.int64], *, divided: bool) -> bool:
    """Put the class of each cell, the pieces of those that have several, and the decision boundary."""
    if not has_decision(cx.network):
        return False
    if not divided:
        arrays["class"] = _class_at(cx, polygons.centroids(cx))[keep].astype(np.uint16)
        return True
    try:
        shapes, owner, classes = polygons.class_pieces(cx)
        boundary = cx.decision_boundary().segments
    except TimeLimitError:
        return False
    new = np.full(cx.n_cells, -1, dtype=np.int64)
    new[keep] = np.arange(keep.size)
    told = np.where(classes == polygons.TIE, NO_CLASS, classes)
    number = np.bincount(owner, minlength=cx.n_cells)
    of_cell = np.full(cx.n_cells, NO_CLASS, dtype=np.int64)
    whole = number[owner] == 1
    of_cell[owner[whole]] = told[whole]
    of_cell = np.where(number > 1, _class_at(cx, polygons.centroids(cx)), of_cell)
    parts = np.flatnonzero(~whole & (new[owner] >= 0))
    corners = [shapes[i] for i in parts.tolist()]
    arrays |= {
        "class": of_cell[keep].astype(np.uint16),
        "piece.cell": new[owner[parts]].astype(np.uint32),
        "piece.class": told[parts].astype(np.uint16),
        "piece.corners": np.array([len(c) for c in corners], dtype=np.uint16),
        "piece.xy": np.concatenate([np.zeros((0, 2)), *corners]).reshape(-1),
        "boundary": np.asarray(boundary, dtype=np.float64).reshape(-1),
    }
    return True


def _class_at(cx: PolyhedralComplex, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the class at a point of each cell, by its map."""
    values = scores(cx.network, np.einsum("imk,ik->im", cx.affine.A, points) + cx.affine.b)
    return (values[:, 0] > 0).astype(np.int64) if values.shape[1] == 1 else values.argmax(axis=1)


def _put_maps(arrays: Arrays, cx: PolyhedralComplex, keep: NDArray[np.int64]) -> None:
    """Put the labels of maps and regions, and a color for each map; nothing where there is no time for them."""
    try:
        arrays["map"] = np.asarray(cx.affine_map_ids)[keep].astype(np.uint32)
        arrays["region"] = np.asarray(cx.linear_regions)[keep].astype(np.uint32)
        arrays["color"] = np.round(255 * colors.of_maps(cx)[keep]).astype(np.uint8).reshape(-1)
    except TimeLimitError:
        for name in ("map", "region", "color"):
            arrays.pop(name, None)


def _output_name(cx: PolyhedralComplex, c: int) -> str:
    names = cx.network.class_names
    return names[c] if cx.n_outputs > 1 and c < len(names) else f"output {c}" if cx.n_outputs > 1 else "output"


def _layers(cx: PolyhedralComplex) -> list[dict[str, Any]]:
    net = cx.network
    named = zip(net.pattern_slices().items(), layer_names(net), strict=True)
    return [{"name": name, "start": s.start, "stop": s.stop, "kind": _kind(net.nodes[t])} for (t, s), name in named]


def _kind(node: Any) -> str:
    if not isinstance(node, Breakpoints):
        return "window"
    return "switch" if node.slopes.shape[1] == 2 else "pieces"


def _put_names(told: dict[str, Any], arrays: Arrays, cx: PolyhedralComplex) -> None:
    """Tell the names of the units that make a facet or turn on the way between cells."""
    column = arrays["column"]
    used = np.union1d(column[column != _NO_COLUMN[column.dtype]].astype(np.int64), arrays["flips.column"])
    told["unit_names"] = [column_name(cx.network, int(c)) for c in used.tolist()]
    arrays["named"] = used.astype(np.uint32)
