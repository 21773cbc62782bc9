"""How is the toy study told? One page with all figures in it, the films beside it, and the numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from reluatlas.figures.film.make import film as write_film
from reluatlas.figures.film.make import still
from reluatlas.progress import Staged, total_of
from reluatlas.report import parts
from reluatlas.report.figure_files import write_figure
from reluatlas.report.parts import Figure as Framed
from reluatlas.storage.atomic import write_whole
from reluatlas.studies.toy import figures as toy_figures
from reluatlas.studies.toy import words
from reluatlas.studies.toy.cuts import MEASURES
from reluatlas.studies.toy.folder import FilmKind
from reluatlas.studies.toy.record import ToyRun, ToyStudyRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RUN_NAMES = (
    "network", "seed", "accuracy", "attempt", "cells", "linear regions", "most cells", "boundary pieces", "dead",
    "always on", "spread", "exact complexes",
)  # fmt: skip
_NUMBERS = tuple(range(1, len(_RUN_NAMES)))
_DISTANCE_NAMES = (
    "sets of maps", "pairs", "distance", "chance: same mean and covariance", "chance: untrained"
)  # fmt: skip


def write_report(
    study: ToyStudyRecord,
    folder: Path,
    *,
    film: FilmKind = "html",
    jobs: int | None = None,
    progress: Staged | None = None,
) -> Path:
    """Return the path of the report; it, the figures, films and numbers are written into a folder."""
    tell = progress or (lambda what, done, of: None)
    write_whole(folder / "numbers.json", (json.dumps(words.numbers(study), indent=1, allow_nan=False) + "\n").encode())
    films: dict[str, str] = {}
    if film != "none":
        for shape in study.names:
            name = f"film-{shape}.{film}"
            run = study.of_shape(shape)[0]

            def step(_: str, done: int, share: float, shape: str = shape) -> None:
                tell(f"{shape}: film", done, total_of(done, share))

            title = f"{study.problem}: a {shape} network while it learns"
            write_film(run.trajectory, folder / name, jobs=jobs, title=title, progress=step)
            films[shape] = name
    figures = _figures(study)
    images: dict[str, str] = {}
    for i, (name, make) in enumerate(figures.items()):
        tell("drawing figures", i, len(figures))
        _, svg = write_figure(make, folder / name, dpi=130)
        images[name] = parts.data_address("svg+xml", svg)
    tell("drawing figures", len(figures), len(figures))
    target = folder / "report.html"
    write_whole(target, _page(study, images, films).encode())
    return target


def _figures(study: ToyStudyRecord) -> dict[str, Callable[[], Figure]]:
    out: dict[str, Callable[[], Figure]] = {}
    for shape in study.names:
        run = study.of_shape(shape)[0]
        out[f"last-{shape}"] = lambda run=run: still(run.trajectory)
        out[f"over-time-{shape}"] = lambda shape=shape: toy_figures.over_time(study, shape)
    out["exact-and-sampled"] = lambda: toy_figures.exact_and_sampled(study)
    out["grouped-maps"] = lambda: toy_figures.grouped_maps(study)
    out["fewer-maps"] = lambda: toy_figures.fewer_maps(study)
    if len(study.runs) > 1:
        out["distances"] = lambda: toy_figures.distances(study)
        out["cuts"] = lambda: toy_figures.cuts(study)
    return out


def _page(study: ToyStudyRecord, images: dict[str, str], films: dict[str, str]) -> str:
    info = study.runs[0].trajectory.info
    body = [
        "" if study.reached else parts.warning(f"{words.missed_line(study)}."),
        parts.section("Networks", parts.columns(_RUN_NAMES, [_row(run) for run in study.runs], right=_NUMBERS)),
        *(_of_shape(study, shape, images, films) for shape in study.names),
        parts.section(
            "Exact, and sampled as the paper did",
            *(parts.paragraph(f"{words.sampling_line(s)}.") for s in study.sampling),
            parts.figures([Framed("Exact and sampled counts over time", images["exact-and-sampled"])]),
        ),
        parts.section(
            "How few regions are enough",
            *(parts.paragraph(f"{words.enough_line(study, shape)}.") for shape in study.names),
            parts.figures([
                Framed("Accuracy over the number of maps left", images["fewer-maps"]),
                Framed("Dual points in groups", images["grouped-maps"]),
            ]),
            parts.note(
                "Groups: area-weighted k-means of the dual points, in coordinates in which a distance is the "
                "root-mean-square difference of two maps over the square. Each point of the test set then takes the "
                "map of its group; the network still says which piece it falls on."
            ),
        ),
        _alike(study, images) if "distances" in images else "",
        _cuts(study, images) if "cuts" in images else "",
        parts.note("All numbers: numbers.json."),
    ]  # fmt: skip
    subject = (
        f"Networks {' and '.join(study.names)}, {len(study.of_shape(study.names[0]))} of each. Mean squared error on "
        f"one-hot targets, SGD with learning rate {info['learning_rate']:g}, momentum {info['momentum']:g}, weight "
        f"decay {info['weight_decay']:g}, {len(study.runs[0].measures) - 1:,} batches; from another start until the "
        f"accuracy reached {info['target']:g}. Every count is of the exact polyhedral complex on the square [−1, 1]²."
    )
    return parts.whole_page(f"{study.problem}: how a network cuts the plane while it learns", subject, body)


def _of_shape(study: ToyStudyRecord, shape: str, images: dict[str, str], films: dict[str, str]) -> Markup:
    seed = study.of_shape(shape)[0].seed
    link = (" ", parts.link(films[shape], "Open the film"), ".") if shape in films else ()
    return parts.section(
        shape,
        parts.paragraph(Markup("").join([f"Seed {seed} after the last batch.", *link])),
        parts.figures([Framed(f"The {shape} network after the last batch", images[f"last-{shape}"])]),
        parts.paragraph("After every batch; the other seeds in a faint line."),
        parts.figures([Framed(f"Counts of the {shape} network over time", images[f"over-time-{shape}"])]),
    )


def _alike(study: ToyStudyRecord, images: dict[str, str]) -> Markup:
    return parts.section(
        "Do networks carry the same maps?",
        parts.columns(_DISTANCE_NAMES, _distance_rows(study), right=(1, 2, 3, 4)),
        parts.figures([Framed("Distances between sets of affine maps", images["distances"])]),
        parts.note(
            "The distance is that of optimal transport of area over dual points (2-Wasserstein): the least "
            "root-mean-square change of the map, wherever the pieces lie. Chance: a network against random points with "
            "the other network's areas, mean and covariance (distances well below this level are structure beyond "
            "location and spread); and against the start of the other network. Up to symmetries: the least over the "
            "turns and mirrorings that carry the problem onto itself, after each set was put into at most 24 groups."
        ),
    )


def _cuts(study: ToyStudyRecord, images: dict[str, str]) -> Markup:
    names = ("networks", "pairs", *(f"{what}{end}" for what in MEASURES.values() for end in ("", ", chance")))
    return parts.section(
        "Do networks cut the plane alike?",
        parts.columns(names, _cut_rows(study), right=tuple(range(1, len(names)))),
        parts.figures([Framed("How alike networks cut the plane", images["cuts"])]),
        parts.note(
            "From 0 to 1. Linear regions of two networks are matched one to one, such that the share of area of their "
            "overlaps, times how far the maps agree there, is largest; then by area alone. Bent hyperplanes are "
            "matched by the area between them. The functions: Lin's concordance correlation, however they are cut. "
            "Chance: a trained network and the start of the other one's training, both ways; of many pieces some match "
            "by chance. Up to symmetries: the largest over the turns and mirrorings that carry the problem onto "
            "itself (at most eight of them), chance included. In brackets the smallest and the largest over pairs of "
            "networks."
        ),
    )


def _cut_rows(study: ToyStudyRecord) -> list[Sequence[str]]:
    rows = []
    for what, cuts in (("as they are", study.cuts), ("up to symmetries", study.cuts_up_to_symmetry)):
        for kind, each in cuts.items():
            cells = []
            for measure in MEASURES:
                found, chance = each.values(measure)
                cells += [f"{np.mean(v):.2f} ({min(v):.2f} to {max(v):.2f})" for v in (found, chance)]
            rows.append((f"{kind}, {what}", str(len(each.found)), *cells))
    return rows


def _row(run: ToyRun) -> Sequence[str]:
    m, info = run.measures, run.trajectory.info
    return (
        run.trajectory.name, str(run.seed),
        f"{run.training.accuracy:.3f}" + ("" if run.training.reached else " (not reached)"),
        f"{info['attempt']} of {len(run.training.accuracies)}", f"{m.n_cells[-1]:,}", f"{m.n_linear_regions[-1]:,}",
        f"{m.n_cells.max():,}", f"{m.n_boundary_pieces[-1]:,}", f"{m.n_dead[-1]:,}", f"{m.n_always_on[-1]:,}",
        f"{m.spread[-1]:.2f}", f"{int(m.is_exact.sum()):,} of {len(m):,}",
    )  # fmt: skip


def _distance_rows(study: ToyStudyRecord) -> list[Sequence[str]]:
    rows = []
    for what, alike in (("as they are", study.alike), ("up to symmetries", study.alike_up_to_symmetry)):
        for kind, pairs in alike.items():
            chance = (f"{np.mean(values):.2f}" for values in (pairs.same_moments, pairs.untrained))
            found = pairs.distances
            spread = f"{np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})"
            rows.append((f"{kind}, {what}", str(len(found)), spread, *chance))
    return rows
