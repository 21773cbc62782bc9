"""How do two networks differ at data? Classes, outputs, margins, and the patterns of layers that correspond."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.comparison.answer import PointComparison
from reluatlas.comparison.norms import Norm
from reluatlas.deadline import look
from reluatlas.errors import ArgumentError, NonFiniteError
from reluatlas.network.decision import deciding, scores
from reluatlas.network.network import Network
from reluatlas.network.record import Breakpoints, Graph
from reluatlas.network.values.float64 import outputs as outputs_at
from reluatlas.typing import FloatArray, IntArray

_CONFIDENCE = 0.95
_BATCH, _NUMBERS = 4096, 2**22  # points at once, and numbers of one tensor at them


def compare_at(
    f: Network, g: Network, X: ArrayLike, norm: Norm, *, classes: bool, notices: tuple[str, ...]
) -> PointComparison:
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
    batch, found = max(1, min(_BATCH, _NUMBERS // max(prod(node.shape) for node in network.nodes))), []
    for i in range(0, len(rows), batch):
        look()
        with np.errstate(over="ignore", invalid="ignore"):
            found.append(outputs_at(network, rows[i : i + batch]))
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


def chosen(given: Any, width: int, n: int, name: str) -> list[list[int]]:
    """Return numbers of points: rows of two for segments, of three for planes.

    Raises
    ------
    ArgumentError
        When they are no numbers of different points that there are.
    """
    try:
        array = np.atleast_2d(np.asarray(given))
    except ValueError:
        array = np.zeros((0, 0))
    if array.ndim != 2 or array.shape[1] != width or array.dtype.kind not in "iu" or not array.size:
        raise ArgumentError(
            f"`{name}={given!r}`: expected rows of {width} numbers of points, such as `{name}=[{tuple(range(width))}]`."
        )
    if array.min() < 0 or array.max() >= n:
        raise ArgumentError(f"`{name}={given!r}` names points that `X` does not have; it has {n}, counted from 0.")
    if any(len(set(row)) < width for row in array.tolist()):
        raise ArgumentError(f"`{name}={given!r}` has a row with one point twice. Pass different points.")
    return [[int(i) for i in row] for row in array.tolist()]
