"""Which options do only the studies take? Those of all commands are in `options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reluatlas.cli.options import whole

Problem = Annotated[
    str,
    typer.Option(metavar="NAME", help="Toy problem: circle, circles, xor, xor-noisy, moons or spiral."),
]
Net = Annotated[str, typer.Option(metavar="N-N-...-N", help="Shape of the larger network, from 2 inputs to 2 outputs.")]
Seeds = Annotated[int, typer.Option(metavar="N", parser=whole(1), help="Number of networks of each shape.")]
Film = Annotated[
    str,
    typer.Option(metavar="KIND", help="Kind of film: html (a page with a slider), mp4 (needs ffmpeg), gif or none."),
]
FirstSeed = Annotated[
    int, typer.Option("--seed", metavar="N", parser=whole(0), help="First seed; the others follow it.")
]
ImageData = Annotated[
    str,
    typer.Option(
        "--data", metavar="NAME",
        help="Images: digits (come with scikit-learn; under a minute), mnist or fashion-mnist.",
    ),
]  # fmt: skip
DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", show_default=False,
        help="Folder with the four idx files; when left out, that of RELUATLAS_DATA, or a download.",
    ),
]  # fmt: skip
Networks = Annotated[
    str,
    typer.Option(
        metavar="NAME,NAME,...",
        help="Of dense, conv1, conv2, small-inception, small-resnet, and the full-size inception and resnet, which "
        "want --device cuda.",
    ),
]  # fmt: skip
SeedsOfEach = Annotated[
    int, typer.Option("--seeds", metavar="N", parser=whole(1), help="Number of networks of each name.")
]
TrainOn = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", show_default=False,
        help="Train, and compute maps, with torch on this device, such as cuda; the CPU when left out.",
    ),
]  # fmt: skip
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", show_default=False,
        help="Keep trained networks here; when left out, in RELUATLAS_CACHE or the user's cache.",
    ),
]  # fmt: skip
FewImages = Annotated[
    int | None,
    typer.Option(
        "--images", metavar="N", parser=whole(10), show_default=False,
        help="A trial: only the first N / 10 training images of each class, and N / 60 test images.",
    ),
]  # fmt: skip
Epochs = Annotated[
    int | None,
    typer.Option(
        metavar="N", parser=whole(1), show_default=False, help="A trial: train for N epochs in place of the recipe's."
    ),
]
KeepMaps = Annotated[
    bool, typer.Option("--keep-maps", help="Keep the files with the affine maps of all images, which are large.")
]
