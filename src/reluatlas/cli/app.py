"""Which commands and options are there? Parsed here; each command's work is in its own file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reluatlas._version import __version__
from reluatlas.cli.check import check
from reluatlas.cli.groups import Budget, Common, grouped
from reluatlas.cli.help import Grouped
from reluatlas.cli.models import Source
from reluatlas.cli.nearest import nearest_app
from reluatlas.cli.networks import networks_app
from reluatlas.cli.options import (
    Against,
    AnyBox,
    Baseline,
    Beside,
    BoxSides,
    Certificate,
    Check,
    Checkpoint,
    Corners,
    CountOnly,
    Data,
    Device,
    Dtype,
    Figures,
    ImageShape,
    Jobs,
    Json,
    Margin,
    MaxSeconds,
    MeetingCells,
    Memory,
    NoBrowser,
    NoFigures,
    OfOutput,
    OneJob,
    OutFile,
    Outputs,
    PassedCells,
    Points,
    Port,
    ProofFile,
    Quiet,
    Ray,
    Resume,
    RunFile,
    SearchCells,
    SecondModel,
    Seed,
    Target,
    Through,
    Ties,
    TypedPoints,
    WholeSpace,
)
from reluatlas.cli.points import PointUnits
from reluatlas.cli.reduce import reduce_app
from reluatlas.cli.studies import study
from reluatlas.deadline import Deadline, under

_APP_HELP = """Opens a trained ReLU network as what it is: polytopes, with one affine map on each.

Results go to stdout, notices and progress to stderr. Exit codes: 0 done, 2 bad input, 3 stopped before complete,
130 interrupted.

Example: reluatlas demo
"""

app = typer.Typer(
    name="reluatlas",
    help=_APP_HELP,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(study, name="study")
app.command(cls=Grouped, name="check", short_help="Say whether a property of a model holds, for certain.")(
    grouped(check)
)
app.add_typer(nearest_app)
app.add_typer(networks_app)
app.add_typer(reduce_app)


_ORDER = (
    "demo", "inspect", "cells", "view", "at", "why", "nearest", "check", "trace", "explore", "affine", "compare",
    "simplify", "reduce", "verify", "status", "study",
)  # fmt: skip
"""Commands as help lists them: first what one network does, then two, then what is left of a run."""


def command() -> Any:
    """Return the whole command line, ready to be run."""
    group: Any = typer.main.get_command(app)
    group.commands = {name: group.commands[name] for name in sorted(group.commands, key=_ORDER.index)}
    return group


def _version(wanted: bool) -> None:
    if wanted:
        print(f"reluatlas {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _nothing_given(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(cls=Grouped, name="inspect", short_help="Say what a model is, and what import did to it.")
@grouped
def _inspect(
    *,
    box: BoxSides = None,
    through: Through = None,
    margin: Margin = 0.2,
    source: Source,
    jobs: OneJob = None,
    common: Common,
) -> int:
    """Say what a model is: its layers, its neurons, and what import rounded, folded or dropped.

    The network is checked against the model itself. With a box or a plane: which units can change there, by layer, by
    certain bounds. With --out, the same goes into network.json.

    Example: reluatlas inspect model.onnx --box 0,1
    """
    from reluatlas.cli.domains import Asked
    from reluatlas.cli.inspect import inspect

    return inspect(source, Asked(box or [], through or [], margin) if box or through else None, common)


@app.command(cls=Grouped, name="cells", short_help="Find the cells of a box, a plane or all inputs; draw, save.")
@grouped
def _cells(
    *,
    context: typer.Context,
    box: BoxSides = None,
    through: Through = None,
    margin: Margin = 0.2,
    space: WholeSpace = False,
    count_only: CountOnly = False,
    figures: Figures = None,
    no_figures: NoFigures = False,
    resume: Resume = None,
    certificate: Certificate = None,
    ray: Ray = None,
    units: PointUnits,
    budget: Budget,
    source: Source,
    common: Common,
) -> int:
    """Find the cells that a network cuts a part of its inputs into, exactly; count, draw and save them.

    A plane, or a box of one to six inputs, or all of them; beyond six, a limit (--max-cells, --max-seconds) must be
    given. With --out: report.html (all figures and numbers on one page), of a plane atlas.html (all cells, to zoom,
    point at and ask), cells.npz (opens with reluatlas.load_complex), cells.json, and the figures as PNG and SVG: six
    of a plane, the decision boundary of a box of three inputs.

    Example: reluatlas cells model.onnx --through a.npy b.npy c.npy --out result
    """
    from reluatlas.cli.cells import cells
    from reluatlas.cli.domains import Asked
    from reluatlas.cli.figures import Drawn

    asked, drawn = Asked(box or [], through or [], margin, space, units), Drawn(figures, is_none=no_figures)
    with under(Deadline.after(budget.max_seconds)):
        return cells(
            source, asked, budget, common, count_only=count_only, drawn=drawn, checkpoint=resume,
            certificate=certificate, ray=ray, typed=context.obj,
        )  # fmt: skip


@app.command(cls=Grouped, name="view", short_help="Look at a plane live: cells are computed as you zoom.")
@grouped
def _view(
    *,
    box: BoxSides = None,
    through: Through = None,
    margin: Margin = 0.2,
    data: Points = None,
    beside: Beside = None,
    image_shape: ImageShape = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    jobs: Jobs = None,
    units: PointUnits,
    source: Source,
    quiet: Quiet = False,
) -> int:
    """Open the live atlas of a plane in the browser: what is in the window is computed, exactly, at each zoom.

    The plane through three inputs can be led through others of them and those of --data, walk from one to another, and
    turn about one. With --beside a second network stands beside the first, and their difference. MODEL can also be a
    saved trajectory (.npz): then a slider goes through its training, on its own plane.
    A server on 127.0.0.1 for this machine alone, until Ctrl-C; needs the extra `view`. Its address, printed first,
    holds a secret: whoever has it can look, too.

    Example: reluatlas view model.onnx --through a.npy b.npy c.npy
    """
    from reluatlas.cli.domains import Asked
    from reluatlas.cli.view import Looks, is_trajectory, view

    has_plane = bool(box or through) or not is_trajectory(source.model)
    asked = Asked(box or [], through or [], margin, units=units, takes_space=False) if has_plane else None
    looks = Looks(data or [], image_shape, beside, jobs)
    return view(source, asked, looks, port=port, no_browser=no_browser, quiet=quiet)


@app.command(cls=Grouped, name="verify", short_help="Check a certificate against the model, or both models.")
@grouped
def _verify(*, file: ProofFile, source: Source, other: SecondModel = None, jobs: OneJob = None, common: Common) -> int:
    """Check what --certificate wrote, from the weights alone, sharing no code with the search.

    With MODEL: that the number of cells is right. With MODEL and OTHER, as compared: that both are equal there.
    Exit code 0: it is proved. 2: it is not, and what does not hold is said.

    Example: reluatlas verify run.cert model.onnx
    """
    from reluatlas.cli.verify import verify

    return verify(file, source, other, common)


@app.command(cls=Grouped, name="status", short_help="Say how far a run is that keeps a file to go on from.")
@grouped
def _status(*, file: RunFile, json: Json = False) -> int:
    """Say how far the run is that `reluatlas cells --resume FILE` keeps in FILE, also while it goes on.

    Cells, the share of the volume, an estimate of the end with its error, and who did how much.

    Example: reluatlas status run.sqlite
    """
    from reluatlas.cli.status import status

    return status(file, as_json=json)


@app.command(cls=Grouped, name="trace", short_help="Find the breakpoints on a straight path between inputs.")
@grouped
def _trace(
    *,
    context: typer.Context,
    through: Corners = None,
    units: PointUnits,
    budget: Budget,
    source: Source,
    common: Common,
) -> int:
    """Find where a network bends on the straight path from one input to the next, exactly, in any network.

    Counts the cells on the way and says where the class changes. With --out: report.html, path.json (all breakpoints),
    pieces.csv (one row for each piece, with its affine map along the path), and figures.

    Example: reluatlas trace model.onnx --through a.npy b.npy --out result
    """
    from reluatlas.cli.trace import trace

    with under(Deadline.after(budget.max_seconds)):
        return trace(source, through or [], units, budget, common, typed=context.obj)


@app.command(cls=Grouped, name="at", short_help="Say which cell holds a point, and how far the next one is.")
@grouped
def _at(
    *,
    context: typer.Context,
    data: Points = None,
    at: TypedPoints = None,
    box: AnyBox = None,
    check: Check = False,
    max_cells: MeetingCells = 64,
    max_seconds: MaxSeconds = None,
    jobs: OneJob = None,
    units: PointUnits,
    source: Source,
    common: Common,
) -> int:
    """Say which cell holds each point, in any dimension: its affine map, its facets, how far they are, what turns.

    Every facet is proved. With --out: report.html, points.json, points.npz (patterns, maps, distances), and
    certificates.npz, which anyone can check again without the search.

    Example: reluatlas at model.onnx --data X.npy:0,5 --out result
    """
    from reluatlas.cli.at import at as at_
    from reluatlas.cli.at_search import Asked

    asked = Asked(data or [], at or [], box or [], max_cells, check, units)
    with under(Deadline.after(max_seconds)):
        return at_(source, asked, common, typed=context.obj)


@app.command(cls=Grouped, name="why", short_help="Say why a model decides as it does, and how far that holds.")
@grouped
def _why(
    *,
    context: typer.Context,
    data: Points = None,
    at: TypedPoints = None,
    against: Against = None,
    of: OfOutput = None,
    baseline: Baseline = None,
    image_shape: ImageShape = None,
    max_cells: PassedCells = 100,
    max_seconds: MaxSeconds = None,
    units: PointUnits,
    source: Source,
    common: Common,
) -> int:
    """Say why a model decides as it does at one input: what each input contributes to the lead of its class.

    The sum is exact, and holds in a whole neighborhood, whose radius is told. With --out: report.html with pictures,
    why.json, why.npz (contributions and weights).

    Example: reluatlas why model.onnx --data X.npy:0 --max-seconds 30 --out result
    """
    from reluatlas.cli.why import Asked, why

    asked = Asked(data or [], at or [], against, of, baseline, image_shape, max_cells, units)
    with under(Deadline.after(max_seconds)):
        return why(source, asked, common, typed=context.obj)


@app.command(cls=Grouped, name="explore", short_help="Find the cells around data points, or between two.")
@grouped
def _explore(
    *,
    context: typer.Context,
    data: Points = None,
    at: TypedPoints = None,
    max_cells: SearchCells,
    target: Target = None,
    box: AnyBox = None,
    checkpoint: Checkpoint = None,
    max_seconds: MaxSeconds = None,
    jobs: OneJob = None,
    units: PointUnits,
    source: Source,
    common: Common,
) -> int:
    """Find the cells around data points, from neighbor to neighbor, or those on the line to another point.

    In any dimension, exactly. With --out: report.html (the local dual graph, and what lies between the points),
    exploration.json, exploration.npz.

    Example: reluatlas explore model.onnx --data X.npy --max-cells 1000 --out result
    """
    from reluatlas.cli.explore import Asked, explore

    asked = Asked(data or [], at or [], box or [], target, max_cells, checkpoint, units)
    with under(Deadline.after(max_seconds)):
        return explore(source, asked, common, typed=context.obj)


@app.command(cls=Grouped, name="affine", short_help="Write the affine map at each point of a file.")
@grouped
def _affine(
    *,
    data: Data,
    out: OutFile,
    outputs: Outputs = None,
    dtype: Dtype = "float64",
    ties: Ties = "perturb",
    memory: Memory = None,
    device: Device = None,
    units: PointUnits,
    source: Source,
    json: Json = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> int:
    """Write the affine map x -> A x + b that the network is at each point of a file.

    Pieces are chosen exactly; A and b are rounded to the type asked for. The file appears when it is whole.

    Example: reluatlas affine model.onnx --data X.npy --outputs 0,3 --dtype float32 --out maps.npy
    """
    from reluatlas.cli.affine import Wanted, affine

    wanted = Wanted(data, out, outputs, dtype, ties, memory, jobs, device, units)
    return affine(source, wanted, as_json=json, seed=seed, quiet=quiet)


@app.command(cls=Grouped, name="demo", short_help="Open the network that comes with reluatlas.")
@grouped
def _demo(*, context: typer.Context, jobs: Jobs = None, common: Common) -> int:
    """Open the digits network that comes with reluatlas, on the plane through a 3, a 5 and an 8.

    Writes the same files as `reluatlas cells --out`, into ./reluatlas-demo when no folder is given.

    Example: reluatlas demo --out digits
    """
    from reluatlas.cli.demo import demo

    return demo(common, jobs=jobs, typed=context.obj)
