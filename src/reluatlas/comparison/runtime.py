"""By how much is a float32 forward pass off? Measured at a point, against the exact values."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reluatlas.network.interpret import Done, outcome
from reluatlas.network.operators import apply_operator, mapped
from reluatlas.network.record import Affine, Breakpoints, Graph, Max
from reluatlas.network.values.float64 import pieces
from reluatlas.typing import FloatArray


def single_outputs(network: Graph, x: FloatArray) -> FloatArray:
    """Return the outputs at one input (n_inputs,) when every number is rounded to float32, as float64 numbers."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        out = outcome(network, x.reshape(1, -1).astype(np.float32), _Float32())
    return out[0].astype(np.float64)


class _Float32:
    """Values (1, size) of nodes at a point, every number rounded to float32."""

    def affine(self, t: int, node: Affine, done: Done[np.ndarray]) -> np.ndarray:
        total = node.bias.astype(np.float32)[None]
        for source, operator in zip(node.inputs, node.operators, strict=True):
            total = total + apply_operator(mapped(operator, _single), done[source]).astype(np.float32)
        return total

    def breakpoints(self, t: int, node: Breakpoints, done: Done[np.ndarray]) -> np.ndarray:
        z = done[node.input]
        piece, unit = pieces(node, z.astype(np.float64)), np.arange(z.shape[1])
        return node.slopes[unit, piece].astype(np.float32) * z + node.intercepts[unit, piece].astype(np.float32)

    def max(self, t: int, node: Max, done: Done[np.ndarray]) -> np.ndarray:
        return np.maximum.reduceat(done[node.input][:, node.candidates], node.offsets[:-1], axis=1)


def _single(values: FloatArray) -> FloatArray:
    return values.astype(np.float32)  # pyright: ignore[reportReturnType]  # narrower on purpose


def runtime_error(f: Graph, g: Graph, x: FloatArray, difference: tuple[Fraction, ...]) -> float:
    """Return the largest distance of a float32 f(x) - g(x) from the exact one, or a float32 step of f where larger."""
    with np.errstate(over="ignore", invalid="ignore"):
        here = single_outputs(f, x), single_outputs(g, x)
        step = np.spacing(np.abs(here[0]).astype(np.float32)).astype(np.float64)
        off = np.abs(here[0] - here[1] - np.array([float(d) for d in difference]))
    worst = float(np.maximum(off, step).max())
    return worst if np.isfinite(worst) else float("inf")
