"""Where does the MNIST study write? A new or empty folder, or that of an earlier run, which is taken up again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reluatlas.errors import ArgumentError, ReluAtlasError
from reluatlas.studies.mnist.steps import read_json, write_json

HEAD = "study.json"
FORMAT = "reluatlas mnist study"
VERSION = 1


def prepare_folder(out: str | Path, head: dict[str, Any]) -> Path:
    """Return the folder, made if missing, with the head of the study written and marked as unfinished.

    Raises
    ------
    ArgumentError
        When it is a file, cannot be written, or holds what no MNIST study wrote.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not _is_ours(folder):
            raise ArgumentError(
                f"`out={str(out)!r}` holds files that no MNIST study wrote. Pass a new or empty folder."
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ArgumentError(f"`out={str(out)!r}` is not writable. Pass another folder.")
        write_json(folder / HEAD, {"format": FORMAT, "version": VERSION, "is_complete": False, **head})
    except OSError as reason:
        raise ArgumentError(f"`out={str(out)!r}` cannot be used: {reason.strerror}. Pass another folder.") from None
    return folder


def _is_ours(folder: Path) -> bool:
    try:
        head = read_json(folder / HEAD)
    except ReluAtlasError:
        return False
    return isinstance(head, dict) and head.get("format") == FORMAT
