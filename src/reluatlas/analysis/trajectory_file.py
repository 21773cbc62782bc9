"""How is a trajectory kept? One `.npz` file without pickle, with a format version, written apart and renamed."""

from __future__ import annotations

import os
from typing import Any

from reluatlas.analysis.trajectory import Trajectory
from reluatlas.archives import Archive
from reluatlas.domain import Box, Slice

ARCHIVE = Archive("reluatlas trajectory", 2, what="a saved trajectory", again="Train it again")


def save_trajectory(trajectory: Trajectory, path: str | os.PathLike[str]) -> None:
    """Write a trajectory; the file appears only when it is whole."""
    domain = trajectory.domain
    origin, basis = domain.frame()
    head = {
        "sizes": list(trajectory.sizes),
        "domain": "slice" if isinstance(domain, Slice) else "box",
        "info": dict(trajectory.info),
    }
    parts: dict[str, Any] = {
        "weights": trajectory.weights,
        "steps": trajectory.steps,
        "low": domain.box.low,
        "high": domain.box.high,
    }
    if isinstance(domain, Slice):
        parts |= {"origin": origin, "basis": basis}
    if trajectory.X is not None and trajectory.y is not None:
        parts |= {"X": trajectory.X, "y": trajectory.y}
    ARCHIVE.write(path, head, parts)


def load_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Return a saved trajectory.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, or not a trajectory.
    """
    with ARCHIVE.opening(path) as (head, parts):
        box = Box(parts["low"], parts["high"])
        domain = Slice(parts["origin"], parts["basis"], box=box) if head["domain"] == "slice" else box
        return Trajectory(
            head["sizes"],
            parts["weights"],
            domain=domain,
            steps=parts["steps"],
            X=parts.get("X"),
            y=parts.get("y"),
            info=head["info"],
        )
