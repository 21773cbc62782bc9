"""Which colors does an atlas use? Those of the figures, told as numbers and as hexadecimal texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.figures import colors
from reluatlas.figures.class_colors import class_colors, ink_on
from reluatlas.network.decision import class_label, has_decision

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

_STEPS = 256
_NO_CLASS = 65535


def looks_of(cx: PolyhedralComplex, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return names and colors of classes and layers, and the two scales of values as steps."""
    n_classes = max(cx.n_outputs, 2) if has_decision(cx.network) and "class" in arrays else 0
    fills = class_colors(np.arange(n_classes)) if n_classes else np.zeros((0, 3))
    seen = np.concatenate([arrays[name] for name in ("class", "piece.class") if name in arrays] or [np.zeros(0)])
    return {
        "classes": [
            {
                "name": _name(cx, c),
                "color": hexadecimal(fills[c]),
                "ink": ink_on(fills[c]),
                "is_seen": bool(np.any(seen == c)),
            }
            for c in range(n_classes)
        ],
        "tie": {"color": colors.TIE_COLOR, "is_seen": bool(np.any(seen == _NO_CLASS))},
        "layer_colors": [hexadecimal(c) for c in colors.series(len(cx.network.cuts))],
        "one_sided": scale("viridis"),
        "two_sided": scale("RdBu_r"),
    }


def scale(name: str) -> list[str]:
    """Return the steps of a scale of matplotlib."""
    import matplotlib

    return [hexadecimal(c) for c in matplotlib.colormaps[name](np.linspace(0.0, 1.0, _STEPS))[:, :3]]


def hexadecimal(color: Any) -> str:
    """Return a color of numbers in [0, 1] as a text."""
    return "#" + "".join(f"{round(255 * float(c)):02x}" for c in color)


def _name(cx: PolyhedralComplex, c: int) -> str:
    if cx.n_outputs == 1:
        return ("negative", "positive")[c]
    return class_label(cx.network, c)
