"""Tiny random problems in plain data, degenerate on purpose, for checking one oracle against the other."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from tests.oracles.plain import Affine, Input, Max, Problem, dense, relu, unit_function

KINDS = (
    "generic", "biasless", "ternary", "duplicate", "opposite", "zero", "clip", "abs", "max", "max_of_relu", "residual",
)  # fmt: skip
_LOW, _HIGH = Fraction(-1, 3), Fraction(1, 2)
_FUNCTIONS = {
    "clip": {"knots": [_LOW, _HIGH], "slopes": [0, 1, 0], "intercepts": [_LOW, 0, _HIGH]},
    "abs": {"knots": [0], "slopes": [-1, 1], "intercepts": [0, 0]},
}


def random_problem(kind: str, seed: int) -> Problem:
    """Return a network of five units or so in two layers, on a square or on a slanted plane in three inputs."""
    rng = Random(f"{kind} {seed}")
    n = rng.choice([2, 2, 3])
    nodes: list = [Input(n)]
    first = rng.choice([2, 3])
    here = _cut(nodes, _dense(kind, 0, first, n, rng), first, kind)
    size = len(nodes[here].windows) if isinstance(nodes[here], Max) else first
    second = rng.choice([1, 2])
    last = _cut(nodes, _dense(kind, here, second, size, rng), second, kind)
    if kind == "residual":
        added = tuple(((0, 1),) for _ in range(size))
        taken = tuple(((i, -1),) for i in range(size))
        nodes.append(Affine(((last, added), (here, taken)), (0,) * size))
        last = len(nodes) - 1
        second = size
    width = len(nodes[last].windows) if isinstance(nodes[last], Max) else second
    nodes.append(_dense(kind, last, 2, width, rng))
    if n == 2:
        return Problem(tuple(nodes), len(nodes) - 1, (-1, -1), (1, Fraction(3, 2)), (0, 0), ((1, 0), (0, 1)))
    basis = tuple(tuple(Fraction(rng.randint(-9, 9), 7) for _ in range(n)) for _ in range(2))
    origin = tuple(Fraction(rng.randint(-2, 2), 3) for _ in range(n))
    return Problem(tuple(nodes), len(nodes) - 1, (-1, 0), (2, 1), origin, basis)  # type: ignore[arg-type]


def _cut(nodes: list, layer: Affine, size: int, kind: str) -> int:
    nodes.append(layer)
    z = len(nodes) - 1
    if kind in _FUNCTIONS:
        nodes.append(unit_function(z, size, **_FUNCTIONS[kind]))
    elif kind == "max":
        nodes.append(Max(z, tuple((i, (i + 1) % size, i) for i in range(size))))
    elif kind == "max_of_relu":
        nodes.append(relu(z, size))
        nodes.append(Max(z + 1, (tuple(range(size)), (0,))))
    else:
        nodes.append(relu(z, size))
    return len(nodes) - 1


def _dense(kind: str, source: int, m: int, n: int, rng: Random) -> Affine:
    if kind == "ternary":
        weight = [[rng.randint(-1, 1) for _ in range(n)] for _ in range(m)]
        return dense(source, weight, [rng.randint(-1, 1) for _ in range(m)])
    weight = [[Fraction(rng.randint(-99, 99), 37) for _ in range(n)] for _ in range(m)]
    bias = [Fraction(rng.randint(-60, 60), 37) if kind != "biasless" else Fraction(0) for _ in range(m)]
    if m > 1 and kind in ("duplicate", "opposite", "zero"):
        factor = {"duplicate": Fraction(rng.choice([1, 3])), "opposite": Fraction(-1), "zero": Fraction(0)}[kind]
        weight[-1] = [factor * w for w in weight[0]]
        bias[-1] = factor * bias[0]
    return dense(source, weight, bias)
