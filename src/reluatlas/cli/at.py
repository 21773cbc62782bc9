"""Which cell holds a point, and how far is the next one? `reluatlas at`: print, and write a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reluatlas.cli import console
from reluatlas.cli.answer import begin, line
from reluatlas.cli.at_search import Asked, Search, require_inside
from reluatlas.cli.domains import box_or_space, sides_of
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.cli.points import Point
from reluatlas.network.decision import class_label
from reluatlas.report import cell_facts, cell_words, facts, words
from reluatlas.report.cell_record import CellFacts, PointFacts

if TYPE_CHECKING:
    from reluatlas.network.network import Network

_SHOWN = 40
_MAP_UP_TO = 12  # numbers of a map that is printed


def at(source: Source, asked: Asked, common: Common, *, typed: Sequence[str]) -> int:
    """Find the cells of points, print what they are, and write the report."""
    out, quiet = common.folder, common.quiet
    sides = sides_of(asked.box)
    net = source.load()
    domain, code = box_or_space(sides, net)
    points = asked.points(net)
    require_inside(points, domain)
    console.announce_compiling(quiet=quiet)
    start = time.monotonic()
    search = Search(net, domain, asked, keeps=out is not None)
    with console.counting("points", quiet=quiet) as told:
        search.run(points, told)
    numbers = {
        **facts.of_command("at", source.model, common.seed),
        "network": facts.of_network(net),
        "domain": facts.of_domain(domain),
        **cell_facts.of_points(search.points, net, n_asked=len(points), stopped_by=search.stopped_by),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.page import About
        from reluatlas.report.points_page import write_points_report

        console.notice("Drawing the report.", quiet=quiet)
        title = f"The {'cell of a point' if len(points) == 1 else 'cells of points'} in {Path(source.model).name}"
        about = About(title=title, command=line(typed), code=_python(source, points, code))
        write_points_report(
            net, domain, search.points, search.certificates, search.drawn, out, numbers, about, load=source.code
        )
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    heading = f"{Path(source.model).name}: {words.network(net)}. Domain: {words.domain(domain)}."
    _show(net, search.points, numbers, heading, common)
    return exit_code(numbers)


def _show(net: Network, points: Sequence[PointFacts], numbers: facts.Facts, heading: str, common: Common) -> None:
    if not begin(numbers, heading, cell_words.stopped, as_json=common.json, quiet=common.quiet):
        return
    if numbers["n_cells_told"] == 1:
        console.pairs(_one(net, points[0], points[0].cells[0]))
    elif points:
        _table(net, points)
    console.result()
    rows = [("exactness", cell_words.exactness_of(numbers["exactness"]))]
    if len(points) != 1 or numbers["n_cells_told"] != 1 or not numbers["is_complete"]:
        so_far = "" if numbers["is_complete"] else "  (INCOMPLETE)"
        faces = f", {numbers['n_on_face']:,} of them on faces" if numbers["n_on_face"] else ""
        told = f"{numbers['n_points']:,} in {words.counted(numbers['n_cells'], 'cell')}{faces}{so_far}"
        rows = [("points", told), *rows]
    if numbers["n_checked"]:
        rows.append(
            ("check", f"{words.counted(numbers['n_checked'], 'certificate')} checked from the weights: all hold")
        )
    rows.append(("time", words.seconds(numbers["seconds"])))
    if common.out is not None:
        rows.append(("written", str(common.out)))
    console.pairs(rows)


def _one(net: Network, point: PointFacts, cell: CellFacts) -> list[tuple[str, str]]:
    """Return what is known of one cell, in rows."""
    return [
        ("point", point.label),
        ("class", cell_words.class_of(point)),
        ("pattern", cell_words.short_pattern(net, cell.pattern)),
        ("affine map", _map_of(cell)),
        ("facets", cell_words.facets_of(cell)),
        ("nearest facet", cell_words.nearest_of(cell)),
        ("other class", cell_words.other_of(cell, net)),
        ("size", cell_words.size_of(cell)),
    ]


def _map_of(cell: CellFacts) -> str:
    m, n = cell.A.shape
    if m * n <= _MAP_UP_TO:
        rows = [f"[{', '.join(f'{v:.6g}' for v in row)}]" for row in cell.A]
        return f"A = [{', '.join(rows)}], b = [{', '.join(f'{v:.6g}' for v in cell.b)}]"
    return f"A {m} × {n}, b {m}: in the JSON and the files"


def _table(net: Network, points: Sequence[PointFacts]) -> None:
    rows = []
    for point in points:
        for k, cell in enumerate(point.cells):
            label = point.label if len(point.cells) == 1 else f"{point.label}, cell {k + 1}"
            nearest, other = cell.nearest, cell.other
            rows.append(
                (
                    label, class_label(net, point.class_), f"{len(cell.owners):,}",
                    "" if nearest is None else cell_words.distance_of(cell),
                    "" if nearest is None else cell_words.name(cell.owners[nearest], 2),
                    f"{other.distance:.4g} to {other.output}" if other else "" if cell.n_undecided else "none",
                    cell_words.short_size_of(cell),
                    cell_words.short_pattern(net, cell.pattern),
                )
            )  # fmt: skip
    head = ("point", "class", "facets", "nearest", "where it turns", "other class", "bounded, inradius", "pattern")
    console.table(head, rows[:_SHOWN], right=(2, 3))
    if len(rows) > _SHOWN:
        console.result(f"and {len(rows) - _SHOWN:,} more: pass --json or --out for all.")


def _python(source: Source, points: Sequence[Point], domain: str) -> str:
    return (
        f"import numpy as np\nimport reluatlas as ra\n\nnet = {source.code}\ndomain = {domain}\n"
        f"x = {points[0].code}.reshape(-1)\ncell = ra.cell_at(net, x, domain)\n"
        "print(len(cell.facets), cell.facets.distances.min(), cell.is_bounded, cell.inradius, cell.exactness)"
    )
