"""How is a long study done so that it can be stopped? In steps: each writes files, and is done once.

A step is known by its name and by a hash of all that its files depend on. Its record is written last; a step whose
record has the same hash and whose files are there is not done again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reluatlas.errors import ResultFileError
from reluatlas.progress import Staged
from reluatlas.storage.atomic import whole_file

RECORDS = "steps"
TRAINING = "training"
"""Name of the record of how long training took; it is no step, as networks are kept in a cache of their own."""


@dataclass(frozen=True)
class Step:
    """A part of a study.

    Attributes
    ----------
    name : str
        Also that of its record, with "/" as "-".
    settings : dict
        All that its files depend on, as plain values.
    files : tuple of str
        What it writes, in the run's folder.
    work : callable(tell)
        Writes the files.
    """

    name: str
    settings: dict[str, Any]
    files: tuple[str, ...]
    work: Callable[[Staged], None]

    @property
    def key(self) -> str:
        """A hash of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]


def is_done(folder: Path, step: Step) -> bool:
    """Return whether a step's files are there, made with the same settings."""
    record = _record(folder, step.name)
    return record.get("key") == step.key and all((folder / f).is_file() for f in step.files)


def run_steps(folder: Path, steps: Sequence[Step], tell: Staged) -> None:
    """Do, in order, the steps that are not done yet."""
    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    for step in steps:
        if is_done(folder, step):
            continue
        _path(folder, step.name).unlink(missing_ok=True)
        for file in step.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        tell(step.name, 0, 1)
        step.work(tell)
        record = {"step": step.name, "key": step.key, "files": step.files, "seconds": time.monotonic() - start}
        record_step(folder, step.name, record)


def record_step(folder: Path, name: str, record: dict[str, Any]) -> None:
    """Write what is known of a part of the study once it is done."""
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def seconds_of(folder: Path) -> dict[str, float]:
    """Return how long each step that is recorded took."""
    records = [read_json(p) for p in sorted((folder / RECORDS).glob("*.json"))]
    return {str(r["step"]): float(r["seconds"]) for r in records if "seconds" in r}


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    ResultFileError
        When it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultFileError(f"`{path}` is missing. Run the study again into the same folder.") from None
    except (OSError, ValueError) as problem:
        raise ResultFileError(f"`{path}` is damaged ({problem}). Delete it, and run the study again.") from None


def _path(folder: Path, name: str) -> Path:
    return folder / RECORDS / (name.replace("/", "-").replace(" ", "-") + ".json")


def _record(folder: Path, name: str) -> dict[str, Any]:
    path = _path(folder, name)
    if not path.exists():
        return {}
    found = read_json(path)
    return found if isinstance(found, dict) else {}
