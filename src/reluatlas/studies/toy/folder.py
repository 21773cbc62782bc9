"""Where does the toy study write? A new or empty folder, or that of an earlier study, whose files it replaces."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Literal

from reluatlas._version import __version__
from reluatlas.errors import ArgumentError
from reluatlas.storage.atomic import write_whole
from reluatlas.studies.toy.words import FORMAT, VERSION

FilmKind = Literal["html", "mp4", "gif", "none"]

NUMBERS = "numbers.json"
_OURS = ("report.html", NUMBERS, "trajectory-*.npz", "film-*.html", "film-*.mp4", "film-*.gif", "*.svg", "*.png")


def prepare_folder(out: str | Path, problem: str, film: FilmKind) -> Path:
    """Return the folder, made if missing and without the files of an earlier study, marked as unfinished.

    Raises
    ------
    ArgumentError
        When it is a file, cannot be written, or holds what no toy study wrote.
    MissingDependencyError
        When an MP4 is asked for and ffmpeg is missing: before the training, not after it.
    """
    if film == "mp4":
        from reluatlas.figures.film.make import require_ffmpeg

        require_ffmpeg()
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            _clear(folder)
        start = {
            "format": FORMAT,
            "version": VERSION,
            "reluatlas": __version__,
            "is_complete": False,
            "problem": problem,
        }
        write_whole(folder / NUMBERS, (json.dumps(start, indent=1) + "\n").encode())
    except OSError as reason:
        raise ArgumentError(f"`out={str(out)!r}` cannot be used: {reason.strerror}. Pass another folder.") from None
    return folder


def _clear(folder: Path) -> None:
    header = None
    with suppress(OSError, ValueError):
        header = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ArgumentError(f"`out={str(folder)!r}` holds files that no toy study wrote. Pass a new or empty folder.")
    for pattern in _OURS:
        for old in folder.glob(pattern):
            old.unlink()
