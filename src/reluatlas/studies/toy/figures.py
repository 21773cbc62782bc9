"""Which pictures does the toy study make? One function each, from the study to a matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.analysis.maps.dual_points import DualPoints
from reluatlas.figures import colors as palette
from reluatlas.figures.film.frames import neuron_colors
from reluatlas.figures.trajectory import trajectory as draw_trajectory
from reluatlas.report.figure_files import new_figure
from reluatlas.studies.toy.alike import Alike, reduce_maps
from reluatlas.studies.toy.cuts import MEASURES
from reluatlas.studies.toy.record import ToyStudyRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GREY = "#8C8C8C"


def over_time(study: ToyStudyRecord, shape: str) -> Figure:
    """Return the measures of a shape over time, the first seed strongly and the others faintly."""
    figure = new_figure((14.0, 3.3))
    draw_trajectory([run.measures for run in study.of_shape(shape)], axes=figure.subplots(1, 4))
    return figure


def exact_and_sampled(study: ToyStudyRecord) -> Figure:
    """Return exact and sampled counts over time, a panel for each shape."""
    figure = new_figure((6.2 * len(study.sampling), 3.5))
    axes = figure.subplots(1, len(study.sampling), squeeze=False)[0]
    ink = palette.series(3)
    for ax, s in zip(axes, study.sampling, strict=True):
        ax.plot(s.steps, s.exact, color=ink[0], linewidth=1.4, label="exact: linear regions")
        ax.plot(s.steps, s.patterns, color=ink[2], linewidth=1.0, label="401 × 401 points: patterns")
        ax.plot(s.steps, s.rounded, color=ink[1], linewidth=1.0, label="401 × 401 points: maps, 2 decimals")
        ax.set_title(s.shape, fontsize="medium")
        ax.set(xlabel="batches", ylim=(0, 1.3 * max(int(s.exact.max()), 1)), xlim=(s.steps[0], s.steps[-1]))
        ax.legend(fontsize="small", frameon=False, loc="upper left", ncols=1)
    return figure


def grouped_maps(study: ToyStudyRecord) -> Figure:
    """Return the dual points of each shape's first network, in as many groups as the minimal one has maps.

    Both panels show the slopes; the color is the group, the size the area; the crosses are the
    centers of the groups of the other panel's network.
    """
    figure = new_figure((5.6 * len(study.names), 4.9))
    axes = figure.subplots(1, len(study.names), squeeze=False)[0]
    k = max(2, min(8, len(study.dual[study.names[0]])))
    reduced = {s: reduce_maps(study.of_shape(s)[0].trajectory, study.dual[s], k) for s in study.names}
    limit = max(_extent(study.dual[s]) for s in study.names)
    for ax, shape in zip(axes, study.names, strict=True):
        points, groups = study.dual[shape], reduced[shape].groups
        order = np.argsort(-points.shares, kind="stable")
        rank = np.argsort(np.argsort(-groups.shares, kind="stable"), kind="stable")
        hue = neuron_colors(max(len(groups), 1))[rank[reduced[shape].labels]]
        where = _slopes(points)
        ax.scatter(
            *np.clip(where[order], -limit, limit).T, s=np.clip(900 * points.shares[order], 9, 400), c=hue[order],
            edgecolors="#303030", linewidths=0.3, alpha=0.85, zorder=2,
        )  # fmt: skip
        for other in study.names:
            if other != shape:
                label = f"centers of {len(reduced[other].groups)} groups of {other}"
                ax.scatter(
                    *_slopes(reduced[other].groups).T,
                    marker="x",
                    s=46,
                    c="#000000",
                    linewidths=1.2,
                    zorder=3,
                    label=label,
                )
                ax.legend(fontsize="small", frameon=False, loc="upper left")
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="slope along x0", ylabel="slope along x1")
        ax.set_aspect("equal")
        ax.set_title(
            f"{shape}: {len(points)} maps in {len(groups)} groups, accuracy then {reduced[shape].accuracy:.3f}",
            fontsize="medium",
        )
    return figure


def fewer_maps(study: ToyStudyRecord) -> Figure:
    """Return the accuracy over the number of maps that are left."""
    figure = new_figure((6.2, 3.5))
    ax = figure.subplots()
    inks = palette.series(max(len(study.names), 2))
    for shape, ink, width in zip(study.names, inks, (3.4, 1.2), strict=False):  # one may lie on the other
        curve = study.curves[shape]
        ax.plot(range(1, len(curve) + 1), curve, "o-", color=ink, markersize=3 + width, linewidth=width, label=shape)
    target = float(study.runs[0].trajectory.info["target"])
    ax.axhline(target, color=_GREY, linewidth=0.8, linestyle="--", zorder=1)
    ax.annotate(f"target {target:g}", (1.0, target), xycoords=("axes fraction", "data"), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize="small", color=_GREY)  # fmt: skip
    ax.set(
        xlabel="affine maps left", ylabel="accuracy", ylim=(min(0.45, *(min(c) for c in study.curves.values())), 1.02)
    )
    ax.locator_params(axis="x", integer=True)
    ax.legend(fontsize="small", frameon=False, loc="lower right")
    return figure


def distances(study: ToyStudyRecord) -> Figure:
    """Return all distances between sets of maps as points, by kind of pair; two panels, one up to symmetry."""
    both = (("as they are", study.alike), ("up to symmetries of the problem", study.alike_up_to_symmetry))
    n_rows = max(len(_kinds(alike)) for _, alike in both)
    figure = new_figure((11.6, 1.2 + 0.42 * max(n_rows, 2)))
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for ax, (title, alike) in zip(axes, both, strict=True):
        rows = _kinds(alike)
        for y, (_, values, ink) in enumerate(rows):
            ax.plot(values, np.full(len(values), y), "o", color=ink, alpha=0.5, markersize=5, markeredgewidth=0)
            ax.plot([np.mean(values)] * 2, [y - 0.3, y + 0.3], color=ink, linewidth=2.2)
        ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("distance (output units); bar: mean")
    axes[0].set_ylim(n_rows - 0.4, -0.6)
    axes[0].set_xlim(left=0)
    return figure


def cuts(study: ToyStudyRecord) -> Figure:
    """Return how alike networks cut the plane: all pairs as points by kind, a panel for each measure."""
    rows = [
        (f"{kind}{end}", each)
        for end, found in (("", study.cuts), (", up to symmetries", study.cuts_up_to_symmetry))
        for kind, each in found.items()
    ]
    figure = new_figure((13.5, 1.3 + 0.55 * max(len(rows), 2)))
    axes = figure.subplots(1, len(MEASURES), sharex=True, sharey=True)
    for ax, (measure, title) in zip(axes, MEASURES.items(), strict=True):
        for y, (name, each) in enumerate(rows):
            ink = palette.LINES[0 if name.startswith("within") else 1]
            for values, color, at in zip(each.values(measure), (ink, _GREY), (y - 0.14, y + 0.2), strict=True):
                ax.plot(values, np.full(len(values), at), "o", color=color, alpha=0.5, markersize=5,
                        markeredgewidth=0)  # fmt: skip
                ax.plot([np.mean(values)] * 2, [at - 0.15, at + 0.15], color=color, linewidth=2.2)
        ax.set_title(title, fontsize="medium")
        ax.set_xlim(-0.03, 1.03)
    axes[0].set_yticks(range(len(rows)), [name for name, _ in rows])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.supxlabel("similarity; grey: chance, a network and the start of the other one; bar: mean", fontsize="medium")
    return figure


def _kinds(alike: Alike) -> list[tuple[str, list[float], str]]:
    rows: list[tuple[str, list[float], str]] = []
    for kind, pairs in alike.items():
        rows += [
            (kind, pairs.distances, palette.LINES[0 if kind.startswith("within") else 1]),
            ("chance: same mean and covariance", pairs.same_moments, _GREY),
            ("chance: untrained", pairs.untrained, "#B8B8B8"),
        ]
    return rows


def _slopes(points: DualPoints) -> Any:
    """Return the two slopes of each point of a square [-1, 1]²."""
    return points.points[:, :2] * np.sqrt(3.0)


def _extent(points: DualPoints) -> float:
    size = np.abs(_slopes(points)).max(axis=1)
    order = np.argsort(size)
    at = min(int(np.searchsorted(np.cumsum(points.shares[order]), 0.995)), len(size) - 1)
    return 1.2 * max(float(size[order][at]), 1e-9)
