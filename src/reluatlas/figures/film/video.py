"""How do frames become an MP4 or a GIF? Drawn by several processes, then put together by ffmpeg or Pillow.

matplotlib draws on one core, so a long film is shared out: each process opens the trajectory, makes the same
frames, and draws its part of them. `python -m reluatlas.figures.film.video FOLDER FIRST END` is such a process.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.errors import ReluAtlasError
from reluatlas.figures.film.frames import Film, make_film
from reluatlas.progress import Counted
from reluatlas.storage.atomic import write_whole

_POLL = 0.2
_WORTH_A_PROCESS = 12
_TRAJECTORY, _TIMES = "trajectory.npz", "times.npy"


def draw_pictures(film: Film, folder: Path, *, jobs: int | None = None, progress: Counted | None = None) -> list[Path]:
    """Return the paths of all frames, drawn as PNG files into a folder."""
    from reluatlas.network.batches import available_cores

    n = len(film.frames)
    n_parts = max(1, min(int(jobs) if jobs else available_cores(), n // _WORTH_A_PROCESS))
    bounds = np.round(np.linspace(0, n, n_parts + 1)).astype(int).tolist()

    def tell() -> None:
        if progress is not None:
            progress(len(list(folder.glob("[0-9]*.png"))), n)

    if n_parts > 1:
        film.trajectory.save(folder / _TRAJECTORY)
        np.save(folder / _TIMES, film.times)
    others = [_Worker(folder, a, b) for a, b in pairwise(bounds[1:])]
    try:
        draw_part(film, folder, range(bounds[0], bounds[1]), tell)
        while any(worker.is_running for worker in others):
            time.sleep(_POLL)
            tell()
        for worker in others:
            worker.check()
    finally:
        for worker in others:
            worker.end()
    tell()
    return [folder / f"{i:05d}.png" for i in range(n)]


def draw_part(film: Film, folder: Path, positions: range, tell: Callable[[], None] | None = None) -> None:
    """Draw frames as `00012.png`, ..., each under its name only when it is whole."""
    from PIL import Image

    from reluatlas.figures.film.draw import FilmFigure

    drawn = FilmFigure(film)
    for i in positions:
        buffer = io.BytesIO()
        Image.fromarray(drawn.picture(i)).save(buffer, "PNG", compress_level=1)
        write_whole(folder / f"{i:05d}.png", buffer.getvalue())
        if tell is not None:
            tell()


def write_mp4(pictures: Sequence[Path], target: Path, fps: float) -> None:
    """Put pictures together with ffmpeg (H.264, even sides)."""
    command = [
        "ffmpeg", "-loglevel", "error", "-y", "-f", "image2pipe", "-framerate", f"{fps:g}", "-c:v", "png", "-i", "-",
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart", str(target),
    ]  # fmt: skip
    content = b"".join(picture.read_bytes() for picture in pictures)
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ReluAtlasError(
            f"ffmpeg could not write the film: {said[-1] if said else 'no message'}. Let `path` end in .html or .gif."
        )


def write_gif(pictures: Sequence[Path], target: Path, fps: float) -> None:
    """Put pictures together with Pillow: one palette of 256 colors for all frames, no dithering."""
    from PIL import Image

    def small(path: Path) -> Image.Image:
        with Image.open(path) as picture:
            return picture.convert("RGB").resize(
                (picture.width * 5 // 7, picture.height * 5 // 7), Image.Resampling.LANCZOS
            )

    last = small(pictures[-1]).quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [small(path).quantize(palette=last, dither=Image.Dither.NONE) for path in pictures]
    delay = max(20, round(100 / fps) * 10)  # GIF counts in hundredths of a second; browsers slow down below two
    durations = [delay] * (len(frames) - 1) + [2_000]
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False)


class _Worker:
    """Another process that draws a part of the frames."""

    def __init__(self, folder: Path, first: int, end: int) -> None:
        command = [sys.executable, "-m", "reluatlas.figures.film.video", str(folder), str(first), str(end)]
        places = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
        self.said = folder / f"said-{first}.txt"
        with self.said.open("wb") as stream:
            self.process = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONPATH": places.rstrip(os.pathsep)},
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def check(self) -> None:
        """Refuse to go on when it failed."""
        if self.process.returncode:
            lines = self.said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ReluAtlasError(f"a process that draws frames failed: {lines[-1] if lines else 'no message'}")

    def end(self) -> None:
        """Stop it if it still runs."""
        if self.is_running:
            self.process.kill()
        self.process.wait()


def main(folder: str, first: str, end: str) -> None:
    """Draw a part of the frames of the trajectory in a folder."""
    here = Path(folder)
    film = make_film(Trajectory.load(here / _TRAJECTORY), np.load(here / _TIMES, allow_pickle=False), jobs=1)
    draw_part(film, here, range(int(first), int(end)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
