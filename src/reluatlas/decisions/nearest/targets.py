"""What is looked for? Closed sets of points: where another class is as large as that of x, or an output at a level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.network.decision import class_name
from reluatlas.network.network import Network


class Target(NamedTuple):
    """The points where `sum of factors times outputs + shift` is at least 0.

    Attributes
    ----------
    factors : mapping of int to int
    shift : float
    against : int
        The class; -1 for a level.
    """

    factors: Mapping[int, int]
    shift: float
    against: int

    def margin(self, outputs: Any) -> Any:
        """Return that sum for exact outputs."""
        return sum((outputs[j] * f for j, f in self.factors.items()), Fraction(self.shift))

    def row(self, m: int) -> np.ndarray:
        """Return the factors of all outputs (m,)."""
        out = np.zeros(m)
        for j, f in self.factors.items():
            out[j] = f
        return out


def class_of(network: Network, outputs: list[Fraction]) -> int:
    """Return the class of exact outputs: the lowest of equal ones; of a single output, its sign."""
    if len(outputs) == 1:
        return int(outputs[0] > 0)
    return outputs.index(min(outputs) if network.classes == "min" else max(outputs))


def targets_of(network: Network, outputs: list[Fraction], against: object, level: object) -> tuple[int, list[Target]]:
    """Return the class of a point with these outputs (-1 for a level), and what is looked for from there.

    Raises
    ------
    ArgumentError
        When there is no such class or output, or none is told where one is needed.
    """
    if level is not None:
        if against is not None:
            raise ArgumentError("`against` and `level` exclude each other: look for classes, or for a level.")
        return -1, [_level(network, outputs, level)]
    m = len(outputs)
    if network.classes is None:
        raise ArgumentError(
            "the network was opened with `classes=None`: its outputs are numbers, not classes. Pass "
            f"`level=(output, value)`, with an output of 0 to {m - 1}."
        )
    label = class_of(network, outputs)
    n = max(2, m)
    if against is None:
        others = [j for j in range(n) if j != label]
    else:
        given = [against] if isinstance(against, str) or not isinstance(against, Iterable) else list(against)
        others = [_class(network, j, n) for j in given]
        if not others:
            raise ArgumentError("`against=[]` names no class. Pass one, several, or None for all others.")
        if label in others:
            raise ArgumentError(
                f"`against` names {class_name(network, label)}, the class that the network decides on. Pass others."
            )
    if m == 1:
        return label, [Target({0: -1 if label else 1}, 0.0, 1 - label)]
    sign = -1 if network.classes == "min" else 1
    return label, [Target({j: sign, label: -sign}, 0.0, j) for j in dict.fromkeys(others)]


def _class(network: Network, given: object, n: int) -> int:
    if isinstance(given, str) and given in network.class_names:
        return network.class_names.index(given)
    if isinstance(given, int | np.integer) and not isinstance(given, bool) and 0 <= given < n:
        return int(given)
    names = f", or {', '.join(map(repr, network.class_names[:4]))}, ..." if network.class_names else ""
    raise ArgumentError(f"`against={given!r}` is no class of the network. Pass one of 0 to {n - 1}{names}.")


def _level(network: Network, outputs: list[Fraction], level: object) -> Target:
    m = len(outputs)
    try:
        output, value = level  # type: ignore[misc]
        number = float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"`level={level!r}` must be an output and a value, such as `level=(0, 1.5)`.") from None
    if isinstance(output, bool) or not isinstance(output, int | np.integer) or not 0 <= output < m:
        raise ArgumentError(f"`level={level!r}` names output {output!r}; the network has outputs 0 to {m - 1}.")
    if not isfinite(number):
        raise ArgumentError(f"`level={level!r}` must have a finite value.")
    below = outputs[int(output)] <= Fraction(number)
    return Target({int(output): 1 if below else -1}, -number if below else number, -1)
