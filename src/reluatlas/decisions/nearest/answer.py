"""What is the answer to how far another class is? `NearestClass`: two bounds, a witness, and whether it crosses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from reluatlas.decisions.nearest.exactly import Exactly, length_nearest, length_up
from reluatlas.decisions.nearest.points import Points
from reluatlas.decisions.nearest.targets import Target
from reluatlas.domain import Domain, Space
from reluatlas.network.decision import class_name
from reluatlas.network.network import Network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class NearestClass(Shown):
    """How far the nearest point is at which another class is as large, or an output at a level.

    Attributes
    ----------
    network : Network
    x : ndarray, of the input's shape
    norm : 1, 2 or inf
    label : int
        The class of x; -1 where a level was asked for.
    against : int or None
        The class that ties at `point`; None where none was found, or a level was asked for.
    lower_bound : float
        No such point of the domain is nearer.
    upper_bound : float
        One is at this distance; `inf` where none was found.
    is_exact : bool
        Whether both are the exact distance, rounded once.
    size : Fraction or None
        The upper bound exactly: the distance of `point`, its square in the Euclidean norm.
    point : tuple of Fraction or None
        A point at that distance, in the domain's coordinates (those of the inputs, but on slices).
    witness : ndarray, of the input's shape, or None
        A float64 input next to `point` that reaches the other class, a little further out where that takes a float32
        forward pass along.
    witness_distance : float
        Its distance from x; `inf` where there is none.
    crosses : bool or None
        Whether the other class is larger arbitrarily near `point`; False where it merely touches. None: undecided.
    n_parts : int
        Parts of balls that were looked at.
    stopped_by : str
        "" when complete; else "max_seconds", "max_parts", or "out of reach" where float64 does not reach far enough.
    """

    network: Network
    x: FloatArray
    norm: float
    label: int
    against: int | None
    lower_bound: float
    upper_bound: float
    is_exact: bool
    size: Fraction | None
    point: tuple[Fraction, ...] | None = field(repr=False)
    witness: FloatArray | None
    witness_distance: float
    crosses: bool | None
    n_parts: int
    stopped_by: str

    @property
    def is_complete(self) -> bool:
        """Whether the search ended by itself."""
        return self.stopped_by == ""

    @property
    def gap(self) -> float:
        """Upper bound over lower bound: 1 when exact, `inf` while the lower one is 0 or nothing was found."""
        if self.is_exact:
            return 1.0
        return self.upper_bound / self.lower_bound if self.lower_bound > 0.0 else float("inf")

    @classmethod
    def of(
        cls, net: Network, domain: Domain, u: FloatArray, norm: float, label: int, points: Points,
        targets: Sequence[Target], witness: FloatArray | None, exact: Exactly, lower: float, is_exact: bool,
        rises: bool | None, n_parts: int, stopped: str,
    ) -> NearestClass:  # fmt: skip
        """Return the answer of a search."""
        best, against, upper = points.best, None, points.length
        far = float("inf")
        if best is not None:
            against = targets[points.target].against
            if is_exact:
                lower = upper = length_nearest(best.size, norm)
            assert witness is not None
            far = length_up(exact.size(witness), norm)
        shape = net.input_shape
        here, as_input = _inputs(domain, u).reshape(shape), None
        if witness is not None:
            as_input = _inputs(domain, witness).reshape(shape)
        return cls(
            net, here, norm, label, None if against is None or against < 0 else against, lower, upper, is_exact,
            None if best is None else best.size, None if best is None else best.point, as_input, far, rises, n_parts,
            stopped,
        )  # fmt: skip

    def __str__(self) -> str:
        what = "that level" if self.label < 0 else "another class"
        if self.against is not None:
            what = class_name(self.network, self.against)
        norm = {1.0: "in norm 1", 2.0: "in the Euclidean norm"}.get(self.norm, "in norm inf")
        if self.is_exact and self.point is None:
            return f"there is no point of {what} on the domain"
        if self.is_exact:
            touch = ", which it merely touches" if self.crosses is False else ""
            return f"{what} is {self.upper_bound:.6g} away {norm}, exactly{touch}"
        if self.point is None:
            return f"{what} is at least {self.lower_bound:.6g} away {norm}; none was found"
        return f"{what} is between {self.lower_bound:.6g} and {self.upper_bound:.6g} away {norm}"

    def __repr__(self) -> str:
        return f"NearestClass({self})"

    def __reduce__(self) -> Any:
        raise TypeError("a NearestClass is not pickled. Keep its numbers, or ask again.")


def _inputs(domain: Domain, u: FloatArray) -> FloatArray:
    """Return the inputs of coordinates (k,)."""
    return u if isinstance(domain, Space) else np.asarray(domain.embed(u))
