"""Which way does a tie break? The sign of the first nonzero partial derivative of one entry, or of a difference of two.

Entries are first followed back through pieces of slope 0 and 1, winners and copies: what is constant, or one entry
after all, is settled without derivatives, and what reads the input through one affine map has the same derivative at
every point. The others are pulled back as sparse rows, as large as what the entries see, in float64 with one bound;
whole numbers decide what that leaves open.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.network.interpret import Choice, pull
from reluatlas.network.operators import Convolution, Dense, FloatArray, Gather, LinearOperator, denominator
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.network.values.bounded import SLACK
from reluatlas.network.values.exact import Dyadic, IntegerArithmetic

_TERMS_AT_ONCE = 2**22
_LEAST, _MOST = 2.0**-400, 2.0**400  # magnitudes in which nothing under- or overflows unseen


class _Rows(NamedTuple):
    """Sparse rows: coefficient `value` of `entry` in row `case`, with the sum `size` of the terms' magnitudes."""

    case: NDArray[np.int64]
    entry: NDArray[np.int64]
    value: FloatArray
    size: FloatArray


class Directions:
    """Signs of first derivatives in one network, exact.

    Parameters
    ----------
    network : Graph
    arithmetic : IntegerArithmetic
        Keeps the operators as integers between calls.
    """

    def __init__(self, network: Graph, arithmetic: IntegerArithmetic) -> None:
        self._network = network
        self._integers = arithmetic

    def signs(self, node: int, p: NDArray, up: NDArray, down: NDArray, choice: Choice) -> NDArray[np.int8]:
        """Return the sign of the first nonzero partial derivative of entry `up` minus entry `down` of a node's tensor.

        Parameters
        ----------
        p, up, down : ndarray, shape (k,)
            Rows of `choice`, entries, and entries or -1: none.
        choice : dict
            Pieces and winners (N, units) of all cut nodes before.

        Returns
        -------
        ndarray of int8, shape (k,)
            0 where all derivatives are zero.
        """
        out = np.zeros(p.size, dtype=np.int8)
        node, up, down = self._followed(node, p, up, down, choice)
        asked = np.flatnonzero(up != down)
        here = self._network.nodes[node]
        if isinstance(here, Affine) and all(isinstance(self._network.nodes[s], Input) for s in here.inputs):
            keys = np.stack([up[asked], down[asked]])
            _, first, copies = np.unique(keys, axis=1, return_index=True, return_inverse=True)
            cases = asked[first]
        else:
            cases, copies = asked, np.arange(asked.size)
        found = np.zeros(cases.size, dtype=np.int8)
        step = max(1, _TERMS_AT_ONCE // self._reach(node))
        for start in range(0, cases.size, step):
            look()
            part = cases[start : start + step]
            found[start : start + step] = self._pulled(node, p[part], up[part], down[part], choice)
        out[asked] = found[copies.reshape(-1)]
        return out

    def _followed(
        self, t: int, p: NDArray, up: NDArray, down: NDArray, choice: Choice
    ) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        # Entries with the same derivatives of an earlier node; -1 where these are zero.
        while True:
            here = self._network.nodes[t]
            if isinstance(here, Breakpoints):
                slope = here.slopes[np.maximum(up, 0), choice[t][p, np.maximum(up, 0)]]
                other = here.slopes[np.maximum(down, 0), choice[t][p, np.maximum(down, 0)]]
                if not np.all(((slope == 0) | (slope == 1) | (up < 0)) & ((other == 0) | (other == 1) | (down < 0))):
                    return t, up, down
                up, down, t = np.where(slope == 0, -1, up), np.where(other == 0, -1, down), here.input
            elif isinstance(here, Max):
                winner, place = choice[t], here.offsets[:-1]
                up = np.where(up < 0, -1, here.candidates[place[up] + winner[p, up]])
                down = np.where(down < 0, -1, here.candidates[place[down] + winner[p, down]])
                t = here.input
            elif isinstance(here, Affine) and len(here.inputs) == 1 and isinstance(here.operators[0], Gather):
                operator = here.operators[0]
                used = np.concatenate([up[up >= 0], down[down >= 0]])
                if np.any(~np.isin(operator.scale[used], (0.0, 1.0)) & (operator.index[used] >= 0)):
                    return t, up, down
                index = np.where(operator.scale == 0, -1, operator.index)
                up, down = np.where(up < 0, -1, index[up]), np.where(down < 0, -1, index[down])
                t = here.inputs[0]
            else:
                return t, up, down

    def _reach(self, node: int) -> int:
        # About how many terms one row has, at most, on its way back.
        most = 1
        for here in self._network.nodes[: node + 1]:
            if isinstance(here, Affine):
                for source, operator in zip(here.inputs, here.operators, strict=True):
                    size = int(np.prod(self._network.nodes[source].shape))
                    most = max(most, operator.weight.size if isinstance(operator, Dense) else 4 * size)
        return most

    def _pulled(self, node: int, p: NDArray, up: NDArray, down: NDArray, choice: Choice) -> NDArray[np.int8]:
        plus, minus = np.flatnonzero(up >= 0), np.flatnonzero(down >= 0)
        case = np.concatenate([plus, minus])
        entry = np.concatenate([up[plus], down[minus]])
        value = np.concatenate([np.ones(plus.size), -np.ones(minus.size)])
        rows: dict[int, _Rows] = {node: _Rows(case, entry, value, np.abs(value))}
        open_ = np.zeros(p.size, dtype=bool)
        steps = 0.0
        found = np.zeros(p.size, dtype=np.int8)
        for t in range(node, -1, -1):
            if t not in rows:
                continue
            look()
            here = self._network.nodes[t]
            row, added = _summed(rows.pop(t), int(np.prod(here.shape)))
            steps += added
            odd = ~((row.size > _LEAST) & (row.size < _MOST))
            open_[row.case[odd]] = True
            if isinstance(here, Input):
                found = _first_signs(row, p.size, steps, open_)
                break
            for source, part, rounded in self._sent(t, here, p, row, choice):
                steps += rounded
                if source in rows:
                    part = _both(rows[source], part)
                rows[source] = part
        if open_.any():
            self._exactly(node, p, up, down, choice, np.flatnonzero(open_), found)
        return found

    def _sent(
        self, t: int, here: Affine | Breakpoints | Max, p: NDArray, row: _Rows, choice: Choice
    ) -> list[tuple[int, _Rows, float]]:
        if isinstance(here, Max):
            winner = here.candidates[here.offsets[row.entry] + choice[t][p[row.case], row.entry]]
            return [(here.input, row._replace(entry=winner), 0.0)]
        if isinstance(here, Breakpoints):
            slope = here.slopes[row.entry, choice[t][p[row.case], row.entry]]
            on = slope != 0
            scaled = _Rows(row.case[on], row.entry[on], row.value[on] * slope[on], row.size[on] * np.abs(slope[on]))
            return [(here.input, scaled, 1.0)]
        pairs = zip(here.inputs, here.operators, strict=True)
        return [(source, *_through(operator, row)) for source, operator in pairs]

    def _exactly(
        self, node: int, p: NDArray, up: NDArray, down: NDArray, choice: Choice, cases: NDArray, found: NDArray
    ) -> None:
        # Derivatives depend on the point through its pieces alone.
        known: dict[tuple[bytes, int, int], int] = {}
        states = {q: b"".join(c[q].tobytes() for t, c in choice.items() if t <= node) for q in np.unique(p[cases])}
        size = int(np.prod(self._network.nodes[node].shape))
        for i in cases.tolist():
            key = (states[p[i]], int(up[i]), int(down[i]))
            if key not in known:
                seed = [0] * size
                if up[i] >= 0:
                    seed[up[i]] = 1
                if down[i] >= 0:
                    seed[down[i]] = -1
                pieces = {t: c[p[i]] for t, c in choice.items()}
                row = pull(self._network, node, Dyadic(seed, 0), pieces, self._integers)
                number = 0 if row is None else next((v for v in row.numbers if v), 0)
                known[key] = (number > 0) - (number < 0)
            found[i] = known[key]


def _through(operator: LinearOperator, row: _Rows) -> tuple[_Rows, float]:
    """Return the rows times the operator's matrix, terms that are zero left out, and how often a term is rounded."""
    if isinstance(operator, Gather):
        entry, factor = operator.index[row.entry][:, None], operator.scale[row.entry][:, None]
    elif isinstance(operator, Dense):
        factor = operator.weight[row.entry]
        entry = np.broadcast_to(np.arange(operator.n_in), factor.shape)
    elif isinstance(operator, Convolution):
        n = operator.places.shape[0]
        channel, position = np.divmod(row.entry, n)
        weight = operator.weight
        first = channel // (weight.shape[0] // operator.groups) * weight.shape[1]
        factor = weight[channel]
        place = operator.places[position][:, None, :]
        sources = (first[:, None] + np.arange(weight.shape[1]))[:, :, None] * operator.n_positions
        entry = np.where(place < 0, -1, sources + place).reshape(row.entry.size, weight[0].size)
        factor = factor.reshape(entry.shape)
    else:
        length = operator.indptr[row.entry + 1] - operator.indptr[row.entry]
        place = np.arange(int(length.max(initial=0)))
        real = place < length[:, None]
        at = np.where(real, operator.indptr[row.entry][:, None] + place, 0)
        factor = np.where(real, operator.values[at], 0.0) if operator.values.size else np.zeros(at.shape)
        entry = operator.indices[at] if operator.values.size else at
    i, j = np.nonzero((factor != 0) & (entry >= 0))
    with np.errstate(all="ignore"):
        value, size = row.value[i] * factor[i, j], row.size[i] * np.abs(factor[i, j])
        if denominator(operator) != 1:
            value, size = value / denominator(operator), size / denominator(operator)
    return _Rows(row.case[i], entry[i, j], value, size), 2.0


def _both(left: _Rows, right: _Rows) -> _Rows:
    case, entry = np.concatenate([left.case, right.case]), np.concatenate([left.entry, right.entry])
    return _Rows(case, entry, np.concatenate([left.value, right.value]), np.concatenate([left.size, right.size]))


def _summed(row: _Rows, width: int) -> tuple[_Rows, int]:
    """Return the rows with the terms of one entry added up, in order of case and entry, and the most terms of one."""
    key = row.case * width + row.entry
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if key.size else order
    if starts.size == key.size:
        return _Rows(row.case[order], row.entry[order], row.value[order], row.size[order]), 1
    case, entry = np.divmod(ranked[starts], width)
    value, size = (np.add.reduceat(part[order], starts) for part in (row.value, row.size))
    return _Rows(case, entry, value, size), int(np.diff(starts, append=key.size).max(initial=1))


def _first_signs(row: _Rows, n: int, steps: float, open_: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the sign of each case's first coefficient; mark in `open_` the cases whose bound leaves it open."""
    out = np.zeros(n, dtype=np.int8)
    first = np.flatnonzero(np.concatenate([[True], row.case[1:] != row.case[:-1]])) if row.case.size else row.case
    case, value, size = row.case[first], row.value[first], row.size[first]
    out[case] = np.sign(value)
    open_[case[~(np.abs(value) > size * ((steps + 8.0) * 2.0**-52) * SLACK)]] = True
    return out
