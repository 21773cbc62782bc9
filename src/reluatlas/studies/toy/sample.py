"""How many regions does sampling find? The paper's way of counting, to be held against the exact count."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.domain import Box

SIDE, DECIMALS = 401, 2


@dataclass(frozen=True)
class SampledCount:
    """What a grid of points finds; never complete.

    Attributes
    ----------
    n_patterns : int
        Different activation patterns at the points.
    n_rounded : int
        Different affine maps of the decision function, rounded: the paper's number.
    seconds : float
    """

    n_patterns: int
    n_rounded: int
    seconds: float


def sample_regions(trajectory: Trajectory, t: int, *, side: int = SIDE, decimals: int = DECIMALS) -> SampledCount:
    """Return what a grid of `side` x `side` points finds in the network at time t.

    At each point the affine map of the decision function (slopes and constant) is taken, and
    rounded to some decimals; equal ones count once. Maps are composed once per activation pattern,
    which changes nothing but the time it takes.
    """
    start = time.perf_counter()
    layers = [(np.asarray(w, dtype=np.float64), np.asarray(b, dtype=np.float64)) for w, b in trajectory.layers(t)]
    X = grid_points(trajectory.domain.box, side)
    origin, basis = trajectory.domain.frame()
    signs = _signs(layers, X @ basis + origin)
    first = _first_of_each(signs)
    slopes, constants = _compose(layers, signs[first], origin, basis)
    rounded = np.round(np.concatenate([slopes.reshape(len(first), -1), constants], axis=1), decimals) + 0.0
    n_rounded = len(np.unique(rounded, axis=0))
    return SampledCount(len(first), n_rounded, time.perf_counter() - start)


def grid_points(box: Box, side: int) -> NDArray[np.float64]:
    """Return the points (side², 2) of a grid that includes the edges of a box."""
    axes = [np.linspace(low, high, side) for low, high in zip(box.low, box.high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="xy"), axis=-1).reshape(-1, 2)


def _signs(layers: list[tuple[Any, Any]], X: NDArray[np.float64]) -> NDArray[np.bool_]:
    out = []
    for weight, bias in layers[:-1]:
        Z = X @ weight.T + bias
        out.append(Z > 0)
        X = np.maximum(Z, 0.0)
    return np.concatenate(out, axis=1)


def _first_of_each(signs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the position of one row of each different kind."""
    packed = np.packbits(signs, axis=1)
    if packed.shape[1] <= 8:
        wide = np.zeros((len(packed), 8), dtype=np.uint8)
        wide[:, : packed.shape[1]] = packed
        return np.unique(wide.view(np.uint64).reshape(-1), return_index=True)[1]
    return np.unique(packed, axis=0, return_index=True)[1]


def _compose(layers: list[tuple[Any, Any]], signs: NDArray[np.bool_], origin: Any, basis: Any):
    """Return slopes (n, m', k) and constants (n, m') of the decision function for rows of signs."""
    n, at = len(signs), 0
    A = np.broadcast_to(basis.T, (n, *basis.T.shape))
    b = np.broadcast_to(origin, (n, origin.size))
    for position, (weight, bias) in enumerate(layers):
        A, b = weight @ A, b @ weight.T + bias
        if position + 1 < len(layers):
            on = signs[:, at : at + len(bias)]
            A, b = A * on[:, :, None], b * on
            at += len(bias)
    if b.shape[1] == 2:
        return A[:, 1:] - A[:, :1], b[:, 1:] - b[:, :1]
    return A, b
