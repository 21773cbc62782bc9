"""What is written about a search from data points? Page, numbers, arrays and figures, into one folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.report import common, exploration_facts, facts, parts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing, fitting
from reluatlas.report.figure_files import on_one, png_and_svg
from reluatlas.report.folder import SEARCH, SEARCH_INDEX, fill_folder
from reluatlas.report.write import as_json, write_figures
from reluatlas.storage.archive import json_array
from reluatlas.storage.atomic import whole_file

if TYPE_CHECKING:
    from markupsafe import Markup

    from reluatlas.cells.exploration import Exploration
    from reluatlas.network.network import Network

FORMAT, VERSION = "reluatlas exploration", 1
_WIDTH, _LINE = 8.6, (8.6, 4.2)
_MOST_DRAWN = 20_000
_ROWS = 100
_GRAPH_CAPTION = (
    "A point for each cell, joined where two cells share a facet. The cells that hold the given points are in the "
    "middle, circled; others lie on rings by the number of facets crossed from the nearest of them, in the sector of "
    "the cell that they were reached from. The color is the class at one point of the cell, the given point where "
    "there is one. Pale cells may have neighbors that were not visited. Places mean nothing else."
)
_LINE_CAPTION = (
    "From cell to cell toward the target, each time over the facet that the straight line meets first: by how many "
    "units the pattern differs from that of the first cell, and from that of the last."
)


def write_exploration_report(
    net: Network, found: Exploration, labels: Sequence[str], folder: Path, numbers: facts.Facts, about: About
) -> Path:
    """Write `report.html`, `exploration.json`, `exploration.npz` and figures; return the page's path.

    Parameters
    ----------
    labels : sequence of str
        Names of the points that the search started from.
    folder : Path
        New, empty, or an earlier result, which is replaced.
    """

    def write(place: Path) -> None:
        drawn = list(fitting(_draw(found, labels, is_line=numbers["target"] is not None), numbers))
        write_figures(place / "figures", drawn)
        _write_arrays(found, labels, place / SEARCH)
        (place / "report.html").write_text(
            _page(net, found, numbers, about, drawn), encoding="utf-8", errors="backslashreplace"
        )
        (place / SEARCH_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _write_arrays(found: Exploration, labels: Sequence[str], path: Path) -> None:
    head = {"format": FORMAT, "version": VERSION, "labels": list(labels), "stopped_by": found.stopped_by}
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, head=json_array(head), patterns=found.patterns,
            points=found.points, starts=found.starts, depth=found.depth, is_expanded=found.is_expanded,
            classes=found.classes, edges=found.edges,
        )  # fmt: skip


def _draw(found: Exploration, labels: Sequence[str], *, is_line: bool) -> Iterator[Drawing]:
    from reluatlas.figures import plot
    from reluatlas.figures.graph_layout import tiling

    if is_line:
        png, svg = png_and_svg(partial(on_one, partial(_on, plot.walk, found, {}), _LINE))
        yield Drawing("line", "The cells on the way", _LINE_CAPTION, png, svg, is_wide=True)
    elif found.n_cells <= _MOST_DRAWN:
        columns, rows = tiling(found)
        size = (_WIDTH, float(np.clip(0.82 * _WIDTH * rows / columns, 3.4, 9.0)))
        png, svg = png_and_svg(partial(on_one, partial(_on, plot.dual_graph, found, {"labels": labels}), size))
        yield Drawing("graph", "The local dual graph", _GRAPH_CAPTION, png, svg, is_wide=True)


def _on(draw: Any, found: Exploration, options: dict[str, Any], ax: Any) -> None:
    draw(found, ax=ax, **options)


def _page(net: Network, found: Exploration, numbers: facts.Facts, about: About, drawn: Sequence[Drawing]) -> str:
    network = facts.of_network(net)
    body = [
        "" if numbers["is_complete"] else parts.warning(exploration_facts.stopped(numbers)),
        parts.tiles(_tiles(numbers)),
        parts.section("Figures", common.figures(drawn)) if drawn else _not_drawn(numbers),
        parts.section("Between the points", *_between(numbers)) if numbers["between"] else "",
        parts.section("Numbers", _numbers(numbers, net)),
        parts.section("By depth", *_depths(numbers)) if numbers["target"] is None else "",
        *common.ending(network, about),
    ]
    subject = f"{net.source}: {words.network(net)}. Domain: {words.domain(found.domain)}."
    return common.put_together(about, subject, body)


def _not_drawn(numbers: facts.Facts) -> Markup:
    return parts.note(
        f"The graph is not drawn: {numbers['n_cells']:,} cells are more than {_MOST_DRAWN:,}. It is in "
        "`exploration.npz`."
    )


def _tiles(numbers: facts.Facts) -> list[tuple[str, str]]:
    return [
        (f"{numbers['n_cells']:,}", "cells" if numbers["is_complete"] else "cells so far"),
        (f"{numbers['n_edges']:,}", "facets between two of them"),
        (f"{len(numbers['by_depth']) - 1:,}", "facets from a start, at most"),
        ("exact", "every cell, and every facet between two"),
        (words.seconds(numbers["seconds"]), "in this run"),
    ]


def _between(numbers: facts.Facts) -> tuple[Markup | str, ...]:
    head = ("from", "to", "length", "Hamming distance", "cells on the straight line", "facets on a known way")
    rows = [
        (
            pair["from"], pair["to"], f"{pair['length']:.6g}",
            *("not known" if pair[name] is None else f"{pair[name]:,}" for name in ("hamming", "n_pieces", "n_steps")),
        )
        for pair in numbers["between"][:_ROWS]
    ]  # fmt: skip
    return (
        parts.columns(head, rows, (2, 3, 4, 5)),
        common.more(len(numbers["between"]) - _ROWS, "pair"),
        parts.note(
            "Hamming distance: units that are on different pieces in the two cells. Cells on the straight line: all "
            "that the segment meets, both ends with it, exactly (as `reluatlas trace` finds them). A known way leads "
            "through the cells that were visited; the shortest of all ways may be shorter, and each facet on it "
            "changes at least one unit."
        ),
    )


def _numbers(numbers: facts.Facts, net: Network) -> Markup:
    rows = [
        ("points", f"{numbers['n_points']:,} in {words.counted(numbers['n_starts'], 'cell')}"),
        ("cells", f"{numbers['n_cells']:,}"),
        ("expanded", exploration_facts.expanded_in_words(numbers)),
        ("facets", f"{numbers['n_edges']:,} known between two of the cells"),
        ("classes", exploration_facts.classes_in_words(numbers, net)),
    ]
    if numbers["target"] is not None:
        rows[-1] = ("target", numbers["target"])
    return parts.pairs(rows)


def _depths(numbers: facts.Facts) -> tuple[Markup | str, ...]:
    rows = [(f"{r['depth']:,}", f"{r['n_cells']:,}", f"{r['n_expanded']:,}") for r in numbers["by_depth"][:_ROWS]]
    head = ("facets from a start", "cells", "of them with all neighbors known")
    return parts.columns(head, rows, (0, 1, 2)), common.more(len(numbers["by_depth"]) - _ROWS, "depth")
