"""How does an answer get into a folder? Written beside it first, then put in place: never half a file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from reluatlas.errors import ArgumentError, ReluAtlasError
from reluatlas.report.drawings import NAMES

INDEX = "cells.json"
ATLAS = "atlas.html"
PATH_INDEX, PATH_TABLE, PATH_FIGURE = "path.json", "pieces.csv", "path"
POINTS_INDEX, POINTS, CERTIFICATES = "points.json", "points.npz", "certificates.npz"
SEARCH_INDEX, SEARCH = "exploration.json", "exploration.npz"
COMPARISON_INDEX, COMPARISON_FIGURE = "comparison.json", "comparison"
WHY_INDEX, WHY_ARRAYS = "why.json", "why.npz"
NEAREST_INDEX, NEAREST_ARRAYS = "nearest.json", "nearest.npz"
JOINED_INDEX, JOINED_FIGURES = "pieces.json", ("joined", "curve")
_INDEXES = (
    WHY_INDEX,
    NEAREST_INDEX,
    INDEX,
    PATH_INDEX,
    POINTS_INDEX,
    SEARCH_INDEX,
    COMPARISON_INDEX,
    JOINED_INDEX,
    "network.json",
)
_ARRAYS = ("cells.npz", PATH_TABLE, POINTS, CERTIFICATES, SEARCH, WHY_ARRAYS, NEAREST_ARRAYS)
_OURS = frozenset({"report.html", ATLAS, "figures", *_ARRAYS, *_INDEXES})
MOST_FIGURES = 32  # figures of a path, at most
_FIGURES = frozenset(
    f"{name}{ending}"
    for name in (
        *NAMES,
        "facets",
        "maps",
        "graph",
        "depth",
        "line",
        "contributions",
        "integrated",
        "nearest",
        COMPARISON_FIGURE,
        *JOINED_FIGURES,
        *(f"{PATH_FIGURE}-{k}" for k in range(1, MOST_FIGURES + 1)),
    )
    for ending in (".png", ".svg")
)


def check_folder(folder: Path) -> None:
    """Refuse a folder that `fill_folder` could not, or must not, write to. Changes nothing.

    Raises
    ------
    ArgumentError
        When it is a file, holds files of others, or cannot be written.
    """
    try:
        if folder.exists():
            if not folder.is_dir():
                raise ArgumentError(f"the output folder `{folder}` is a file. Pass a new folder.")
            foreign = _foreign(folder)
            if foreign:
                raise ArgumentError(
                    f"the output folder `{folder}` holds `{foreign}`, which reluatlas did not write. "
                    "Pass a new or empty folder."
                )
        place = folder
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise ArgumentError(
                f"the output folder `{folder}` lies in `{place}`, which is a file. Pass another folder."
            )
        if not os.access(place, os.W_OK | os.X_OK):
            raise ArgumentError(
                f"the output folder `{folder}` cannot be made: `{place}` is not writable. Pass another folder."
            )
    except (OSError, ValueError) as problem:
        if isinstance(problem, ArgumentError):
            raise
        raise ArgumentError(
            f"the output folder `{folder}` cannot be used: {_reason(problem)}. Pass another folder."
        ) from None


def _foreign(folder: Path) -> str:
    """Return the first entry of a folder that is not a result of reluatlas, or ""."""
    entries = sorted(p.name for p in folder.iterdir() if not _is_staging(p.name))
    others = [name for name in entries if name not in _OURS]
    if others:
        return others[0]
    if entries and not any(_is_ours(folder / name) for name in _INDEXES):
        return entries[0]
    figures = folder / "figures"
    drawn = sorted(p.name for p in figures.iterdir()) if figures.is_dir() else []
    return next((f"figures/{name}" for name in drawn if name not in _FIGURES), "")


def _is_ours(path: Path) -> bool:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and "reluatlas" in stored


def _is_staging(name: str) -> bool:
    return name.startswith(".reluatlas-")


def fill_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Put what `write` writes into a folder in its place, all of it or nothing.

    Parameters
    ----------
    folder : Path
        New: it appears at once with everything in it. There already, with an earlier result or
        empty: each file is replaced at once, and what the earlier result had more is removed.
    write : callable
        Takes a temporary folder on the same disk and writes everything there.

    Raises
    ------
    ArgumentError
        As `check_folder`, or when the disk refuses.
    """
    check_folder(folder)
    is_new = not folder.exists()
    try:
        home = folder.parent if is_new else folder
        home.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".reluatlas-", dir=home))
        try:
            write(staging)
            _give_usual_rights(staging)
            if is_new:
                staging.rename(folder)
            else:
                _replace(folder, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except ReluAtlasError:  # such as a limit of time, which is an OSError, too
        raise
    except OSError as problem:
        raise ArgumentError(
            f"the output folder `{folder}` cannot be written: {_reason(problem)}. Pass another folder."
        ) from None


def _replace(folder: Path, staging: Path) -> None:
    new = {p.relative_to(staging) for p in staging.rglob("*") if p.is_file()}
    old = {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}
    old = {p for p in old if not _is_staging(p.parts[0])}
    for name in sorted(old - new):
        (folder / name).unlink()
    for name in sorted(new):
        (folder / name).parent.mkdir(exist_ok=True)
        os.replace(staging / name, folder / name)
    figures = folder / "figures"
    if figures.is_dir() and not any(figures.iterdir()):
        figures.rmdir()


def _give_usual_rights(staging: Path) -> None:
    """Give everything the rights that new files get; temporary ones are made for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    for path in (staging, *staging.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
