"""Which cells lie around data points, and between them? `reluatlas explore`: print, and write a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.cli import console
from reluatlas.cli.answer import begin, line
from reluatlas.cli.at_search import require_inside
from reluatlas.cli.domains import box_or_space, sides_of
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.cli.points import Point, PointUnits, all_points, is_file, read_files, typed_points
from reluatlas.deadline import current, under
from reluatlas.domain import Box, Space
from reluatlas.errors import ArgumentError, OnFaceError
from reluatlas.report import exploration_facts, facts, start_facts, words

if TYPE_CHECKING:
    from reluatlas.cells.exploration import Exploration
    from reluatlas.network.network import Network

_SHOWN = 12
_FOR_CELLS = 0.75  # of the time; the rest is for what lies between points, and for figures


@dataclass(frozen=True)
class Asked:
    """What is asked for, as the options say it.

    Raises
    ------
    ArgumentError
        When no point is named, or the checkpoint cannot be.
    """

    data: list[str]
    at: list[str]
    box: list[str]
    target: str | None
    max_cells: int
    checkpoint: Path | None
    units: PointUnits = field(default_factory=PointUnits)

    def __post_init__(self) -> None:
        if not self.data and not self.at:
            raise ArgumentError(
                "no point to start from was given. Pass `--data X.npy` (a point in each row), or `--at 0.1,0.2`."
            )
        if self.checkpoint is not None and (self.checkpoint.is_dir() or not self.checkpoint.parent.is_dir()):
            what = (
                "is a folder" if self.checkpoint.is_dir() else f"lies in `{self.checkpoint.parent}`, which is no folder"
            )
            raise ArgumentError(f"`--resume {self.checkpoint}` {what}. Name a file.")

    def points(self, net: Network, *, quiet: bool) -> list[Point]:
        """Return the points to start from, those of files first."""
        return all_points(self.data, self.at, net, self.units, quiet=quiet)

    def goal(self, net: Network) -> Point | None:
        """Return the point of `--target`: in a file, or typed in."""
        if self.target is None:
            return None
        if not is_file(self.target):
            return typed_points([self.target], net, "--target")[0]
        several = read_files([self.target], net.input_shape, "--target", units=self.units, quiet=True)
        if len(several) != 1:
            raise ArgumentError(
                f"`--target {self.target}` names {len(several):,} points; expected one. Choose a row: "
                f"`--target {self.target.partition(':')[0]}:0`."
            )
        return several[0]


def explore(source: Source, asked: Asked, common: Common, *, typed: Sequence[str]) -> int:
    """Search from points to their neighbors, or along a line, print the numbers, and write the report."""
    out, quiet = common.folder, common.quiet
    sides = sides_of(asked.box)
    net = source.load()
    domain, code = box_or_space(sides, net)
    points, goal = asked.points(net, quiet=quiet), asked.goal(net)
    if goal is not None and len(points) != 1:
        raise ArgumentError(
            f"{len(points):,} points to start from were given with `--target`; a line has one start. Choose a row, "
            "such as `--data X.npy:0`."
        )
    ends = [*points, *([] if goal is None else [goal])]
    require_inside(ends, domain)
    console.announce_compiling(quiet=quiet)
    _require_inside_of_cells(net, ends, domain)
    start = time.monotonic()
    found = _search(net, points, goal, domain, asked, quiet=quiet)
    labels = [p.label for p in points]
    numbers = {
        **facts.of_command("explore", source.model, common.seed),
        "network": facts.of_network(net),
        "domain": facts.of_domain(domain),
        **exploration_facts.of_exploration(
            found, labels, [p.x for p in points], target=None if goal is None else goal.label
        ),
        "between": exploration_facts.between(found, [p.x for p in ends], [p.label for p in ends]),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.common import About
        from reluatlas.report.exploration_page import write_exploration_report

        console.notice("Drawing the report.", quiet=quiet)
        where = "between two points" if goal is not None else "around a point" if len(points) == 1 else "around points"
        about = About(
            title=f"Cells {where} in {Path(source.model).name}",
            command=line(typed),
            code=_python(source, points, goal, code, asked),
        )
        write_exploration_report(net, found, labels, out, numbers, about)
    heading = f"{Path(source.model).name}: {words.network(net)}. Domain: {words.domain(domain)}."
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    _show(numbers, net, heading, common)
    return exit_code(numbers)


def _require_inside_of_cells(net: Network, points: Sequence[Point], domain: Box | Space) -> None:
    """Refuse points on faces, by name: no single cell holds them."""
    from reluatlas.cells.cell_at import cell_at

    for point in points:
        try:
            cell_at(net, point.x, domain)
        except OnFaceError as problem:
            units = str(problem).partition("meet: ")[2].partition(". Pass")[0]
            raise OnFaceError(
                f"the point {point.label} lies on a face where several cells meet ({units}). Start from another point, "
                "or from one a little beside it; `reluatlas at` tells the cells."
            ) from None


def _search(
    net: Network, points: Sequence[Point], goal: Point | None, domain: Box | Space, asked: Asked, *, quiet: bool
) -> Exploration:
    from reluatlas.cells.explore import explore as explore_
    from reluatlas.network.batches import one_blas_thread

    with (
        console.progress(quiet=quiet) as told,
        one_blas_thread(),
        under(current().share(_FOR_CELLS)),
    ):
        return explore_(
            net, np.stack([p.x for p in points]), max_cells=asked.max_cells, domain=domain,
            target=None if goal is None else goal.x, checkpoint=asked.checkpoint,
            progress=told,
        )  # fmt: skip


def _show(numbers: facts.Facts, net: Network, heading: str, common: Common) -> None:
    if not begin(numbers, heading, exploration_facts.stopped, as_json=common.json, quiet=common.quiet):
        return
    so_far = "" if numbers["is_complete"] else "  (INCOMPLETE)"
    console.pairs(
        [
            ("cells", f"{numbers['n_cells']:,}{so_far}"),
            ("expanded", exploration_facts.expanded_in_words(numbers)),
            ("facets", f"{numbers['n_edges']:,} known between two of them"),
            ("by depth", exploration_facts.depths_in_words(numbers)),
            *([("by class", exploration_facts.classes_in_words(numbers, net))] if numbers["target"] is None else []),
        ]
    )
    console.result()
    if numbers["target"] is None:
        for start in numbers["starts"][:_SHOWN]:
            console.result(console.one_line(start_facts.in_words(start, net)))
        if len(numbers["starts"]) > _SHOWN:
            console.result(f"and {len(numbers['starts']) - _SHOWN:,} more points: pass --json or --out for all.")
        console.result()
    if numbers["between"]:
        _between(numbers)
        console.result()
    console.pairs(
        [
            ("exactness", "exact: every cell, and every facet between two"),
            ("time", words.seconds(numbers["seconds"])),
            *([("written", str(common.out))] if common.out is not None else []),
        ]
    )


def _between(numbers: facts.Facts) -> None:
    rows = [
        (
            pair["from"], pair["to"],
            *("" if pair[name] is None else f"{pair[name]:,}" for name in ("hamming", "n_pieces", "n_steps")),
            f"{pair['length']:.4g}",
        )
        for pair in numbers["between"]
    ]  # fmt: skip
    head = ("from", "to", "Hamming", "cells on the line", "facets on a known way", "length")
    console.table(head, rows[:_SHOWN], right=(2, 3, 4, 5))
    if len(rows) > _SHOWN:
        console.result(f"and {len(rows) - _SHOWN:,} more pairs: pass --json or --out for all.")


def _python(source: Source, points: Sequence[Point], goal: Point | None, domain: str, asked: Asked) -> str:
    starts = ", ".join(f"{p.code}.reshape(-1)" for p in points[:_SHOWN])
    more = f"  # and {len(points) - _SHOWN} more" if len(points) > _SHOWN else ""
    target = "" if goal is None else f", target={goal.code}.reshape(-1)"
    return (
        f"import numpy as np\nimport reluatlas as ra\n\nnet = {source.code}\nX = np.stack([{starts}]){more}\n"
        f"found = ra.explore(net, X, max_cells={asked.max_cells}, domain={domain}{target})\n"
        "print(found, found.hamming(0, -1))"
    )
