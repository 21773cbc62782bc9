"""What is written about a path? Page, table, numbers and figures, into one folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from reluatlas.network.decision import class_label, extreme_word
from reluatlas.report import common, facts, parts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing, fitting
from reluatlas.report.figure_files import on_one, png_and_svg
from reluatlas.report.folder import MOST_FIGURES, PATH_FIGURE, PATH_INDEX, PATH_TABLE, fill_folder
from reluatlas.report.write import as_json, write_figures

if TYPE_CHECKING:
    from markupsafe import Markup

    from reluatlas.network.network import Network
    from reluatlas.paths.path import Path, Paths

_SIZE = (8.6, 5.2)
_SHOWN = 12


def write_path_report(
    net: Network, paths: Paths, labels: Sequence[str], folder: FilePath, numbers: facts.Facts, about: About
) -> FilePath:
    """Write `report.html`, `path.json`, `pieces.csv` and figures; return the page's path.

    Parameters
    ----------
    labels : sequence of str
        Names of the corners: one more than paths.
    folder : Path
        New, empty, or an earlier result, which is replaced.
    """

    def write(place: FilePath) -> None:
        drawn = list(fitting(_draw(paths, labels), numbers))
        write_table(paths, place / PATH_TABLE)
        write_figures(place / "figures", drawn)
        (place / "report.html").write_text(
            _page(net, paths, labels, numbers, about, drawn), encoding="utf-8", errors="backslashreplace"
        )
        (place / PATH_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def write_table(paths: Paths, file: FilePath) -> None:
    """Write one row for each piece of each leg, as CSV."""
    with file.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        out = csv.writer(stream)
        for k, path in enumerate(paths):
            table = path.to_table()
            if k == 0:
                out.writerow(["leg", *table])
            columns = [column.tolist() for column in table.values()]
            out.writerows([k, *row] for row in zip(*columns, strict=True))


def _draw(paths: Paths, labels: Sequence[str]) -> Iterator[Drawing]:
    from reluatlas.figures import plot

    for k, path in enumerate(paths[:MOST_FIGURES]):
        if path.n_pieces == 0:
            continue
        png, svg = png_and_svg(partial(on_one, partial(_on, plot.path, path), _SIZE))
        title = f"From {labels[k]} to {labels[k + 1]}"
        yield Drawing(f"{PATH_FIGURE}-{k + 1}", title, _caption(path), png, svg, is_wide=True)


def _on(draw, path: Path, ax) -> None:
    draw(path, ax=ax)


def _caption(path: Path) -> str:
    net = path.network
    top = f"the strip on top shows the {extreme_word(net)} output; " if net.n_outputs > 1 and net.classes else ""
    return (
        f"The outputs along the segment, straight between {words.counted(path.breakpoints.size, 'breakpoint')}; {top}"
        "ticks below are the points where units of each layer change."
    )


def _page(
    net: Network, paths: Paths, labels: Sequence[str], numbers: facts.Facts, about: About, drawn: Sequence[Drawing]
) -> str:
    network = facts.of_network(net)
    body = [
        "" if numbers["is_complete"] else parts.warning(words.path_stopped(numbers)),
        _tiles(numbers),
        parts.section("Figures", common.figures(drawn)) if drawn else "",
        parts.section("Legs", *_legs(numbers, net)),
        *common.ending(network, about),
    ]
    subject = f"{net.source}: {words.network(net)}. Path: {' → '.join(labels)}."
    return common.put_together(about, subject, body)


def _tiles(numbers: facts.Facts) -> Markup:
    exact = numbers["exactness"]
    pairs = [
        (f"{numbers['n_pieces']:,}", "pieces: cells on the way" + ("" if numbers["is_complete"] else ", so far")),
        (f"{numbers['n_linear_regions']:,}", "linear regions"),
        (f"{sum(len(leg['class_changes']) for leg in numbers['legs']):,}", "changes of class"),
        (exact["status"], f"{words.counted(exact['n_escalated'], 'sign')} settled beyond float64"),
        (words.seconds(numbers["seconds"]), "to find them"),
    ]
    return parts.tiles(pairs)


def _legs(numbers: facts.Facts, net: Network) -> tuple[Markup, Markup]:
    names = ("from", "to", "length", "pieces", "linear regions", "changes of units", "Hamming distance", "classes")
    rows = []
    for leg in numbers["legs"]:
        classes = [class_label(net, c) for c in leg["classes"]]
        shown = " → ".join(classes[:_SHOWN]) + (" → ..." if len(classes) > _SHOWN else "")
        rows.append((
            leg["from"], leg["to"], f"{leg['length']:.6g}", f"{leg['n_pieces']:,}", f"{leg['n_linear_regions']:,}",
            f"{leg['n_changes']:,}", f"{leg['hamming']:,}", shown,
        ))  # fmt: skip
    return parts.columns(names, rows), parts.note(
        "Hamming distance: units that are on different pieces in the first and the last cell of the leg. All pieces "
        "are in `pieces.csv`, all breakpoints in `path.json`."
    )
