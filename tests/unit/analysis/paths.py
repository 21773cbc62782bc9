"""A short trajectory without training: weights that move from one random network to another."""

from __future__ import annotations

import numpy as np

from reluatlas.analysis.trajectories.record import n_weights
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.datasets.toy import toy_problem
from reluatlas.domain import Box


def moving(sizes=(2, 4, 3, 2), n=6, *, seed=0, dtype=np.float32, with_points=True) -> Trajectory:
    """Return n networks on the straight line between two random ones."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, n_weights(sizes)))
    share = np.linspace(0, 1, n)[:, None]
    rows = ((1 - share) * a + share * b).astype(dtype)
    problem = toy_problem("circle", n_train=10)
    more = {"X": problem.X_test, "y": problem.y_test} if with_points else {}
    return Trajectory(sizes, rows, domain=Box(-1, 1, dim=2), steps=10 * np.arange(n), info={"seed": seed}, **more)
