"""What is an entry of a tensor exactly, as an affine function of the input on given pieces? A row and a constant."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from operator import mul
from typing import NamedTuple

from reluatlas.arithmetic.rationals import ExactVector, exact_vector
from reluatlas.network.interpret import Choice, pull
from reluatlas.network.record import Graph
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.typing import FloatArray


class ExactAffine(NamedTuple):
    """The function `row . x + constant`: coefficients on the input tensor, and a vector of one number."""

    row: ExactVector
    constant: ExactVector


def exact_affine(
    network: Graph, node: int, factors: Mapping[int, int], choice: Choice, arithmetic: IntegerArithmetic
) -> ExactAffine:
    """Return the sum of some entries of a node's tensor, times a factor each, on the pieces or winners of `choice`.

    Parameters
    ----------
    factors : mapping of int to int
        By entry.
    choice : dict
        For each cut node that comes before, the pieces or winners (units,).
    """
    seed = [0] * prod(network.nodes[node].shape)
    for entry, factor in factors.items():
        seed[entry] = factor
    carried = _WithConstants(arithmetic)
    row = pull(network, node, ExactVector(seed, 0), choice, carried)
    return ExactAffine(ExactVector([0] * network.n_inputs, 0) if row is None else row, carried.total)


def dot(row: ExactVector, other: ExactVector) -> ExactVector:
    """Return the product of two vectors, as a vector of one number."""
    number = sum(map(mul, row.numbers, other.numbers))
    return ExactVector([number], row.exponent + other.exponent, row.denominator * other.denominator)


class _WithConstants:
    """Carries rows backward as whole numbers are carried, and adds up what they meet of constants."""

    def __init__(self, arithmetic: IntegerArithmetic) -> None:
        self.total = ExactVector([0], 0)
        self.adjoint, self.collect = arithmetic.adjoint, arithmetic.collect
        self.scale, self.add = arithmetic.scale, arithmetic.add

    def constant(self, row: ExactVector, vector: FloatArray) -> None:
        """Add `row . vector` to the total."""
        self.total = self.add(self.total, dot(row, exact_vector(vector)))
