"""What does the function look like? Its graph over the domain, made of the exact polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError
from reluatlas.figures import colors as palette
from reluatlas.figures import outputs, paint, polygons
from reluatlas.figures.axes import axes_or_new, coordinate_names, counted, require_choice, require_plane
from reluatlas.figures.cells import class_colors
from reluatlas.network.decision import extreme_word, scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.network.network import Network

FloatArray = NDArray[np.float64]
By = Literal["class", "map"]
_EDGES_UP_TO = 4_000
_SUN = np.array([-0.45, -0.55, 0.70])


def surface(
    cx: PolyhedralComplex,
    *,
    output: outputs.Output = None,
    by: By = "class",
    ax: Any = None,
    edges: bool | None = None,
    legend: bool = True,
) -> Axes:
    """Return 3-D axes with the graph of one function of the outputs over the domain.

    Parameters
    ----------
    cx : PolyhedralComplex
        Cells on a two-dimensional domain.
    output : int, (int, int) or None
        The height: an output, or a difference c minus d. None: the single output; output 1 minus
        output 0 of two; the largest output of three or more.
    by : {"class", "map"}
        What a color stands for. "class": the sign of the height, or which output is the largest;
        the surface changes color exactly on the decision boundary. "map": the affine map, in the
        colors of `cells(by="map")`. Both are shaded by the slope.
    ax : matplotlib Axes, optional
        3-D axes; a new figure when None.
    edges : bool, optional
        Whether to outline the polygons; None: up to 4,000 of them.
    legend : bool
        Whether to name the colors of `by="class"`.

    Raises
    ------
    ArgumentError
        When an argument is none of the above, or there is no cell.
    DimensionError
        When the domain is not two-dimensional.

    Guarantees
    ----------
    All cells are drawn, as plane polygons at their own heights; a polygon that a decision boundary
    crosses is divided there. Which polygon hides which is decided by their mean distances, as
    matplotlib does, so a thin one can wrongly show before a large one.
    """
    require_plane(cx)
    require_choice(by, "by", ("class", "map"))
    chosen = outputs.resolve(output, cx.n_outputs)
    ax = axes_or_new(ax, projection="3d")
    if chosen is None:
        slopes, constants = cx.affine.A, cx.affine.b
        shapes, owner, kind = polygons.largest_pieces(cx, scores(cx.network, slopes), scores(cx.network, constants))
        slope, constant = slopes[owner, kind], constants[owner, kind]
        name = f"{extreme_word(cx.network)} output"
    else:
        slopes, constants = outputs.maps_of(cx, chosen)
        shapes, owner, kind = polygons.sign_pieces(cx, slopes, constants)
        slope, constant = slopes[owner], constants[owner]
        name = outputs.name_of(chosen, cx.n_outputs)
    solid = [np.column_stack([p, p @ w + c]) for p, w, c in zip(shapes, slope, constant, strict=True)]
    low, high = _range(solid)
    if by == "map":
        hues, key = palette.of_maps(cx)[owner], None
    else:
        hues, key = _class_hues(kind, cx.network, cx.n_outputs if chosen is None else 1, name)
    _add(ax, solid, _shade(hues, slope, cx, high - low), edges)
    _label(ax, cx, name, low, high)
    if legend and key is not None:
        paint.legend(ax, *key)
        ax.get_legend().set_bbox_to_anchor((0.98, 0.98))
    return ax


def _class_hues(kind: NDArray[np.int64], network: Network, n_outputs: int, name: str):
    present, row = np.unique(kind, return_inverse=True)
    hues, names = class_colors(present.tolist(), network, n_outputs)
    if n_outputs == 1:
        names = [text.replace("output", name, 1) for text in names]
    return hues[row], (names, list(hues))


def _shade(hues: FloatArray, slope: FloatArray, cx: PolyhedralComplex, extent: float) -> FloatArray:
    """Return the colors, darker where the surface turns away from the light."""
    box = cx.box
    across = slope * (box.high - box.low) / extent
    normal = np.column_stack([-across, np.ones(len(across))])
    facing = normal @ (_SUN / np.linalg.norm(_SUN)) / np.linalg.norm(normal, axis=1)
    return np.clip(hues * (0.80 + 0.28 * facing)[:, None], 0.0, 1.0)


def _add(ax: Any, solid: list[FloatArray], hues: FloatArray, edges: bool | None) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    outlined = len(solid) <= _EDGES_UP_TO if edges is None else edges
    width = paint.edge_width(len(solid)) if outlined else 0.4
    faces = Poly3DCollection(
        _equally_long(solid), facecolors=hues, edgecolors="#2A2A2A" if outlined else hues, linewidths=width,
        rasterized=len(solid) > paint.RASTER_FROM, gid="surface",
    )  # fmt: skip
    faces.set_joinstyle("bevel")
    ax.add_collection3d(faces)


def _equally_long(solid: list[FloatArray]) -> list[FloatArray]:
    """Return the polygons with vertices repeated until all have as many.

    Polygons of different lengths go through masked arrays with unset entries in matplotlib, which
    can overflow and warn. Repeats are spread evenly, so that mean distances stay about right.
    """
    longest = max(len(s) for s in solid)
    return [s[np.arange(longest) * len(s) // longest] for s in solid]


def _range(solid: list[FloatArray]) -> tuple[float, float]:
    heights = np.concatenate([s[:, 2] for s in solid])
    low, high = float(heights.min()), float(heights.max())
    if not np.isfinite(high - low):
        raise ArgumentError(
            "`cx` has heights that are not finite, so no surface can be drawn. Choose a smaller domain."
        )
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):  # a constant: some room to see it in
        room = max(abs(high), 1.0) / 2
        return low - room, high + room
    return low, high


def _label(ax: Any, cx: PolyhedralComplex, name: str, low: float, high: float) -> None:
    box, names = cx.box, coordinate_names(cx)
    from matplotlib.ticker import MaxNLocator

    sides = np.clip((box.high - box.low) / (box.high - box.low).max(), 0.3, 1.0)
    ax.set_box_aspect((*(4.0 * sides), 2.6), zoom=0.92)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4, prune="lower"))  # the corner already has the label of x
    ax.zaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlim(box.low[0], box.high[0])
    ax.set_ylim(box.low[1], box.high[1])
    ax.set_zlim(low, high)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.set_zlabel(name, labelpad=10)
    ax.set_title(counted(cx.n_cells, "cell") + ("" if cx.is_complete else " (incomplete)"), fontsize="medium")
