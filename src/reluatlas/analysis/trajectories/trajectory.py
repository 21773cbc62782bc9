"""How does a network change while it learns? `Trajectory`: its weights over time, exact complexes on demand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from numpy.typing import ArrayLike

from reluatlas.analysis.trajectories.archive import load_trajectory, save_trajectory
from reluatlas.analysis.trajectories.measure import Progress, TrajectoryMeasures, measure
from reluatlas.analysis.trajectories.record import TrajectoryRecord


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Trajectory(TrajectoryRecord):
    """The weights of one dense ReLU network at many times, and the domain on which it is looked at.

    Time t is a position 0, ..., len - 1; `steps[t]` is the number of training steps done by then.

    Parameters
    ----------
    sizes : sequence of int
        Number of inputs, of neurons of each hidden layer, of outputs: (2, 8, 8, 8, 2).
    weights : array_like, shape (T, P)
        One row per time: for each layer `W` of shape (out, in), flattened by rows, then `b`. float32
        stays float32 in memory and in files; networks are made of the numbers upcast exactly.
    domain : Box or Slice
        A bounded domain of dimension 2.
    steps : array_like of int, shape (T,), optional
        Ascending; 0, 1, 2, ... when left out.
    X, y : array_like, shapes (N, n) and (N,), optional
        Points and their labels, on which the accuracy is measured.
    info : mapping, optional
        Facts about the training: text, numbers, booleans.

    Raises
    ------
    ArgumentError, DimensionError, NonFiniteError
        When the parts do not fit on each other, or a weight is NaN or infinite.
    """

    def measure(
        self, times: ArrayLike | None = None, *, jobs: int | None = None, progress: Progress | None = None
    ) -> TrajectoryMeasures:
        """Return counts and sizes of the complex over time, each from an exact enumeration.

        Parameters
        ----------
        times : array_like of int, optional
            Positions, negative ones from the end; all when left out.
        jobs : int, optional
            Worker threads; all cores when left out.
        progress : callable(n_done, n_all), optional

        Guarantees
        ----------
        The same numbers on any number of jobs. Counts are exact where `is_exact` says so.
        """
        return measure(self, self.positions(times), jobs=jobs, progress=progress)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trajectory to an `.npz` file (no pickle, with a format version), then put it in place.

        Raises
        ------
        ResultFileError
            When it cannot be written there.
        """
        save_trajectory(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the trajectory that `save` wrote.

        Raises
        ------
        ResultFileError
            When the file is missing, truncated, of another version, or not a trajectory.
        """
        return load_trajectory(path, cls)
