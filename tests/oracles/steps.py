"""What is a case? A network as a list of steps, each a plain value, and a domain, that doors and oracles both read.

`nodes` gives the oracles' exact nodes. Step i makes tensor i + 1; tensor 0 is the input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tests.oracles import plain
from tests.oracles.solid import Domain, on_box, whole

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Dense:
    """`weight @ h + bias`."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class Relu:
    """`max(0, h)`."""


@dataclass(frozen=True)
class Leaky:
    """`h` above 0, `alpha * h` below; a slope that float32 holds, not 1."""

    alpha: float


@dataclass(frozen=True)
class Abs:
    """`|h|`."""


@dataclass(frozen=True)
class Clip:
    """`min(max(h, low), high)`."""

    low: float
    high: float


@dataclass(frozen=True)
class Windows:
    """Output w is the largest of the entries `windows[w]` of h; windows of one size."""

    windows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MaxOf:
    """The elementwise maximum of h and of earlier tensors, in the order `tensors` (-1 is h)."""

    tensors: tuple[int, ...]


@dataclass(frozen=True)
class Plus:
    """h and an earlier tensor, added."""

    tensor: int


@dataclass(frozen=True)
class Beside:
    """h, and behind it an earlier tensor."""

    tensor: int


@dataclass(frozen=True)
class Conv:
    """A convolution without padding over an image `shape`; `weight` (out, in, height, width) in float32's numbers."""

    weight: Array
    bias: Array
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Pool:
    """The largest of each window of `size` x `size`, over an image `shape`."""

    size: int
    stride: int
    shape: tuple[int, int, int]


Step = Dense | Relu | Leaky | Abs | Clip | Windows | MaxOf | Plus | Beside | Conv | Pool


@dataclass(frozen=True)
class Case:
    """A network and where to look at it.

    With a `basis` the domain is the slice `origin + u @ basis`, else a box; `is_space`: all inputs of a network.
    """

    family: str
    seed: int
    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    low: Array
    high: Array
    origin: Array | None = None
    basis: Array | None = None
    is_space: bool = False
    points: tuple[Array, ...] = field(default=())
    """Points of the domain, in its coordinates, to ask about besides others."""

    @property
    def k(self) -> int:
        """Coordinates of the domain."""
        return len(self.low)

    def nodes(self) -> tuple[plain.Node, ...]:
        """Return the exact nodes, the input first, the output last."""
        nodes: list[plain.Node] = [plain.Input(int(np.prod(self.shape)))]
        where = [0]
        for step in self.steps:
            if isinstance(step, MaxOf):
                nodes += _elementwise(step, where, nodes)
            else:
                nodes.append(_node(step, where, nodes))
            where.append(len(nodes) - 1)
        return tuple(nodes)

    def n_outputs(self) -> int:
        """Return the number of outputs."""
        return _size(self.nodes()[-1])

    def domain(self) -> Domain:
        """Return the exact domain."""
        if self.is_space:
            return whole(self.nodes(), self.k)
        low, high = fractions(self.low), fractions(self.high)
        if self.basis is None or self.origin is None:
            return on_box(low, high)
        return Domain(low, high, fractions(self.origin), tuple(fractions(row) for row in self.basis))

    def layers(self) -> list[tuple[Array, Array]] | None:
        """Return weights and biases when the network is dense layers with ReLU between, else None."""
        if len(self.steps) % 2 == 0:
            return None
        if not all(isinstance(s, (Dense, Relu)[i % 2]) for i, s in enumerate(self.steps)):
            return None
        return [(s.weight, s.bias) for s in self.steps if isinstance(s, Dense)]


def fractions(numbers: Array) -> tuple[Fraction, ...]:
    """Return float64 numbers as what they are."""
    return tuple(Fraction(float(v)) for v in numbers)


def _node(step: Step, where: list[int], nodes: list[plain.Node]) -> plain.Node:
    here = where[-1]
    n = _size(nodes[here])
    zero = Fraction(0)
    if isinstance(step, Dense):
        return plain.dense(here, [fractions(row) for row in step.weight], fractions(step.bias))
    if isinstance(step, Relu):
        return plain.relu(here, n)
    if isinstance(step, Leaky):
        return plain.unit_function(here, n, knots=[zero], slopes=[Fraction(step.alpha), 1], intercepts=[0, 0])
    if isinstance(step, Abs):
        return plain.unit_function(here, n, knots=[zero], slopes=[-1, 1], intercepts=[0, 0])
    if isinstance(step, Clip):
        low, high = Fraction(step.low), Fraction(step.high)
        return plain.unit_function(here, n, knots=[low, high], slopes=[0, 1, 0], intercepts=[low, 0, high])
    if isinstance(step, Windows):
        return plain.Max(here, step.windows)
    if isinstance(step, Plus):
        same = tuple(((i, 1),) for i in range(n))
        return plain.Affine(((here, same), (where[step.tensor], same)), (0,) * n)
    if isinstance(step, Beside):
        return _beside([here, where[step.tensor]], nodes)
    if isinstance(step, Conv):
        return _conv(step, here)
    assert isinstance(step, Pool)
    channels, height, width = step.shape
    places = [
        tuple((c * height + i + p) * width + j + q for p, q in product(range(step.size), repeat=2))
        for c in range(channels)
        for i in range(0, height - step.size + 1, step.stride)
        for j in range(0, width - step.size + 1, step.stride)
    ]
    return plain.Max(here, tuple(places))


def _elementwise(step: MaxOf, where: list[int], nodes: list[plain.Node]) -> list[plain.Node]:
    sources = [where[t] for t in step.tensors]
    n = _size(nodes[sources[0]])
    windows = tuple(tuple(i + n * t for t in range(len(sources))) for i in range(n))
    return [_beside(sources, nodes), plain.Max(len(nodes), windows)]


def _beside(sources: list[int], nodes: list[plain.Node]) -> plain.Affine:
    sizes = [_size(nodes[s]) for s in sources]
    terms = []
    for at, source in enumerate(sources):
        start = sum(sizes[:at])
        terms.append(
            (source, tuple(((i - start, 1),) if 0 <= i - start < sizes[at] else () for i in range(sum(sizes))))
        )
    return plain.Affine(tuple(terms), (0,) * sum(sizes))


def _conv(step: Conv, at: int) -> plain.Affine:
    channels, height, width = step.shape
    out, _, tall, wide = step.weight.shape
    rows, bias = [], []
    for o in range(out):
        for i, j in product(range(height - tall + 1), range(width - wide + 1)):
            taps = product(range(channels), range(tall), range(wide))
            rows.append(
                tuple(
                    ((c * height + i + p) * width + j + q, Fraction(float(step.weight[o, c, p, q])))
                    for c, p, q in taps
                    if step.weight[o, c, p, q]
                )
            )
            bias.append(Fraction(float(step.bias[o])))
    return plain.Affine(((at, tuple(rows)),), tuple(bias))


def _size(node: plain.Node) -> int:
    if isinstance(node, plain.Input):
        return node.size
    if isinstance(node, plain.Affine):
        return len(node.bias)
    return len(node.knots if isinstance(node, plain.Breakpoints) else node.windows)
