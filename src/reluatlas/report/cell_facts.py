"""What is reported of the cell of a point? Pattern, map, facets with what turns there, distances, neighbors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reluatlas.answers.exactness import Exactness
from reluatlas.errors import TimeLimitError
from reluatlas.network.decision import ranked
from reluatlas.network.network import Network
from reluatlas.report import nearest_facts
from reluatlas.report.cell_record import CellFacts, PointFacts
from reluatlas.report.cell_words import name, short_pattern
from reluatlas.report.facts import Facts, of_exactness

T = TypeVar("T")

if TYPE_CHECKING:
    from reluatlas.cells.answer_at import Answer
    from reluatlas.cells.cell import Cell
    from reluatlas.cells.record import Owner
    from reluatlas.certify.check import CheckReport
    from reluatlas.decisions.nearest.answer import NearestClass

_MOST_NUMBERS = 200_000  # of vectors of the input space in a JSON file


def of_cell(cell: Cell, check: CheckReport | None = None, other: NearestClass | None = None) -> CellFacts:
    """Return the numbers of a cell; what is expensive is computed here."""
    facets = cell.facets
    is_known = facets.n_undecided == 0
    distances, owners, is_domain = facets.distances, list(facets.owners), facets.is_domain
    behind = _in_time(lambda: {neighbor.facet: neighbor.flips for neighbor in cell.neighbors()}) or {}
    if not is_known and cell.has_rows:
        nearest, owner = _nearest_row(cell)
        if not np.any(distances <= nearest):
            distances = np.append(distances, nearest)
            owners.append((owner,))
            is_domain = np.append(is_domain, owner.kind == "domain")
    ball = _in_time(lambda: (cell.chebyshev_center, cell.inradius)) if is_known else None
    order = np.argsort(distances, kind="stable")
    nothing = np.zeros(0, dtype=np.int64)
    m = cell.affine.b.shape[1]
    return CellFacts(
        pattern=cell.pattern,
        A=cell.affine.A[0].reshape(m, -1),
        b=cell.affine.b[0],
        n_rows=len(cell.halfspaces) if cell.has_rows else facets.n_undecided,
        n_undecided=facets.n_undecided,
        is_bounded=_in_time(lambda: cell.is_bounded) if is_known else None,
        inradius=float("nan") if ball is None else float(ball[1]),
        center=None if ball is None else ball[0],
        distances=distances[order],
        owners=[owners[i] for i in order],
        is_domain=is_domain[order],
        flips=[behind.get(int(i), nothing) for i in order],
        other=other,
        exactness=cell.exactness,
        check=check,
    )


def _in_time(compute: Callable[[], T]) -> T | None:
    """Return what is computed; None when the time was over before."""
    try:
        return compute()
    except TimeLimitError:
        return None


def _nearest_row(cell: Cell) -> tuple[float, Owner]:
    """Return the distance of the nearest row, and whose it is: no facet is nearer, and it is one."""
    rows = cell.halfspaces
    distances = np.maximum(rows.b - rows.A @ cell.x, 0.0) / cell.lengths(rows.A)
    first = int(distances.argmin())
    return float(distances[first]), cell.owner(int(cell.constraints[first]))


def of_points(points: Sequence[PointFacts], net: Network, *, n_asked: int, stopped_by: str) -> Facts:
    """Return the numbers of points and their cells as plain values."""
    cells = [cell for point in points for cell in point.cells]
    with_vectors = len(cells) * net.n_inputs * (net.n_outputs + 3) <= _MOST_NUMBERS
    status = "exact" if all(cell.exactness.status == "exact" for cell in cells) else "incomplete"
    return {
        "is_complete": stopped_by == "",
        "stopped_by": stopped_by,
        "n_asked": n_asked,
        "n_done": sum(point.is_done for point in points),
        "n_points": len(points),
        "n_on_face": sum(point.is_on_face for point in points),
        "n_cells": len({cell.pattern.tobytes() for cell in cells}),
        "n_cells_told": len(cells),
        "n_checked": sum(cell.check is not None for cell in cells),
        "exactness": of_exactness(
            Exactness(status, *(sum(getattr(c.exactness, n) for c in cells) for n in ("n_escalated", "n_uncertain")))
        ),
        "points": [_point(point, net, with_vectors=with_vectors) for point in points],
    }


def _point(point: PointFacts, net: Network, *, with_vectors: bool) -> Facts:
    return {
        "label": point.label,
        "x": point.x.tolist() if with_vectors else None,
        "outputs": point.outputs.tolist(),
        "class": point.class_,
        "is_on_face": point.is_on_face,
        "is_complete": point.is_complete,
        "cells": [to_json(cell, net, with_vectors=with_vectors) for cell in point.cells],
    }


def to_json(cell: CellFacts, net: Network, *, with_vectors: bool) -> Facts:
    """Return the numbers of a cell as plain values; without vectors of the input space when these would be too many."""
    other, nearest = cell.other, cell.nearest
    inner = np.flatnonzero(~cell.is_domain).tolist()
    return {
        "pattern": cell.pattern.tolist(),
        "pattern_short": short_pattern(net, cell.pattern),
        "affine": {"A": cell.A.tolist() if with_vectors else None, "b": cell.b.tolist()},
        "n_rows": cell.n_rows,
        "n_undecided": cell.n_undecided,
        "n_facets": len(cell.owners),
        "n_domain_facets": int(cell.is_domain.sum()),
        "is_bounded": cell.is_bounded,
        "inradius": cell.inradius if np.isfinite(cell.inradius) else None,
        "chebyshev_center": cell.center.tolist() if with_vectors and cell.center is not None else None,
        "nearest_facet": None
        if nearest is None
        else {
            "distance": float(cell.distances[nearest]),
            "is_lower_bound": cell.is_lower_bound,
            "units": [unit(net, owner) for owner in cell.owners[nearest]],
        },
        "nearest_other_class": None if other is None else _other(other, with_vectors=with_vectors),
        "n_neighbors": len(inner),
        "neighbors": [
            {"distance": float(cell.distances[i]), "facet": name(net, cell.owners[i]), "flips": cell.flips[i].tolist()}
            for i in inner
        ],
        "exactness": of_exactness(cell.exactness),
        "check": None
        if cell.check is None
        else {"is_ok": cell.check.is_ok, "n_rows": cell.check.n_rows, "problems": cell.check.problems},
    }


def _other(found: NearestClass, *, with_vectors: bool) -> Facts:
    told = nearest_facts.of_nearest(found)
    names = ("lower_bound", "upper_bound", "is_exact", "has_none", "crosses", "witness_distance")
    return {
        **{name: told[name] for name in names},
        "class": found.against,
        "witness": told["witness"] if with_vectors else None,
    }


def of_answers(
    net: Network,
    labels: Sequence[str],
    outputs: Sequence[NDArray[np.float64] | None],
    answers: Sequence[Answer | None],
) -> list[Facts]:
    """Return what the network says at each point, as plain values; None is what the time did not suffice for."""
    with_vectors = len(labels) * net.n_inputs * net.n_outputs <= _MOST_NUMBERS
    return [_answer(net, *each, with_vectors=with_vectors) for each in zip(labels, outputs, answers, strict=True)]


def _answer(
    net: Network, label: str, outputs: NDArray[np.float64] | None, answer: Answer | None, *, with_vectors: bool
) -> Facts:
    decided = None if outputs is None else ranked(net, outputs)
    has_margin = decided is not None and decided[1] is not None
    return {
        "label": label,
        "outputs": None if outputs is None else outputs.tolist(),
        "class": None if decided is None else decided[0],
        "runner_up": None if decided is None else decided[1],
        "margin": decided[2] if decided is not None and has_margin else None,
        "is_on_face": None if answer is None else answer.is_on_face,
        "ties": None if answer is None else list(answer.ties),
        "pattern_short": None if answer is None else short_pattern(net, answer.pattern),
        "affine": None
        if answer is None
        else {
            "A": answer.affine.A[0].reshape(net.n_outputs, -1).tolist() if with_vectors else None,
            "b": answer.affine.b[0].tolist(),
        },
    }


def unit(net: Network, owner: Owner) -> dict[str, Any]:
    """Return whose row it is, as plain values."""
    return {
        "name": name(net, (owner,)),
        "kind": owner.kind,
        "layer": owner.layer,
        "unit": owner.unit,
        "which": owner.which,
        "column": owner.column,
    }
