"""What does a property say? `Property`: boxes of inputs, and linear conditions that must not hold there, in ratios.

A part of the check of certificates: shares nothing with the search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.shown import Shown

_LARGEST = 2**500


@dataclass(frozen=True)
class Inequality:
    """`sum inputs[i] x_i + sum outputs[j] y_j <= bound`, in ratios; a closed halfspace of inputs and outputs.

    Attributes
    ----------
    inputs, outputs : mapping of int to Fraction
        Coefficients that are not zero, by the number of the input or output.
    bound : Fraction
    """

    inputs: Mapping[int, Fraction]
    outputs: Mapping[int, Fraction]
    bound: Fraction

    def excess(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
        """Return by how much the left side is above the bound at an input and its output."""
        total = sum((c * x[i] for i, c in self.inputs.items()), -self.bound)
        return sum((c * y[j] for j, c in self.outputs.items()), total)


@dataclass(frozen=True)
class Case:
    """One way to violate a property: an input between `low` and `high` at which all inequalities hold.

    Ends may be equal: the input has that value.
    """

    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    inequalities: tuple[Inequality, ...]


@dataclass(frozen=True, repr=False)
class Property(Shown):
    """What must not happen: that an input and its output are in one of some cases.

    The inputs are those that the network takes: before `mean` and `std`, where it was loaded with these.

    Attributes
    ----------
    n_inputs, n_outputs : int
    cases : tuple of Case
        It is violated when some input is in one of them, with its exact output.
    source : str
        Where it came from, for messages.
    """

    n_inputs: int
    n_outputs: int
    cases: tuple[Case, ...]
    source: str = "property"

    def __post_init__(self) -> None:
        for number, case in enumerate(self.cases):
            what = f"case {number} of the property"
            if not len(case.low) == len(case.high) == self.n_inputs:
                raise DimensionError(
                    f"{what} has {len(case.low)} low and {len(case.high)} high ends; expected {self.n_inputs} each."
                )
            numbers: list[object] = [*case.low, *case.high]
            for row in case.inequalities:
                numbers += [row.bound, *row.inputs.values(), *row.outputs.values()]
                if not (
                    set(row.inputs) <= set(range(self.n_inputs)) and set(row.outputs) <= set(range(self.n_outputs))
                ):
                    raise DimensionError(f"{what} names an input or output that there is not; numbers begin with 0.")
            if not all(isinstance(v, Fraction | int) and abs(v) <= _LARGEST for v in numbers):
                raise ArgumentError(f"{what} has a number that is no `Fraction` of at most 2**500. Pass `Fraction`s.")
            at = next((i for i, (a, b) in enumerate(zip(case.low, case.high, strict=True)) if a > b), None)
            if at is not None:
                raise ArgumentError(f"{what} has no input: input {at} is above its high end. Exchange the ends.")
        if not self.cases:
            raise ArgumentError("`cases` is empty: a property needs one way or more in which it can be violated.")

    def areas(self) -> list[tuple[tuple[Fraction, ...], tuple[Fraction, ...], list[Case]]]:
        """Return the boxes of inputs that there are, each with its cases, in order of first appearance."""
        found: dict[tuple[tuple[Fraction, ...], tuple[Fraction, ...]], list[Case]] = {}
        for case in self.cases:
            found.setdefault((case.low, case.high), []).append(case)
        return [(low, high, cases) for (low, high), cases in found.items()]

    def digest(self) -> str:
        """Return a SHA-256 of what it says."""
        said = hashlib.sha256(f"{self.n_inputs} {self.n_outputs}".encode())
        for case in self.cases:
            said.update(f"case {' '.join(map(str, case.low))} to {' '.join(map(str, case.high))}".encode())
            for row in case.inequalities:
                said.update(f"if {sorted(row.inputs.items())} {sorted(row.outputs.items())} {row.bound}".encode())
        return said.hexdigest()

    def require_sizes(self, n_inputs: int, n_outputs: int) -> None:
        """Refuse a network of other sizes.

        Raises
        ------
        DimensionError
        """
        for what, mine, theirs in (("inputs", self.n_inputs, n_inputs), ("outputs", self.n_outputs, n_outputs)):
            if mine != theirs:
                raise DimensionError(
                    f"`{self.source}` is about {mine} {what} but the network has {theirs}. Pass the network that the "
                    "property was written for."
                )
