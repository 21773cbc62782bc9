"""What is written about joined cells? A page with the cells before and after, and the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reluatlas.report import common, facts, joined_facts, parts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing, fitting
from reluatlas.report.figure_files import new_figure, png_and_svg
from reluatlas.report.folder import JOINED_FIGURES, JOINED_INDEX, fill_folder
from reluatlas.report.write import as_json, write_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reluatlas.analysis.joining.answer import JoinedCells

_MOST_CURVE = 2000
"""Linear regions up to which the curve of all numbers of pieces is worked out."""


def write_joined(found: JoinedCells, bound: int | None, folder: Path, numbers: facts.Facts, about: About) -> Path:
    """Write `report.html`, `pieces.json` and figures; return the page's path."""

    def write(place: Path) -> None:
        figures = list(fitting(_draw(found), numbers))
        write_figures(place / "figures", figures)
        text = _page(found, bound, about, figures)
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / JOINED_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _draw(found: JoinedCells) -> Iterator[Drawing]:
    from reluatlas.figures import plot

    both, curve = JOINED_FIGURES
    if found.complex.domain.dim == 2:

        def before_and_after() -> Figure:
            figure = new_figure((10.4, 5.2))
            left, right = figure.subplots(1, 2)
            plot.cells(found.complex, by="region", ax=left)
            plot.joined(found, ax=right)
            return figure

        png, svg = png_and_svg(before_and_after)
        yield Drawing(
            both, "Before and after",
            "Left: linear regions, a color each; right: the pieces. A cross marks where the change is largest.",
            png, svg, is_wide=True,
        )  # fmt: skip
    if found.complex.n_linear_regions <= _MOST_CURVE:

        def pieces() -> Figure:
            figure = new_figure((6.4, 4.2))
            plot.piece_curve([found], ax=figure.subplots())
            return figure

        png, svg = png_and_svg(pieces)
        yield Drawing(
            curve, "Pieces against change", "How many pieces are left where outputs may change by so much.", png, svg,
            is_wide=False,
        )  # fmt: skip


def _page(found: JoinedCells, bound: int | None, about: About, figures: list[Drawing]) -> str:
    body = [
        parts.section("In words", parts.bullets(joined_facts.sentences(found, bound))),
        parts.section("In pictures", common.figures(figures)) if figures else "",
        parts.section("In numbers", parts.pairs(joined_facts.rows(found, bound))),
        parts.section(
            "What is meant",
            parts.paragraph(
                "A piece is a union of cells that hang together through facets, with one affine map: the one nearest "
                "to the network at the vertices of its cells. The change is the largest difference over the domain and "
                "all outputs; on a wall between two pieces both sides count. The range of an output is its largest "
                "value there minus its smallest."
            ),
        ),
        *common.ending(facts.of_network(found.complex.network), about),
    ]
    net = found.complex.network
    return common.put_together(about, f"{net.source}: {words.network(net)}.", [part for part in body if part])
