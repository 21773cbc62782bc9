"""How is a comparison told? In sentences, words first: never more certain, and never less, than the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reluatlas.domain import Domain, Slice
from reluatlas.network.decision import class_name

if TYPE_CHECKING:
    from reluatlas.comparison.paired.find import BoxSearch
    from reluatlas.comparison.record import ComparisonRecord, PointRecord, SegmentRecord
    from reluatlas.network.network import Network

_FEW = 100
"""Points from which on shares of them are told without a warning."""
_PAIRS = 3


def percent(share: float) -> str:
    """Return a share as a percentage of two digits; never 0 % or 100 % of what is only nearly so."""
    if share <= 0.0:
        return "0 %"
    if share >= 1.0:
        return "100 %"
    if share > 0.99:
        return f"{np.floor(1e4 * share) / 100:.2f} %"
    return f"{100 * share:.2g} %"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def place(domain: Domain) -> str:
    """Return what the domain is called: "this plane", "this box"."""
    if isinstance(domain, Slice):
        return {1: "this line", 2: "this plane"}.get(domain.dim, f"this slice of {domain.dim} dimensions")
    return "this box"


def measure(dim: int) -> str:
    """Return what the volume is called in so many dimensions."""
    return {1: "length", 2: "area"}.get(dim, "volume")


def on_domain(answer: ComparisonRecord) -> list[str]:
    """Return sentences about two networks on a domain."""
    here, out = place(answer.domain), []
    if answer.is_equal:
        where = (
            f"on all {counted(answer.n_cells, 'cell')} of their common refinement"
            if answer.method == "cells"
            else "by bounds on each pair of units"
        )
        out.append(f"f and g are the same function on {here}: their difference is exactly zero {where}.")
    else:
        out.append(_largest(answer, here))
        if answer.mean_difference is not None:
            out.append(_means(answer))
    if answer.eps is not None:
        out.append(_within(answer, here))
    if answer.boxes is not None:
        out.append(_boxes(answer.boxes))
    if answer.f_classes is not None:
        out.append(_classes(answer, here))
        out += _tied(answer)
    if not answer.is_complete:
        out.append(_incomplete(answer))
    if answer.is_equal is None and answer.is_complete:
        out.append("Whether the difference is exactly zero was not settled in the time or memory there was.")
    if answer.runtime_error is not None and not answer.is_equal and answer.is_complete and answer.is_below_float32:
        out.append(
            f"A float32 runtime is itself off by about {answer.runtime_error:.2g} there, which is more: none can show "
            "this difference."
        )
    return out + list(answer.notices)


def _largest(answer: ComparisonRecord, here: str) -> str:
    which = "" if answer.f.n_outputs == 1 else f" (output {answer.output})" if answer.norm == "inf" else ""
    what = {"inf": "", 1: " in the sum over outputs", 2: " in length over outputs"}[answer.norm]
    if answer.ends_meet:
        at = ", and by that at the witness" if answer.found is not None else ""
        return f"Outputs differ by at most {answer.largest:.6g}{what}{which} on {here}{at}."
    at = f" (at the witness{which})" if answer.found is not None else ""
    end = f"and {answer.upper:.6g}" if np.isfinite(answer.upper) else "and what no bound was found for in time"
    return f"The largest difference of outputs{what} on {here} is between {answer.lower:.6g}{at} {end}."


def _within(answer: ComparisonRecord, here: str) -> str:
    if answer.is_within is None:
        return f"Whether they differ by more than {answer.eps:.6g} on {here} was not settled."
    if answer.is_within:
        return f"They nowhere differ by more than {answer.eps:.6g} on {here}: that is certain."
    return f"They do differ by more than {answer.eps:.6g} on {here}: see the witness."


def _boxes(found: BoxSearch) -> str:
    how = (
        "units of f and g bounded in pairs"
        if found.is_paired
        else "f - g bounded as one network, since the units of f and g do not correspond"
    )
    left = f"; {counted(found.n_open, 'part')} left open" if found.n_open and found.stopped_by else ""
    return f"Both ends are from {found.n_boxes:,} parts of it, with {how}{left}."


def _means(answer: ComparisonRecord) -> str:
    assert answer.mean_difference is not None
    assert answer.mean_square is not None
    if answer.f.n_outputs == 1:
        of = f"{answer.mean_difference[0]:.4g}"
    else:
        worst = int(answer.mean_difference.argmax())
        of = f"{answer.mean_difference[worst]:.4g} in output {worst}, where it is largest"
    return f"The mean of |f - g| is {of}."


def _classes(answer: ComparisonRecord, here: str) -> str:
    assert answer.disagreement is not None
    what = measure(answer.domain.dim)
    if not answer.pairs:
        return (
            f"The classes are the same all over {here}{'' if answer.is_complete else ', as far as it was looked at'}."
        )
    first = sorted(answer.pairs, key=lambda p: -p.share)[:_PAIRS]
    told = ", ".join(
        f"{class_name(answer.f, p.f_class)} → {class_name(answer.g, p.g_class)} on {percent(p.share)}" for p in first
    )
    more = len(answer.pairs) - len(first)
    tail = f" and {counted(more, 'other pair')}" if more > 0 else ""
    return f"On {here} the classes differ on {percent(answer.disagreement)} of the {what} ({told}{tail})."


def _tied(answer: ComparisonRecord) -> list[str]:
    out = []
    for name, share in (("f", answer.f_tied), ("g", answer.g_tied)):
        if share:
            out.append(
                f"{name} has no single class on {percent(share)} of the {measure(answer.domain.dim)}: its top outputs "
                "tie there, and the lowest index counts."
            )
    return out


def _incomplete(answer: ComparisonRecord) -> str:
    reason = {
        "max_cells": f"the limit of {'parts' if answer.method == 'boxes' else 'cells'} was reached",
        "max_seconds": "the limit of time was reached",
        "interrupt": "it was interrupted",
    }[answer.stopped_by]
    done = (
        ""
        if np.isnan(answer.share_done)
        else f" when {percent(answer.share_done)} of the {measure(answer.domain.dim)} was done"
    )
    if answer.method == "boxes":
        return f"Incomplete: {reason}. Both ends are certain on all of it."
    return (
        f"Incomplete: {reason}{done}. Means "
        "and shares are of that part; both ends of the largest difference are certain on all of it."
    )


def at_points(answer: PointRecord) -> list[str]:
    """Return sentences about two networks at data."""
    n = answer.n_points
    which = "" if answer.f.n_outputs == 1 else f", in output {answer.output}"
    out = []
    if answer.f_classes is not None:
        out.append(
            f"Same class at {answer.n_same:,} of {counted(n, 'point')}; outputs differ by at most "
            f"{answer.largest:.6g} (at point {answer.at}{which})."
        )
        if n < _FEW or answer.n_same == n:
            out.append(_how_much_it_says(answer))
    else:
        out.append(
            f"Outputs differ by at most {answer.largest:.6g} at {counted(n, 'point')} (at point {answer.at}{which})."
        )
    if answer.hamming is not None:
        out.append(
            f"Of {counted(answer.n_units, 'unit')}, {float(answer.hamming.mean()):.4g} are on another piece at a "
            "point, in the mean."
        )
    else:
        out.append("Their layers do not correspond, so that activation patterns are not compared.")
    out += list(answer.notices)
    return out


def _how_much_it_says(answer: PointRecord) -> str:
    low, high = answer.elsewhere
    few = "So few points say little: if" if answer.n_points < _FEW else "If"
    share = f"at most {percent(high)}" if low == 0 else f"between {percent(low)} and {percent(high)}"
    return f"{few} they were drawn at random, the share with another class is {share} (with 95 % confidence)."


def on_segments(answer: SegmentRecord) -> list[str]:
    """Return sentences about two networks between data."""
    n = answer.n_segments
    out = f"On {counted(n, 'segment')} between data, outputs differ by at most {answer.largest:.6g}"
    if answer.disagreement is not None:
        share = float(answer.disagreement.mean())
        out += (
            f"; the classes differ on {percent(share)} of the length in the mean"
            if share
            else "; nowhere do the classes differ"
        )
    unfinished = "" if answer.is_complete else " Incomplete: a limit was reached; these numbers are of what was traced."
    return [out + "." + unfinished]


def not_begun(n: int) -> list[str]:
    """Return that some of what was asked for between points was not looked at."""
    if not n:
        return []
    return [
        f"Incomplete: {'one' if n == 1 else f'{n:,}'} of what was asked for between points was not begun when it was "
        "stopped."
    ]


def permuted(order: list[int], f: Network, g: Network) -> str:
    """Return that one network looks like another whose classes are in another order."""
    names = ", ".join(class_name(g, c) for c in order)
    return (
        f"It looks as if the classes of g were in another order: with its outputs taken in the order ({names}), g "
        "gives what f gives, as far as samples tell."
    )


NORMALIZED = (
    "f and g normalize their inputs in different ways (`mean=`, `std=`): both take inputs in the same units here. See "
    "that these are what you meant."
)
