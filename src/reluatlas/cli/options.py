"""Which options are there, and which numbers do they take? Each is defined once, for all commands."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Annotated

import typer

LONGEST_S = 1e8


def whole(least: int) -> Callable[[str], int]:
    """Return what reads whole numbers of at least `least`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least:
            raise typer.BadParameter(f"expected a whole number of at least {least}, got {str(text)!r}.")
        return value

    return read


def real(least: float, most: float, *, what: str, allows_least: bool) -> Callable[[str], float]:
    """Return what reads numbers between two bounds; the lower one may be left out."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = inf
        if not (least <= value <= most) or (value == least and not allows_least):  # NaN fails, too
            raise typer.BadParameter(f"expected {what}, got {str(text)!r}.")
        return value

    return read


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="Model file: .onnx or .onnx.gz; .pt, .pth or .safetensors with --model-module.",
    ),
]
ModelModule = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE:NAME", show_default=False,
        help="Architecture of a .pt, .pth or .safetensors file: FILE.py:NAME or package.module:NAME, where NAME is a "
        "torch module or a function that returns one. That Python is run, so name only code that you trust.",
    ),
]  # fmt: skip
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N,N,...", show_default=False,
        help="Shape of one input, without a batch axis; needed where the model leaves it open. Of a model with several "
        "inputs once for each, by its name: --input-shape x=2 --input-shape y=1,28,28.",
    ),
]  # fmt: skip
Output = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", show_default=False, help="Which output, by its name or position, of a model with several."
    ),
]
Classes = Annotated[
    str,
    typer.Option(
        metavar="KIND",
        help="What decides on a class: max (the largest output), min (the smallest, as of ACAS Xu), or none (the "
        "outputs are no classes).",
    ),
]
ClassNames = Annotated[
    str | None,
    typer.Option(metavar="NAME,NAME", show_default=False, help="A name for each class, for tables and figures."),
]
BoxSides = Annotated[
    list[str] | None,
    typer.Option(
        "--box", metavar="LO,HI", show_default=False,
        help="Domain: the box of the inputs from LO to HI, once for all of them (-1,1) or once for each (-1,1,0,2, or "
        "--box twice). Of a model with several inputs also by name: --box x=-1,1 --box y=0,2.",
    ),
]  # fmt: skip
WholeSpace = Annotated[bool, typer.Option("--space", help="Domain: all inputs; unbounded cells are found, too.")]
Through = Annotated[
    list[str] | None,
    typer.Option(
        "--through", metavar="A.npy B.npy C.npy", show_default=False,
        help="Domain: the plane through three inputs, each in a .npy, .csv or .png file; or the three rows of one "
        "file; or chosen rows of one file (digits.npy:0,5,9).",
    ),
]  # fmt: skip
Corners = Annotated[
    list[str] | None,
    typer.Option(
        "--through", metavar="A.npy B.npy ...", show_default=False,
        help="The path: from one input straight to the next, each in a .npy, .csv or .png file; or the rows of one "
        "file; or chosen rows of one file (digits.npy:0,5).",
    ),
]  # fmt: skip
Margin = Annotated[
    float,
    typer.Option(
        metavar="SHARE", parser=real(0.0, 1e6, what="a number of at least 0, such as 0.2", allows_least=True),
        help="With --through: how far to look beyond the points, as a share of their bounding box.",
    ),
]  # fmt: skip
Figures = Annotated[
    str | None,
    typer.Option(
        "--figures", metavar="NAME,NAME", show_default=False,
        help="With --out: which figures to draw, of map, class, layer, dual, layers, surface (of a plane), boundary "
        "(of a box of three inputs), or all. When left out: all of up to 5,000 cells; of more, as many as take no "
        "longer than finding the cells did.",
    ),
]  # fmt: skip
NoFigures = Annotated[bool, typer.Option("--no-figures", help="With --out: draw none.")]
CountOnly = Annotated[bool, typer.Option("--count-only", help="Only count the cells: less time, less memory.")]
Port = Annotated[
    int,
    typer.Option(
        "--port", metavar="N", parser=whole(0), show_default=False,
        help="Of the server; any that is free when left out.",
    ),
]  # fmt: skip
ImageShape = Annotated[
    str | None,
    typer.Option(
        metavar="H,W", show_default=False,
        help="The shape of inputs that are pictures, where the network takes flat ones: 28,28.",
    ),
]  # fmt: skip
Beside = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", show_default=False,
        help="A second network of the same inputs and outputs, opened in the same way, beside the first one.",
    ),
]  # fmt: skip
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]
MaxCells = Annotated[
    int | None,
    typer.Option(
        metavar="N", parser=whole(1), show_default=False,
        help="Stop after this many cells, with exit code 3. No limit when left out.",
    ),
]  # fmt: skip
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S", parser=real(0.0, LONGEST_S, what="a number of seconds above 0", allows_least=False),
        show_default=False, help="Stop after this many seconds, with exit code 3. No limit when left out.",
    ),
]  # fmt: skip
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume", metavar="FILE", show_default=False,
        help="Keep how far the run is in this file, and go on from it if it exists: after a limit, Ctrl-C or a kill. "
        "The answer is that of a run without stops.",
    ),
]  # fmt: skip
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="WHERE", show_default=False,
        help="Work on a Ray cluster: auto (the one that this machine is a node of), HOST:PORT of its head, or local.",
    ),
]  # fmt: skip
RunFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", show_default=False, help="What `reluatlas cells --resume FILE` keeps."),
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--certificate", metavar="FILE", show_default=False,
        help="Write what proves the number of cells to anyone, when all are found: `reluatlas verify FILE MODEL` "
        "checks it by code that shares nothing with the search.",
    ),
]  # fmt: skip
ProofFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", show_default=False, help="What `--certificate FILE` of `reluatlas cells` or `compare` wrote."
    ),
]  # fmt: skip
SecondModel = Annotated[
    str | None,
    typer.Argument(metavar="[OTHER]", show_default=False, help="Of `compare`: the model that MODEL was compared with."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FOLDER", show_default=False,
        help="Write the result into this folder: a new one, an empty one, or an earlier result, which is replaced.",
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    typer.Option(
        metavar="N", parser=whole(0), hidden=True,
        help="Every command takes it; nothing here is random, so the answer stays the same.",
    ),
]  # fmt: skip
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", metavar="N", parser=whole(1), show_default=False,
        help="Number of threads; all cores when left out. The answer is the same for any number.",
    ),
]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing on stderr but errors.")]
Data = Annotated[
    str,
    typer.Option(
        metavar="X.npy", show_default=False,
        help="Points in a .npy, .npz or .csv file: flat rows, or stacked in the shape of the network's input.",
    ),
]  # fmt: skip
OutFile = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="FILE", show_default=False,
        help="Write the maps here: .npy (one array: of each output, the row of A and then b), .parquet (a table; needs "
        "pyarrow), neither of them ever whole in memory, or .npz (A, b and is_on_face).",
    ),
]  # fmt: skip
Outputs = Annotated[
    str | None, typer.Option(metavar="N,N,...", show_default=False, help="Which outputs, from 0 on; all when left out.")
]
Dtype = Annotated[str, typer.Option(metavar="TYPE", help="Type of the numbers written: float64 or float32.")]
Ties = Annotated[
    str,
    typer.Option(
        metavar="CHOICE",
        help="At a point on a face: perturb (the map of a cell that holds it) or torch (the derivative that automatic "
        "differentiation takes in torch).",
    ),
]  # fmt: skip
Memory = Annotated[
    int | None,
    typer.Option(
        metavar="MB", parser=whole(1), show_default=False,
        help="Megabytes for points in work, on all threads together; 268 when left out.",
    ),
]  # fmt: skip
Device = Annotated[
    str | None,
    typer.Option(metavar="NAME", show_default=False, help="Compute with torch on this device, such as cuda."),
]
Points = Annotated[
    list[str] | None,
    typer.Option(
        "--data", metavar="X.npy", show_default=False,
        help="Points: a .npy, .npz or .csv file with a point in each row, or an image in a .png file; several files; "
        "or chosen rows of one (digits.npy:0,5).",
    ),
]  # fmt: skip
TypedPoints = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="N,N,...",
        show_default=False,
        help='A point: one number for each input; of a model with several inputs also by name: "x=0.1,0.2 y=3". May be '
        "repeated.",
    ),
]
AnyBox = Annotated[
    list[str] | None,
    typer.Option(
        "--box", metavar="LO,HI", show_default=False,
        help="Domain: the box of the inputs from LO to HI, once for all of them (-1,1) or once for each; the whole "
        "input space when left out.",
    ),
]  # fmt: skip
MeetingCells = Annotated[
    int,
    typer.Option(
        "--max-cells", metavar="N", parser=whole(1),
        help="At a point on a face: tell so many of the cells that meet there; exit code 3 when there are more.",
    ),
]  # fmt: skip
Check = Annotated[
    bool,
    typer.Option("--check", help="Check every certificate again from the weights, by code apart from the search."),
]
OneJob = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", metavar="N", parser=whole(1), show_default=False, hidden=True,
        help="Every command takes it; this one works in one thread.",
    ),
]  # fmt: skip
SearchCells = Annotated[
    int,
    typer.Option(
        "--max-cells", metavar="N", parser=whole(1), show_default=False,
        help="Stop after this many cells, with exit code 3.",
    ),
]  # fmt: skip
Against = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS", show_default=False, help="The class to compare with, by number or name; else the runner-up."
    ),
]
OfOutput = Annotated[
    int | None,
    typer.Option(
        "--of", metavar="N", parser=whole(0), show_default=False,
        help="Explain output N in place of the lead over a class; needed where outputs are no classes.",
    ),
]  # fmt: skip
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="FILE:ROW", show_default=False,
        help="Also add up contributions on the straight way from this input (integrated gradients, exact); zeros: from "
        "the input that is all 0.",
    ),
]  # fmt: skip
PassedCells = Annotated[
    int,
    typer.Option(
        "--max-cells", metavar="N", parser=whole(1),
        help="Look behind at most so many facets that do not end the explanation.",
    ),
]  # fmt: skip
Target = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="T.npy", show_default=False,
        help="Do not look around, but go along the straight line to this point: a file, a row of one (digits.npy:5), "
        "or numbers with commas.",
    ),
]  # fmt: skip
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--resume", metavar="FILE", show_default=False,
        help="Keep in this file what is found, cell by cell. When it exists, go on from there: the result is that of a "
        "search that never stopped.",
    ),
]  # fmt: skip
Layout = Annotated[
    str | None,
    typer.Option(
        metavar="NCHW|NHWC", show_default=False,
        help="Where images in files have their channels: first (nchw) or last (nhwc). They are turned to the network's "
        "order.",
    ),
]  # fmt: skip
Scale = Annotated[
    float | None,
    typer.Option(
        metavar="N", parser=real(0.0, 1e300, what="a number above 0, such as 255", allows_least=False),
        show_default=False, help="Divide the numbers of files by this: 255 for pixels.",
    ),
]  # fmt: skip
Mean = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", show_default=False,
        help="Subtract this from the numbers of files, after --scale: one number, or one for each channel.",
    ),
]  # fmt: skip
Std = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...", show_default=False,
        help="Divide the numbers of files by this, after --mean: one number, or one for each channel.",
    ),
]  # fmt: skip
