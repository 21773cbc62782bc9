"""How does a toy network learn? Training as the paper does it, with the weights of every batch kept.

Mean squared error on one-hot targets, SGD with learning rate 0.1, momentum 0.9 and weight decay 1e-4, batches of
100, one epoch of 100,000 points; then again from another start until the accuracy reaches 0.98.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.trajectories.record import check_sizes, n_weights, name_of
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.datasets.toy import ToyProblem
from reluatlas.errors import ArgumentError, DimensionError, MissingDependencyError

Progress = Callable[[int, int, int], None]
_PULSE = 50


@dataclass(frozen=True)
class Settings:
    """How to train; the defaults are the paper's.

    Attributes
    ----------
    learning_rate, momentum, weight_decay : float
        Of stochastic gradient descent.
    batch : int
        Points per step; XOR takes its four points at each.
    epochs : int
        Times through the training points.
    target : float
        Accuracy on the test points at which training is done.
    max_attempts : int
        Number of starts after which it gives up.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch: int = 100
    epochs: int = 1
    target: float = 0.98
    max_attempts: int = 30

    def __post_init__(self) -> None:
        for name in ("batch", "epochs", "max_attempts"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ArgumentError(f"`{name}={value!r}` must be a whole number of at least 1.")
        for name, low, high in (
            ("learning_rate", 0.0, np.inf),
            ("momentum", 0.0, 1.0),
            ("weight_decay", 0.0, np.inf),
            ("target", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ArgumentError(f"`{name}={value!r}` must be a number from {low:g} to {high:g}.")


@dataclass(frozen=True, eq=False)
class Training:
    """What training gave.

    Attributes
    ----------
    trajectory : Trajectory
        The weights after every batch of the attempt that reached the target, else of the best one.
    reached : bool
        Whether the accuracy of its last network is at least the target.
    accuracies : tuple of float
        The last accuracy of each attempt.
    """

    trajectory: Trajectory
    reached: bool
    accuracies: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Accuracy on the test points after the last batch."""
        return float(self.trajectory.info["accuracy"])


def train_toy(
    problem: ToyProblem,
    sizes: Sequence[int],
    *,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Training:
    """Train a dense ReLU network on a toy problem until it is good enough, keeping the weights of every batch.

    Parameters
    ----------
    problem : ToyProblem
    sizes : sequence of int
        Inputs (2), hidden layers, outputs (2): such as (2, 8, 8, 8, 2).
    seed : int
        Attempt k starts from weights, and takes the points in an order, drawn from (seed, k).
    settings : Settings, optional
        The paper's when left out.
    progress : callable(attempt, n_steps_done, n_steps), optional
        Attempts are numbered from 1.

    Raises
    ------
    ArgumentError, DimensionError
        When the shape or the seed makes no sense for the problem.
    MissingDependencyError
        When torch is not installed.

    Guarantees
    ----------
    The same seed gives the same weights on the same version of torch and kind of processor (one
    thread). Torch's own random state and number of threads are left as they were.
    """
    shape = check_toy_sizes(sizes)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"`seed={seed!r}` must be a whole number of at least 0.")
    settings = settings or Settings()
    best: tuple[float, int, NDArray[np.float32]] | None = None
    accuracies: list[float] = []
    with _one_thread() as torch:
        for attempt in range(1, settings.max_attempts + 1):
            rows = _attempt(torch, problem, shape, np.random.default_rng([seed, attempt]), settings, attempt, progress)
            accuracy = _accuracy(rows[-1], shape, problem) if np.isfinite(rows).all() else 0.0
            accuracies.append(accuracy)
            if np.isfinite(rows).all() and (best is None or accuracy > best[0]):
                best = (accuracy, attempt, rows)
            if accuracy >= settings.target:
                break
    if best is None:
        raise ArgumentError(
            f"training diverged in all {len(accuracies)} attempts: the weights are not finite. Lower `learning_rate`."
        )
    accuracy, attempt, rows = best
    info = {
        "problem": problem.name,
        "seed": int(seed),
        "data_seed": problem.seed,
        "attempt": attempt,
        "n_attempts": len(accuracies),
        "accuracy": accuracy,
        "reached": bool(accuracy >= settings.target),
        **asdict(settings),
    }
    trajectory = Trajectory(shape, rows, domain=problem.domain, X=problem.X_test, y=problem.y_test, info=info)
    return Training(trajectory, bool(accuracy >= settings.target), tuple(accuracies))


def check_toy_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return a shape; refuse one that does not take points of the plane to two classes."""
    shape = check_sizes(sizes)
    if shape[0] != 2 or shape[-1] != 2:
        raise DimensionError(
            f"`sizes={name_of(shape)}` does not fit a toy problem: points have 2 inputs and there are 2 classes. "
            "Pass a shape that begins and ends with 2, such as 2-8-8-8-2."
        )
    return shape


def initial_weights(shape: Sequence[int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return weights and biases uniform in +-1/sqrt(inputs of the layer): torch's own way to start."""
    parts = [rng.uniform(-1.0, 1.0, n * m + m) / np.sqrt(n) for n, m in pairwise(shape)]
    return np.concatenate(parts).astype(np.float32)


def _attempt(
    torch: Any,
    problem: ToyProblem,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    settings: Settings,
    attempt: int,
    progress: Progress | None,
) -> NDArray[np.float32]:
    """Return the weights (steps + 1, P) of one training, from the start to after the last batch."""
    flat = torch.tensor(initial_weights(shape, rng), requires_grad=True)
    X = torch.tensor(problem.X_train, dtype=torch.float32)
    target = torch.nn.functional.one_hot(torch.tensor(problem.y_train), shape[-1]).to(torch.float32)
    size = min(settings.batch, len(X))
    if problem.name == "xor":  # a batch is the four points
        size, n_batches = 4, max(len(X) // settings.batch, 1)
    else:
        n_batches = len(X) // size
    n_steps = n_batches * settings.epochs
    rows = np.empty((n_steps + 1, n_weights(shape)), dtype=np.float32)
    rows[0] = flat.detach().numpy()
    optimizer = torch.optim.SGD(
        [flat], lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    )
    order = np.arange(len(X))
    for step in range(n_steps):
        at = step % n_batches
        if at == 0 and problem.name != "xor":
            order = torch.tensor(rng.permutation(len(X)))
        batch = slice(0, 4) if problem.name == "xor" else order[at * size : (at + 1) * size]
        loss = torch.nn.functional.mse_loss(_forward(torch, flat, shape, X[batch]), target[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows[step + 1] = flat.detach().numpy()
        if progress is not None and ((step + 1) % _PULSE == 0 or step + 1 == n_steps):
            progress(attempt, step + 1, n_steps)
    return rows


def _forward(torch: Any, flat: Any, shape: tuple[int, ...], X: Any) -> Any:
    at = 0
    for layer, (n, m) in enumerate(pairwise(shape)):
        weight, bias = flat[at : at + n * m].view(m, n), flat[at + n * m : at + n * m + m]
        X = torch.nn.functional.linear(torch.relu(X) if layer else X, weight, bias)
        at += n * m + m
    return X


def _accuracy(row: NDArray[np.float32], shape: tuple[int, ...], problem: ToyProblem) -> float:
    last = Trajectory(shape, row[None], domain=problem.domain, X=problem.X_test, y=problem.y_test)
    return last.accuracy(0)


def import_torch() -> Any:
    """Return torch, or refuse to go on without it."""
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "training a toy network needs torch, which is not installed. Install it with "
            "`pip install 'reluatlas[torch]'`."
        ) from None
    return torch


@contextmanager
def _one_thread():
    """Give torch, held to one thread: more are slower on such small networks, and the order of sums is fixed."""
    torch = import_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(before)
