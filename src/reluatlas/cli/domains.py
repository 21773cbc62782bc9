"""Which domain do the options name? A box from `--box`, a plane from `--through`, all inputs from `--space`."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.cli.points import Point, PointUnits
from reluatlas.cli.through import read_points
from reluatlas.domain import Box, Domain, Slice, Space
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.network.parts import check_names

if TYPE_CHECKING:
    from reluatlas.network.network import Network


@dataclass(frozen=True, eq=False)
class Chosen:
    """A domain, the points that span it, and the Python that makes it."""

    domain: Domain
    code: str
    points: list[Point] = field(default_factory=list)

    @property
    def coordinates(self) -> list[NDArray[np.float64]]:
        """Where the points lie, in the domain's coordinates."""
        if not isinstance(self.domain, Slice):
            return []
        return [self.domain.coordinates(p.x) for p in self.points]


@dataclass(frozen=True, eq=False)
class Asked:
    """A domain as it was named on the command line, not yet fitted to a network.

    Everything that can be wrong without a network is found when this is made.

    Raises
    ------
    ArgumentError, DomainError
        When none or two are named, or numbers are not finite and in pairs.
    """

    box: list[str]
    through: list[str]
    margin: float
    space: bool = False
    units: PointUnits = field(default_factory=PointUnits)
    takes_space: bool = True
    sides: Sides = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        given = {"--box": self.box, "--through": self.through, "--space": self.space}
        named = [f"`{name}`" for name, value in given.items() if value]
        if len(named) > 1:
            raise ArgumentError(f"{' and '.join(named)} were both given; a domain is one of them. Leave one out.")
        if not named:
            more = ", or `--space` (all inputs)" if self.takes_space else ""
            raise ArgumentError(
                f"no domain was given. Pass `--box -1,1` (a box of the inputs){',' if more else ' or'} "
                f"`--through a.npy b.npy c.npy` (the plane through three inputs){more}."
            )
        object.__setattr__(self, "sides", sides_of(self.box))

    def fit(self, net: Network, *, quiet: bool = False) -> Chosen:
        """Return the domain in the inputs of a network."""
        return self._plane(net, quiet=quiet) if self.through else Chosen(*box_or_space(self.sides, net))

    def _plane(self, net: Network, *, quiet: bool) -> Chosen:
        points = read_points(self.through, net.input_shape, units=self.units, quiet=quiet)
        plane = Slice.through([p.x for p in points], margin=self.margin)
        return Chosen(plane, f"ra.Slice.through([{', '.join(p.code for p in points)}], margin={self.margin!r})", points)


Sides = dict[str, list[float]]
"""Pairs low,high by the name of a part of the input; under "" those of all inputs. Empty where no box was given."""


def sides_of(box: list[str]) -> Sides:
    """Return the numbers of `--box`: pairs low,high, of all inputs or by name (`--box x=-1,1 --box y=0,2`).

    Raises
    ------
    ArgumentError, DomainError
        When they are not finite numbers in pairs.
    """
    if not box:
        return {}
    given = " ".join(f"--box {text}" for text in box)
    named = [text.rpartition("=") for text in box]
    if all(name for name, _, _ in named):
        return {name: _pairs([text], f"--box {name}={text}") for name, _, text in named}
    return {"": _pairs(box, given)}


def _pairs(texts: list[str], given: str) -> list[float]:
    values: list[float] = []
    for text in ",".join(texts).split(","):
        try:
            values.append(float(text))
        except ValueError:
            raise ArgumentError(
                f"`{given}`: {text!r} is not a number; expected low,high such as `--box -1,1`, once for all inputs "
                "or once for each."
            ) from None
    if not all(isfinite(v) for v in values):
        raise DomainError(f"`{given}` holds NaN or an infinite number; a domain needs finite ones.")
    if len(values) % 2:
        raise ArgumentError(
            f"`{given}` has {len(values)} numbers; expected pairs low,high such as `--box -1,1`, once for all inputs "
            "or once for each."
        )
    return values


def box_or_space(sides: Sides, net: Network) -> tuple[Box | Space, str]:
    """Return the box of a network's inputs with these sides, in any dimension, and its Python; without, the space.

    Raises
    ------
    DimensionError, DomainError
        When the number of sides is not the network's, or one is empty or flat.
    """
    if not sides:
        return Space(net.n_inputs), f"ra.Space({net.n_inputs})"
    if "" in sides:
        return _box(sides[""], net)
    check_names(net.input_parts, sides, "--box")
    ranges = {}
    for part in net.input_parts:
        values = sides[part.name]
        if len(values) not in (2, 2 * part.size):
            raise DimensionError(
                f"`--box {part.name}=...` has {len(values) // 2} sides but that part has {part.size} entries. Pass one "
                f"low,high for all of them, or {part.size}."
            )
        ranges[part.name] = (values[0], values[1]) if len(values) == 2 else (values[0::2], values[1::2])
    return net.box(ranges), f"net.box({ranges!r})"


def _box(values: list[float], net: Network) -> tuple[Box, str]:
    n, sides = net.n_inputs, len(values) // 2
    if sides not in (1, n):
        raise DimensionError(
            f"`--box` has {sides} sides but the network takes {n} inputs. Pass one low,high for all of them, or {n}."
        )
    if sides == 1:
        return Box(values[0], values[1], dim=n), f"ra.Box({values[0]!r}, {values[1]!r}, dim={n})"
    low, high = values[0::2], values[1::2]
    return Box(low, high), f"ra.Box({low!r}, {high!r})"
