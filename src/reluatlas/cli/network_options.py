"""Which options have only commands that compare networks, or make smaller ones? Each is defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reluatlas.cli.options import LONGEST_S, real

OtherModel = Annotated[
    str, typer.Argument(metavar="OTHER", show_default=False, help="The model to compare with, opened in the same way.")
]
Reshape = Annotated[
    bool, typer.Option("--reshape", help="Let OTHER read MODEL's inputs: as many numbers, in the same order.")
]
NormName = Annotated[
    str,
    typer.Option("--norm", metavar="NORM", help="How the outputs' differences count together: inf (largest), 1, 2."),
]
CompareMethod = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="METHOD",
        help="How, on a box or plane: cells (everything, exactly) or boxes (only how far apart at most and at least, "
        "on boxes of any size). Left out: cells, and boxes when these are too many.",
    ),
]
Eps = Annotated[
    float | None,
    typer.Option(
        "--eps", metavar="E", help="Whether outputs nowhere differ by more than E: stop when that is certain."
    ),
]
EqualCertificate = Annotated[
    Path | None,
    typer.Option(
        "--certificate", metavar="FILE", show_default=False,
        help="Write what proves to anyone that both models are equal there, when they are: `reluatlas verify FILE "
        "MODEL OTHER` checks it by code that shares nothing with the search.",
    ),
]  # fmt: skip
ExactMeans = Annotated[
    bool,
    typer.Option("--exact", help="Put means and shares into the JSON in fractions, too, as text in base 16."),
]
Replayed = Annotated[
    bool,
    typer.Option(
        "--replay", help="Run both models in float32 where the difference is largest, by onnxruntime and torch where "
        "installed, and say whether they show it.",
    ),
]  # fmt: skip
Tolerance = Annotated[
    float,
    typer.Option(
        metavar="T", parser=real(0.0, 1e300, what="a number of at least 0, such as 0.01", allows_least=True),
        help="By how much an output may change on the domain, in output units; 0: not at all.",
    ),
]  # fmt: skip
Objective = Annotated[
    str,
    typer.Option(metavar="WHAT", help="What is to be few: units (then multiplications), or stored numbers (numbers)."),
]
NetworkFile = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", show_default=False, help="Write the smaller network here, as an .onnx file."
    ),
]  # fmt: skip
WrittenType = Annotated[
    str, typer.Option("--dtype", metavar="TYPE", help="With --out: numbers of the file, float64 or float32.")
]
SettleSeconds = Annotated[
    float,
    typer.Option(
        "--max-seconds", metavar="S",
        parser=real(0.0, LONGEST_S, what="a number of seconds above 0", allows_least=False),
        help="After so long no linear program is tried any more; exit code 3 when some were left.",
    ),
]  # fmt: skip
