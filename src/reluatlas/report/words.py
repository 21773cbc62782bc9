"""What does one see? The sentences of a report: its subject, its captions, its warnings."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Box, Domain, Slice, Space
from reluatlas.network.decision import extreme_word, has_decision

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.network.network import Network

_SIDES = 6
STOPS = {
    "max_cells": "the limit of cells was reached",
    "max_seconds": "the limit of time was reached",
    "interrupt": "it was interrupted",
}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 cell", "1,233 cells"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def share(part: float) -> str:
    """Return a share as a percentage; never 0 % or 100 % of what is only nearly so."""
    if part in (0.0, 1.0):
        return f"{part:.0%}".replace("%", " %")
    percent = 100 * part
    if percent < 0.1:
        return "under 0.1 %"
    return f"{min(percent, 99.9):.1f} %" if percent > 99.0 or percent < 10 else f"{percent:.0f} %"


def seconds(value: float) -> str:
    """Return a duration in words."""
    if value < 0.001:
        return "under 1 ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s" if value < 100 else f"{value:,.0f} s"


def network(net: Network) -> str:
    """Return what a network is, in one line."""
    kinds = [counted(net.n_neurons, "neuron")] + ([counted(net.n_windows, "max window")] if net.n_windows else [])
    hidden = counted(len(net.cuts), "hidden layer")
    return f"{shape(net.input_shape)} → {shape(net.output_shape)}, {' and '.join(kinds)} in {hidden}"


def shape(dims: tuple[int, ...]) -> str:
    """Return a shape: "64 inputs" needs no brackets, (1, 28, 28) does."""
    return str(dims[0]) if len(dims) == 1 else "×".join(map(str, dims)) or "1"


def domain(d: Domain) -> str:
    """Return where the cells lie, in one line."""
    if isinstance(d, Space):
        return f"the whole space of {counted(d.n_inputs, 'input')}"
    low, high = d.box.low, d.box.high
    if isinstance(d, Box) and d.dim > _SIDES:
        same = np.all(low == low[0]) and np.all(high == high[0])
        sides = f"[{low[0]:.6g}, {high[0]:.6g}] in each" if same else f"from {_short(low)} to {_short(high)}"
        return f"a box of {d.dim} inputs, {sides}"
    sides = " × ".join(f"[{a:.6g}, {b:.6g}]" for a, b in zip(low, high, strict=True))
    if isinstance(d, Slice):
        what = "a plane" if d.dim == 2 else f"a slice of {counted(d.dim, 'dimension')}"
        return f"{what} through the space of {d.n_inputs} inputs, coordinates {sides}"
    return f"the box {sides}"


def _short(values: NDArray) -> str:
    return f"({values[0]:.6g}, ..., {values[-1]:.6g})"


def faces(f_vector: Sequence[int]) -> str:
    """Return the numbers of faces: "4 vertices, 4 edges, 1 cell"."""
    last = len(f_vector) - 1
    nouns = ["vertices", "edges", "polygons", *(f"{d}-dimensional faces" for d in range(3, last))][:last]
    return ", ".join(f"{n:,} {noun}" for n, noun in zip(f_vector, [*nouns, "cells"], strict=True))


def left_out(what: Sequence[str]) -> str:
    """Return what the time did not suffice for."""
    several = " and ".join(filter(None, [", ".join(what[:-1]), what[-1]]))
    return f"Incomplete: the limit of time was reached before {several}: left out."


def not_drawn(names: Sequence[str]) -> str:
    """Return which figures were not drawn, and how to get them."""
    several = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return (
        f"Not drawn, as that would take longer than finding the cells did: {several}. `--figures all` draws all, and "
        "`reluatlas.plot` any from cells.npz."
    )


def number(value: int | None) -> str:
    """Return a number, or that the time was over before it was known."""
    return "not counted: the time was over" if value is None else f"{value:,}"


def measure(dim: int) -> str:
    """Return what the volume is called in so many dimensions."""
    return {1: "length", 2: "area"}.get(dim, "volume")


def stopped(stopped_by: str, share_done: float | None, what: str = "area") -> str:
    """Return why an answer is incomplete, and how much of the domain it covers."""
    reason = STOPS.get(stopped_by, f"it was stopped ({stopped_by})")
    done = "" if share_done is None else f" when {share(share_done)} of the {what} was done"
    return f"Incomplete: {reason}{done}. Numbers and figures are of that part."


def path_stopped(numbers: Mapping[str, Any]) -> str:
    """Return why a path is incomplete, and how far it came."""
    return stopped(numbers["stopped_by"], numbers["share_done"], "path")


def going_on(n_cells: int, share_done: float, file: str, what: str = "area") -> str:
    """Return from where a run goes on; `what` is what the share is of."""
    return f"Going on from {file}: {counted(n_cells, 'cell')}, {share(share_done)} of the {what}."


def goes_on(stopped_by: str, file: str) -> str:
    """Return how a run that stopped goes on."""
    if stopped_by == "max_cells":
        return f"It is kept in {file}: the same command with a larger limit of cells, or without one, goes on."
    return f"It is kept in {file}: the same command goes on."


def certificate(file: str, model: str, is_complete: bool) -> str:
    """Return what proves a number of cells, and how it is checked."""
    if not is_complete:
        return f"{file} was not written: only all cells have a certificate."
    return f"{file} proves the number of cells: `{shlex.join(['reluatlas', 'verify', file, model])}` checks it."


def equality(file: str, model: str, other: str, is_equal: bool | None) -> str:
    """Return what proves that two models are equal, and how it is checked."""
    if not is_equal:
        why = "the models differ" if is_equal is False else "whether the models are equal was not settled"
        return f"{file} was not written: {why}."
    check = shlex.join(["reluatlas", "verify", file, model, other])
    return f"{file} proves that the models are equal there: `{check}` checks it."


def exactness(facts: dict[str, Any]) -> str:
    """Return how the decisions behind an answer were made."""
    escalated, uncertain = facts["n_escalated"], facts["n_uncertain"]
    if facts["status"] == "exact":
        how = "none" if escalated == 0 else f"{escalated:,} of them"
        return (
            f"exact: every sign is certain, {how} settled beyond float64 ({share(facts['share_escalated'])} of visits)"
        )
    if facts["status"] == "float64":
        return f"float64: {counted(uncertain, 'sign')} could not be made certain"
    if facts["status"] == "incomplete":
        return f"incomplete: what is told is exact, {counted(uncertain, 'decision')} left open"
    return "sampled: not every cell was looked for"


def by_map(cx: PolyhedralComplex) -> str:
    """Caption the cells by affine map."""
    return (
        f"Each polygon is a cell: the set where all {_units(cx)} stay on one linear piece, so that the network is one "
        "affine map there. Equal maps have equal colors, similar maps similar ones."
    )


def by_class(cx: PolyhedralComplex) -> str:
    """Caption the cells by class."""
    if cx.n_outputs == 1:
        return "The same cells, colored by the sign of the output, and divided where it is zero."
    return (
        f"The same cells, colored by the {extreme_word(cx.network)} output, and divided where the two "
        f"{extreme_word(cx.network)} tie: the decision boundary."
    )


def by_layer(cx: PolyhedralComplex) -> str:
    """Caption the edges by layer."""
    boundary = "the zero set of the output" if cx.n_outputs == 1 else "the decision boundary"
    return (
        "Each edge has the color of the layer whose neuron changes its piece there. Edges of the first layer are "
        "straight through; those of later layers bend where they cross earlier ones."
        + (f" Black: {boundary}." if has_decision(cx.network) else "")
    )


def dual(cx: PolyhedralComplex) -> str:
    """Caption the dual points."""
    many = "" if cx.n_outputs <= 2 else ", in a color for each output"
    return (
        f"Each of the {counted(cx.n_affine_maps, 'affine map')} as a point: its slopes along the two "
        f"coordinates{many}. The larger a point, the larger the area where the map holds."
    )


def layers(cx: PolyhedralComplex) -> str:
    """Caption the panels."""
    return (
        "One panel per hidden layer: where its neurons change their piece, over what the layers before it made, in "
        "grey. The last panel shows all edges in grey"
        + (f" and, in black, where {_tie(cx)}." if has_decision(cx.network) else ".")
    )


def surface(cx: PolyhedralComplex) -> str:
    """Caption the surface."""
    height = {1: "the output", 2: "output 1 minus output 0"}.get(cx.n_outputs, f"the {extreme_word(cx.network)} output")
    color = "its sign" if cx.n_outputs <= 2 else "which output that is"
    return f"The height is {height} and the color {color}: one plane piece above each cell, and no gaps between them."


def boundary(cx: PolyhedralComplex) -> str:
    """Caption the decision boundary in space."""
    return (
        f"Where {_tie(cx)}: on each cell a part of a plane, cut as exactly as the cells. It bends where it leaves a "
        "cell."
    )


def _tie(cx: PolyhedralComplex) -> str:
    return "the output is zero" if cx.n_outputs == 1 else f"the two {extreme_word(cx.network)} outputs tie"


def _units(cx: PolyhedralComplex) -> str:
    net = cx.network
    kinds = ([counted(net.n_neurons, "neuron")] if net.n_neurons else []) + (
        [counted(net.n_windows, "max window")] if net.n_windows else []
    )
    return " and ".join(kinds) or "units"
