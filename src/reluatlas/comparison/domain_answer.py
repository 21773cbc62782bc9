"""What is told of two networks on a domain? The answer, from what cells add up to and from both ends by boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import StoppedBy
from reluatlas.arithmetic.rationals import to_floats
from reluatlas.comparison.answer import Comparison
from reluatlas.comparison.exact import ExactAt, nearest_inside
from reluatlas.comparison.largest import Largest
from reluatlas.comparison.paired.find import BoxSearch, Searched
from reluatlas.comparison.record import ClassPair, DifferingPieces, Witness
from reluatlas.comparison.refinement import Refinement
from reluatlas.comparison.runtime import runtime_error
from reluatlas.comparison.totals import Pieces, Totals
from reluatlas.comparison.wanted import Wanted
from reluatlas.domain import Box, Slice
from reluatlas.errors import TimeLimitError
from reluatlas.typing import FloatArray

_TRIED = 20


def answer_of(
    both: Refinement, domain: Box | Slice, wanted: Wanted, totals: Totals, top: Largest, every: list[Largest],
    rest: tuple[tuple[float, FloatArray] | None, Searched | None] | None, equal: bool | None,
    stopped_by: StoppedBy, exactness: Exactness,
    share: float, seconds: float,
) -> Comparison:  # fmt: skip
    """Return the answer; `rest`, where it stopped, bounds what was not looked at, and has both ends by boxes."""
    upper, max_upper = top.upper, np.array([one.upper for one in every])
    max_lower = np.array([one.lower for one in every])
    points = [one.point for one in every]
    boxes: BoxSearch | None = None
    if rest is not None:
        bounds, searched = rest
        upper, max_upper = bounds if bounds is not None else (float("inf"), np.full(both.m, np.inf))
        if searched is not None:
            boxes = searched.search
            upper, max_upper = min(upper, searched.top.upper), np.minimum(max_upper, searched.each_upper)
            top = searched.top if searched.top.lower > top.lower else top
            better = searched.each_lower > max_lower
            points = [new if b else old for b, new, old in zip(better, searched.points, points, strict=True)]
            max_lower = np.maximum(max_lower, searched.each_lower)
            is_all = not wanted.means and both.columns is None
            if is_all and not boxes.stopped_by and equal is not None:  # nothing is left that was asked for
                stopped_by = ""
    if equal:
        upper, max_upper = 0.0, np.zeros(both.m)
    exact = ExactAt(both, domain)
    witness, error = witness_of(both, domain, top, exact)
    volume = domain.box.volume * (share if stopped_by else 1.0)
    means = _means(totals, volume) if wanted.means and volume > 0 else (None,) * 4
    pairs, pieces, disagreement = _disagreement(both, domain, totals, volume, exact)
    tied = {
        name: sum(part.tied[name][0] for part in totals.parts) / volume if volume > 0 else 0.0 for name in ("f", "g")
    } if both.columns is not None else {}  # fmt: skip
    return Comparison(
        f=both.f,
        g=both.g,
        domain=domain,
        norm=wanted.norm,
        lower=top.lower,
        upper=upper,
        max_lower=max_lower,
        max_difference=max_upper,
        found=witness,
        witnesses=witnesses_of(both, domain, points),
        mean_difference=means[0],
        mean_difference_error=means[1],
        mean_square=means[2],
        mean_square_error=means[3],
        disagreement=None if disagreement is None else disagreement[0],
        disagreement_error=None if disagreement is None else disagreement[1],
        pairs=pairs,
        pieces=pieces,
        f_tied=tied.get("f"),
        g_tied=tied.get("g"),
        is_equal=equal,
        exact_means=None if stopped_by or totals.exact is None else totals.exact.finish(),
        certificate=Path(wanted.certificate) if equal and wanted.certificate is not None else None,
        n_cells=totals.n_cells,
        n_pieces=totals.n_pieces,
        stopped_by=stopped_by,
        share_done=share,
        exactness=exactness,
        seconds=seconds,
        runtime_error=error,
        notices=wanted.notices,
        eps=wanted.eps,
        boxes=boxes,
    )


def witnesses_of(both: Refinement, domain: Box | Slice, points: list[FloatArray | None]) -> FloatArray | None:
    """Return the inputs next to points of the domain, where there are any."""
    there = [_input(both, domain, p) for p in points if p is not None]
    return np.stack(there) if there else None


def witness_of(
    both: Refinement, domain: Box | Slice, top: Largest, exact: ExactAt
) -> tuple[Witness | None, float | None]:  # fmt: skip
    """Return the point where the difference is largest, and what a float32 forward pass is off by there."""
    if top.vertex is None or top.values is None:
        return None, None
    u = nearest_inside(top.vertex, domain.box.low, domain.box.high)
    x = np.asarray(domain.embed(u)).reshape(-1)
    try:
        here = exact.at_point(x)
    except TimeLimitError:
        return None, None
    made = Witness(
        to_floats(top.vertex), to_floats(top.values.f), to_floats(top.values.g), x.reshape(both.f.input_shape),
        to_floats(here.f), to_floats(here.g), to_floats(here.difference),
    )  # fmt: skip
    return made, runtime_error(both.f, both.g, x, here.difference)


def _input(both: Refinement, domain: Box | Slice, u: FloatArray) -> FloatArray:
    inside = np.clip(u, domain.box.low, domain.box.high)
    return np.asarray(domain.embed(inside)).reshape(both.f.input_shape)


def _means(totals: Totals, volume: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    slack = 1.0 + 1e-9
    absolute, square = totals.sum_of("absolute"), totals.sum_of("square")
    return (
        absolute / volume,
        slack * (totals.sum_of("absolute_error") + 1e-14 * absolute) / volume,
        square / volume,
        slack * (totals.sum_of("square_error") + 1e-14 * square) / volume,
    )


def _disagreement(
    both: Refinement, domain: Box | Slice, totals: Totals, volume: float, exact: ExactAt
) -> tuple[tuple[ClassPair, ...], DifferingPieces | None, tuple[float, float] | None]:
    """Return the pairs of classes that differ, the pieces themselves, and the share with its error."""
    if both.columns is None:
        return (), None, None
    sums: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
    for part in totals.parts:
        for pair, found in part.pairs.items():
            sums.setdefault(pair, []).append(found)
    pieces = totals.pieces()
    pairs = []
    for (a, b), rows in sorted(sums.items()):
        size = sum(v for v, _, _ in rows)
        witness = _differing(both, domain, pieces, (a, b), exact)
        pairs.append(ClassPair(a, b, size / volume if volume > 0 else 0.0, sum(n for _, _, n in rows), witness))
    error = sum(e for rows in sums.values() for _, e, _ in rows)
    total = sum(v for rows in sums.values() for v, _, _ in rows)
    shown = DifferingPieces(
        pieces.points, pieces.offsets, pieces.f_class, pieces.g_class, pieces.volume * domain.unit_volume
    )  # fmt: skip
    if volume <= 0:
        return (), shown, (0.0, 0.0)
    return tuple(pairs), shown, (total / volume, (1.0 + 1e-9) * (error + 1e-14 * total) / volume)


def _differing(
    both: Refinement, domain: Box | Slice, pieces: Pieces, pair: tuple[int, int], exact: ExactAt
) -> FloatArray | None:
    """Return a float64 input in one of the largest pieces where the classes are, exactly, these two."""
    mine = np.flatnonzero((pieces.f_class == pair[0]) & (pieces.g_class == pair[1]))
    for i in mine[np.argsort(-pieces.volume[mine], kind="stable")][:_TRIED].tolist():
        middle = pieces.points[pieces.offsets[i] : pieces.offsets[i + 1]].mean(axis=0)
        x = _input(both, domain, middle)
        try:
            if exact.at_point(x.reshape(-1)).classes(both.f, both.g) == pair:
                return x
        except TimeLimitError:
            return None
    return None
