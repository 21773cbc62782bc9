"""What do the paper's studies find here? `reluatlas study toy`: train, open every batch, compare, report."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reluatlas.errors import ArgumentError

if TYPE_CHECKING:
    from reluatlas.studies.toy_folder import FilmKind

FOLDER = "reluatlas-toy-{problem}"
DONE, INCOMPLETE = 0, 3


def toy(
    *,
    problem: str,
    net: str,
    seeds: int,
    film: FilmKind,
    as_json: bool,
    out: Path | None,
    seed: int,
    jobs: int | None,
    quiet: bool,
) -> int:
    """Run the toy study, write its report and print a summary; 3 when a network never reached the target."""
    from reluatlas.cli import console
    from reluatlas.studies.toy import run_toy_study

    folder = Path(FOLDER.format(problem=problem)) if out is None else out
    shape = shape_of(net)
    console.announce_compiling(quiet=quiet)
    with stages(quiet=quiet) as tell:
        study = run_toy_study(
            problem, net=shape, seeds=seeds, seed=seed, out=folder, film=film, jobs=jobs, progress=tell
        )
    if as_json:
        console.result(json.dumps(study.to_json(), allow_nan=False))
    else:
        console.result(study.summary())
        console.result()
        console.result(f"Open {(folder / 'report.html').resolve()}")
    return DONE if study.reached else INCOMPLETE


def shape_of(text: str) -> tuple[int, ...]:
    """Return a shape such as 2-8-8-8-2 as numbers."""
    if not re.fullmatch(r"\d{1,6}(-\d{1,6})+", text):
        raise ArgumentError(f"`--net {text}` is no shape. Pass numbers of neurons joined by dashes, such as 2-8-8-8-2.")
    return tuple(int(part) for part in text.split("-"))


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
