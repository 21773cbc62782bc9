"""What did the toy study find? The record of it: its runs, its counts, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.dual_points import DualPoints
from reluatlas.analysis.trajectories.measure import TrajectoryMeasures
from reluatlas.analysis.trajectories.record import name_of
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.studies.toy.alike import Alike
from reluatlas.studies.toy.cuts import AllCuts
from reluatlas.studies.toy.train import Training


@dataclass(frozen=True, eq=False)
class ToyRun:
    """One network: how it was trained, and what its complexes count after every batch."""

    training: Training
    measures: TrajectoryMeasures

    @property
    def trajectory(self) -> Trajectory:
        """The weights after every batch."""
        return self.training.trajectory

    @property
    def seed(self) -> int:
        """The seed it was trained from."""
        return int(self.trajectory.info["seed"])

    @property
    def good(self) -> NDArray[np.int64]:
        """Positions of the measures at which the accuracy is at least the target."""
        return np.flatnonzero(self.measures.accuracy >= float(self.trajectory.info["target"]))


@dataclass(frozen=True, eq=False)
class Sampling:
    """Exact and sampled counts of one trajectory, side by side."""

    shape: str
    steps: NDArray[np.int64]
    exact: NDArray[np.int64]
    patterns: NDArray[np.int64]
    rounded: NDArray[np.int64]

    @property
    def missed(self) -> NDArray[np.float64]:
        """Share of the linear regions that sampling with rounding does not tell apart."""
        return 1.0 - self.rounded / self.exact


@dataclass(frozen=True, eq=False)
class ToyStudyRecord:
    """What the toy study found, as its words, figures and report read it; see `ToyStudy`."""

    problem: str
    shapes: tuple[tuple[int, ...], ...]
    runs: tuple[ToyRun, ...]
    sampling: tuple[Sampling, ...]
    alike: Alike
    alike_up_to_symmetry: Alike
    curves: dict[str, list[float]]
    dual: dict[str, DualPoints]
    cuts: AllCuts
    cuts_up_to_symmetry: AllCuts

    @property
    def reached(self) -> bool:
        """Whether every network reached the target."""
        return all(run.training.reached for run in self.runs)

    def of_shape(self, shape: str) -> list[ToyRun]:
        """Return the runs of one shape."""
        return [run for run in self.runs if run.trajectory.name == shape]

    @property
    def names(self) -> list[str]:
        """The shapes in words, the minimal network first."""
        return [name_of(shape) for shape in self.shapes]

    def fewest(self, shape: str) -> dict[str, int] | None:
        """Return the fewest cells and linear regions with which a network of a shape was good enough.

        Over all seeds and batches; None when none ever was.
        """
        best: dict[str, int] | None = None
        for run in self.of_shape(shape):
            m = run.measures
            for i in run.good[np.argsort(m.n_cells[run.good], kind="stable")][:1]:
                if best is None or m.n_cells[i] < best["n_cells"]:
                    best = {
                        "n_cells": int(m.n_cells[i]),
                        "n_linear_regions": int(m.n_linear_regions[i]),
                        "step": int(m.steps[i]),
                        "seed": run.seed,
                    }
        return best

    def maps_enough(self, shape: str) -> int | None:
        """Return the fewest groups of maps with which the first seed is still good enough."""
        target = float(self.of_shape(shape)[0].trajectory.info["target"])
        return next((k + 1 for k, accuracy in enumerate(self.curves[shape]) if accuracy >= target), None)
