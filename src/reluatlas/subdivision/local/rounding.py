"""How far off can the weights of a local network be? By what each sum rounds, carried on by the network itself.

The sizes that `composed` sums up, products of absolute values, grow with every layer far beyond what comes out: by 10^5
over nine. Here the rounding of each sum is bounded where it happens (`Lost`), and weighted with how much of it arrives:
with the absolute value of the *composed* weights between there and the row. These are found backward, in float64; what
is rounded in doing so is of second order, and bounded by the largest sums of absolute weights.

For linear maps `v_t = F_t(v)` in order, computed as `w_t = F_t(w) + e_t`, the error of an output is exactly the sum of
`M_t e_t`, where `M_t` is the map from there to the output. Of `e_t` only a bound d_t is known, so it is at most the sum
of `|M_t| d_t`; see N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reluatlas.arithmetic.constants import SLACK_PATH, UNIT_ROUNDOFF
from reluatlas.deadline import look
from reluatlas.network.maps.compose import FloatRows
from reluatlas.network.operators import LinearOperator, apply_operator, mapped, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.typing import FloatArray, IntArray

_EACH_SUM, _EACH_OPERATOR = 3, 2
"""As in `roundings`: of a sum of several operators' results and a bias, and of each of them, beside its terms."""


class Lost:
    """Bounds on what is rounded at each tensor while weights are composed, and on its way to some rows.

    Parameters
    ----------
    network : Graph
    pattern : ndarray
        The piece of each unit.
    kept : mapping
        For each cut node, its kept units: they are symbols of their own, and pass nothing on.
    """

    def __init__(self, network: Graph, pattern: IntArray, kept: Mapping[int, IntArray]) -> None:
        self._network, self._pattern, self._kept = network, pattern, kept
        self._columns = network.pattern_slices()
        self._of: dict[int, FloatArray] = {}

    def affine(self, t: int, node: Affine, sources: list[FloatArray], constant: int) -> None:
        """Bound what an affine tensor's sums round: of weights (columns, entries), as they are, with no error."""
        size = np.zeros((max((s.shape[0] for s in sources), default=constant + 1), node.bias.size))
        n_terms = _EACH_SUM
        for operator, source in zip(node.operators, sources, strict=True):
            size[: source.shape[0]] += apply_operator(mapped(operator, np.abs), np.abs(source))
            n_terms += terms(operator) + _EACH_OPERATOR
        size[constant] += np.abs(node.bias)
        self._of[t] = n_terms * UNIT_ROUNDOFF * SLACK_PATH * size

    def breakpoints(self, t: int, slope: FloatArray, shift: FloatArray, source: FloatArray, constant: int) -> None:
        """Bound what multiplying by slopes and adding intercepts rounds; nothing where slopes are 1, 0 or -1."""
        if np.all(np.isin(slope, (-1.0, 0.0, 1.0))) and not shift.any():
            return
        size = np.abs(source) * np.abs(slope)
        size[constant] += np.abs(shift)
        self._of[t] = 2 * UNIT_ROUNDOFF * SLACK_PATH * size

    def at(self, taken: Mapping[int, IntArray]) -> dict[int, FloatArray]:
        """Return the errors of some entries of some tensors: for each tensor (columns, entries)."""
        order = sorted(taken)
        first = dict(zip(order, np.cumsum([0, *(taken[t].size for t in order)]).tolist(), strict=False))
        n_rows = sum(own.size for own in taken.values())
        n_columns = max((lost.shape[0] for lost in self._of.values()), default=0)
        error = np.zeros((n_columns, n_rows))
        carried: dict[int, FloatArray] = {}
        share = np.zeros(n_rows)  # a bound on the sum of the absolute weights of each row, along all paths
        n_roundings = 0
        arithmetic = FloatRows(1, n_rows)
        shares = {}
        for t in range(max(order, default=-1), -1, -1):
            look()
            node = self._network.nodes[t]
            rows = carried.pop(t, None)
            share = shares.pop(t, np.zeros(n_rows))
            if t in taken:
                rows = np.zeros((n_rows, np.prod(node.shape))) if rows is None else rows
                here = slice(first[t], first[t] + taken[t].size)
                rows[here][np.arange(taken[t].size), taken[t]] = 1.0
                share[here] = 1.0
            if rows is None or isinstance(node, Input):
                continue
            if t in self._of:
                lost = self._of[t]
                error[: lost.shape[0]] += lost @ np.abs(rows).T
                error[: lost.shape[0]] += lost.max(axis=1, initial=0.0)[:, None] * (
                    2 * n_roundings * UNIT_ROUNDOFF * share
                )
            n_roundings += rows.shape[1] + _EACH_SUM + _EACH_OPERATOR
            for source, passed, grown in self._behind(t, node, rows, arithmetic):
                carried[source] = carried[source] + passed if source in carried else passed
                shares[source] = shares.get(source, 0.0) + grown * share * SLACK_PATH
        error *= SLACK_PATH
        return {t: error[:, first[t] : first[t] + taken[t].size] for t in order}

    def _behind(
        self, t: int, node: Affine | Breakpoints | Max, rows: FloatArray, arithmetic: FloatRows
    ) -> list[tuple[int, FloatArray, float]]:
        """Return for each tensor that a node reads the rows on it, and how much larger their sums may be there."""
        if isinstance(node, Affine):
            return [
                (s, arithmetic.adjoint(operator, rows[None])[0], _largest_sum(operator))
                for s, operator in zip(node.inputs, node.operators, strict=True)
            ]
        piece = self._pattern[self._columns[t]]
        piece = np.where(piece < 0, 0, piece)
        rows = rows.copy()
        rows[:, self._kept[t]] = 0.0
        if isinstance(node, Breakpoints):
            slope = node.slopes[np.arange(piece.size), piece]
            return [(node.input, rows * slope, float(np.abs(slope).max(initial=0.0)))]
        winner = node.candidates[node.offsets[:-1] + piece]
        size = int(np.prod(self._network.nodes[node.input].shape))
        return [(node.input, arithmetic.collect(rows[None], winner[None], size)[0], 1.0)]


def _largest_sum(operator: LinearOperator) -> float:
    """Return the largest sum of absolute weights that one entry of the result has."""
    return float(apply_operator(mapped(operator, np.abs), np.ones((1, operator.n_in))).max(initial=0.0))
