"""How far is a run that keeps a checkpoint? `status_of` reads its file, also while the run goes on.

A run holds its file for itself: no second one may go on from it. So what is read then is a copy, taken between two
changes of the file and checked as every checkpoint is.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ResultFileError
from reluatlas.subdivision.runner.checkpoint import RunFile

_TRIES = 20
_WINDOWS = 20
"""Parts of the run's time, whose rates tell how good an estimate of its end is."""


@dataclass(frozen=True)
class WorkerShare:
    """What one worker did."""

    worker: str
    items: int
    cells: int
    seconds: float


@dataclass(frozen=True)
class RunStatus:
    """How far a run is, as of what was written last.

    Attributes
    ----------
    does : str
        "counts" or "collects".
    domain : str
        Where, in words.
    n_cells, n_open : int
        Cells found; items that are left, known now.
    share : float or None
        Of the domain's volume, what is done; None on a space.
    seconds : float
        Time taken, by all runs together.
    left_s, left_error_s : float or None
        What it will take from now on if the rest of the domain is like what was done last, and the standard error of
        that, from how the rate changed; None before that can be told. Parts that are unlike are not in the error.
    workers : list of WorkerShare
    """

    does: str
    domain: str
    n_cells: int
    n_open: int
    share: float | None
    seconds: float
    left_s: float | None
    left_error_s: float | None
    workers: list[WorkerShare]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.n_open == 0

    @property
    def cells_per_second(self) -> float | None:
        """The rate over all of the time."""
        return self.n_cells / self.seconds if self.seconds > 0 else None


def status_of(path: str | PathLike[str]) -> RunStatus:
    """Return how far the run is that keeps a checkpoint at `path`.

    Raises
    ------
    ResultFileError
        When there is none, it is of something else, or damaged.
    """
    name = f"`{path}`"
    if not Path(path).is_file():
        raise ResultFileError(f"{name} is no file. Pass what `--resume` or `checkpoint=` names.")
    try:
        try:
            return _read(f"file:{quote(str(Path(path).absolute()))}?mode=ro")
        except sqlite3.OperationalError:
            with tempfile.TemporaryDirectory() as folder:
                return _read(f"file:{quote(_copied(Path(path), Path(folder)))}")
    except (sqlite3.Error, ValueError, KeyError, TypeError) as problem:
        raise ResultFileError(
            f"{name} is no checkpoint of a run, or is damaged ({problem}). Pass what `--resume` or `checkpoint=` names."
        ) from None


def _copied(path: Path, folder: Path) -> str:
    """Return the path of a copy; what was not yet moved from the log of changes into the file is copied with it."""
    for _ in range(_TRIES):
        before = path.stat().st_mtime_ns
        changes = path.with_name(path.name + "-wal")
        if changes.exists():
            shutil.copyfile(changes, folder / "run-wal")
        shutil.copyfile(path, folder / "run")
        if path.stat().st_mtime_ns == before:
            return str(folder / "run")
    raise ValueError("it changes too fast to be copied")


def _read(uri: str) -> RunStatus:
    base = sqlite3.connect(uri, uri=True, timeout=0.2)
    try:
        about = dict(base.execute("SELECT name, value FROM about"))
        if about.get("kind") != RunFile.KIND or about.get("format") != RunFile.FORMAT:
            raise ValueError(f"it says that it is {about.get('kind')!r}, version {about.get('format')!r}")
        row = base.execute("SELECT value, sum FROM tally").fetchone()
        if row is None or crc32(row[0].encode()) != row[1]:
            raise ValueError("its sums are missing, or their checksum is wrong")
        kept = json.loads(row[0])
        tables = {n for (n,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        log, workers = np.zeros((0, 2)), []
        if "log" in tables:
            log = np.array(base.execute("SELECT at, volume FROM log ORDER BY n").fetchall(), dtype=float).reshape(-1, 2)
            workers = [
                WorkerShare(*row)
                for row in base.execute(
                    "SELECT worker, sum(items), sum(cells), sum(seconds) FROM log WHERE items > 0 GROUP BY worker "
                    "ORDER BY min(n)"
                )
            ]
    finally:
        base.close()
    whole, seconds = _volume_of(about["domain"]), float(kept["seconds"])
    share = None if whole is None else min(1.0, float.fromhex(kept["volume"]) / whole)
    left, error = (None, None) if whole is None or share is None else _end(log, seconds, (1.0 - share) * whole)
    if not kept["open"]:
        share, left, error = (None if share is None else 1.0), 0.0, 0.0
    return RunStatus(
        about["does"], about["where"], int(kept["cells"]), int(kept["open"]), share, seconds, left, error, workers
    )


def _volume_of(domain: str) -> float | None:
    """Return the volume of a domain from its text in a checkpoint, in its coordinates; None of a space."""
    if not domain.startswith("["):
        return None
    _, low, high, *_ = json.loads(domain)
    sides = [float.fromhex(b) - float.fromhex(a) for a, b in zip(low, high, strict=True)]
    return float(np.prod(sides))


def _end(log: NDArray[np.float64], seconds: float, volume: float) -> tuple[float | None, float | None]:
    """Return the seconds that a volume will take, and their standard error, by the rates in equal parts of the time."""
    n = min(_WINDOWS, len(log) // 2)
    if n < 3 or seconds <= 0:
        return None, None
    edges = np.linspace(0.0, seconds, n + 1)
    done, _ = np.histogram(log[:, 0], edges, weights=log[:, 1])
    rates = done / (seconds / n)
    mean, error = float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(n))
    if mean <= 0:
        return None, None
    return volume / mean, volume / mean * error / mean
