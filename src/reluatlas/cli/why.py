"""Why does a network decide as it does at one input? `reluatlas why`: print, and write a page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.cli import console
from reluatlas.cli.answer import line
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.cli.points import Point, PointUnits, all_points, picture_sides
from reluatlas.deadline import NEVER, current, grace, under
from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.report import facts, why_facts, words
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from reluatlas.decisions.integrated import IntegratedGradients
    from reluatlas.network.network import Network

_FOR_FACETS = 0.8  # of the time that is left; the rest is for figures
_SHOWN = 10


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
    against: str | None
    output: int | None
    baseline: str | None
    image_shape: str | None
    max_cells: int
    units: PointUnits = field(default_factory=PointUnits)

    def __post_init__(self) -> None:
        if not self.data and not self.at:
            raise ArgumentError("no point was given. Pass `--data X.npy:0` (one row of a file), or `--at 0.1,0.2`.")

    def point(self, net: Network, *, quiet: bool) -> Point:
        """Return the point, and see that it is one."""
        points = all_points(self.data, self.at, net, self.units, quiet=quiet)
        if len(points) != 1:
            raise ArgumentError(
                f"{len(points):,} points were given; one decision is explained at a time. Choose a row: `--data "
                "X.npy:0`. For many, see `reluatlas.contributions` in Python."
            )
        return points[0]

    def start(self, net: Network) -> FloatArray | None:
        """Return the baseline, if one is named."""
        if self.baseline is None or self.baseline == "zeros":
            return None if self.baseline is None else np.zeros(net.n_inputs)
        found = all_points([self.baseline], [], net, self.units, quiet=True)
        if len(found) != 1:
            raise ArgumentError(f"`--baseline {self.baseline}` holds {len(found):,} points; name one row of it.")
        return found[0].x


def why(source: Source, asked: Asked, common: Common, *, typed: Sequence[str]) -> int:
    """Explain a decision, print the explanation, and write the page."""
    from reluatlas.decisions.explain import explain
    from reluatlas.figures.contributions import picture_shape

    out, quiet = common.folder, common.quiet
    shape = picture_sides(asked.image_shape)
    net = source.load(grace_s=NEVER)  # the sum is told whatever the limit; how far it holds takes long
    picture_shape(net.input_shape, shape)
    point, start_at = asked.point(net, quiet=quiet), asked.start(net)
    console.announce_compiling(quiet=quiet)
    start = time.monotonic()
    with grace(NEVER):
        told = explain(net, point.x, _class(asked.against), output=asked.output)
    heading = f"{Path(source.model).name}: {words.network(net)}."
    if not common.json:
        console.result(console.one_line(why_facts.answer(told, point.label)))
        console.flush()
    with under(current().share(_FOR_FACETS if out is not None else 1.0)):
        reach = told.reach(max_cells=asked.max_cells)
        path = None if start_at is None else _path(net, point, start_at, asked, told.question.against, quiet=quiet)
    numbers = {
        **facts.of_command("why", source.model, common.seed),
        "network": facts.of_network(net),
        **why_facts.of_decision(told, reach, path, point.label, shape),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.common import About
        from reluatlas.report.why_page import write_why

        console.notice("Drawing the report.", quiet=quiet)
        about = About(
            title=f"Why {Path(source.model).name} decides as it does",
            intro=why_facts.answer(told, point.label),
            command=line(typed),
            code=_python(source, point, asked),
        )
        write_why(told, path, out, numbers, about, image_shape=shape)
    _show(numbers, heading, common)
    return exit_code(numbers)


def _class(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdigit() else text


def _path(
    net: Network, point: Point, start: FloatArray, asked: Asked, against: int | None, *, quiet: bool
) -> IntegratedGradients | None:
    """Return the integrated gradients from the baseline; None where the time did not suffice."""
    from reluatlas.decisions.integrated import integrated_gradients

    try:
        with console.progress(quiet=quiet) as callback:
            return integrated_gradients(net, point.x, start, against=against, output=asked.output, progress=callback)
    except TimeLimitError:
        console.notice("Incomplete: the time was over before the path from the baseline was whole.", quiet=quiet)
        return None


def _show(numbers: facts.Facts, heading: str, common: Common) -> None:
    if common.json:
        from reluatlas.report.write import as_json

        console.result(as_json(numbers))
        return
    rows = [("the sum", why_facts.in_sum(numbers)), ("exact", why_facts.exactness(numbers))]
    if numbers["ties"]:
        rows.append(("on a face", f"{words.counted(len(numbers['ties']), 'unit')} at the turning point"))
    rows.append(("it holds", why_facts.holding(numbers)))
    if "path" in numbers:
        rows.append(("on a way", why_facts.along(numbers)))
    console.result()
    console.pairs([*rows, ("network", heading), ("time", words.seconds(numbers["seconds"]))])
    console.result()
    top = numbers["top"][:_SHOWN]
    console.table(
        ("largest", "value", "weight", "contribution"),
        [(r["name"], f"{r['value']:.4g}", f"{r['weight']:+.4g}", f"{r['part']:+.4g}") for r in top],
        right=(1, 2, 3),
    )
    if common.out is not None:
        console.result()
        console.pairs([("written", str(common.out))])


def _python(source: Source, point: Point, asked: Asked) -> str:
    numpy = "import numpy as np\n" if "np." in point.code else ""
    other = "" if asked.against is None else f", {_class(asked.against)!r}"
    output = "" if asked.output is None else f", output={asked.output}"
    return (
        f"{numpy}import reluatlas as ra\n\nnet = {source.code}\nwhy = ra.explain(net, {point.code}{other}{output})\n"
        "print(why)\nprint(why.parts, why.constant, why.reach().radius)"
    )
