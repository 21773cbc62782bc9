"""Why this class? `explain`: the margin as an exact sum over the inputs, and how far that holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.arithmetic.constants import SMALLEST, UNIT_ROUNDOFF
from reluatlas.arithmetic.rationals import nearest
from reluatlas.cells.cell import Cell
from reluatlas.cells.cell_at import cell_at
from reluatlas.deadline import Deadline, under
from reluatlas.decisions.question import Question, asked
from reluatlas.decisions.reach import ExactMaps, Reach, reach_of
from reluatlas.domain import Box, Space
from reluatlas.errors import ArgumentError
from reluatlas.memory import in_a_sentence
from reluatlas.network.network import Network, require_network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Shown):
    """The margin of a class, or an output, at one point, as a sum over the inputs.

    Attributes
    ----------
    network : Network
    x : ndarray, of the input's shape
    question : Question
        What is explained: `label`, `against` and `output`.
    value : float
        The margin, or the output.
    parts : ndarray, of the input's shape
        What each input contributes: `w_i x_i`.
    weights : ndarray, of the input's shape
        What the margin changes by with each input, on the whole cell.
    constant : float
        What does not depend on the input there.
    error : float
        A bound on how far the sum of all `parts` and `constant`, added exactly, is from the exact margin.
    ties : tuple of str
        The units on whose zero sets the point lies: several cells meet there, and the parts are those of one.
    cell : Cell
        The cell that holds the point; on a face the one that `affine_at` takes.
    """

    network: Network
    x: FloatArray
    question: Question
    value: float
    parts: FloatArray
    weights: FloatArray
    constant: float
    error: float
    ties: tuple[str, ...]
    cell: Cell = field(repr=False)
    _maps: ExactMaps = field(repr=False)

    @property
    def label(self) -> int:
        """The class that the network decides on; -1 where an output is explained."""
        return self.question.label

    @property
    def against(self) -> int | None:
        """The class that it is compared with; None where an output is explained."""
        return self.question.against

    @property
    def is_on_face(self) -> bool:
        """Whether several cells meet at the point."""
        return bool(self.ties)

    def top(self, n: int = 10) -> list[tuple[tuple[int, ...], float]]:
        """Return the n largest contributions, by absolute value, with the positions of their inputs."""
        order = np.argsort(-np.abs(self.parts.reshape(-1)), kind="stable")[:n]
        places = np.unravel_index(order, self.parts.shape)
        at = [tuple(int(k) for k in place) for place in zip(*places, strict=True)]
        return [(place, float(self.parts[place])) for place in at]

    def reach(self, *, max_cells: int = 100, max_seconds: float | None = None) -> Reach:
        """Return how far the explanation holds: to the nearest facet behind which the margin is another function.

        Facets behind which it is the same function are passed, and the facets of up to `max_cells` cells counted. The
        facets of a cell take seconds to minutes for hundreds of inputs; what is known when the time is over is a
        radius in which the explanation holds, perhaps 0.

        Raises
        ------
        ArgumentError
            When a limit makes no sense.
        """
        if isinstance(max_cells, bool) or not isinstance(max_cells, int | np.integer) or max_cells < 1:
            raise ArgumentError(f"`max_cells={max_cells!r}` must be a whole number of at least 1.")
        limit = Deadline.after(max_seconds)
        with under(limit):
            return reach_of(self.cell, self._maps, max_cells=int(max_cells))

    def __str__(self) -> str:
        face = f"; on a face, where {len(self.ties):,} units tie" if self.ties else ""
        what = self.question.words(self.network)
        return f"{what} is {self.value:.6g} = {self.constant:.6g} + {float(self.parts.sum()):.6g} from the inputs{face}"

    def __repr__(self) -> str:
        return f"Explanation({self})"

    def __reduce__(self) -> Any:
        raise TypeError("an Explanation is not pickled. Keep its arrays, or explain the point again.")


@in_a_sentence
def explain(
    net: Network,
    x: ArrayLike,
    against: int | str | None = None,
    *,
    output: int | None = None,
    domain: Box | Space | None = None,
    max_seconds: float | None = None,
) -> Explanation:
    """Return why a network decides on a class at a point: its margin over another class, as a sum over the inputs.

    On the cell of x the margin is `w . x + c` for all points, so `w_i x_i` is what input i contributes, and `c` what
    the network says of itself there. Nothing is approximated: weights and sums are those of the network's coefficients,
    computed in whole numbers and rounded once.

    Parameters
    ----------
    net : Network
    x : array_like, of an input's shape or (n_inputs,)
        One point, in input units: before a `mean` and `std` with which the network was loaded.
    against : int or str, optional
        The class that the margin is taken over, by number or name; the runner-up when None.
    output : int, optional
        Explain this output in place of a margin; needed where the outputs are no classes.
    domain : Box or Space, optional
        Where the cell ends, for `Explanation.reach`; the whole input space when None.
    max_seconds : float, optional
        Limit on finding the cell; `reach` has its own.

    Returns
    -------
    Explanation

    Raises
    ------
    ArgumentError
        When there is no such class or output, when `against` is the class itself, or the network has no classes.
    DimensionError, NonFiniteError, DomainError
        When the point does not fit the network, or is outside of the domain.
    TimeLimitError
        When the time was over before the cell was found.

    Guarantees
    ----------
    The cell, the ties and the maps are exact; parts, weights and constant are the nearest float64 numbers, and `error`
    bounds how far their sum is from the exact margin. At a point on a face several cells meet, and several sums are
    right; `ties` names the units.

    Cost
    ----
    One exact evaluation, and one exact backward pass. `reach` needs the facets of the cell.

    References
    ----------
    [Sattelberg2023] for the map that holds on a polytope.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0, 0.0], [0.0, 1.0]], [0.0, -1.0]), ([[2.0, 1.0], [0.0, 3.0]], [1.0, 0.0])])
    >>> why = ra.explain(net, [3.0, 2.0])  # outputs 2x + y and 3y - 3 on this cell: the margin is 2x - 2y + 3
    >>> why.parts.tolist(), why.constant, why.value, why.error
    ([6.0, -4.0], 3.0, 5.0, 0.0)
    >>> why.reach().radius, why.reach().bend.units  # at y = 1
    (1.0, ('neuron 2 of layer 1',))
    """
    require_network(net)
    if domain is not None and not isinstance(domain, Box | Space):
        raise ArgumentError("`domain` must be a `Box` or a `Space` of the inputs: contributions are those of inputs.")
    with under(Deadline.after(max_seconds)):
        cell = cell_at(net, x, domain, ties="perturb")
        answer = cell.answer
        question = asked(net, answer.outputs, against, output)
        maps = ExactMaps(net, question.factors)
        weights, constant = maps(cell.pattern)
        point = [Fraction(v) for v in cell.x.tolist()]
        exact = [w * v for w, v in zip(weights, point, strict=True)]
        parts = [nearest(e) for e in exact]
        own = nearest(constant)
        off = abs(sum(map(Fraction, parts), Fraction(own)) - sum(exact, constant))
        shape = net.input_shape
        return Explanation(
            net, cell.x.reshape(shape), question, nearest(sum(exact, constant)), np.array(parts).reshape(shape),
            np.array([nearest(w) for w in weights]).reshape(shape), own, _above(off), answer.ties, cell, maps,
        )  # fmt: skip


def _above(value: Fraction) -> float:
    """Return a float64 number that is not below a positive one; 0.0 for zero."""
    return nearest(value) * (1 + 4 * UNIT_ROUNDOFF) + SMALLEST if value else 0.0
