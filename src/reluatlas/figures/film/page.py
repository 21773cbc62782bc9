"""How does a film become one page? The exact pieces of all frames as packed numbers, drawn by the page's own script."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.figures import colors as palette
from reluatlas.figures import polygons
from reluatlas.figures.class_colors import ink_on
from reluatlas.figures.film.draw import dual_size
from reluatlas.figures.film.frames import Film, class_fills, class_labels, neuron_colors

_STEPS = 65535


def page_of(film: Film, *, title: str = "", fps: float = 20.0) -> str:
    """Return an HTML page that plays a film; it asks for nothing from outside itself.

    `#frame=12` at the end of its address shows that frame first, `#play` starts it.
    """
    trajectory = film.trajectory
    heading = title or f"A {trajectory.name} network while it learns"
    text = json.dumps(_content(film) | {"fps": fps}, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    page = files("reluatlas.figures.film").joinpath("page.html").read_text(encoding="utf-8")
    return page.replace("@TITLE@", html.escape(heading)).replace("@FILM@", text)


def _content(film: Film) -> dict[str, Any]:
    trajectory, frames = film.trajectory, film.frames
    box, (low, high) = trajectory.domain.box, film.height_range
    corner, side = box.low, box.high - box.low

    def place(points: NDArray[np.float64]) -> NDArray[np.uint16]:
        return np.round(np.clip((points - corner) / side, 0, 1) * _STEPS).astype("<u2").reshape(-1)

    limit = film.slope_limit
    n_classes = max(trajectory.sizes[-1], 2)
    dual = [np.clip(f.dual[:, :2] / limit, -1, 1) for f in frames]
    outside = [int((np.abs(f.dual[:, :2]) > limit).any(axis=1).sum()) for f in frames]
    heights = [np.clip((h - low) / (high - low), 0, 1) for f in frames for h in f.heights]
    arrays = {
        "frameShapes": _starts([len(f.shapes) for f in frames]),
        "shapeStarts": _starts([len(s) for f in frames for s in f.shapes]),
        "shapes": place(np.concatenate([s for f in frames for s in f.shapes])),
        "heights": np.round(np.concatenate(heights) * _STEPS).astype("<u2"),
        "classes": _joined([np.where(f.classes == polygons.TIE, n_classes, f.classes) for f in frames], "<u2"),
        "frameEdges": _starts([len(f.edges) for f in frames]),
        "edges": place(np.concatenate([f.edges.reshape(-1, 2) for f in frames])),
        "levels": _joined([f.levels for f in frames], "<u2"),
        "units": _joined([f.units for f in frames], "<u2"),
        "frameBoundary": _starts([len(f.boundary) for f in frames]),
        "boundary": place(np.concatenate([f.boundary.reshape(-1, 2) for f in frames])),
        "frameDual": _starts([len(f.dual) for f in frames]),
        "dual": np.round((np.concatenate(dual) + 1) / 2 * _STEPS).astype("<u2").reshape(-1),
        "dualClasses": _joined([f.dual_classes for f in frames], "<u2"),
        "dualSizes": np.round(64 * np.sqrt(np.concatenate([dual_size(f.dual_shares) for f in frames]))).astype("<u2"),
        "points": place(film.X),
        "labels": film.y.astype("<u2"),
    }
    return {
        "shape": trajectory.name,
        "nHidden": trajectory.n_hidden,
        "low": box.low.tolist(),
        "high": box.high.tolist(),
        "heightRange": [low, high],
        "heightName": film.height_name,
        "outputName": "decision boundary" if trajectory.sizes[-1] > 1 else "zeros",
        "coordinates": list(film.coordinate_names),
        "slopeLimit": limit,
        "steps": film.steps.tolist(),
        "accuracy": [None if np.isnan(a) else round(float(a), 6) for a in film.accuracy],
        "cells": [f.n_cells for f in frames],
        "regions": [f.n_linear_regions for f in frames],
        "maps": [f.n_affine_maps for f in frames],
        "outside": outside,
        "fills": _hexadecimal(class_fills(trajectory.sizes[-1])),
        "classes": class_labels(trajectory.sizes[-1]),
        "classInks": [ink_on(c) for c in class_fills(trajectory.sizes[-1])[:-1]],
        "earlier": palette.EARLIER,
        "neurons": [_hexadecimal(neuron_colors(n)) for n in trajectory.sizes[1:-1]],
        "arrays": {name: _packed(array) for name, array in arrays.items()},
    }


def _starts(counts: Sequence[int]) -> NDArray[np.uint32]:
    return np.concatenate([[0], np.cumsum(counts)]).astype("<u4")


def _joined(parts: Sequence[NDArray[Any]], kind: str) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind)


def _packed(array: NDArray[Any]) -> list[Any]:
    return [array.dtype.itemsize, base64.b64encode(array.tobytes()).decode()]


def _hexadecimal(colors: NDArray[np.float64]) -> list[str]:
    return ["#" + "".join(f"{round(255 * float(c)):02x}" for c in color) for color in colors]
