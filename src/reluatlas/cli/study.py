"""What do the paper's studies find here? `reluatlas study toy | mnist`: train, open, compare, report."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from reluatlas.cli.exit_codes import DONE, INCOMPLETE, INTERRUPTED
from reluatlas.errors import ArgumentError, DimensionError

if TYPE_CHECKING:
    from reluatlas.studies.toy.folder import FilmKind

FOLDER = "reluatlas-toy-{problem}"
MNIST_FOLDER = "reluatlas-mnist-{data}"
FILMS = ("html", "mp4", "gif", "none")
KEPT = "reluatlas: interrupted. What is done is kept; the same command goes on from there."


def toy(
    *,
    problem: str,
    net: str,
    seeds: int,
    film: str,
    as_json: bool,
    out: Path | None,
    seed: int,
    jobs: int | None,
    quiet: bool,
) -> int:
    """Run the toy study, write its report and print a summary; 3 when a network never reached the target."""
    from reluatlas.cli import console
    from reluatlas.datasets.toy import NAMES
    from reluatlas.studies.toy.study import run_toy_study

    for option, value, choices in (("--problem", problem, NAMES), ("--film", film, FILMS)):
        if value not in choices:
            raise ArgumentError(f"`{option} {value}` is not a choice. Pass one of {', '.join(choices)}.")
    shape = shape_of(net)
    folder = Path(FOLDER.format(problem=problem)) if out is None else out
    kind = cast("FilmKind", film)
    console.announce_compiling(quiet=quiet)
    with stages(quiet=quiet) as tell:
        study = run_toy_study(
            problem, net=shape, seeds=seeds, seed=seed, out=folder, film=kind, jobs=jobs, progress=tell
        )
    if as_json:
        console.result(json.dumps(study.to_json(), allow_nan=False))
    else:
        console.result(study.summary())
        console.result()
        console.result(f"Open {(folder / 'report.html').resolve()}")
    return DONE if study.reached else INCOMPLETE


@dataclass(frozen=True)
class Wanted:
    """What the MNIST study is asked for; see `run_mnist_study`."""

    data: str
    data_dir: Path | None
    networks: str
    seeds: int
    seed: int
    device: str | None
    cache: Path | None
    images: int | None
    epochs: int | None
    keep_maps: bool
    jobs: int | None


def mnist(wanted: Wanted, *, as_json: bool, out: Path | None, quiet: bool) -> int:
    """Run the MNIST study, write its report and print a summary; 130 when it was interrupted."""
    from reluatlas.cli import console
    from reluatlas.datasets.mnist import NAMES
    from reluatlas.studies.mnist.networks import RECIPES
    from reluatlas.studies.mnist.study import run_mnist_study

    if wanted.data not in NAMES:
        raise ArgumentError(f"`--data {wanted.data}` is not a choice. Pass one of {', '.join(NAMES)}.")
    names = [name.strip() for name in wanted.networks.split(",")]
    for name in names:
        if name not in RECIPES:
            raise ArgumentError(f"`--networks {wanted.networks}`: no network is called {name!r}. Pass some of "
                                f"{', '.join(RECIPES)}.")  # fmt: skip
    folder = Path(MNIST_FOLDER.format(data=wanted.data)) if out is None else out
    console.announce_compiling(quiet=quiet)
    try:
        with stages(quiet=quiet) as tell:
            study = run_mnist_study(
                wanted.data, folder, networks=names, seeds=wanted.seeds, seed=wanted.seed, data_dir=wanted.data_dir,
                device=wanted.device, cache=wanted.cache, images=wanted.images, epochs=wanted.epochs,
                keep_maps=wanted.keep_maps, jobs=wanted.jobs, progress=tell,
            )  # fmt: skip
    except KeyboardInterrupt:
        console.notice(KEPT, quiet=False)
        return INTERRUPTED
    if as_json:
        console.result(json.dumps(study.to_json(), allow_nan=False))
    else:
        console.result(study.summary())
        console.result()
        console.result(f"Open {study.report.resolve()}")
    return DONE


def shape_of(text: str) -> tuple[int, ...]:
    """Return a shape such as 2-8-8-8-2 as numbers."""
    from reluatlas.studies.toy.train import check_toy_sizes

    if not re.fullmatch(r"\d{1,6}(-\d{1,6})+", text):
        raise ArgumentError(f"`--net {text}` is no shape. Pass numbers of neurons joined by dashes, such as 2-8-8-8-2.")
    shape = tuple(int(part) for part in text.split("-"))
    try:
        return check_toy_sizes(shape)
    except (ArgumentError, DimensionError) as problem:
        for given in (f"`sizes={shape!r}`", f"`sizes={text}`"):
            message = str(problem).replace(given, f"`--net {text}`")
            if message != str(problem):
                raise ArgumentError(message) from None
        raise


@contextmanager
def stages(*, quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield what is told about progress: a bar on stderr when that is a terminal, else a line for each stage."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        from reluatlas.cli.console import notice

        seen: set[str] = set()

        def say(what: str, done: int, of: int) -> None:
            stage = what.split(", attempt")[0]
            if stage not in seen:
                seen.add(stage)
                notice(stage, quiet=False)

        yield say
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task: Any = shown.add_task("starting", total=1)

        def update(what: str, done: int, of: int) -> None:
            shown.update(task, description=what, completed=done, total=max(of, 1))

        yield update
