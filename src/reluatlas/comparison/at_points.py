"""How do two networks differ at data? Classes, outputs, margins, and the patterns of layers that correspond."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.comparison import words
from reluatlas.comparison.answer import Comparison
from reluatlas.comparison.norms import Norm, norm_of
from reluatlas.comparison.on_segments import SegmentComparison
from reluatlas.errors import ArgumentError, NonFiniteError
from reluatlas.network.decision import deciding, scores
from reluatlas.network.network import Network
from reluatlas.network.record import Breakpoints, Graph
from reluatlas.network.values.float64 import outputs as outputs_at
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

_CONFIDENCE = 0.95
_BATCH = 4096


@dataclass(frozen=True, eq=False, repr=False)
class PointComparison(Shown):
    """How two networks differ at points. Made by `reluatlas.compare` with `X=`.

    Attributes
    ----------
    f, g : Network
    norm : {"inf", 1, 2}
        Over the outputs, of `largest`.
    differences : ndarray, shape (N, m)
        `f(x) - g(x)`, from float64 forward passes.
    f_classes, g_classes : ndarray of int, shape (N,), or None
        Decided exactly; the lowest index among the largest. None when the outputs are no classes.
    f_margins, g_margins : ndarray, shape (N,), or None
        By how much the class is ahead of the next one, in output units.
    hamming : ndarray of int, shape (N,), or None
        Number of units and windows that are on different pieces, decided exactly; None where layers do not correspond:
        both networks must have the same numbers of units and windows in the same order.
    by_layer : ndarray, shape (n_layers,), or None
        The share of units on different pieces, in the mean over points, by layer.
    segments : tuple of SegmentComparison
        What was asked for between points.
    planes : tuple of Comparison
        On planes through three of them.
    notices : tuple of str
    """

    f: Network
    g: Network
    norm: Norm
    differences: FloatArray
    f_classes: IntArray | None
    g_classes: IntArray | None
    f_margins: FloatArray | None
    g_margins: FloatArray | None
    hamming: IntArray | None
    by_layer: FloatArray | None
    segments: tuple[SegmentComparison, ...] = ()
    planes: tuple[Comparison, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def n_points(self) -> int:
        """Number of points (N)."""
        return len(self.differences)

    @property
    def n_units(self) -> int:
        """Number of units and windows of f."""
        return self.f.n_neurons + self.f.n_windows

    @property
    def max_difference(self) -> FloatArray:
        """The largest |f - g| of each output, (m,)."""
        return np.abs(self.differences).max(axis=0)

    @property
    def _sizes(self) -> FloatArray:
        return norm_of(np.abs(self.differences), self.norm)

    @property
    def largest(self) -> float:
        """The largest |f - g| over outputs and points."""
        return float(self._sizes.max())

    @property
    def at(self) -> int:
        """The point at which it is."""
        return int(self._sizes.argmax())

    @property
    def output(self) -> int:
        """The output whose difference is largest there."""
        return int(np.abs(self.differences[self.at]).argmax())

    @property
    def is_same(self) -> NDArray[np.bool_]:
        """Whether both classes are the same at each point, (N,).

        Raises
        ------
        ArgumentError
            When the outputs are no classes.
        """
        if self.f_classes is None or self.g_classes is None:
            raise ArgumentError("the outputs of these networks are no classes. Open both with `classes=`.")
        return self.f_classes == self.g_classes

    @property
    def n_same(self) -> int:
        """Number of points with the same class."""
        return int(self.is_same.sum())

    @property
    def elsewhere(self) -> tuple[float, float]:
        """Between what the share with different classes is, with 95 % confidence, were the points drawn at random."""
        from scipy.stats import beta

        n, differ = self.n_points, self.n_points - self.n_same
        tail = (1.0 - _CONFIDENCE) / 2
        low = 0.0 if not differ else float(beta.ppf(tail, differ, n - differ + 1))
        return low, 1.0 if differ == n else float(beta.ppf(1.0 - tail, differ + 1, n - differ))

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for between points was found."""
        return all(part.is_complete for part in (*self.segments, *self.planes))

    @property
    def words(self) -> list[str]:
        """The answer in sentences."""
        return words.at_points(self)

    def summary(self) -> str:
        """Return the answer in words."""
        return "\n".join(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        has_classes = self.f_classes is not None
        differ = np.flatnonzero(~self.is_same).tolist() if has_classes else None
        stops = [part.stopped_by for part in (*self.segments, *self.planes) if part.stopped_by]
        return {
            "is_complete": self.is_complete,
            "stopped_by": stops[0] if stops else "",
            "n_points": self.n_points,
            "n_same": self.n_same if has_classes else None,
            "differing_points": differ,
            "largest": self.largest,
            "at": self.at,
            "output": self.output,
            "max_difference": self.max_difference.tolist(),
            "mean_hamming": None if self.hamming is None else float(self.hamming.mean()),
            "hamming_by_layer": None if self.by_layer is None else self.by_layer.tolist(),
            "least_margin": None if self.f_margins is None else float(self.f_margins.min()),
            "elsewhere": list(self.elsewhere) if has_classes else None,
            "segments": [part.to_dict() for part in self.segments],
            "planes": [part.to_dict() for part in self.planes],
            "words": self.words,
        }

    def __repr__(self) -> str:
        return f"PointComparison({' '.join(self.words)})"


def compare_at(f: Network, g: Network, X: ArrayLike, norm: Norm, *, classes: bool, notices: tuple[str, ...]) -> PointComparison:
    """Return how two networks differ at points; see `reluatlas.compare`."""
    rows = points_of(f, X)
    first, second = _outputs(f, rows), _outputs(g, rows)
    layers = corresponding(f, g)
    f_pattern, f_class = _patterns(f, rows, classes=classes, patterns=layers is not None)
    g_pattern, g_class = _patterns(g, rows, classes=classes, patterns=layers is not None)
    hamming = by_layer = None
    if layers is not None and f_pattern is not None and g_pattern is not None:
        apart = f_pattern != g_pattern
        hamming = apart.sum(axis=1).astype(np.int64)
        by_layer = np.array([float(apart[:, s].mean()) if s.stop > s.start else 0.0 for s in layers])
    margins = (_margins(f, first), _margins(g, second)) if classes else (None, None)
    return PointComparison(f, g, norm, first - second, f_class, g_class, *margins, hamming, by_layer, notices=notices)


def points_of(f: Network, X: ArrayLike) -> FloatArray:
    """Return points as rows (N, n_inputs).

    Raises
    ------
    ArgumentError, DimensionError, NonFiniteError
    """
    rows, _ = f.points(X)
    if not len(rows):
        raise ArgumentError("`X` holds no points. Pass at least one.")
    return rows


def _outputs(network: Network, rows: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        found = [outputs_at(network, rows[i : i + _BATCH]) for i in range(0, len(rows), _BATCH)]
    out = np.concatenate(found)
    bad = np.flatnonzero(~np.isfinite(out).all(axis=1))
    if bad.size:
        raise NonFiniteError(
            f"`X` has a point (number {bad[0]}) at which {network.source} leaves the range of float64. Pass points "
            "nearer to 0."
        )
    return out


def _patterns(
    network: Network, rows: FloatArray, *, classes: bool, patterns: bool
) -> tuple[NDArray[np.integer] | None, IntArray | None]:
    """Return the patterns, and the classes, at points: both decided exactly."""
    if not (classes or patterns):
        return None, None
    found = np.asarray((deciding(network, "class") if classes else network).patterns(rows))
    if not classes:
        return found, None
    return found[:, :-1], found[:, -1].astype(np.int64)


def corresponding(f: Graph, g: Graph) -> list[slice] | None:
    """Return the columns of each layer where the layers of two networks correspond, else None.

    They do when both have layers of the same kinds and numbers of units, and of pieces, in the same order.
    """

    def kinds(network: Graph) -> list[tuple[object, ...]]:
        nodes = [network.nodes[t] for t in network.cuts]
        return [
            ("units", prod(n.shape), n.knots.shape[1]) if isinstance(n, Breakpoints) else ("windows", prod(n.shape))
            for n in nodes
        ]

    return list(f.pattern_slices().values()) if kinds(f) == kinds(g) and f.cuts else None


def _margins(network: Network, values: FloatArray) -> FloatArray:
    if network.n_outputs == 1:
        return np.abs(values[:, 0])
    top = np.sort(scores(network, values), axis=1)
    return top[:, -1] - top[:, -2]


def triples(planes: Any, n: int) -> list[tuple[int, int, int]]:
    """Return numbers of points, three for each plane.

    Raises
    ------
    ArgumentError
    """
    return [tuple(row) for row in _numbers(planes, 3, n, "planes")]  # type: ignore[misc]


def ends(segments: Any, n: int) -> list[tuple[int, int]]:
    """Return numbers of points, two for each segment.

    Raises
    ------
    ArgumentError
    """
    return [tuple(row) for row in _numbers(segments, 2, n, "segments")]  # type: ignore[misc]


def _numbers(given: Any, width: int, n: int, name: str) -> list[list[int]]:
    try:
        array = np.atleast_2d(np.asarray(given))
    except ValueError:
        array = np.zeros((0, 0))
    if array.ndim != 2 or array.shape[1] != width or array.dtype.kind not in "iu" or not array.size:
        raise ArgumentError(
            f"`{name}={given!r}`: expected rows of {width} numbers of points, such as "
            f"`{name}=[{tuple(range(width))}]`."
        )
    if array.min() < 0 or array.max() >= n:
        raise ArgumentError(f"`{name}={given!r}` names points that `X` does not have; it has {n}, counted from 0.")
    if any(len(set(row)) < width for row in array.tolist()):
        raise ArgumentError(f"`{name}={given!r}` has a row with one point twice. Pass different points.")
    return array.tolist()
