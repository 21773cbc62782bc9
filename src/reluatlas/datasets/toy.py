"""Which toy problems are there? Two classes of points in the square [-1, 1] x [-1, 1], drawn from a seed.

Circle and circles follow [Sattelberg2023]: points uniform in the square, label 1 where `|x|^2 < r^2`,
label 0 where `2 r^2 < |x|^2 < 3 r^2`, all others rejected; the test set is a grid of 101 x 101 points that is
filtered by the same rule. "circles" has this pair in each quadrant, at half the size, classes alternating.
XOR, two moons and the spiral are laid into the same square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from reluatlas.domain import Box
from reluatlas.errors import ArgumentError
from reluatlas.typing import FloatArray, IntArray

Points = tuple[FloatArray, IntArray]
Name = Literal["circle", "circles", "xor", "xor-noisy", "moons", "spiral"]

NAMES: tuple[str, ...] = get_args(Name)
RADIUS = 0.5
GRID = 101
XOR_NOISE = 0.12
MOONS_NOISE = 0.05
SPIRAL_TURNS = 0.75
SPIRAL_NOISE = 0.02
_N_TEST = 4_000
_XOR_POINTS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
_XOR_LABELS = np.array([0, 1, 1, 0])


@dataclass(frozen=True, eq=False)
class ToyProblem:
    """Labeled points in the plane, to train and to test with.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray, shape (N, 2)
        Points, float64.
    y_train, y_test : ndarray of int64, shape (N,)
        Labels, 0 or 1.
    domain : Box
        The square [-1, 1] x [-1, 1], which holds all points.
    seed : int
    """

    name: str
    X_train: FloatArray
    y_train: IntArray
    X_test: FloatArray
    y_test: IntArray
    domain: Box
    seed: int


def toy_problem(name: Name, *, n_train: int = 100_000, seed: int = 0) -> ToyProblem:
    """Return the points of a toy problem.

    Parameters
    ----------
    name : {"circle", "circles", "xor", "xor-noisy", "moons", "spiral"}
        "circle": a disc of radius 0.5 (label 1) against the annulus `0.5 < |x|^2 < 0.75` (label 0).
        "circles": that pair, at half the size, in each quadrant; labels swapped in two of them.
        "xor": the points (+-1/2, +-1/2), label 1 where the signs differ, over and over: training
        points are the four in turn, the test set is the four.
        "xor-noisy": the same with Gaussian noise of standard deviation 0.12, cut off at three.
        "moons": two interlocking half circles with noise 0.05.
        "spiral": two arms of three quarters of a turn, with noise 0.02.
    n_train : int
        Number of training points.
    seed : int
        Same seed, same points.

    Raises
    ------
    ArgumentError
        When the name is none of these, `n_train` is not a positive whole number, or the seed is
        negative.

    Guarantees
    ----------
    Deterministic. Circle and circles: the test set does not depend on the seed. Of the noisy ones
    it is drawn apart from the training set.
    """
    if name not in NAMES:
        names = ", ".join(f'"{n}"' for n in NAMES)
        raise ArgumentError(f"`name={name!r}` is no toy problem. Pass one of {names}.")
    n = _whole(n_train, "n_train", 1)
    rng_train, rng_test = np.random.default_rng([_whole(seed, "seed", 0), NAMES.index(name)]).spawn(2)
    if name in ("circle", "circles"):
        rule = _circle_rule if name == "circle" else _circles_rule
        train, test = _uniform(rule, n, rng_train), _grid(rule)
    elif name == "xor":
        train, test = _repeat(n), (_XOR_POINTS.copy(), _XOR_LABELS.copy())
    else:
        make = {"xor-noisy": _noisy_xor, "moons": _moons, "spiral": _spiral}[name]
        train, test = make(n, rng_train), make(_N_TEST, rng_test)
    return ToyProblem(name, *train, *test, Box(-1, 1, dim=2), int(seed))


def symmetries(name: str) -> list[tuple[FloatArray, int]]:
    """Return the linear maps `Q` of the plane that carry a problem's distribution onto itself.

    Each comes with 1, or with -1 where it swaps the labels. Of the circle's, which are all
    rotations and reflections, 24 rotations spread evenly.
    """
    if name not in NAMES:
        raise ArgumentError(f"`name={name!r}` is no toy problem.")
    if name == "circle":
        return [(_rotation(2 * np.pi * i / 24), 1) for i in range(24)]
    half = (-np.eye(2), -1)
    if name in ("moons", "spiral"):
        return [(np.eye(2), 1), half]
    mirror = np.diag([-1.0, 1.0])
    quarters = [(_rotation(np.pi / 2 * i), 1 if i % 2 == 0 else -1) for i in range(4)]
    return quarters + [(Q @ mirror, -sign) for Q, sign in quarters]


def _rotation(angle: float) -> FloatArray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _whole(value: object, name: str, least: int) -> int:
    good = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not good or value < least:  # type: ignore[operator]
        raise ArgumentError(f"`{name}={value!r}` must be a whole number of at least {least}.")
    return int(value)  # type: ignore[call-overload]


def _circle_rule(X: FloatArray) -> IntArray:
    """Return 1 in the disc, 0 in the annulus, -1 elsewhere."""
    square, r2 = (X**2).sum(axis=1), RADIUS**2
    return np.where(square < r2, 1, np.where((square > 2 * r2) & (square < 3 * r2), 0, -1)).astype(np.int64)


def _circles_rule(X: FloatArray) -> IntArray:
    """Return the circle rule of each quadrant around its center, at half the size, labels alternating."""
    side = np.where(X >= 0, 1.0, -1.0)
    label = _circle_rule(2 * (X - side / 2))
    return np.where((label >= 0) & (side.prod(axis=1) < 0), 1 - label, label)


def _uniform(rule: Callable[[FloatArray], IntArray], n: int, rng: np.random.Generator) -> Points:
    points: list[FloatArray] = []
    labels: list[IntArray] = []
    missing = n
    while missing > 0:
        X = rng.uniform(-1.0, 1.0, (2 * missing + 64, 2))
        y = rule(X)
        points.append(X[y >= 0][:missing])
        labels.append(y[y >= 0][:missing])
        missing -= len(points[-1])
    return np.concatenate(points), np.concatenate(labels)


def _grid(rule: Callable[[FloatArray], IntArray]) -> Points:
    ticks = np.linspace(-1.0, 1.0, GRID)
    X = np.stack(np.meshgrid(ticks, ticks, indexing="xy"), axis=-1).reshape(-1, 2)
    y = rule(X)
    return X[y >= 0], y[y >= 0]


def _repeat(n: int) -> Points:
    turn = np.arange(n) % 4
    return _XOR_POINTS[turn], _XOR_LABELS[turn]


def _noisy_xor(n: int, rng: np.random.Generator) -> Points:
    turn = rng.integers(0, 4, n)
    return _XOR_POINTS[turn] + _noise(XOR_NOISE, n, rng), _XOR_LABELS[turn]


def _moons(n: int, rng: np.random.Generator) -> Points:
    y = rng.integers(0, 2, n)
    angle = np.pi * rng.random(n)
    upper = np.column_stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25])
    lower = np.column_stack([0.5 - np.cos(angle), 0.25 - np.sin(angle)])
    return np.where(y[:, None] == 0, upper, lower) * 0.55 + _noise(MOONS_NOISE, n, rng), y


def _spiral(n: int, rng: np.random.Generator) -> Points:
    y = rng.integers(0, 2, n)
    along = np.sqrt(rng.uniform(0.02, 1.0, n))  # about as many points on every piece of an arm
    angle = 2 * np.pi * SPIRAL_TURNS * along + np.pi * y
    X = 0.9 * along[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + _noise(SPIRAL_NOISE, n, rng), y


def _noise(scale: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Return Gaussian noise, cut off at three standard deviations so that the square holds all points."""
    return scale * np.clip(rng.standard_normal((n, 2)), -3.0, 3.0)
