"""What does an atlas know of the difference of two networks? Where their classes differ, and by how much outputs do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.atlas.contents import Contents, contents_of
from reluatlas.atlas.looks import hexadecimal
from reluatlas.atlas.marks import Mark
from reluatlas.figures import polygons
from reluatlas.figures.class_colors import class_colors, ink_on
from reluatlas.network.decision import class_label
from reluatlas.network.unit_names import layer_names, unit_name

if TYPE_CHECKING:
    from reluatlas.comparison.refinement import Refinement
    from reluatlas.complexes.complex import PolyhedralComplex

_FADED = 0.72
"""How far a color goes to paper where both networks decide alike: what stands out is where they do not."""
_PAPER = np.array([0.968, 0.968, 0.96])


def difference_of(cx: PolyhedralComplex, both: Refinement, marks: Sequence[Mark] = ()) -> Contents:
    """Return what an atlas shows of f - g: the cells of the common refinement, with their maps and both classes.

    Parameters
    ----------
    cx : PolyhedralComplex
        Of `both.network`.
    both : Refinement
    marks : sequence of Mark
    """
    m = both.m
    found = contents_of(cx, marks, with_network=False, with_maps=False, with_boundary=False, first_output=2 * m)
    told, arrays = dict(found.told), dict(found.arrays)
    layers, units = _names(both, arrays["named"])
    largest, output, at = _largest(cx, m)
    told |= {
        "outputs_in_all": m,
        "output_names": [f"{class_label(both.f, c)}" if m > 1 else "output" for c in range(told["n_outputs"])],
        "layers": [{**layer, "name": name} for layer, name in zip(told["layers"], layers, strict=True)],
        "unit_names": units,
        "difference": {"largest": largest, "output": output, "at": at, "share": None},
    }
    if both.columns is not None:
        _put_classes(told, arrays, cx, both)
    return replace(found, told=told, arrays=arrays)


def _put_classes(
    told: dict[str, Any], arrays: dict[str, NDArray[Any]], cx: PolyhedralComplex, both: Refinement
) -> None:
    """Put as class of a cell that of both networks or, behind these, the pair of theirs."""
    f, g = both.classes(cx.patterns)
    n = max(both.m, 2)
    differ = f != g
    pairs, which = np.unique(f[differ] * n + g[differ], return_inverse=True)
    number = f.copy()
    number[differ] = n + which
    seen = np.bincount(number, minlength=n + len(pairs)) > 0
    full = class_colors(np.arange(n))
    faded = full + _FADED * (_PAPER - full)
    looks = [(f"both {_label(both, 0, c)}", faded[c]) for c in range(n)]
    looks += [(f"f {_label(both, 0, p // n)}, g {_label(both, 1, p % n)}", full[p % n]) for p in pairs.tolist()]
    arrays["class"] = number.astype(np.uint16)
    told["has_classes"] = True
    told["classes"] = [
        {"name": name, "color": hexadecimal(color), "ink": ink_on(color), "is_seen": bool(s)}
        for (name, color), s in zip(looks, seen, strict=True)
    ]
    volumes = np.asarray(cx.volumes, dtype=np.float64)
    told["difference"]["share"] = float(volumes[differ].sum() / volumes.sum())


def _label(both: Refinement, which: int, c: int) -> str:
    net = (both.f, both.g)[which]
    if both.m == 1:
        return ("negative", "positive")[c]
    return class_label(net, c)


def _largest(cx: PolyhedralComplex, m: int) -> tuple[float, int, list[float]]:
    """Return the largest |f - g| of an output on these cells, of which one, and where: at a vertex, as it is convex."""
    cell, points = polygons.cell_of_vertex(cx), cx.vertices.points
    best, output, at = -1.0, 0, [0.0, 0.0]
    for c in range(m):
        values = np.abs(np.einsum("vk,vk->v", cx.affine.A[cell, 2 * m + c], points) + cx.affine.b[cell, 2 * m + c])
        v = int(values.argmax())
        if values[v] > best:
            best, output, at = float(values[v]), c, points[v].tolist()
    return best, output, at


def _names(both: Refinement, used: NDArray[Any]) -> tuple[list[str], list[str]]:
    """Return what layers are called, and the units of these columns: whose they are, and what they are called there."""
    owners: dict[int, list[tuple[str, Any, int]]] = {}
    for who, net, place in (("f", both.f, both.joined.first), ("g", both.g, both.joined.second)):
        for layer, t in enumerate(net.cuts):
            owners.setdefault(place[t], []).append((who, net, layer))
    slices = both.network.pattern_slices()
    decisions = iter(("decision of f", "decision of g"))
    layers, units = [], []
    for t, columns in slices.items():
        mine = owners.get(t)
        who = " and ".join(owner for owner, _, _ in mine or ())
        layers.append(next(decisions) if mine is None else f"{who}: {layer_names(mine[0][1])[mine[0][2]]}")
        for column in used[(used >= columns.start) & (used < columns.stop)].tolist():
            unit = column - columns.start
            units.append(layers[-1] if mine is None else f"{who}: {unit_name(mine[0][1], mine[0][2], unit)}")
    return layers, units
