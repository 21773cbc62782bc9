"""How is a trajectory kept? One `.npz` file without pickle, with a format version, written apart and renamed."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np

from reluatlas.analysis.trajectories.record import TrajectoryRecord
from reluatlas.domain import Box, Slice
from reluatlas.storage.archive import Archive

T = TypeVar("T", bound=TrajectoryRecord)
ARCHIVE = Archive("reluatlas trajectory", 3, what="a saved trajectory", again="Train it again")


def save_trajectory(trajectory: TrajectoryRecord, path: str | os.PathLike[str]) -> None:
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


def load_trajectory(path: str | os.PathLike[str], cls: type[T]) -> T:
    """Return a saved trajectory, as an object of a class.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, not a trajectory, or changed since it was written.
    """
    with ARCHIVE.opening(path) as (head, parts):
        kind, sizes = head["domain"], head["sizes"]
        if kind not in ("box", "slice") or not isinstance(sizes, list) or not isinstance(head["info"], dict):
            raise ValueError("its head is not that of a trajectory")
        box = Box(parts.take("low", np.float64, (2,)), parts.take("high", np.float64, (2,)))
        domain: Box | Slice = box
        if kind == "slice":
            origin = parts.take("origin", np.float64, (None,))
            domain = Slice(origin, parts.take("basis", np.float64, (2, origin.size)), box=box)
        n_times = (parts.shape("steps") or (0,))[0]
        has_points = "X" in parts or "y" in parts
        n_points = (parts.shape("X") or (0,))[0] if has_points else 0
        return cls(
            sizes,
            parts.take("weights", (np.float64, np.float32), (n_times, None)),
            domain=domain,
            steps=parts.take("steps", np.int64, (n_times,)),
            X=parts.take("X", np.float64, (n_points, domain.n_inputs)) if has_points else None,
            y=parts.take("y", np.int64, (n_points,)) if has_points else None,
            info=head["info"],
        )
