"""What is written about a comparison? Page, numbers and figures, into one folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reluatlas.errors import TimeLimitError
from reluatlas.network.decision import class_label
from reluatlas.report import common, facts, parts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing, fitting
from reluatlas.report.figure_files import new_figure, png_and_svg
from reluatlas.report.folder import COMPARISON_FIGURE, COMPARISON_INDEX, fill_folder
from reluatlas.report.write import as_json, write_figures

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from reluatlas.comparison.answer import Comparison, PointComparison

_SIZE = (13.5, 4.6)
_SHOWN = 50


def write_comparison_report(
    answer: Comparison | PointComparison, folder: Path, numbers: facts.Facts, about: About
) -> Path:
    """Write `report.html`, `comparison.json` and, of a plane, the figure; return the page's path.

    Parameters
    ----------
    folder : Path
        New, empty, or an earlier result, which is replaced.
    """

    def write(place: Path) -> None:
        try:
            drawn = list(fitting(_draw(answer), numbers))
        except TimeLimitError:
            numbers["left_out"], drawn = [*numbers.get("left_out", ()), "the figure"], []
        write_figures(place / "figures", drawn)
        text = _page(answer, numbers, about, drawn)
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / COMPARISON_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _draw(answer: Comparison | PointComparison) -> Iterator[Drawing]:
    from reluatlas.comparison.answer import Comparison
    from reluatlas.figures import plot

    if not isinstance(answer, Comparison) or answer.domain.dim != 2 or not answer.n_cells:
        return

    def three() -> Figure:
        figure = new_figure(_SIZE)
        plot.comparison(answer, axes=list(figure.subplots(1, 3).flat))
        return figure

    png, svg = png_and_svg(three)
    which = "the output" if answer.f.n_outputs == 1 else f"output {answer.output}"
    hatched = " Hatched: where the classes differ." if answer.pairs else ""
    yield Drawing(
        COMPARISON_FIGURE,
        "Both networks, and their difference",
        f"The value of {which} of f and of g, on one color scale, and f − g. A ring marks where |f − g| is "
        f"largest.{hatched}",
        png,
        svg,
        is_wide=True,
    )


def _page(answer: Comparison | PointComparison, numbers: facts.Facts, about: About, drawn: Sequence[Drawing]) -> str:
    from reluatlas.comparison.answer import Comparison

    on_domain = isinstance(answer, Comparison)
    body = [
        "" if numbers["is_complete"] else parts.warning(words.stopped(numbers["stopped_by"], None)),
        parts.warning(words.left_out(numbers["left_out"])) if numbers.get("left_out") else "",
        parts.tiles(_domain_tiles(answer) if on_domain else _point_tiles(answer)),
        parts.section("In words", parts.bullets(answer.words)),
        parts.section("Figures", common.figures(drawn)) if drawn else "",
        parts.section("By output", *_outputs(answer, on_domain=on_domain)),
        parts.section("Where the classes differ", *_pairs(answer)) if on_domain and answer.pairs else "",
        parts.section("Points with another class", *_points(answer)) if not on_domain else "",
        *common.ending(numbers["f"], about),
    ]
    subject = f"f: {answer.f.source}, {words.network(answer.f)}. g: {answer.g.source}, {words.network(answer.g)}."
    return common.put_together(about, subject, body)


def _domain_tiles(answer: Comparison) -> list[tuple[str, str]]:
    from reluatlas.comparison.words import percent

    what = words.measure(answer.domain.dim)
    tiles = [(f"{answer.largest:.6g}", "the largest |f − g|" if answer.ends_meet else "|f − g| is at most")]
    if answer.disagreement is not None:
        tiles.append((percent(answer.disagreement), f"of the {what} with another class"))
    if answer.boxes is not None:
        tiles += [(f"{answer.lower:.6g}", "|f − g| reaches"), (f"{answer.boxes.n_boxes:,}", "boxes")]
    tiles += [
        *([(f"{answer.n_cells:,}", "cells of the common refinement")] if answer.method != "boxes" else []),
        (answer.exactness.status, f"{words.counted(answer.exactness.n_escalated, 'sign')} settled beyond float64"),
        (words.seconds(answer.seconds), "to find them"),
    ]
    return tiles


def _point_tiles(answer: PointComparison) -> list[tuple[str, str]]:
    tiles = [(f"{answer.n_points:,}", "points")]
    if answer.f_classes is not None:
        tiles.append((f"{answer.n_same:,}", "with the same class"))
    return [*tiles, (f"{answer.largest:.6g}", "the largest |f − g| at them")]


def _outputs(answer: Comparison | PointComparison, *, on_domain: bool) -> tuple[Markup, Markup | str]:
    most = answer.max_difference
    means = getattr(answer, "mean_difference", None) if on_domain else abs(answer.differences).mean(axis=0)  # type: ignore[union-attr]
    head = ("output", "largest |f − g|", *(("mean |f − g|",) if means is not None else ()))
    rows = [
        (class_label(answer.f, o) if answer.f.n_outputs > 1 else "0", f"{most[o]:.6g}",
         *((f"{means[o]:.4g}",) if means is not None else ()))
        for o in range(min(len(most), _SHOWN))
    ]  # fmt: skip
    return parts.columns(head, rows, right=(1, 2)), common.more(len(most) - _SHOWN, "output")


def _pairs(answer: Comparison) -> tuple[Markup, Markup | str]:
    from reluatlas.comparison.words import percent

    ranked = sorted(answer.pairs, key=lambda p: -p.share)
    rows = [
        (class_label(answer.f, p.f_class), class_label(answer.g, p.g_class), percent(p.share), f"{p.n_pieces:,}")
        for p in ranked[:_SHOWN]
    ]
    what = words.measure(answer.domain.dim)
    return (
        parts.columns(("f says", "g says", f"of the {what}", "convex pieces"), rows, right=(2, 3)),
        common.more(len(ranked) - _SHOWN, "pair"),
    )


def _points(answer: PointComparison) -> tuple[Markup | str, Markup | str]:
    if answer.f_classes is None or answer.g_classes is None:
        return parts.paragraph("The outputs are no classes."), ""
    which = (~answer.is_same).nonzero()[0].tolist()
    if not which:
        return parts.paragraph("None."), ""
    assert answer.f_margins is not None
    assert answer.g_margins is not None
    rows = [
        (f"{i}", class_label(answer.f, int(answer.f_classes[i])), f"{answer.f_margins[i]:.4g}",
         class_label(answer.g, int(answer.g_classes[i])), f"{answer.g_margins[i]:.4g}")
        for i in which[:_SHOWN]
    ]  # fmt: skip
    return (
        parts.columns(("point", "f says", "ahead by", "g says", "ahead by"), rows, right=(0, 2, 4)),
        common.more(len(which) - _SHOWN, "point"),
    )
