"""How are a gate and its pieces fitted together? By gradient, while the gate hardens from soft to hard.

The model picks piece j at z with probability p_j = softmax(scores / T)_j. What is minimized is the expected loss,
sum_j p_j loss_j: each piece is fitted to the points that are likely to fall to it, and the gate moves points to the
piece that is better at them. As T falls to nearly zero the expectation becomes the loss of the hard gate, which is the
model. (Jacobs, Jordan, Nowlan, Hinton, "Adaptive mixtures of local experts", 1991, with their competitive loss;
annealing as in Rose, "Deterministic annealing", 1998; steps by Adam, Kingma and Ba, 2015.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32
Loss = Callable[[Array, Array], tuple[Array, Array]]
_NEGLIGIBLE = 1e-3  # pieces of a smaller probability are left out of a step
_DECAY, _DECAY_OF_SQUARES, _TINY = 0.9, 0.99, 1e-8


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: `epochs` times the points, `batch` at a time; T falls from `warm` to `cold`."""

    epochs: int
    batch: int
    rate: float
    weight_decay: float
    warm: float = 2.0
    cold: float = 0.05
    own_share: float = 0.2  # of the points, not of changed copies


def squared(values: Array, targets: Array) -> tuple[Array, Array]:
    """Return half the squared distance of each row to its target, and the gradient."""
    error = values - targets
    return 0.5 * (error * error).sum(axis=1), error


def classes(values: Array, shares: Array) -> tuple[Array, Array]:
    """Return the cross-entropy of softmax(values) with the classes' shares, and the gradient."""
    top = values.max(axis=1, keepdims=True)
    q = np.exp(values - top)
    total = q.sum(axis=1, keepdims=True)
    loss = np.log(total[:, 0]) + top[:, 0] - (shares * values).sum(axis=1)
    return loss, q / total - shares


def like_outputs(squared_share: float, variance: float) -> Loss:
    """Return the loss towards a network's outputs: cross-entropy of the softmaxes, and a share of squared distance."""
    weight = np.float32(squared_share / variance)

    def loss(values: Array, targets: Array) -> tuple[Array, Array]:
        entropy, slope = classes(values, softmax(targets))
        distance, error = squared(values, targets)
        return entropy + weight * distance, slope + weight * error

    return loss


def softmax(values: Array) -> Array:
    """Return the softmax of each row."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def train(
    z: NDArray,
    targets: NDArray,
    gate: tuple[NDArray, NDArray],
    maps: tuple[NDArray, NDArray],
    loss: Loss,
    schedule: Schedule,
    generator: np.random.Generator,
) -> tuple[tuple[NDArray, NDArray], tuple[NDArray, NDArray]]:
    """Return gate and maps after joint training, in float64.

    Parameters
    ----------
    z, targets : ndarray, shapes (c + 1, N, d), (c + 1, N, m)
        Points and changed copies of them; a step takes one version of each of its points.
    gate : slopes (k, d) and offsets (k,)
        Their scale is changed so that half the points lead by more than 1.
    maps : slopes (k, m, d) and offsets (k, m)
    """
    copies, n, d = z.shape
    G = _with_offsets(gate[0], gate[1]) / np.float32(_median_lead(z[0], gate))
    W = np.concatenate([maps[0], maps[1][..., None]], axis=2).transpose(0, 2, 1).astype(np.float32)
    steps = schedule.epochs * -(-n // schedule.batch)
    adam = [_Adam(G), _Adam(W)]
    order = np.empty(0, dtype=np.intp)
    for step in range(steps):
        if not len(order):
            order = generator.permutation(n)
        chosen, order = order[: schedule.batch], order[schedule.batch :]
        version = np.zeros(len(chosen), dtype=np.intp)
        if copies > 1:
            version = generator.integers(1, copies, len(chosen))
            version[generator.random(len(chosen)) < schedule.own_share] = 0
        rows = np.ones((len(chosen), d + 1), dtype=np.float32)
        rows[:, :d] = z[version, chosen]
        done = step / steps
        temperature = np.float32(schedule.warm * (schedule.cold / schedule.warm) ** done)
        rate = schedule.rate * 0.5 * (1.0 + np.cos(np.pi * done))
        slopes = _gradients(rows, targets[version, chosen].astype(np.float32), G, W, loss, temperature)
        for parameters, slope, state in zip((G, W), slopes, adam, strict=True):
            parameters *= np.float32(1.0 - rate * schedule.weight_decay)
            state.move(parameters, slope, rate, step + 1)
    G, W = G.astype(np.float64), W.astype(np.float64)
    return (G[:, :d].copy(), G[:, d].copy()), (W[:, :d].transpose(0, 2, 1).copy(), W[:, d].copy())


def _gradients(
    rows: Array, targets: Array, G: Array, W: Array, loss: Loss, temperature: np.float32
) -> tuple[Array, Array]:
    """Return the gradients of the mean expected loss by G (k, d + 1) and W (k, d + 1, m)."""
    n, k = len(rows), len(G)
    p = softmax(rows @ G.T / temperature)
    p[p < np.minimum(_NEGLIGIBLE, p.max(axis=1, keepdims=True))] = 0
    p /= p.sum(axis=1, keepdims=True)
    piece, row = np.nonzero(p.T)  # ordered by piece
    bounds = np.searchsorted(piece, np.arange(k + 1))
    filled = np.flatnonzero(np.diff(bounds))
    spread = rows[row]
    values = np.empty((len(row), W.shape[2]), dtype=np.float32)
    for j in filled:
        at = slice(bounds[j], bounds[j + 1])
        np.matmul(spread[at], W[j], out=values[at])
    each, slope = loss(values, targets[row])
    slope *= (p[row, piece] / np.float32(n))[:, None]
    by_W = np.zeros_like(W)
    for j in filled:
        at = slice(bounds[j], bounds[j + 1])
        np.matmul(spread[at].T, slope[at], out=by_W[j])
    losses = np.zeros_like(p)
    losses[row, piece] = each
    expected = (p * losses).sum(axis=1, keepdims=True)
    by_score = p * (losses - expected) / (temperature * np.float32(n))
    return by_score.T @ rows, by_W


class _Adam:
    """Running means of a gradient and of its squares."""

    def __init__(self, parameters: Array) -> None:
        self.mean, self.square = np.zeros_like(parameters), np.zeros_like(parameters)
        self.spare = np.empty_like(parameters)

    def move(self, parameters: Array, slope: Array, rate: float, step: int) -> None:
        self.mean *= _DECAY
        self.mean += np.float32(1 - _DECAY) * slope
        self.square *= np.float32(_DECAY_OF_SQUARES)
        slope *= slope
        slope *= np.float32(1 - _DECAY_OF_SQUARES)
        self.square += slope
        np.sqrt(self.square, out=self.spare)
        self.spare *= np.float32(1 / np.sqrt(1 - _DECAY_OF_SQUARES**step))
        self.spare += np.float32(_TINY)
        np.divide(self.mean, self.spare, out=self.spare)
        self.spare *= np.float32(rate / (1 - _DECAY**step))
        parameters -= self.spare


def _with_offsets(slopes: NDArray, offsets: NDArray) -> Array:
    return np.concatenate([slopes, offsets[:, None]], axis=1).astype(np.float32)


def _median_lead(z: NDArray, gate: tuple[NDArray, NDArray]) -> float:
    """Return the median lead of the best score over the next: the unit of temperature."""
    if len(gate[1]) == 1:
        return 1.0
    part = z[:: max(1, len(z) // 5000)]
    best = np.partition(part @ gate[0].T + gate[1], -2, axis=1)[:, -2:]
    lead = float(np.median(best[:, 1] - best[:, 0]))
    return lead if lead > 0 else 1.0
