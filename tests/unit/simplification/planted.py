"""Networks with planted units that are dead, always on, equal, opposite or proportional: how many stay is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reluatlas.network.build import Builder
from reluatlas.network.network import Convolution, Network

KINDS = ("off", "on", "equal", "opposite", "proportional")


@dataclass(frozen=True, eq=False)
class Planted:
    """A network on [-1, 1]^n, how many of its units stay at most, and how many were planted of each kind."""

    network: Network
    n_kept: int
    counts: dict[str, int]


class Planter:
    """Widens layers of whole numbers over 4: what is planted is exact, whatever is put into what."""

    def __init__(self, seed: int, kinds: tuple[str, ...] = KINDS) -> None:
        self.rng = np.random.default_rng(seed)
        self.kinds = kinds
        self.counts = dict.fromkeys(KINDS, 0)
        self.n_kept = 0

    def rows(self, m: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return m random rows."""
        return self.rng.integers(-6, 7, (m, *shape)) / 4, self.rng.integers(-4, 5, m) / 4

    def widened(self, weight: np.ndarray, bias: np.ndarray, far: float, places: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows with others planted among them; `far` is larger than what rows can be."""
        parts, shifts = [weight], [bias]
        for kind in self.kinds:
            i = int(self.rng.integers(weight.shape[0]))
            factor = {"equal": 1.0, "opposite": -float(self.rng.choice([1, 2, 3, 0.5, 5])),
                      "proportional": float(self.rng.choice([2, 3, 5, 7, 0.5]))}.get(kind)  # fmt: skip
            if factor is None:
                row, _ = self.rows(1, weight.shape[1:])
                parts.append(row)
                shifts.append(np.array([-far if kind == "off" else far]))
            else:
                parts.append(weight[i : i + 1] * factor)
                shifts.append(bias[i : i + 1] * factor)
            self.counts[kind] += places
        self.n_kept += weight.shape[0] * places
        order = self.rng.permutation(weight.shape[0] + len(self.kinds))
        return np.concatenate(parts)[order], np.concatenate(shifts)[order]


def dense(seed: int, depth: int = 2) -> Planted:
    """Return a dense network with planted units in each layer."""
    p = Planter(seed)
    n = int(p.rng.integers(1, 4))
    b = Builder((n,))
    here, size = 0, 1.0
    for _ in range(depth):
        weight, bias = p.rows(3, (b.size(here),))
        size = 8.0 * b.size(here) * size + 8.0
        here = b.relu(b.dense(here, *p.widened(weight, bias, size, 1)))
    return Planted(b.finish(b.dense(here, *p.rows(2, (b.size(here),)))), p.n_kept, p.counts)


def residual(seed: int) -> Planted:
    """Return a network whose second layer is added to the first one, with planted units in both."""
    p = Planter(seed)
    b = Builder((2,))
    first = b.relu(b.dense(0, *p.widened(*p.rows(3, (2,)), 64.0, 1)))
    second = b.relu(b.dense(first, *p.widened(*p.rows(3, (b.size(first),)), 4096.0, 1)))
    both = b.add([first, b.dense(second, *p.rows(b.size(first), (b.size(second),)))])
    third = b.relu(b.dense(both, *p.widened(*p.rows(2, (b.size(both),)), 2.0**22, 1)))
    joined = b.concatenate([third, first])
    return Planted(b.finish(b.dense(joined, *p.rows(2, (b.size(joined),)))), p.n_kept, p.counts)


def convolution(b: Builder, source: int, weight: np.ndarray, bias: np.ndarray) -> int:
    """Add a convolution with kernel 3, padding 1, on images of one row; weight (out, in, 3)."""
    length = b.shape(source)[1]
    places = np.arange(length)[:, None] + np.arange(-1, 2)
    places[(places < 0) | (places >= length)] = -1
    shape = (weight.shape[0], length)
    return b.affine([source], [Convolution(weight, places, length)], np.repeat(bias, length), shape=shape)


def convolutional(seed: int, length: int = 4) -> Planted:
    """Return two convolutions and a dense layer, with whole channels planted."""
    p = Planter(seed)
    b = Builder((1, length))
    first = b.relu(convolution(b, 0, *p.widened(*p.rows(2, (1, 3)), 64.0, length)))
    channels = b.shape(first)[0]
    second = b.relu(convolution(b, first, *p.widened(*p.rows(2, (channels, 3)), 2.0**14, length)))
    return Planted(b.finish(b.dense(second, *p.rows(2, (b.size(second),)))), p.n_kept, p.counts)
