"""Where does the decision change, in three dimensions? The polygons of the decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Slice, Space
from reluatlas.errors import DimensionError
from reluatlas.figures import colors as palette
from reluatlas.figures import paint
from reluatlas.figures.axes import axes_or_new, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex

FloatArray = NDArray[np.float64]
TIED = (-1, -1)
"""Stands for a pair of outputs where a polygon bounds a part of space on all of which outputs tie."""
_SUN = np.array([-0.45, -0.55, 0.70])


def boundary(cx: PolyhedralComplex, *, ax: Any = None, legend: bool = True) -> Axes:
    """Return 3-D axes with the decision boundary of a complex on a three-dimensional domain.

    Each polygon is where the top two outputs tie on one cell (one output: where it is zero). With three or more
    outputs its color says which two (of more the lowest); all are shaded by the way they face. Polygons that bound a
    part of space on all of which outputs tie are grey.

    Parameters
    ----------
    cx : PolyhedralComplex
        All cells of a three-dimensional `Box` or `Slice`.
    ax : matplotlib Axes, optional
        3-D axes; a new figure when None.
    legend : bool
        Whether to name the colors.

    Raises
    ------
    DimensionError, DomainError
        When the domain is not three-dimensional and bounded, or the complex is incomplete.
    ArgumentError
        When `ax` is no 3-D axes.

    Guarantees
    ----------
    The polygons are those of `cx.decision_boundary()`, all of them. Which hides which is decided by their mean
    distances, as matplotlib does.
    """
    if cx.domain.dim != 3 or isinstance(cx.domain, Space):
        raise DimensionError(
            f"`cx` has the domain {cx.domain!r}; a boundary is drawn on a three-dimensional `Box` or `Slice`. "
            "Enumerate the cells on one."
        )
    found = cx.decision_boundary()
    ax = axes_or_new(ax, projection="3d")
    polygons = np.split(found.points, found.offsets[1:-1]) if len(found) else []
    pairs = [TIED if rim else (c, d) for (c, d), rim in zip(found.outputs.tolist(), found.is_rim.tolist(), strict=True)]
    named = sorted(set(pairs) - {TIED})
    hues = dict(zip(named, palette.series(max(len(named), 1)), strict=False))
    hues[TIED] = palette.rgb([palette.TIE_COLOR])[0]
    if polygons:
        _add(ax, polygons, np.array([hues[p] for p in pairs]))
    low, high = cx.box.low, cx.box.high
    names = ("u0", "u1", "u2") if isinstance(cx.domain, Slice) else ("x0", "x1", "x2")
    for axis, name, a, b in zip("xyz", names, low, high, strict=True):
        getattr(ax, f"set_{axis}lim")(a, b)
        getattr(ax, f"set_{axis}label")(name)
    sides = high - low
    ax.set_box_aspect(np.clip(sides / sides.max(), 0.3, 1.0))
    ax.set_title(
        f"decision boundary: {counted(len(polygons), 'polygon')}, {counted(cx.n_cells, 'cell')}", fontsize="medium"
    )
    if legend and (cx.n_outputs > 2 or TIED in pairs):
        names = [f"outputs {c} and {d}" if cx.n_outputs > 1 else "output = 0" for c, d in named]
        more = ["bounds a solid part"] if TIED in pairs else []
        paint.legend(ax, names + more, [hues[p] for p in named] + [hues[TIED]] * len(more))
    return ax


def _add(ax: Any, polygons: list[FloatArray], hues: FloatArray) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    normal = np.array([np.linalg.svd(p - p.mean(axis=0), full_matrices=False)[2][2] for p in polygons])
    facing = np.abs(normal @ (_SUN / np.linalg.norm(_SUN)))
    shaded = np.clip(np.asarray(hues)[:, :3] * (0.62 + 0.42 * facing)[:, None], 0.0, 1.0)
    width = paint.edge_width(len(polygons))
    faces = Poly3DCollection(polygons, facecolors=shaded, edgecolors="#2A2A2A", linewidths=width, gid="boundary")
    ax.add_collection3d(faces)
