"""What is told of the nearest other class? Its numbers, and in words."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.network.decision import class_label, class_name
from reluatlas.report.facts import Facts
from reluatlas.report.words import counted

if TYPE_CHECKING:
    from reluatlas.decisions.nearest.answer import NearestClass

_MOST_DIGITS = 4000
_NORMS = {1.0: "all changes added up (norm 1)", 2.0: "straight-line distance (norm 2)"}
_LARGEST = "the largest change of one input (norm inf)"


def of_nearest(found: NearestClass) -> Facts:
    """Return the numbers of an answer as plain values; infinite distances are null."""
    size = None if found.size is None else str(found.size)
    return {
        "norm": "inf" if found.norm == float("inf") else str(int(found.norm)),
        "class": None if found.label < 0 else class_label(found.network, found.label),
        "against": None if found.against is None else class_label(found.network, found.against),
        "lower_bound": finite(found.lower_bound),
        "upper_bound": finite(found.upper_bound),
        "is_exact": found.is_exact,
        "has_none": found.is_exact and found.point is None,
        "size": size if size is not None and len(size) <= _MOST_DIGITS else None,
        "crosses": found.crosses,
        "witness": None if found.witness is None else found.witness.reshape(-1).tolist(),
        "witness_distance": finite(found.witness_distance),
        "n_parts": found.n_parts,
        "is_complete": found.is_complete,
        "stopped_by": found.stopped_by,
    }


def finite(value: float) -> float | None:
    """Return a number for JSON: None for an infinite one."""
    return value if isfinite(value) else None


def what(found: NearestClass) -> str:
    """Return what is looked for, for a sentence."""
    if found.label < 0:
        return "an input at that level"
    if found.against is None:
        return "an input of another class"
    return f"an input of {class_name(found.network, found.against)}"


def answer(found: NearestClass, label: str) -> str:
    """Return the first line: how far another class is."""
    here = "" if found.label < 0 else f" ({class_name(found.network, found.label)})"
    if found.is_exact and found.point is None:
        return f"{label}{here}: {what(found)} is nowhere on the domain."
    if found.is_exact:
        return f"{label}{here}: the nearest, {what(found)}, is {found.upper_bound:.6g} away, exactly."
    if found.point is None:
        return f"{label}{here}: {what(found)} is at least {found.lower_bound:.6g} away; none was found."
    between = f"between {found.lower_bound:.6g} and {found.upper_bound:.6g}"
    return f"{label}{here}: the nearest, {what(found)}, is {between} away."


def short(found: NearestClass) -> str:
    """Return both bounds in a few words."""
    if found.is_exact:
        return (
            "none" if found.point is None else f"{found.upper_bound:.4g} to {what(found).removeprefix('an input of ')}"
        )
    if found.point is None:
        return f"at least {found.lower_bound:.4g}"
    return f"{found.lower_bound:.4g} to {found.upper_bound:.4g}, to {what(found).removeprefix('an input of ')}"


def rows(found: NearestClass) -> list[tuple[str, str]]:
    """Return what is known, in rows."""
    out = [("measured by", _NORMS.get(found.norm, _LARGEST))]
    out.append(("not nearer than", "inf" if found.lower_bound == np.inf else f"{found.lower_bound:.10g}"))
    if found.point is not None:
        out.append(("one is at", f"{found.upper_bound:.10g}"))
        out.append(("witness", f"an input {found.witness_distance:.10g} away"))
        out.append(("there", crossing(found)))
    state = "complete" if found.is_complete else f"INCOMPLETE, stopped by {found.stopped_by}"
    out.append(("search", f"{state}, {counted(found.n_parts, 'part')} looked at"))
    return out


def crossing(found: NearestClass) -> str:
    """Return whether the other class is larger behind the point."""
    if found.crosses is None:
        return "not known whether it is larger behind that point, or only ties there"
    return "it is larger right behind" if found.crosses else "it ties there, and is nowhere larger near by"
