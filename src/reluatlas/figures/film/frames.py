"""What does a film show? The exact pieces of every frame, and scales that hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.analysis.trajectories.measure import in_threads
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.figures import colors, outputs, polygons
from reluatlas.figures.axes import coordinate_names
from reluatlas.figures.class_colors import class_colors
from reluatlas.progress import Counted
from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


N_FRAMES = 201
_SHOWN_POINTS = 900
_ORDINARY = 0.98
_NAMED_CLASSES = 10


@dataclass(frozen=True, eq=False)
class Frame:
    """One time of a film.

    Attributes
    ----------
    n_cells, n_linear_regions, n_affine_maps : int
        Exact counts on the domain.
    shapes : list of ndarray (v, 2)
        Polygons with one winning output each; `heights` holds the decision function at their vertices.
    classes : ndarray of int64
        Winning output of each polygon; `polygons.TIE` where the outputs tie everywhere.
    edges : ndarray (E, 2, 2)
        With `levels` and `units`: the hidden layer and neuron that made each.
    boundary : ndarray (S, 2, 2)
    dual : ndarray (M, 3)
        Slopes and constant of each different map of the decision function (with three or more
        outputs: of each output), `dual_classes` and `dual_shares` their colors and areas.
    """

    n_cells: int
    n_linear_regions: int
    n_affine_maps: int
    shapes: list[FloatArray]
    heights: list[FloatArray]
    classes: IntArray
    edges: FloatArray
    levels: IntArray
    units: IntArray
    boundary: FloatArray
    dual: FloatArray
    dual_classes: IntArray
    dual_shares: FloatArray


@dataclass(frozen=True, eq=False)
class Film:
    """The frames of a trajectory at some times, with what stays the same in all of them.

    Attributes
    ----------
    trajectory : Trajectory
    times : ndarray of int64
        Positions in the trajectory, one per frame.
    frames : list of Frame
    accuracy : ndarray of float64
        Per frame; NaN when the trajectory has no points.
    height_range : (float, float)
        Of the surface: holds 98 of 100 frames; higher and lower parts are cut off level.
    slope_limit : float
        Half side of the window of the dual points: holds 98 % of the area in each frame.
    X, y : ndarray
        A share of the trajectory's points, to be drawn.
    """

    trajectory: Trajectory
    times: IntArray
    frames: list[Frame]
    accuracy: FloatArray
    height_range: tuple[float, float]
    slope_limit: float
    X: FloatArray
    y: IntArray
    height_name: str
    coordinate_names: tuple[str, str]

    @property
    def steps(self) -> IntArray:
        """Training steps done by each frame."""
        return self.trajectory.steps[self.times]


def make_film(
    trajectory: Trajectory,
    times: ArrayLike | None = None,
    *,
    jobs: int | None = None,
    progress: Counted | None = None,
) -> Film:
    """Return the frames of a trajectory; about 200 spread evenly when no times are given."""
    if times is None:
        n = min(N_FRAMES, len(trajectory))
        times = np.unique(np.round(np.linspace(0, len(trajectory) - 1, n)).astype(np.int64))
    where = trajectory.positions(times)
    has_points = trajectory.X is not None

    def at(t: int) -> tuple[Frame, float, str, tuple[str, str]]:
        cx = trajectory.complex(t, jobs=1)
        accuracy = trajectory.accuracy(t) if has_points else np.nan
        return frame_of(cx), accuracy, height_name(cx), coordinate_names(cx)

    rows = in_threads(at, where.tolist(), jobs=jobs, progress=progress)
    frames = [row[0] for row in rows]
    X, y = _some_points(trajectory)
    return Film(
        trajectory=trajectory,
        times=where,
        frames=frames,
        accuracy=np.array([row[1] for row in rows]),
        height_range=_height_range(frames),
        slope_limit=_slope_limit(frames),
        X=X,
        y=y,
        height_name=rows[0][2],
        coordinate_names=rows[0][3],
    )


def frame_of(cx: PolyhedralComplex) -> Frame:
    """Return what a film shows of one complex."""
    chosen = outputs.resolve(None, cx.n_outputs)
    if chosen is None:
        A, b = np.asarray(cx.affine.A, dtype=np.float64), np.asarray(cx.affine.b, dtype=np.float64)
        shapes, owner, classes = polygons.largest_pieces(cx, A, b)
        slope, constant = A[owner, classes], b[owner, classes]
    else:
        slopes, constants = outputs.maps_of(cx, chosen)
        shapes, owner, classes = polygons.sign_pieces(cx, slopes, constants)
        slope, constant = slopes[owner], constants[owner]
    boundary = cx.decision_boundary()
    inner = polygons.edges(cx)
    dual, dual_classes, dual_shares = _dual(cx, chosen)
    return Frame(
        n_cells=int(cx.n_cells),
        n_linear_regions=int(cx.n_linear_regions),
        n_affine_maps=int(cx.n_affine_maps),
        shapes=shapes,
        heights=[p @ w + c for p, w, c in zip(shapes, slope, constant, strict=True)],
        classes=np.where(polygons.is_tied(cx, owner, classes), polygons.TIE, classes),
        edges=polygons.segments(cx, inner),
        levels=np.asarray(cx.facets.level[inner], dtype=np.int64),
        units=np.asarray(cx.facets.unit[inner], dtype=np.int64),
        boundary=np.asarray(boundary.segments, dtype=np.float64),
        dual=dual,
        dual_classes=dual_classes,
        dual_shares=dual_shares,
    )


def height_name(cx: PolyhedralComplex) -> str:
    """Return the name of the function whose surface is drawn."""
    chosen = outputs.resolve(None, cx.n_outputs)
    return "largest output" if chosen is None else outputs.name_of(chosen, cx.n_outputs)


def neuron_colors(n: int) -> FloatArray:
    """Return one color (n, 3) per neuron of a layer: it keeps it over time."""
    return colors.series(n)


def class_fills(n_outputs: int) -> FloatArray:
    """Return the color (max(n_outputs, 2) + 1, 3) of each class, and the last one for ties."""
    return class_colors(np.append(np.arange(max(n_outputs, 2)), polygons.TIE))


def class_labels(n_outputs: int) -> list[str]:
    """Return what stands beside the color of each class; none of so many that there is no room."""
    if n_outputs == 1:
        return ["< 0", "> 0"]
    return [str(c) for c in range(n_outputs)] if n_outputs <= _NAMED_CLASSES else []


def _dual(cx: PolyhedralComplex, chosen: int | tuple[int, int] | None) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return dual points, classes and area shares, largest area first."""
    ids, first = np.unique(np.asarray(cx.affine_map_ids), return_index=True)
    area = np.bincount(np.searchsorted(ids, cx.affine_map_ids), weights=cx.volumes)
    order = np.argsort(-area, kind="stable")
    first, share = first[order], area[order] / max(area.sum(), np.finfo(float).tiny)
    if chosen is not None:
        slopes, constants = outputs.maps_of(cx, chosen)
        middle = polygons.centroids(cx)[first]
        value = np.einsum("ik,ik->i", slopes[first], middle) + constants[first]
        return np.column_stack([slopes[first], constants[first]]), (value > 0).astype(np.int64), share
    m = cx.n_outputs
    rows = [np.column_stack([cx.affine.A[first, c], cx.affine.b[first, c]]) for c in range(m)]
    return np.concatenate(rows), np.repeat(np.arange(m), len(first)), np.tile(share, m)


def _height_range(frames: list[Frame]) -> tuple[float, float]:
    lows = np.array([min(h.min() for h in f.heights) for f in frames])
    highs = np.array([max(h.max() for h in f.heights) for f in frames])
    low, high = float(np.quantile(lows, 1 - _ORDINARY)), float(np.quantile(highs, _ORDINARY))
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        room = max(abs(high), 1.0) / 2
        return low - room, high + room
    return low, high


def _slope_limit(frames: list[Frame]) -> float:
    limit = 0.0
    for frame in frames:
        size = np.abs(frame.dual[:, :2]).max(axis=1)
        order = np.argsort(size)
        covered = np.cumsum(frame.dual_shares[order])
        at = min(int(np.searchsorted(covered, _ORDINARY * covered[-1])), size.size - 1)
        limit = max(limit, float(size[order][at]))
    return 1.1 * limit if limit > 0 else 1.0


def _some_points(trajectory: Trajectory) -> tuple[FloatArray, IntArray]:
    """Return points in the domain's coordinates, thinned evenly; none on a slice."""
    X, y = trajectory.X, trajectory.y
    if X is None or y is None or trajectory.domain.n_inputs != 2 or trajectory.domain is not trajectory.domain.box:
        return np.empty((0, 2)), np.empty(0, dtype=np.int64)
    if len(X) <= _SHOWN_POINTS:
        return X, y
    chosen = np.sort(np.random.default_rng(0).choice(len(X), _SHOWN_POINTS, replace=False))
    return X[chosen], y[chosen]
