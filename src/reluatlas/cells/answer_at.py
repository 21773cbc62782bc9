"""What does a network say at a point? Class, runner-up, margin, map and ties: at once, and on faces, too.

On a face several cells meet, perhaps thousands. The outputs are the same in all of them; the map is that of one, the
cell that holds x + (e, e^2, ..., e^k) for all small enough e > 0, as `affine_at` chooses it. On the upper sides of a
domain these steps point inward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.cells.chart import moved
from reluatlas.domain import Domain, Space
from reluatlas.network.decision import class_label, ranked
from reluatlas.network.maps.affine_at import pattern_type
from reluatlas.network.maps.lost import map_of
from reluatlas.network.network import Affine, Gather, Input, Network
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.unit_names import listed, unit_name
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

_NUMBERS = 6


@dataclass(frozen=True, eq=False, repr=False)
class Answer(Shown):
    """What a network says at a point.

    Attributes
    ----------
    network : Network
    outputs : ndarray, shape (m,)
        In float64.
    label : int
        The class that the outputs decide on, as `Network.classes` says; -1 where they are no classes.
    runner_up : int or None
        The class that is next.
    margin : float
        By how much it is behind, in output units; NaN without classes.
    pattern : ndarray, shape (units,)
    affine : AffineMaps
        The map of the cell: `A` (1, m, *input_shape) (on a slice: (1, m, k)), `b` (1, m).
    ties : tuple of str
        The names of the units on whose zero sets the point lies; empty inside of a cell.
    """

    network: Network
    outputs: FloatArray
    label: int
    runner_up: int | None
    margin: float
    pattern: NDArray[np.integer]
    affine: AffineMaps
    ties: tuple[str, ...]

    @property
    def is_on_face(self) -> bool:
        """Whether the point lies on a face of the cell, so that the map is one of several."""
        return bool(self.ties)

    def __str__(self) -> str:
        return f"{decided(self.network, self.outputs)}{tied(self.ties)}"

    def __repr__(self) -> str:
        return f"Answer({self})"


def decided(network: Network, outputs: FloatArray) -> str:
    """Return class, runner-up and margin in words, or the outputs where these are no classes."""
    label, runner_up, margin = ranked(network, outputs)
    if runner_up is None:
        more = ", ..." if outputs.size > _NUMBERS else ""
        return f"outputs {', '.join(f'{v:.6g}' for v in outputs[:_NUMBERS])}{more}"
    return f"class {class_label(network, label)}, runner-up {class_label(network, runner_up)}, margin {margin:.6g}"


def tied(ties: tuple[str, ...], most: int = 3) -> str:
    """Return which units tie, in words that follow on others; "" for none."""
    if not ties:
        return ""
    if len(ties) == 1:
        return f"; on a face: {ties[0]} ties"
    return f"; on a face: {len(ties):,} units tie ({listed(ties, most)})"


def answer_at(net: Network, local: Network, u: FloatArray, outputs: FloatArray, domain: Domain) -> Answer:
    """Return what a network says at a point.

    Parameters
    ----------
    net : Network
    local : Network
        That of the domain's coordinates: `net` itself, but for a slice.
    u : ndarray, shape (k,)
        The point's coordinates.
    outputs : ndarray, shape (m,)
        Of the network at the point.
    domain : Box, Slice or Space

    Guarantees: the cell and the ties are exact; outputs and map are float64.
    """
    pattern, ties = perturbed(net, local, u, domain)
    choice = {t: np.asarray(pattern[s], dtype=np.int64)[None] for t, s in local.pattern_slices().items()}
    A, b = map_of(local, choice)
    affine = AffineMaps(A.reshape(1, local.n_outputs, *local.input_shape), b)
    return Answer(net, outputs, *ranked(net, outputs), pattern, affine, ties)


def perturbed(
    net: Network, local: Network, u: FloatArray, domain: Domain
) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    """Return the pattern of the cell that holds the points beside `u`, and which units tie at `u`, by name."""
    at_high = np.zeros(u.size, dtype=bool) if isinstance(domain, Space) else u == domain.box.high
    if at_high.any():
        local, u = _mirrored(local, at_high), np.where(at_high, -u, u)
    walk = Walk(local, u[None], perturb=True, keep_ties=True)
    slices = local.pattern_slices()
    pattern = np.zeros(max((s.stop for s in slices.values()), default=0), dtype=pattern_type(net))
    for t, s in slices.items():
        pattern[s] = walk.choice[t][0]
    ties = [
        unit_name(net, layer, unit)
        for layer, t in enumerate(local.cuts)
        if t in walk.cutting
        for unit in np.flatnonzero(walk.cutting[t][0]).tolist()
    ]
    return pattern, tuple(ties)


def _mirrored(network: Network, axes: NDArray[np.bool_]) -> Network:
    """Return a network of the negatives of some of its inputs."""
    n = network.n_inputs
    turned = Gather(np.arange(n), np.where(axes, -1.0, 1.0), n)
    first = Affine((0,), (turned,), np.zeros(n), network.input_shape, "mirrored")
    nodes = [Input(network.input_shape), first, *(moved(node, lambda s: s + 1) for node in network.nodes[1:])]
    return Network(tuple(nodes), network.output + 1, source=network.source)
