"""What is told of one decision? Its numbers, and in words for those who have never seen a polytope."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.figures.contributions import picture_shape, place_name
from reluatlas.network.decision import class_label, extreme_word
from reluatlas.report.facts import Facts
from reluatlas.report.words import counted

if TYPE_CHECKING:
    from reluatlas.decisions.explain import Explanation
    from reluatlas.decisions.integrated import IntegratedGradients
    from reluatlas.decisions.reach import Bend, Reach

_TOLD = 20


def of_decision(
    why: Explanation,
    reach: Reach | None,
    path: IntegratedGradients | None,
    label: str,
    image_shape: tuple[int, ...] | None,
) -> Facts:
    """Return the numbers of an explanation, of how far it holds, and of a path from a baseline."""
    parts, picture = why.parts, picture_shape(why.parts.shape, image_shape)
    out: Facts = {
        "point": label,
        "class": None if why.against is None else class_label(why.network, why.label),
        "against": None if why.against is None else class_label(why.network, why.against),
        "output": why.question.output,
        "value": why.value,
        "constant": why.constant,
        "sum_for": float(parts[parts > 0].sum()),
        "sum_against": float(parts[parts < 0].sum()),
        "n_for": int((parts > 0).sum()),
        "n_against": int((parts < 0).sum()),
        "error": why.error,
        "ties": list(why.ties),
        "top": [
            {
                "input": list(place),
                "name": place_name(place, parts.shape, picture),
                "value": float(why.x[place]),
                "weight": float(why.weights[place]),
                "part": part,
            }
            for place, part in why.top(_TOLD)
        ],
        "is_complete": reach is None or reach.is_complete,
        "stopped_by": "" if reach is None else reach.stopped_by,
    }
    if reach is not None:
        out["holds"] = {
            "radius": reach.radius if isfinite(reach.radius) else None,
            "bend": _bend(reach.bend),
            "further": _bend(reach.further),
            "n_cells": reach.n_cells,
        }
    if path is not None:
        out["path"] = {
            "n_pieces": path.n_pieces,
            "difference": path.difference,
            "gap": path.gap,
            "off_50_steps": float(np.abs(path.with_steps(50) - path.parts).max()),
            "off_300_steps": float(np.abs(path.with_steps(300) - path.parts).max()),
            "largest": float(np.abs(path.parts).max()),
        }
    return out


def _bend(bend: Bend | None) -> dict[str, Any] | None:
    if bend is None:
        return None
    change = bend.change if isfinite(bend.change) else None
    return {"distance": bend.distance, "units": list(bend.units), "change": change}


def answer(why: Explanation, label: str) -> str:
    """Return the first line: what the network says, and by how much."""
    net = why.network
    if why.against is None:
        return f"{label}: {why.question.words(net)} is {why.value:.6g}."
    score = f"the {extreme_word(net)} output wins" if net.n_outputs > 1 else "the sign of the output decides"
    return (
        f"{label}: the network says {class_label(net, why.label)}, not {class_label(net, why.against)}: it is ahead by "
        f"{why.value:.4g} ({score})."
    )


def in_sum(told: Facts) -> str:
    """Return the sum in words."""
    return (
        f"{told['value']:.4g} = {told['sum_for']:.4g} from {counted(told['n_for'], 'input')} for it, "
        f"{told['sum_against']:.4g} from {counted(told['n_against'], 'input')} against it, and {told['constant']:.4g} "
        "whatever the input"
    )


def exactness(told: Facts) -> str:
    """Return how exact the sum is, in words."""
    return "the sum is exact" if told["error"] == 0 else f"the sum is right to {told['error']:.1e}"


def holding(told: Facts) -> str:
    """Return in words how far the explanation holds."""
    holds = told["holds"]
    bend, further = holds["bend"], holds["further"]
    if bend is None:
        if not told["is_complete"]:
            return f"for all inputs within {holds['radius']:.4g} at least; not known farther, as a limit was reached"
        return "for all inputs: nothing changes it"
    if bend["distance"] == 0.0:
        more = "" if further is None else f"; the next such place is {further['distance']:.4g} away"
        return f"just here: {_units(bend)} is at its turning point, and beyond it other numbers hold{more}"
    farther = "" if told["is_complete"] else " (a limit was reached: perhaps farther)"
    change = "" if bend["change"] is None else f", and the weights by {100 * bend['change']:.2g} %"
    return f"for all inputs within {bend['distance']:.4g}: there {_units(bend)} changes{change}{farther}"


def _units(bend: dict[str, Any]) -> str:
    names = bend["units"]
    return names[0] if len(names) == 1 else f"{names[0]} (and {counted(len(names) - 1, 'other unit')})"


def along(told: Facts) -> str:
    """Return in words what a path from a baseline adds up to."""
    path = told["path"]
    return (
        f"from the baseline it grows by {path['difference']:.4g}, in {counted(path['n_pieces'], 'piece')}; the exact "
        f"integrated gradients add up to that within {path['gap']:.1e}. The largest is {path['largest']:.3g}; the "
        f"usual sum of 50 steps is off by up to {path['off_50_steps']:.1g}, of 300 steps by {path['off_300_steps']:.1g}"
    )
