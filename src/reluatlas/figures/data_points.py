"""Where do data points lie on a plane domain? On top of everything, in the colors of their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.domain import Slice
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.figures.class_colors import Palette, class_colors
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex


POINTS = 1.5
"""Their z-order: above all that our figures draw."""
_ON_PLANE = 1e-6  # of the size of the numbers; decides how a marker looks, and nothing else
_LARGEST, _SMALLEST = 36.0, 6.0


def add_points(
    ax: Axes, cx: PolyhedralComplex, X: ArrayLike | None, y: ArrayLike | None, *, palette: Palette = None
) -> None:
    """Draw points: filled with the color of their class (white without `y`), hollow where they are off the plane.

    Raises
    ------
    DimensionError
        When `X` has no rows of the domain's coordinates or of inputs, or `y` another length.
    ArgumentError
        When `y` names no classes.
    """
    if X is None:
        if y is not None:
            raise ArgumentError("`y` has classes but `X` is None. Pass the points `X` that they belong to.")
        return
    at, is_on = coordinates(cx, X)
    hues = np.ones((len(at), 3)) if y is None else class_colors(_classes(cx, y, len(at)), palette=palette)
    size = float(np.clip(4_000.0 / max(len(at), 1), _SMALLEST, _LARGEST))
    look = {"s": size, "linewidths": 0.8 if size > 12 else 0.4, "zorder": POINTS}
    if is_on.any():  # a white rim around the black one: seen on dark areas, too
        ax.scatter(*at[is_on].T, s=1.7 * size + 6, c="#FFFFFF", linewidths=0, zorder=POINTS - 0.1, gid="rims")
        ax.scatter(*at[is_on].T, c=hues[is_on], edgecolors="#000000", gid="points", **look)
    if not is_on.all():
        edges: Any = hues[~is_on] if y is not None else "#000000"
        ax.scatter(*at[~is_on].T, facecolors="none", edgecolors=edges, gid="points off the plane", **look)


def coordinates(cx: PolyhedralComplex, X: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return where points (N, k), (N, n) or (N, *input_shape) are in a domain (N, k), and which lie on it."""
    domain = cx.domain
    try:
        given = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise DimensionError("`X` is not an array of numbers. Pass one row per point.") from None
    rows = given.reshape(len(given), -1) if given.ndim > 1 and len(given) else np.zeros((0, domain.dim))
    width = rows.shape[1]
    is_slice = isinstance(domain, Slice)
    if (given.ndim < 2 and given.size) or width not in ((domain.dim, domain.n_inputs) if is_slice else (domain.dim,)):
        more = f", or (N, {domain.n_inputs}), inputs" if is_slice else ""
        raise DimensionError(
            f"`X` has shape {given.shape}; expected (N, {domain.dim}), coordinates of the domain{more}. "
            "Pass one row per point."
        )
    if not np.isfinite(rows).all():
        raise ArgumentError("`X` holds NaN or an infinite number. Pass finite points.")
    if isinstance(domain, Slice) and width != domain.dim:
        at = domain.coordinates(rows)
        away = np.abs(rows - domain.embed(at)).max(axis=1, initial=0.0)
        return at, away <= _ON_PLANE * np.maximum(np.abs(rows).max(axis=1, initial=0.0), 1.0)
    return rows, np.ones(len(rows), dtype=bool)


def _classes(cx: PolyhedralComplex, y: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return classes as numbers: of the network's names, of booleans, or of whole numbers."""
    given = np.asarray(y).reshape(-1)
    if len(given) != n:
        raise DimensionError(f"`y` has {len(given)} classes; `X` has {n} points. Pass one for each.")
    if given.dtype.kind in "UO" and all(isinstance(v, str) for v in given.tolist()):
        names = {name: c for c, name in enumerate(cx.network.class_names)}
        unknown = sorted(set(given.tolist()) - set(names))
        if unknown:
            known = f"its classes are {', '.join(names)}" if names else "it has no names of classes"
            raise ArgumentError(f"`y` has {unknown[0]!r}, which is no class of the network; {known}.")
        return np.array([names[v] for v in given.tolist()], dtype=np.int64)
    if given.dtype.kind not in "biuf" or np.any(given != np.floor(given)) or np.any(given < 0):
        raise ArgumentError("`y` must hold classes: whole numbers from 0 on, or the network's names of them.")
    return given.astype(np.int64)
