"""How far is the nearest other class of one input? `reluatlas nearest`: options, and what is printed and written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from reluatlas.cli import console
from reluatlas.cli.domains import box_or_space, sides_of
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Common, grouped
from reluatlas.cli.help import Grouped
from reluatlas.cli.models import Source
from reluatlas.cli.options import MaxSeconds, Points, TypedPoints
from reluatlas.cli.points import Point, PointUnits, all_points
from reluatlas.deadline import NEVER, Deadline, under
from reluatlas.errors import ArgumentError
from reluatlas.report import facts, nearest_facts, words

Norm = Annotated[
    str, typer.Option("--norm", metavar="NORM", help="How distances are measured: 2 (Euclidean), inf (largest), 1.")
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--against", metavar="CLASS", show_default=False,
        help="Look for this class only, by number or name. May be repeated.",
    ),
]  # fmt: skip
Level = Annotated[
    str | None,
    typer.Option(
        "--level", metavar="N,VALUE", show_default=False,
        help="In place of classes: where output N reaches a value, from its side at the input.",
    ),
]  # fmt: skip
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--box", "--domain", metavar="LO,HI", show_default=False,
        help="Where the other input may be: the box of the inputs from LO to HI, once for all of them (0,1) or once "
        "for each; the whole input space when left out.",
    ),
]  # fmt: skip
_NORMS = {"1": 1.0, "2": 2.0, "inf": float("inf")}

nearest_app = typer.Typer()


@dataclass(frozen=True)
class Asked:
    """What is asked for, as the options say it.

    Raises
    ------
    ArgumentError
        When no point is named, or an option has a value that it does not take.
    """

    data: list[str]
    at: list[str]
    box: list[str]
    norm: str
    against: list[str]
    level: str | None
    units: PointUnits = field(default_factory=PointUnits)

    def __post_init__(self) -> None:
        if not self.data and not self.at:
            raise ArgumentError("no point was given. Pass `--data X.npy:0` (one row of a file), or `--at 0.1,0.2`.")
        if self.norm not in _NORMS:
            raise ArgumentError(f"`--norm {self.norm}` is not there. Pass 1, 2 or inf.")
        _ = self.at_level

    def point(self, net: Any, *, quiet: bool) -> Point:
        """Return the point, and see that it is one."""
        points = all_points(self.data, self.at, net, self.units, quiet=quiet)
        if len(points) != 1:
            raise ArgumentError(f"{len(points):,} points were given; expected one. Choose a row: `--data X.npy:0`.")
        return points[0]

    @property
    def classes(self) -> list[int | str] | None:
        """The classes that are looked for."""
        return [int(c) if c.isdigit() else c for c in self.against] or None

    @property
    def at_level(self) -> tuple[int, float] | None:
        """The output and the value that are looked for."""
        if self.level is None:
            return None
        output, _, value = self.level.partition(",")
        try:
            return int(output), float(value)
        except ValueError:
            raise ArgumentError(
                f"`--level {self.level}` must be an output and a value, as in `--level 0,1.5`."
            ) from None

    def python(self, source: Source, point: Point, domain: str) -> str:
        """Return the same in Python."""
        numpy = "import numpy as np\n" if "np." in point.code else ""
        more = "" if self.classes is None else f", against={self.classes!r}"
        more += "" if self.at_level is None else f", level={self.at_level!r}"
        norm = "float('inf')" if self.norm == "inf" else self.norm
        return (
            f"{numpy}import reluatlas as ra\n\nnet = {source.code}\n"
            f"near = ra.nearest_class(net, {point.code}, norm={norm}, domain={domain}{more})\n"
            "print(near, near.lower_bound, near.upper_bound, near.witness)"
        )


@nearest_app.command(cls=Grouped, name="nearest", short_help="Say how far the nearest input of another class is.")
@grouped
def _nearest(
    *,
    context: typer.Context,
    data: Points = None,
    at: TypedPoints = None,
    box: Where = None,
    norm: Norm = "2",
    against: Classes = None,
    level: Level = None,
    max_seconds: MaxSeconds = None,
    units: PointUnits,
    source: Source,
    common: Common,
) -> int:
    """Say how far the nearest input of another class is: at least, for certain, and at most, with such an input.

    Both numbers are equal when the search has ended: the exact distance. With --out: nearest.json (all numbers),
    nearest.npz (the input and its witness), and report.html.

    Example: reluatlas nearest model.onnx --data X.npy:0 --norm inf --box 0,1 --max-seconds 60
    """
    asked = Asked(data or [], at or [], box or [], norm, against or [], level, units)
    with under(Deadline.after(max_seconds)):
        return nearest(source, asked, common, typed=context.obj)


def nearest(source: Source, asked: Asked, common: Common, *, typed: Any) -> int:
    """Find the nearest other class of a point, print how far it is, and write it."""
    from reluatlas.decisions.nearest.nearest_class import nearest_class

    out, quiet, sides = common.folder, common.quiet, sides_of(asked.box)
    net = source.load(grace_s=NEVER)
    domain, code = box_or_space(sides, net)
    point = asked.point(net, quiet=quiet)
    start = time.monotonic()
    with console.progress(quiet=quiet) as told:
        found = nearest_class(
            net, point.x, norm=_NORMS[asked.norm], domain=domain, against=asked.classes, level=asked.at_level,
            progress=told,
        )  # fmt: skip
    numbers = {
        **facts.of_command("nearest", source.model, common.seed),
        "network": facts.of_network(net),
        "domain": facts.of_domain(domain),
        "point": point.label,
        **nearest_facts.of_nearest(found),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.cli.answer import line
        from reluatlas.report.common import About
        from reluatlas.report.nearest_page import write_nearest

        console.notice("Drawing the report.", quiet=quiet)
        about = About(
            title=f"How far the nearest other class is in {Path(source.model).name}",
            intro=nearest_facts.answer(found, point.label),
            command=line(typed),
            code=asked.python(source, point, code),
        )
        write_nearest(found, out, numbers, about)
    if common.json:
        from reluatlas.report.write import as_json

        console.result(as_json(numbers))
        return exit_code(numbers)
    console.result(console.one_line(nearest_facts.answer(found, point.label)))
    console.result()
    rows = nearest_facts.rows(found)
    heading = f"{Path(source.model).name}: {words.network(net)}. Domain: {words.domain(domain)}."
    rows += [("network", heading), ("time", words.seconds(numbers["seconds"]))]
    if common.out is not None:
        rows.append(("written", str(common.out)))
    console.pairs(rows)
    return exit_code(numbers)
