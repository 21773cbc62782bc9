"""Do the imported network and the model it came from compute the same values? Both are run.

On the same random inputs, every tensor that both have is compared: with everything in float64, to
1e-12 of the tensor's largest value, and at the model's own precision to 1e-5. Where sums cancel, no
arithmetic is that good: the rounding that must be expected at each entry is carried along, and the
allowance is never below a small multiple of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ImportMismatchError, ModelFileError, NonFiniteError, ReluAtlasError
from reluatlas.importers.lowering.tensors import Checkpoint
from reluatlas.network.network import Affine, Breakpoints, FloatArray, Gather, Input, Max, Network, Note
from reluatlas.network.operators import apply_operator, mapped, terms
from reluatlas.network.values.float64 import values

FLOAT64_TOLERANCE = 1e-12
NATIVE_TOLERANCE = 1e-5
ROUNDING_ALLOWANCE = 16.0  # standard deviations of the expected rounding
N_POINTS = 6
MAX_COMPARED = 2**23  # numbers of all tensors at all points together, while there is more than one point

Run = Callable[[FloatArray], Mapping[str, NDArray]]


@dataclass(frozen=True)
class ModelRuns:
    """How to run the model itself.

    Attributes
    ----------
    float64 : callable
        Takes points (N, *input_shape); returns, by the checkpoints' names, the tensors (N, ...) of
        the model with everything recast to float64.
    native : callable
        The same at the model's own precision; may return only the output.
    native_tensors : callable or None
        The same with all tensors, to find where they part; None when `native` returns all.
    epsilon : float
        Distance from 1 to the next number at the model's own precision.
    point_type : numpy.dtype
        Of the points at the model's precision.
    second : callable or None
        All tensors at the model's own precision by another program than `float64` and `native_tensors`; it gives
        None where there is none.
    """

    float64: Run
    native: Run
    native_tensors: Run | None
    epsilon: float
    point_type: np.dtype
    second: Callable[[FloatArray], Mapping[str, NDArray] | None] | None = None


def check_import(
    network: Network,
    checkpoints: Sequence[Checkpoint],
    runs: ModelRuns,
    *,
    normalization: tuple[FloatArray, FloatArray] | None = None,
    seed: int = 0,
) -> Note | None:
    """Raise when the network and the model disagree on random inputs; return a note where those who ran it disagree.

    Where the network parts from the first program that ran the model, but equals the second in all tensors, the first
    is wrong about an operator: no fault of the model or the network, and noted.

    Parameters
    ----------
    network : Network
    checkpoints : sequence of Checkpoint
        In topological order; nodes are indices into `network.nodes`.
    runs : ModelRuns
    normalization : (mean, std) or None
        The network takes `x` and the model `(x - mean) / std`; arrays of the input's shape.
    seed : int

    Raises
    ------
    ImportMismatchError
        Names the first tensor where they part, with both values.
    """
    rng = np.random.default_rng(seed)
    total = sum(prod(n.shape) for n in network.nodes)
    sizes = np.array([1.0, 0.0, 10.0, 1.0, 0.0, 10.0])[: min(N_POINTS, max(1, MAX_COMPARED // total))]
    n_points, sizes = len(sizes), sizes.reshape(-1, *(1,) * len(network.input_shape))
    shape = (n_points, *network.input_shape)
    z = np.where(sizes > 0, sizes * rng.standard_normal(shape), rng.random(shape))
    z = z.astype(runs.point_type).astype(np.float64)
    x = z if normalization is None else normalization[0] + normalization[1] * z
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is found by comparing
        ours = values(network, x.reshape(n_points, -1))
        roundings = rounding(network, ours, np.finfo(np.float64).eps)
    for node, value in zip(network.nodes, ours, strict=True):
        if not np.isfinite(value).all():
            raise NonFiniteError(
                f"the values of `{node.name or 'a layer'}` overflow float64 at inputs of about 10, so that the network "
                "cannot be compared with the model. Multiply the layer's weights and biases by a power of two below 1, "
                "and the weights behind its ReLU by the inverse: no cell changes."
            )
    problem: ReluAtlasError | None = None
    try:
        first = first_difference(checkpoints, ours, runs.float64(z), roundings, FLOAT64_TOLERANCE)
        if first is not None:
            problem = ImportMismatchError(_sentence(first, "in float64", network))
    except ModelFileError as failure:  # the program lacks an operator
        problem = failure
    with np.errstate(over="ignore", invalid="ignore"):
        roundings = rounding(network, ours, max(runs.epsilon, float(np.finfo(np.float64).eps)))
    if problem is not None:
        second = None if runs.second is None else runs.second(z)
        tolerance = NATIVE_TOLERANCE
        if second is None or first_difference(checkpoints, ours, second, roundings, tolerance, skip_overflow=True):
            raise problem
        other = "equals the model as onnxruntime runs it; ONNX's reference evaluator says otherwise"
        return Note("checked", "", f"{other}: {problem}")

    theirs = runs.native(z)
    first = first_difference(checkpoints, ours, theirs, roundings, NATIVE_TOLERANCE, skip_overflow=True)
    if first is not None:
        if runs.native_tensors is not None:
            first = first_difference(checkpoints, ours, runs.native_tensors(z), roundings, NATIVE_TOLERANCE) or first
        raise ImportMismatchError(_sentence(first, "at the model's own precision", network))
    return None


@dataclass(frozen=True)
class Difference:
    """The first tensor where network and model part, and its worst entry."""

    checkpoint: Checkpoint
    entry: int
    model: float
    network: float
    allowed: float


def first_difference(
    checkpoints: Sequence[Checkpoint],
    ours: Sequence[FloatArray],
    theirs: Mapping[str, NDArray],
    roundings: Sequence[FloatArray],
    tolerance: float,
    *,
    skip_overflow: bool = False,
) -> Difference | None:
    """Return where the values of network and model first differ by more than is allowed, or None."""
    compared = 0
    for point in checkpoints:
        if point.name not in theirs:
            continue
        mine = ours[point.node]
        other = np.asarray(theirs[point.name], dtype=np.float64).reshape(mine.shape[0], -1)
        if other.shape != mine.shape:
            return Difference(point, 0, float(other.shape[1]), float(mine.shape[1]), 0.0)
        compared += 1
        usable = np.ones(len(other), dtype=bool)
        if skip_overflow:
            usable &= np.isfinite(other).all(axis=1)
        if not usable.any():
            return Difference(point, 0, float(other.reshape(-1)[0]), float(mine.reshape(-1)[0]), 0.0)
        # where the expected rounding itself overflows, nothing is allowed for it
        expected = np.where(np.isfinite(roundings[point.node]), roundings[point.node], 0.0)
        allowed = np.maximum(tolerance * np.abs(mine).max(initial=0.0), ROUNDING_ALLOWANCE * np.sqrt(expected))
        with np.errstate(invalid="ignore"):
            off = np.abs(mine - other)
        wrong = ~(off <= allowed) & usable[:, None]
        if wrong.any():
            at = np.unravel_index(np.argmax(np.where(wrong, np.nan_to_num(off, nan=np.inf), -1.0)), off.shape)
            return Difference(point, int(at[1]), float(other[at]), float(mine[at]), float(allowed[at]))
    if not compared:
        raise ImportMismatchError("the model gave none of the tensors that the network has; nothing was compared.")
    return None


def rounding(network: Network, computed: Sequence[FloatArray], epsilon: float) -> list[FloatArray]:
    """Return the variance (N, size) of the rounding to be expected in each node's values.

    Roundings are taken as independent: each affine node adds `epsilon^2 n sum (w x)^2` and passes
    on what came in through the squares of its coefficients.
    """
    out: list[FloatArray] = []
    for node, value in zip(network.nodes, computed, strict=True):
        own = (epsilon * value) ** 2
        if isinstance(node, Input):
            out.append(own)
        elif isinstance(node, Affine):
            total = own + (epsilon * node.bias) ** 2
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if not isinstance(operator, Gather):
                    incoming = out[source] + epsilon**2 * terms(operator) * computed[source] ** 2
                    total = total + apply_operator(mapped(operator, np.square), incoming)
                else:
                    incoming = out[source] + epsilon**2 * computed[source] ** 2
                    padded = operator.index < 0
                    passed = incoming[:, np.where(padded, 0, operator.index)] * operator.scale**2
                    passed[:, padded] = 0.0
                    total = total + passed
            out.append(total)
        elif isinstance(node, Breakpoints):
            steepest = (node.slopes**2).max(axis=1)
            out.append(own + out[node.input] * np.maximum(steepest, 0.0))
        else:
            assert isinstance(node, Max)
            out.append(np.maximum.reduceat(out[node.input][:, node.candidates], node.offsets[:-1], axis=1))
    return out


def _sentence(first: Difference, where: str, network: Network) -> str:
    point = first.checkpoint
    return (
        f"the imported network parts from {network.source} at {point.label}, entry {first.entry}, "
        f"{where}: the model gives {first.model:.17g} and the network {first.network:.17g} "
        f"(allowed difference {first.allowed:.3g}). Please report this model."
    )
