"""How few pieces are enough? `reluatlas reduce`: its options, and what is printed and written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reluatlas.cli import console
from reluatlas.cli.answer import line
from reluatlas.cli.domains import Asked as AskedDomain
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Budget, Common, grouped
from reluatlas.cli.help import Grouped
from reluatlas.cli.models import Source
from reluatlas.cli.options import BoxSides, Margin, Through, real, whole
from reluatlas.cli.points import PointUnits
from reluatlas.deadline import Deadline, current, under
from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.report import facts, joined_facts, words

if TYPE_CHECKING:
    from reluatlas.analysis.joining.answer import JoinedCells
    from reluatlas.complexes.complex import PolyhedralComplex

Share = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", show_default=False,
        parser=real(0.0, 1.0, what="a share of the outputs' range from 0 to 1, such as 0.05", allows_least=True),
        help="Let outputs change by this share of their range on the domain (0.05: 5 %).  [default: 0.05]",
    ),
]  # fmt: skip
Change = Annotated[
    float | None,
    typer.Option(
        "--tolerance", metavar="CHANGE", show_default=False,
        parser=real(0.0, 1e300, what="a number of at least 0", allows_least=True),
        help="Let outputs change by so much, in their own units; 0 joins cells with the same map.",
    ),
]  # fmt: skip
Pieces = Annotated[
    int | None,
    typer.Option(metavar="N", show_default=False, parser=whole(1), help="End with so many pieces, whatever changes."),
]

_SHARE = 0.05
_FOR_CELLS, _FOR_PIECES, _FOR_BOUND = 0.3, 0.6, 0.8  # of the time that is left each; the rest is for figures

reduce_app = typer.Typer()


@dataclass(frozen=True)
class Asked:
    """How much may change, as the options say it.

    Raises
    ------
    ArgumentError
        When it is said twice.
    """

    share: float | None
    tolerance: float | None
    pieces: int | None

    def __post_init__(self) -> None:
        given = {"--share": self.share, "--tolerance": self.tolerance, "--pieces": self.pieces}
        named = [f"`{name}`" for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise ArgumentError(f"{' and '.join(named)} say the same thing twice. Pass one of them.")

    def join(self, cx: PolyhedralComplex, progress: Any) -> JoinedCells:
        """Return the cells joined as far as that."""
        from reluatlas.analysis.joining.join_cells import join_cells

        if self.pieces is not None:
            return join_cells(cx, n_pieces=self.pieces, progress=progress)
        if self.tolerance is not None:
            return join_cells(cx, self.tolerance, progress=progress)
        return join_cells(cx, self._part * join_cells(cx, 0.0).output_range, progress=progress)

    @property
    def code(self) -> str:
        """The same in Python."""
        if self.pieces is not None:
            return f"n_pieces={self.pieces}"
        if self.tolerance is not None:
            return repr(self.tolerance)
        return f"{self._part!r} * ra.join_cells(cx, 0).output_range"

    @property
    def _part(self) -> float:
        return _SHARE if self.share is None else self.share


@reduce_app.command(cls=Grouped, name="reduce", short_help="Join cells to few pieces; say what changes, at most.")
@grouped
def _reduce(
    *,
    context: typer.Context,
    box: BoxSides = None,
    through: Through = None,
    margin: Margin = 0.2,
    share: Share = None,
    tolerance: Change = None,
    pieces: Pieces = None,
    units: PointUnits,
    budget: Budget,
    source: Source,
    common: Common,
) -> int:
    """Join the cells of a box or a plane to few pieces, each with one affine map, and say what changes at most.

    How much an output may change is a share of its range (--share, 5 % when nothing is said), an amount, or whatever a
    number of pieces takes. The bound on the change is certain, and so is how few pieces there must be. With --out: a
    report with the cells before and after, and pieces.json.

    Example: reluatlas reduce model.onnx --box -1,1 --share 0.02 --out result
    """
    asked = Asked(share, tolerance, pieces)
    domain = AskedDomain(box or [], through or [], margin, units=units, takes_space=False)
    with under(Deadline.after(budget.max_seconds)):
        return reduce(source, domain, asked, budget, common, typed=context.obj)


def reduce(source: Source, domain: AskedDomain, asked: Asked, budget: Budget, common: Common, *, typed: Any) -> int:
    """Join cells, print how few pieces are enough, and write the report."""
    out, quiet = common.folder, common.quiet
    net = source.load()
    chosen = domain.fit(net, quiet=quiet)
    console.announce_compiling(quiet=quiet)
    from reluatlas.complexes.enumerate import enumerate_cells

    start = time.monotonic()
    limits = {**budget.keywords, "max_seconds": None}
    with console.progress(quiet=quiet) as told, under(current().share(_FOR_CELLS)):
        cx = enumerate_cells(net, chosen.domain, **limits, progress=told)
    if not cx.is_complete:
        raise _too_many(cx.stopped_by, cx.n_cells)
    with console.progress(quiet=quiet) as told, under(current().share(_FOR_PIECES)):
        found = asked.join(cx, told)
    bound = _bound(found)
    numbers = {
        **facts.of_command("reduce", source.model, common.seed),
        "network": facts.of_network(net),
        "domain": facts.of_domain(chosen.domain),
        **joined_facts.of(found, bound),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.common import About
        from reluatlas.report.joined_page import write_joined

        console.notice("Drawing the report.", quiet=quiet)
        about = About(
            title=f"{Path(source.model).name} in {words.counted(found.n_pieces, 'piece')}", command=line(typed),
            code=f"import reluatlas as ra\n\nnet = {source.code}\ncx = ra.enumerate_cells(net, {chosen.code})\n"
            f"print(ra.join_cells(cx, {asked.code}))",
        )  # fmt: skip
        write_joined(found, bound, out, numbers, about)
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    if not numbers["is_complete"]:
        console.notice("stopped by --max-seconds: more cells could be joined in more time.", quiet=quiet)
    if common.json:
        from reluatlas.report.write import as_json

        console.result(as_json(numbers))
        return exit_code(numbers)
    console.result(console.one_line(f"{Path(source.model).name}: {words.network(net)}."))
    console.result()
    for sentence in joined_facts.sentences(found, bound):
        console.result(sentence)
    console.result()
    rows = [*joined_facts.rows(found, bound), ("time", words.seconds(numbers["seconds"]))]
    console.pairs([*rows, *([("written", str(out))] if out is not None else [])])
    return exit_code(numbers)


def _too_many(stopped_by: str, n_cells: int) -> BaseException:
    if stopped_by == "interrupt":
        return KeyboardInterrupt()
    kind = TimeLimitError if stopped_by == "max_seconds" else ArgumentError
    return kind(
        f"{words.STOPS[stopped_by]} after {words.counted(n_cells, 'cell')}; all of them are needed to bound "
        "what changes. Allow more, or pass a smaller domain."
    )


def _bound(found: JoinedCells) -> int | None:
    """Return how many pieces there must be; None where there was no time."""
    if found.stopped_by:
        return None
    try:
        with under(current().share(_FOR_BOUND)):
            return found.lower_bound().n_pieces
    except TimeLimitError:
        return None
