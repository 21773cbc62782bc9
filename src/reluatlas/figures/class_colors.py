"""Which color is a class? The same one in every figure, page and film; and what can be read on it.

The first ten colors were found by a search (simulated annealing) for ten whose smallest CIEDE2000 difference is large
under normal vision, deuteranopia and protanopia (severity 1 of G. M. Machado, M. M. Oliveira and L. A. F. Fernandes,
2009), with room to gray (ties) and white, and 3:1 to black lines. They are at least 15.7 apart, the ten after
them at least 9.2. `tests/unit/figures/test_class_colors.py` measures both, with formulas of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.errors import ArgumentError
from reluatlas.figures.colors import TIE_COLOR, rgb
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from reluatlas.network.record import Graph

Palette = str | Sequence[Any] | Mapping[Any, Any] | None

TEN = (
    "#6FACF2", "#E68349", "#7C40A4", "#0D7662", "#82DCD8", "#EFEC63", "#166A19", "#9075A0", "#26E0A6", "#DC1765",
)  # fmt: skip
NEXT_TEN = (
    "#7070F8", "#D00830", "#70B0C0", "#C09078", "#70D8F8", "#F8A808", "#987080", "#A04050", "#805888", "#E8F0D8",
)  # fmt: skip
TIED = -1
"""Stands for no class: a tie on a whole piece, or a network without classes."""
LEAST_CONTRAST = 3.0
HALO = "#262626"
_HALO_WIDTH = 0.7  # points on each side


def class_colors(classes: ArrayLike, *, palette: Palette = None, network: Graph | None = None) -> FloatArray:
    """Return the color (..., 3) of each class: the one that it has in every figure of every network.

    Parameters
    ----------
    classes : array_like of int
        Classes as `Network` numbers them; -1 (a tie, no class) is gray. Any two of 0 to 9 can be told apart with and
        without red-green blindness, those up to 19 with care; from 20 on colors return.
    palette : str, sequence of colors, or mapping of class to color, optional
        In place of ours: the name of a list of colors of matplotlib ("tab10"), colors in the order of the classes, or
        a color for some classes (by number, or by name where `network` has names; the others keep ours).
    network : Network, optional
        Whose class names a mapping may use.

    Returns
    -------
    ndarray
        Red, green and blue in [0, 1].

    Raises
    ------
    ArgumentError
        When `classes` are no whole numbers from -1 on, or `palette` has no color for one of them.
    """
    found = np.asarray(classes)
    if found.size and (not np.issubdtype(found.dtype, np.integer) or found.min() < TIED):
        raise ArgumentError("`classes` must be whole numbers from -1 on. Pass numbers of classes.")
    found = found.astype(np.int64)
    n = int(found.max(initial=TIED)) + 1
    ours = rgb(TEN + NEXT_TEN)
    table = ours[np.arange(n) % len(ours)] if palette is None else _given(palette, n, ours, network)
    return np.vstack([table, rgb([TIE_COLOR])])[found]


def _given(palette: Any, n: int, ours: FloatArray, network: Graph | None) -> FloatArray:
    """Return the first n colors of a palette that was passed."""
    if isinstance(palette, Mapping):
        names = {} if network is None else {name: c for c, name in enumerate(network.class_names)}
        table = ours[np.arange(n) % len(ours)]
        for key, color in palette.items():
            c = names.get(key, key)
            if isinstance(c, bool) or not isinstance(c, int | np.integer) or c < 0:
                known = f" Its class names are {', '.join(map(repr, names))}." if names else ""
                raise ArgumentError(f"`palette` names the class {key!r}, which is none. Pass numbers from 0 on.{known}")
            if c < n:
                table[c] = _as_rgb(color)
        return table
    if isinstance(palette, str):
        palette = _listed(palette)
    try:
        colors = list(palette)
    except TypeError:
        raise ArgumentError(
            f"`palette` is a {type(palette).__name__}; expected a list of colors, a mapping of classes to colors, or "
            'the name of a list of matplotlib such as "tab10".'
        ) from None
    if len(colors) < n:
        raise ArgumentError(f"`palette` has {len(colors)} colors; there are {n} classes. Pass one for each.")
    return np.array([_as_rgb(c) for c in colors[:n]]).reshape(n, 3)


def _listed(name: str) -> Sequence[Any]:
    import matplotlib

    colors = getattr(matplotlib.colormaps[name], "colors", None) if name in matplotlib.colormaps else None
    if colors is None or len(colors) > 64:  # a list for classes, not the steps of a scale
        raise ArgumentError(f'`palette={name!r}` is no list of colors of matplotlib. Pass one such as "tab10".')
    return colors


def _as_rgb(color: Any) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    try:
        return to_rgb(color)
    except ValueError:
        raise ArgumentError(f"`palette` has {color!r}, which is no color of matplotlib.") from None


def luminance(colors: ArrayLike) -> FloatArray:
    """Return the relative luminance (...) of colors (..., 3), as WCAG 2 defines it."""
    c = np.asarray(colors, dtype=np.float64)
    linear = np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0.04045) + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Return the contrast (...) of colors (..., 3), from 1 to 21, as WCAG 2 defines it."""
    a, b = luminance(first) + 0.05, luminance(second) + 0.05
    return np.maximum(a, b) / np.minimum(a, b)


def ink_on(color: ArrayLike) -> str:
    """Return black or white: what is read better on a color."""
    return "#000000" if contrast(color, np.zeros(3)) >= contrast(color, np.ones(3)) else "#FFFFFF"


def halo(color: ArrayLike, width: float, *, paper: ArrayLike = (1.0, 1.0, 1.0)) -> list[Any]:
    """Return the path effects of a colored line: a dark rim where it has less than 3:1 on its paper, else none."""
    if contrast(color, paper) >= LEAST_CONTRAST:
        return []
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width + 2 * _HALO_WIDTH, foreground=HALO), Normal()]
