"""How is learning shown? A film of a trajectory: a page with a slider, an MP4 or a GIF."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.errors import ArgumentError, MissingDependencyError
from reluatlas.figures.film.frames import Film, make_film
from reluatlas.progress import Counted
from reluatlas.storage.atomic import whole_file, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = (".html", ".mp4", ".gif")


def film(
    trajectory: Trajectory,
    path: str | os.PathLike[str],
    *,
    times: ArrayLike | None = None,
    fps: float = 20.0,
    jobs: int | None = None,
    title: str = "",
    progress: Counted | None = None,
) -> Path:
    """Return the path of a film of a trajectory: a page, an MP4 or a GIF, by the ending of `path`.

    The panels: the decision over the data, the decision function as a surface, the dual points
    with the exact counts, the accuracy and the number of linear regions, the zeros of each hidden
    layer, and the decision boundary. Axes and colors are the same in all frames, and a neuron
    keeps its color.

    Parameters
    ----------
    trajectory : Trajectory
    path : path
        Ends in `.html` (self-contained, with a slider and a play button), `.mp4` (needs the program
        ffmpeg) or `.gif`.
    times : array_like of int, optional
        Positions in the trajectory, one per frame; about 200 spread evenly when left out.
    fps : float
        Frames per second.
    jobs : int, optional
        Worker threads and processes; all cores when left out.
    title : str
        Heading of the page.
    progress : callable(n_done, n_all), optional

    Raises
    ------
    ArgumentError
        When the ending is another, or the times or frames per second make no sense.
    MissingDependencyError
        When an MP4 is asked for and ffmpeg is missing.

    Guarantees
    ----------
    Polygons, edges and counts are those of the exact complexes (coordinates on the page are rounded
    to 1/65535 of the domain). Where a surface is higher than in 98 of 100 frames it is cut off
    level; dual points outside the window are drawn on its rim and counted.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in _KINDS:
        raise ArgumentError(f"`path={target.name!r}` names no kind of film. Let it end in .html, .mp4 or .gif.")
    if isinstance(fps, bool) or not isinstance(fps, int | float | np.number) or not 0 < fps <= 100:
        raise ArgumentError(f"`fps={fps!r}` must be a number above 0, up to 100.")
    if kind == ".mp4":
        require_ffmpeg()
    if kind == ".html":
        from reluatlas.figures.film.page import page_of

        frames = make_film(trajectory, times, jobs=jobs, progress=progress)
        write_whole(target, page_of(frames, title=title, fps=float(fps)).encode())
        return target
    from reluatlas.figures.film.video import draw_pictures, write_gif, write_mp4

    with tempfile.TemporaryDirectory(prefix="reluatlas-film-") as folder:
        frames = make_film(trajectory, times, jobs=jobs)
        pictures = draw_pictures(frames, Path(folder), jobs=jobs, progress=progress)
        with whole_file(target) as temporary:
            (write_mp4 if kind == ".mp4" else write_gif)(pictures, temporary, float(fps))
    return target


def require_ffmpeg() -> None:
    """Refuse to go on without the program that makes an MP4."""
    if shutil.which("ffmpeg") is None:
        raise MissingDependencyError(
            "an MP4 needs the program `ffmpeg`, which was not found. Install it, or ask for a film in .html or .gif."
        )


def still(trajectory: Trajectory, t: int = -1, *, frames: Film | None = None) -> Figure:
    """Return the panels of a film at one time, as a matplotlib figure.

    Parameters
    ----------
    trajectory : Trajectory
    t : int
        Position in the trajectory.
    frames : Film, optional
        Frames that are there already, among them the one at `t`; without them, the curve is made
        of about 50 times.
    """
    from reluatlas.figures.film.draw import FilmFigure

    where = trajectory.position(t)
    if frames is None:
        spread = np.round(np.linspace(0, len(trajectory) - 1, min(50, len(trajectory)))).astype(np.int64)
        frames = make_film(trajectory, np.union1d(spread, [where]))
    at = np.flatnonzero(frames.times == where)
    if not at.size:
        raise ArgumentError(f"`frames` has no frame at time {where}.")
    drawn = FilmFigure(frames)
    drawn.show(int(at[0]))
    return drawn.figure
