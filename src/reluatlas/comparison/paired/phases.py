"""What is the difference where single units are known to be on, or off? Parts of a box, bounded by linear programs.

On a small box few units bend, and halving it leaves the same few. So it is cut along the zero set of one of them: the
first one, which reads an affine function. The pair has four parts: on in both networks, off in both, on in one. When no
unit is left that bends, the difference is one affine function on a polytope, and a linear program's optimum is its
largest value.

A program only proposes multipliers. With any y >= 0, where `rows @ e <= ends` and e in [-1, 1]^k,

    c + a . e  <=  c + y . ends + (a - y @ rows) . e  <=  c + y . ends + |a - y @ rows|_1,

which is what counts, rounded upward.
"""

from __future__ import annotations

import numpy as np

from reluatlas.comparison.paired.bends import Bend
from reluatlas.comparison.paired.forms import SLACK
from reluatlas.comparison.paired.tree import Part, Phases
from reluatlas.geometry.programs.dictionary import climb, new_dictionary, start_at
from reluatlas.stable.enclosure import ROUNDOFF, TINY
from reluatlas.typing import FloatArray

_STEPS = 500
_STEEP = 1e2, 1e5, 1e9, 1e13
"""What a row may cost at most, over the objective's own size, one after another: where no point satisfies all rows,
the bound is far below zero with any of these; where rows are nearly parallel, it takes the steep ones."""
_MISSED = 1e-13


def cut(part: Part, n_units: int) -> list[Phases]:
    """Return the parts of a part where the first unit that bends is on or off."""
    bend = part.bend
    before = part.phases or _nothing(n_units, part.low.size)
    out = []
    for f_on in (0, 1) if bend.is_open[0] else (-1,):
        for g_on in (0, 1) if bend.is_open[1] else (-1,):
            fixed = before.fixed.copy()
            rows, ends = [before.rows], [before.ends]
            for network, on in ((0, f_on), (1, g_on)):
                if on >= 0:
                    fixed[network, bend.unit] = on
                    row, end = _side(bend, network, on=bool(on))
                    rows.append(row[None])
                    ends.append(np.array([end]))
            out.append(Phases(fixed, np.concatenate(rows), np.concatenate(ends)))
    return out


def _nothing(n_units: int, k: int) -> Phases:
    return Phases(np.full((2, n_units), -1, dtype=np.int8), np.zeros((0, k)), np.zeros(0))


def _side(bend: Bend, network: int, *, on: bool) -> tuple[FloatArray, float]:
    """Return the row of the half space where a unit is on, or off: `row . e <= end`, divided by its size."""
    center, *along, rest = bend.rows[network].tolist()
    row = np.array(along)
    row, end = (-row, center + rest) if on else (row, rest - center)
    size = float(np.abs(row).sum())
    if not np.isfinite(size) or not np.isfinite(end) or size < TINY:
        return np.zeros(row.size), 0.0  # says nothing
    # dividing rounds each number once
    made = row / size
    return made, (end / size + 4.0 * ROUNDOFF * (abs(end) / size + 2.0)) * (SLACK if end > 0 else 1.0)


def most_on(phases: Phases, center: float, along: FloatArray, slack: float) -> tuple[float, FloatArray]:
    """Return what `center + along . e`, give or take `slack`, does not exceed on a part, and where it may be so."""
    rows, ends = phases.rows, phases.ends
    size = float(np.abs(along).sum())
    y, e = np.zeros(ends.size), np.sign(along)
    scale = size + 1e-3 * (abs(center) + slack)  # of a constant, too, there is none where rows have no point
    if ends.size and 0.0 < scale < np.inf:
        y, e = _proposed(rows, ends, along / scale)
        y = y * scale
    reduced = along - y @ rows
    total = center + y @ ends + np.abs(reduced).sum() + slack
    sizes = abs(center) + y @ np.abs(ends) + size + (y @ np.abs(rows)).sum() + slack
    bound = total + 4.0 * (ends.size + along.size + 4) * ROUNDOFF * sizes + TINY
    return float(bound) if np.isfinite(bound) else np.inf, e


def _proposed(rows: FloatArray, ends: FloatArray, along: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return multipliers of rows, and a point, for the largest `along . e` where these hold, nearly."""
    q, k = rows.shape
    # one variable more, by which all rows may be missed: there is always a point, the center of the box
    con = np.zeros((2 * k + 1 + q, k + 4))
    con[:k, :k], con[k : 2 * k, :k], con[2 * k, k] = np.eye(k), -np.eye(k), -1.0
    con[2 * k + 1 :, :k], con[2 * k + 1 :, k] = rows, -1.0
    con[: 2 * k, k + 1], con[2 * k + 1 :, k + 1] = 1.0, ends
    start = np.zeros(k + 1)
    start[k] = max(0.0, float((-ends).max(initial=0.0)))
    dictionary = new_dictionary(k + 1, len(con))
    start_at(dictionary, con, len(con), start)
    for steep in _STEEP:
        climb(dictionary, np.append(along, -steep), -1, _STEPS)
        if dictionary.table[0, k] <= _MISSED:
            break
    y = np.zeros(len(con))
    is_row = dictionary.nonbasic >= 0
    y[dictionary.nonbasic[is_row]] = -dictionary.cost[is_row]
    return np.maximum(y[2 * k + 1 :], 0.0), np.clip(dictionary.table[0, :k], -1.0, 1.0)
