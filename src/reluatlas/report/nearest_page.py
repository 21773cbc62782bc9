"""What is written about the nearest other class? A page that begins with the answer, the numbers, and arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.report import common, drawings, facts, nearest_facts, parts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing
from reluatlas.report.figure_files import new_figure, png_and_svg
from reluatlas.report.folder import NEAREST_ARRAYS, NEAREST_INDEX, fill_folder
from reluatlas.report.write import as_json, write_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reluatlas.decisions.nearest.answer import NearestClass


def write_nearest(found: NearestClass, folder: Path, numbers: facts.Facts, about: About) -> Path:
    """Write `report.html`, `nearest.json`, `nearest.npz` (x, witness) and a figure; return the page's path."""

    def write(place: Path) -> None:
        figures = list(drawings.fitting(_draw(found), numbers))
        write_figures(place / "figures", figures)
        arrays: dict[str, Any] = {"x": found.x}
        if found.witness is not None:
            arrays["witness"] = found.witness
        np.savez(place / NEAREST_ARRAYS, **arrays)
        text = _page(found, numbers, about, figures)
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / NEAREST_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _draw(found: NearestClass) -> Iterator[Drawing]:
    if found.witness is None:
        return
    from reluatlas.figures.contributions import contributions, picture_shape

    change = np.asarray(found.witness - found.x)
    is_picture = picture_shape(change.shape, None) is not None
    size = (7.0, 3.2) if is_picture else (5.6, 0.9 + 0.24 * min(20, change.size))

    def draw() -> Figure:
        figure = new_figure(size)
        axes = figure.subplots(1, 2 if is_picture else 1, squeeze=False).reshape(-1)
        contributions(change, image=found.x, axes=axes)
        return figure

    png, svg = png_and_svg(draw)
    yield Drawing(
        "nearest", "What changes on the way to the other input",
        "Red: the input gets larger, blue: smaller, white: it stays.", png, svg, is_wide=True,
    )  # fmt: skip


def _page(found: NearestClass, numbers: facts.Facts, about: About, figures: list[Drawing]) -> str:
    body = [
        parts.section(
            "In words",
            parts.bullets(
                [
                    f"No input of another answer is nearer than {found.lower_bound:.6g}: that is certain.",
                    *(
                        [f"One is {found.upper_bound:.6g} away; {nearest_facts.crossing(found)}."]
                        if found.point is not None
                        else []
                    ),
                    "Both numbers are the exact distance, rounded once."
                    if found.is_exact
                    else "The search was stopped; a longer one brings both numbers closer together.",
                ]
            ),
        ),
        parts.section("In pictures", common.figures(figures)) if figures else "",
        parts.section(
            "What is meant",
            parts.paragraph(
                "Of all inputs at which another answer is at least as large as that of the given one, the nearest is "
                "looked for. Distances are measured in the units in which the inputs are given: "
                + dict(nearest_facts.rows(found))["measured by"] + "."
            ),
        ),
        *common.ending(facts.of_network(found.network), about),
    ]  # fmt: skip
    subject = f"{found.network.source}: {words.network(found.network)}."
    return common.put_together(about, subject, [part for part in body if part])
