"""How is a network looked at live? `reluatlas view`: a local server, and the browser on it."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.cli import console
from reluatlas.cli.domains import Asked
from reluatlas.cli.exit_codes import DONE
from reluatlas.cli.models import Source
from reluatlas.cli.points import picture_sides, read_files
from reluatlas.errors import ArgumentError
from reluatlas.report import words

if TYPE_CHECKING:
    from reluatlas.live.windows import Windows


@dataclass(frozen=True)
class Looks:
    """What is shown beside a model on a plane."""

    data: Sequence[str] = ()
    image: str | None = None
    beside: str | None = None
    jobs: int | None = None


def is_trajectory(model: str) -> bool:
    """Return whether a model's name is that of a saved trajectory."""
    return Path(model).suffix.lower() == ".npz"


def view(source: Source, asked: Asked | None, looks: Looks, *, port: int, no_browser: bool, quiet: bool) -> int:
    """Serve the live atlas of a model on a plane until Ctrl-C; of a saved trajectory without a plane."""
    from reluatlas.live.guard import Guard
    from reluatlas.live.server import listen, require_installed, serve

    require_installed()
    with listen(port) as listening:
        windows = _of_trajectory(source, looks) if asked is None else _of_model(source, asked, looks, quiet=quiet)
        guard = Guard(listening.getsockname()[1])
        console.notice(f"{words.network(windows.network)}. Ctrl-C ends it.", quiet=quiet)
        console.result(guard.address)
        console.flush()
        if not no_browser:
            import webbrowser

            webbrowser.open(guard.address)
        with suppress(KeyboardInterrupt):  # the way to end it
            serve(windows, listening, guard)
        gc.freeze()  # to end at once: taking compiled kernels apart takes most of a second, and serves nothing
    return DONE


def _of_model(source: Source, asked: Asked, looks: Looks, *, quiet: bool) -> Windows:
    from reluatlas.atlas.marks import Mark
    from reluatlas.live.windows import open_windows

    if is_trajectory(source.model):
        raise ArgumentError(
            f"`{source.model}` is a trajectory, which has a plane of its own. Leave `--box` and `--through` out."
        )
    shape = picture_sides(looks.image)
    net = source.load()
    second = None if looks.beside is None else replace(source, model=looks.beside).load()
    chosen = asked.fit(net, quiet=quiet)
    points = [*chosen.points]
    if looks.data:
        points += read_files(looks.data, net.input_shape, "--data", units=asked.units, quiet=quiet)
    files = [Path(name).name for name in (source.model, looks.beside) if name is not None]
    return open_windows(
        net,
        chosen.domain,
        [Mark(p.label, u) for p, u in zip(chosen.points, chosen.coordinates, strict=True)],
        title=f"The cells of {' and '.join(files)}",
        inputs=np.stack([p.x.reshape(-1) for p in points]) if chosen.points else None,
        labels=[p.label for p in points],
        margin=asked.margin,
        image=shape,
        jobs=looks.jobs,
        beside=second,
        names=files,
    )


def _of_trajectory(source: Source, looks: Looks) -> Windows:
    from reluatlas.analysis.trajectories.trajectory import Trajectory
    from reluatlas.live.windows import open_windows

    for option, given in (("--beside", looks.beside), ("--data", looks.data)):
        if given:
            raise ArgumentError(f"`{option}` does not go with a trajectory, `{source.model}`. Leave it out.")
    shape = picture_sides(looks.image)
    found = Trajectory.load(source.model)
    return open_windows(
        found.network(0), found.domain, title=f"The training in {Path(source.model).name}", image=shape,
        jobs=looks.jobs, trajectory=found,
    )  # fmt: skip
