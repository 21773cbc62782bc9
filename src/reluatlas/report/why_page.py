"""What is written about one decision? A page that begins with the answer, the numbers, and arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.report import common, drawings, facts, parts, why_facts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing
from reluatlas.report.figure_files import new_figure, png_and_svg
from reluatlas.report.folder import WHY_ARRAYS, WHY_INDEX, fill_folder
from reluatlas.report.write import as_json, write_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reluatlas.decisions.explain import Explanation
    from reluatlas.decisions.integrated import IntegratedGradients


def write_why(
    why: Explanation,
    path: IntegratedGradients | None,
    folder: Path,
    numbers: facts.Facts,
    about: About,
    *,
    image_shape: tuple[int, ...] | None,
) -> Path:
    """Write `report.html`, `why.json`, `why.npz` (parts, weights) and figures; return the page's path."""

    def write(place: Path) -> None:
        figures = list(drawings.fitting(_draw(why, path, image_shape), numbers))
        write_figures(place / "figures", figures)
        arrays: dict[str, Any] = {"x": why.x, "parts": why.parts, "weights": why.weights, "constant": why.constant}
        if path is not None:
            arrays |= {"baseline": path.baseline, "integrated": path.parts}
        np.savez(place / WHY_ARRAYS, **arrays)
        text = _page(why, numbers, about, figures)
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / WHY_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _draw(why: Explanation, path: IntegratedGradients | None, image_shape: tuple[int, ...] | None) -> Iterator[Drawing]:
    yield _drawing(
        "contributions", "What each input contributes", why.parts, why, image_shape,
        "Red speaks for the answer, blue against it, white does nothing. Added up, with what does not depend on the "
        "input, these numbers are the lead exactly.",
    )  # fmt: skip
    if path is not None:
        yield _drawing(
            "integrated", "What each input adds on the way from the baseline", path.parts, why, image_shape,
            "The same, added up along the straight way from the baseline to the input (integrated gradients), exactly.",
        )  # fmt: skip


def _drawing(
    name: str, title: str, values: Any, why: Explanation, image_shape: tuple[int, ...] | None, caption: str
) -> Drawing:
    from reluatlas.figures.contributions import contributions, picture_shape

    is_picture = picture_shape(why.parts.shape, image_shape) is not None
    size = (7.0, 3.2) if is_picture else (5.6, 0.9 + 0.24 * min(20, why.parts.size))

    def draw() -> Figure:
        figure = new_figure(size)
        axes = figure.subplots(1, 2 if is_picture else 1, squeeze=False).reshape(-1)
        contributions(values, image=why.x, image_shape=image_shape, axes=axes)
        return figure

    png, svg = png_and_svg(draw)
    return Drawing(name, title, caption, png, svg, is_wide=True)


def _page(why: Explanation, numbers: facts.Facts, about: About, figures: list[Drawing]) -> str:
    holds = "holds" in numbers
    body = [
        parts.section(
            "In words",
            parts.bullets(
                [
                    f"The lead is a plain sum: {why_facts.in_sum(numbers)}; {why_facts.exactness(numbers)}.",
                    *([f"This sum holds {why_facts.holding(numbers)}."] if holds else []),
                    *([_face(why)] if why.is_on_face else []),
                    *([f"On a straight way, {why_facts.along(numbers)}."] if "path" in numbers else []),
                ]
            ),
        ),
        parts.section("In pictures", common.figures(figures)) if figures else "",
        parts.section("The largest contributions", _table(numbers)),
        parts.section(
            "What is meant",
            parts.paragraph(
                "Near this input the network does nothing but multiply each input with a number (its weight) and add "
                "everything up. A contribution is an input times its weight. Distances are straight-line distances "
                "between inputs, in the units in which the inputs are given."
            ),
        ),
        *common.ending(facts.of_network(why.network), about),
    ]
    subject = f"{why.network.source}: {words.network(why.network)}."
    return common.put_together(about, subject, [part for part in body if part])


def _face(why: Explanation) -> str:
    n = len(why.ties)
    units = "1 unit turns" if n == 1 else f"{n:,} units turn"
    return (
        f"The input lies exactly where {units} on or off: on each side another sum holds, all of them with the same "
        "result here. The one shown is that for inputs a little larger, the first numbers most."
    )


def _table(numbers: facts.Facts) -> Any:
    total = numbers["sum_for"] - numbers["sum_against"]
    rows = [
        (
            row["name"], f"{row['value']:.4g}", f"{row['weight']:+.4g}", f"{row['part']:+.4g}",
            f"{100 * abs(row['part']) / total:.1f} %" if total else "",
        )
        for row in numbers["top"]
    ]  # fmt: skip
    return parts.columns(("input", "value", "weight", "contribution", "share"), rows, right=(1, 2, 3, 4))
