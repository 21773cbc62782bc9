"""Which cell holds a point, and how far is the next one? `reluatlas at`: print, and write a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reluatlas.cli import console
from reluatlas.cli.answer import line
from reluatlas.cli.at_search import Asked, Search, require_inside
from reluatlas.cli.domains import box_or_space, sides_of
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.cli.points import Point
from reluatlas.deadline import NEVER
from reluatlas.network.decision import class_label
from reluatlas.report import cell_facts, cell_words, facts, nearest_facts, words
from reluatlas.report.cell_record import CellFacts, PointFacts
from reluatlas.report.write import as_json

if TYPE_CHECKING:
    from reluatlas.network.network import Network

_SHOWN = 40


def at(source: Source, asked: Asked, common: Common, *, typed: Sequence[str]) -> int:
    """Find the cells of points, print what they are, and write the report."""
    out, quiet = common.folder, common.quiet
    sides = sides_of(asked.box)
    net = source.load(grace_s=NEVER)  # the class of a point is told whatever the limit
    domain, code = box_or_space(sides, net)
    points = asked.points(net, quiet=quiet)
    require_inside(points, domain)
    console.announce_compiling(quiet=quiet)
    start = time.monotonic()
    search = Search(net, domain, asked, keeps=out is not None)
    search.answer(points)
    heading = f"{Path(source.model).name}: {words.network(net)}. Domain: {words.domain(domain)}."
    if not common.json:
        _say(heading, net, points, search)
    with console.progress(quiet=quiet) as told:
        search.run(points, told)
    numbers = {
        **facts.of_command("at", source.model, common.seed),
        "network": facts.of_network(net),
        "domain": facts.of_domain(domain),
        **cell_facts.of_points(search.points, net, n_asked=len(points), stopped_by=search.stopped_by),
        "answers": cell_facts.of_answers(net, [p.label for p in points], search.outputs, search.answers),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.common import About
        from reluatlas.report.points_page import write_points_report

        console.notice("Drawing the report.", quiet=quiet)
        title = f"The {'cell of a point' if len(points) == 1 else 'cells of points'} in {Path(source.model).name}"
        about = About(title=title, command=line(typed), code=_python(source, points, code))
        write_points_report(
            net, domain, search.points, search.certificates, search.drawn, out, numbers, about, load=source.code,
            answers=[
                cell_words.answer_of(net, point.label, outputs, answer)
                for point, outputs, answer in zip(points, search.outputs, search.answers, strict=True)
            ],
        )  # fmt: skip
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    _show(net, search, numbers, common)
    return exit_code(numbers)


def _say(heading: str, net: Network, points: Sequence[Point], search: Search) -> None:
    """Print what is known at once: of each point the class, the runner-up, the margin, the map, and what ties."""
    console.result(console.one_line(heading))
    console.result()
    for point, outputs, answer in list(zip(points, search.outputs, search.answers, strict=True))[:_SHOWN]:
        console.result(console.one_line(cell_words.answer_of(net, point.label, outputs, answer)))
    if len(points) > _SHOWN:
        console.result(f"and {len(points) - _SHOWN:,} more: pass --json for all.")
    if any(answer is not None and answer.is_on_face for answer in search.answers):
        console.result("On a face the map is that of the cell in which x + (e, e^2, ...) lies for all small e > 0.")
    console.result()
    console.flush()


def _show(net: Network, search: Search, numbers: facts.Facts, common: Common) -> None:
    points = search.points
    if not numbers["is_complete"]:
        console.notice(cell_words.stopped(numbers), quiet=common.quiet)
    if common.json:
        console.result(as_json(numbers))
        return
    rows = []
    if numbers["n_cells_told"] == 1:
        console.pairs(_one(net, next(p for p in points if p.cells).cells[0]))
        console.result()
    elif numbers["n_cells_told"]:
        _table(net, points, {a.pattern.tobytes() for a in search.answers if a is not None})
        console.result()
    if numbers["n_cells_told"]:
        rows.append(("exactness", cell_words.exactness_of(numbers["exactness"])))
    if not numbers["n_cells_told"]:
        rows.append(("cells", "none known yet (INCOMPLETE)"))
    elif len(points) != 1 or numbers["n_cells_told"] != 1 or not numbers["is_complete"]:
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


def _one(net: Network, cell: CellFacts) -> list[tuple[str, str]]:
    """Return what is known of one cell, in rows."""
    return [
        ("pattern", cell_words.short_pattern(net, cell.pattern)),
        ("facets", cell_words.facets_of(cell)),
        ("nearest facet", cell_words.nearest_of(cell, net)),
        ("other class", cell_words.other_of(cell)),
        ("size", cell_words.size_of(cell)),
    ]


def _table(net: Network, points: Sequence[PointFacts], said: set[bytes]) -> None:
    """Print the cells of points; `said` are the patterns of those whose maps were told before."""
    rows = []
    for point in points:
        for k, cell in enumerate(point.cells):
            label = point.label if len(point.cells) == 1 else f"{point.label}, cell {k + 1}"
            if len(point.cells) > 1 and cell.pattern.tobytes() in said:
                label += ", as above"
            nearest, other = cell.nearest, cell.other
            rows.append(
                (
                    label, class_label(net, point.class_), f"{len(cell.owners):,}",
                    "" if nearest is None else cell_words.distance_of(cell),
                    "" if nearest is None else cell_words.name(net, cell.owners[nearest], 2),
                    "" if other is None else nearest_facts.short(other),
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
