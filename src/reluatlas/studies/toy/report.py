"""How is the toy study told? One page with all figures in it, the films beside it, and the numbers as JSON."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reluatlas._version import __version__
from reluatlas.figures.film.make import film as write_film
from reluatlas.figures.film.make import still
from reluatlas.storage.atomic import write_whole
from reluatlas.studies.toy import figures as toy_figures
from reluatlas.studies.toy import words
from reluatlas.studies.toy.folder import FilmKind
from reluatlas.studies.toy.record import ToyRun, ToyStudyRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Progress = Callable[[str, int, int], None]

_STYLE = """
body { margin: 0 auto; max-width: 1180px; padding: 20px 24px 40px; font: 16px/1.5 system-ui, sans-serif; color: #222 }
h1 { font-size: 25px; margin: 4px 0 8px } h2 { font-size: 19px; margin: 34px 0 6px }
img { display: block; max-width: 100%; height: auto; margin: 8px 0 }
table { border-collapse: collapse; margin: 10px 0; font-variant-numeric: tabular-nums; font-size: 14px }
th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto } .note { color: #555; font-size: 14px; max-width: 860px }
.warn { background: #fff2e5; padding: 8px 12px }
""".strip()


_RUN_NAMES = (
    "network", "seed", "accuracy", "attempt", "cells", "linear regions", "most cells", "boundary pieces", "dead",
    "always on", "spread", "exact complexes",
)  # fmt: skip
_DISTANCE_NAMES = (
    "sets of maps", "pairs", "distance", "chance: same mean and covariance", "chance: untrained"
)  # fmt: skip


def write_report(
    study: ToyStudyRecord,
    folder: Path,
    *,
    film: FilmKind = "html",
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the path of the report; it, the figures, films and numbers are written into a folder."""
    tell = progress or (lambda what, done, of: None)
    write_whole(folder / "numbers.json", (json.dumps(words.numbers(study), indent=1, allow_nan=False) + "\n").encode())
    films: dict[str, str] = {}
    if film != "none":
        for shape in study.names:
            name = f"film-{shape}.{film}"
            run = study.of_shape(shape)[0]

            def step(done: int, of: int, shape: str = shape) -> None:
                tell(f"{shape}: film", done, of)

            title = f"{study.problem}: a {shape} network while it learns"
            write_film(run.trajectory, folder / name, jobs=jobs, title=title, progress=step)
            films[shape] = name
    figures = _figures(study)
    images: dict[str, str] = {}
    for i, (name, make) in enumerate(figures.items()):
        tell("drawing figures", i, len(figures))
        images[name] = _save(make(), folder / name)
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
    return out


def _save(figure: Figure, stem: Path) -> str:
    """Write a figure as SVG and PNG; return the SVG as a data address."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "reluatlas"}):
        vector, raster = io.BytesIO(), io.BytesIO()
        figure.savefig(vector, format="svg", metadata={"Date": None})
        figure.savefig(raster, format="png", dpi=130)
    write_whole(stem.with_name(stem.name + ".svg"), vector.getvalue())
    write_whole(stem.with_name(stem.name + ".png"), raster.getvalue())
    return "data:image/svg+xml;base64," + base64.b64encode(vector.getvalue()).decode()


def _page(study: ToyStudyRecord, images: dict[str, str], films: dict[str, str]) -> str:
    info = study.runs[0].trajectory.info
    parts = [f"<h1>{_text(study.problem)}: how a network cuts the plane while it learns</h1>"]
    parts.append(
        f"<p>Networks {_text(' and '.join(study.names))}, {len(study.of_shape(study.names[0]))} of each. "
        f"Mean squared error on one-hot targets, SGD with learning rate {info['learning_rate']:g}, momentum "
        f"{info['momentum']:g}, weight decay {info['weight_decay']:g}, "
        f"{len(study.runs[0].measures) - 1:,} batches; from another start until the accuracy reached "
        f"{info['target']:g}. Every count is of the exact polyhedral complex on the square [−1, 1]².</p>"
    )
    if not study.reached:
        parts.append(f'<p class="warn">{_text(words.missed_line(study))}.</p>')
    parts.append(_table(_RUN_NAMES, [_row(run) for run in study.runs]))
    for shape in study.names:
        seed = study.of_shape(shape)[0].seed
        link = f' <a href="{_text(films[shape])}">Open the film</a>.' if shape in films else ""
        parts.append(f"<h2>{shape}</h2><p>Seed {seed} after the last batch.{link}</p>")
        parts.append(_image(images[f"last-{shape}"], f"the {shape} network after the last batch"))
        parts.append("<p>After every batch; the other seeds in a faint line.</p>")
        parts.append(_image(images[f"over-time-{shape}"], f"counts of the {shape} network over time"))
    parts.append("<h2>Exact, and sampled as the paper did</h2>")
    parts += [f"<p>{_text(words.sampling_line(s))}.</p>" for s in study.sampling]
    parts.append(_image(images["exact-and-sampled"], "exact and sampled counts over time"))
    parts.append("<h2>How few regions are enough</h2>")
    parts += [f"<p>{_text(words.enough_line(study, shape))}.</p>" for shape in study.names]
    parts.append(_image(images["fewer-maps"], "accuracy over the number of maps left"))
    parts.append(_image(images["grouped-maps"], "dual points in groups"))
    parts.append(
        '<p class="note">Groups: area-weighted k-means of the dual points, in coordinates in which a distance is the '
        "root-mean-square difference of two maps over the square. Each point of the test set then takes the map of its "
        "group; the network still says which piece it falls on.</p>"
    )
    if "distances" in images:
        parts.append("<h2>Do networks carry the same maps?</h2>")
        parts.append(_table(_DISTANCE_NAMES, _distance_rows(study)))
        parts.append(_image(images["distances"], "distances between sets of affine maps"))
        parts.append(
            '<p class="note">The distance is that of optimal transport of area over dual points (2-Wasserstein): the '
            "least root-mean-square change of the map, wherever the pieces lie. Chance: a network against random "
            "points with the other network's areas, mean and covariance (distances well below this level are "
            "structure beyond location and spread); and against the start of the other network. Up to symmetries: the "
            "least over the turns and mirrorings that carry the problem onto itself, after each set was put into at "
            "most 24 groups.</p>"
        )
    parts.append(f'<p class="note">reluatlas {_text(__version__)}. All numbers: numbers.json.</p>')
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{_text(study.problem)}: toy study</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


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


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _image(address: str, alt: str) -> str:
    return f'<img src="{address}" alt="{_text(alt)}">'


def _text(text: str) -> str:
    return html.escape(str(text))
