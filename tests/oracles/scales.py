"""Which weights leave float64's range on the way? Wild, tiny, huge and subnormal ones, and domains far from 1."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from tests.oracles.families import FAMILIES, gaussian, place, start, widths_for
from tests.oracles.steps import Case, Dense, Relu, Step


def _layers(rng: Generator, here: dict) -> list[list[np.ndarray]]:
    sizes = [here["shape"][0], *widths_for(rng, len(here["low"]), 7)[:2], int(rng.integers(1, 4))]
    return [list(gaussian(rng, m, n)) for n, m in pairwise(sizes)]


def _steps(layers: list[list[np.ndarray]]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for weight, bias in layers:
        steps += [Dense(weight, bias), Relu()]
    return tuple(steps[:-1])


def wild(seed: int) -> Case:
    """Return rows scaled by 2^-600 to 2^600, taken back by the next layer, or not."""
    rng = start("wild", seed)
    here = place(rng, seed)
    layers = _layers(rng, here)
    reach = int(rng.choice([60, 300, 600 if len(layers) == 2 else 450]))  # two of them must fit into float64
    back = rng.random() < 0.7
    for (weight, bias), (following, _) in pairwise(layers):
        powers = rng.integers(-reach, reach + 1, len(bias))
        _scale_rows(weight, bias, powers)
        if back:
            following[:] = np.ldexp(following, -powers[None, :])
    return Case("wild", seed, steps=_steps(layers), **here)


def uniform(family: str, powers: tuple[int, ...]) -> Callable[[int], Case]:
    """Return a family whose weights and biases all carry one power of two in every layer."""

    def case(seed: int) -> Case:
        rng = start(family, seed)
        here = place(rng, seed)
        layers = _layers(rng, here)
        power = int(rng.choice(powers))
        total = 0
        with_bias = rng.random() < 0.7
        for weight, bias in layers:
            weight[:] = np.ldexp(weight, power)
            total = total + power
            # Biases of the size of what they are added to, as long as float64 holds it.
            bias[:] = np.ldexp(bias, int(np.clip(total, -1040, 1000)) if with_bias else power)
        return Case(family, seed, steps=_steps(layers), **here)

    case.__doc__ = f"Return weights near 2^p, p one of {powers}."
    return case


def subnormal(seed: int) -> Case:
    """Return rows or biases that are whole multiples of 2^-1074, beside ordinary ones."""
    rng = start("subnormal", seed)
    here = place(rng, seed)
    layers = _layers(rng, here)
    smallest = 2.0**-1074
    for weight, bias in layers:
        for i in range(len(bias)):
            kind = int(rng.integers(0, 5))
            if kind == 0:
                weight[i] = rng.integers(-9, 10, weight.shape[1]) * smallest
                bias[i] = int(rng.integers(-9, 10)) * smallest
            elif kind == 1:
                bias[i] = int(rng.integers(-9, 10)) * smallest
            elif kind == 2:
                weight[i, int(rng.integers(0, weight.shape[1]))] = int(rng.integers(-9, 10)) * smallest
    return Case("subnormal", seed, steps=_steps(layers), **here)


def mixed_ends(seed: int) -> Case:
    """Return ordinary networks in which single numbers are 1e-300 or 1e300."""
    rng = start("mixed_ends", seed)
    here = place(rng, seed)
    layers = _layers(rng, here)
    for weight, bias in layers:
        mask = rng.random(weight.shape) < 0.25
        weight[mask] *= rng.choice([1e-300, 1e300, -1e-300, 1e290], int(mask.sum()))
        if rng.random() < 0.4:
            bias[int(rng.integers(0, len(bias)))] *= float(rng.choice([1e-300, 1e300]))
    return Case("mixed_ends", seed, steps=_steps(layers), **here)


def far_boxes(seed: int) -> Case:
    """Return ordinary networks on boxes of size 2^-300 to 2^300, or far from 0, with a first layer that fits them."""
    rng = start("far_boxes", seed)
    here = place(rng, seed, boxes=True)
    layers = _layers(rng, here)
    weight, bias = layers[0]
    k = len(here["low"])
    if rng.random() < 0.6:
        powers = rng.integers(-300, 301, k) if rng.random() < 0.5 else np.full(k, int(rng.integers(-300, 301)))
        here["low"], here["high"] = np.ldexp(here["low"], powers), np.ldexp(here["high"], powers)
        weight[:] = np.ldexp(weight, -powers[None, :])
    else:
        shift = 2.0 ** float(rng.integers(10, 45))
        here["low"], here["high"] = here["low"] + shift, here["high"] + shift
        bias -= weight.sum(axis=1) * shift
    return Case("far_boxes", seed, steps=_steps(layers), **here)


def _scale_rows(weight: np.ndarray, bias: np.ndarray, powers: np.ndarray) -> None:
    weight[:] = np.ldexp(weight, powers[:, None])
    bias[:] = np.ldexp(bias, powers)


FAMILIES |= {
    "wild": wild,
    "tiny": uniform("tiny", (-280, -280, -200, -350)),
    "huge": uniform("huge", (200, 300, 400)),
    "ends": uniform("ends", (-538, -600, -1000, 500, 1000)),
    "subnormal": subnormal,
    "mixed_ends": mixed_ends,
    "far_boxes": far_boxes,
}
