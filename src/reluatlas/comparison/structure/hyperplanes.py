"""Which bent hyperplane of one network is which of the other? Matched by the area that lies between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.structure.overlaps import Overlaps
from reluatlas.network.record import Breakpoints, Graph
from reluatlas.network.unit_names import unit_name
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

Layers = Literal["any", "same"]


@dataclass(frozen=True, eq=False, repr=False)
class HyperplaneMatching(Shown):
    """Bent hyperplanes of two networks, matched one to one. Made by `reluatlas.compare_structure`.

    Attributes
    ----------
    similarity : float
        Twice the agreement of all matched pairs, by the number of bent hyperplanes of both networks. From 0 to 1.
    f, g : tuple of str
        The pairs of the matching, by names of units.
    between : ndarray, shape (p,)
        Of each pair the share of the domain's area that lies between them: where one unit is on and the other off, or
        where both are on or both off, whichever is less.
    agreement : ndarray, shape (p,)
    n_f, n_g : int
        Numbers of bent hyperplanes in the domain.
    """

    similarity: float
    f: tuple[str, ...]
    g: tuple[str, ...]
    between: FloatArray
    agreement: FloatArray
    n_f: int
    n_g: int


@dataclass(frozen=True, eq=False)
class Walls:
    """The bent hyperplanes of one network: of each, on which cells of a refinement one is beyond it.

    Attributes
    ----------
    sides : ndarray of bool, shape (h, c)
        The cells on one of the two sides: that on which the first cell is not.
    layer : ndarray of int, shape (h,)
        Position among the layers of neurons.
    names : tuple of str
    """

    sides: NDArray[np.bool_]
    layer: IntArray
    names: tuple[str, ...]


def walls(network: Graph, patterns: NDArray[np.integer], *, apart: bool) -> Walls:
    """Return the bent hyperplanes that cross the domain, equal ones once (`apart`: once in each layer)."""
    found: dict[tuple[int, bytes], tuple[NDArray[np.bool_], int, str]] = {}
    position = -1
    for level, (t, columns) in enumerate(network.pattern_slices().items()):
        node = network.nodes[t]
        if not isinstance(node, Breakpoints):
            continue
        position += 1
        for unit in range(prod(node.shape)):
            piece = patterns[:, columns.start + unit]
            for knot in range(int(np.isfinite(node.knots[unit]).sum())):
                side = piece > knot
                side = side != side[0]
                if side.any():
                    key = position if apart else 0, np.packbits(side).tobytes()
                    found.setdefault(key, (side, position, unit_name(network, level, unit)))
    sides = np.array([side for side, _, _ in found.values()], dtype=bool).reshape(len(found), len(patterns))
    return Walls(
        sides, np.array([n for _, n, _ in found.values()], dtype=np.int64), tuple(name for *_, name in found.values())
    )


def match_hyperplanes(found: Overlaps, layers: Layers) -> HyperplaneMatching:
    """Return the matching of bent hyperplanes; see `reluatlas.compare_structure`."""
    from scipy.optimize import linear_sum_assignment

    apart = layers == "same"
    mine = walls(found.f_complex.network, found.f_patterns, apart=apart)
    theirs = walls(found.g_complex.network, found.g_patterns, apart=apart)
    agreement, between = _agreement(mine.sides, theirs.sides, found.share / fsum(found.share))
    if apart:
        agreement = np.where(mine.layer[:, None] == theirs.layer[None], agreement, 0.0)
    row, column = linear_sum_assignment(agreement, maximize=True)
    is_pair = agreement[row, column] > 0
    row, column = row[is_pair], column[is_pair]
    n_f, n_g = agreement.shape
    return HyperplaneMatching(
        similarity=2.0 * fsum(agreement[row, column]) / (n_f + n_g) if n_f + n_g else 1.0,
        f=_named(mine.names, row),
        g=_named(theirs.names, column),
        between=between[row, column],
        agreement=agreement[row, column],
        n_f=n_f,
        n_g=n_g,
    )


def _agreement(f: NDArray[np.bool_], g: NDArray[np.bool_], share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far each two of (n_f, c) and (n_g, c) sides agree, and which share lies between them."""
    first, second = f.astype(np.float64), g.astype(np.float64)
    a, b = first @ share, second @ share
    covariance = (first * share) @ second.T - np.outer(a, b)
    # two unrelated points are on different sides with probability `chance`; at one point that is less by 2 covariances
    chance = np.outer(a, 1 - b) + np.outer(1 - a, b)
    other = np.outer(a, b) + np.outer(1 - a, 1 - b)
    between = np.minimum(chance - 2 * covariance, other + 2 * covariance)
    agreement = 2 * np.abs(covariance) / np.where(covariance > 0, chance, other)
    is_same = _equal(f, g)
    return np.where(is_same, 1.0, np.clip(agreement, 0.0, 1.0)), np.where(is_same, 0.0, np.maximum(between, 0.0))


def _equal(f: NDArray[np.bool_], g: NDArray[np.bool_]) -> NDArray[np.bool_]:
    keys = {row.tobytes(): j for j, row in enumerate(np.packbits(g, axis=1))}
    out = np.zeros((len(f), len(g)), dtype=bool)
    for i, row in enumerate(np.packbits(f, axis=1)):
        if row.tobytes() in keys:
            out[i, keys[row.tobytes()]] = True
    return out


def _named(names: tuple[str, ...], index: IntArray) -> tuple[str, ...]:
    return tuple(names[i] for i in index.tolist())
