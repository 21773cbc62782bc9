"""How near can several demands hold at once? Multipliers, found in float64, and the bound that they prove.

Demands are `at + W d >= 0` for steps d. With any multipliers of at least 0 their sum is a demand, too, and the distance
of that one is a certain lower bound: how the multipliers were found does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reluatlas.arithmetic.constants import UNIT_ROUNDOFF
from reluatlas.deadline import look
from reluatlas.decisions.nearest.ball import Around
from reluatlas.decisions.nearest.relax import Rows
from reluatlas.geometry.programs.highs import Program
from reluatlas.stable.enclosure import TINY
from reluatlas.typing import FloatArray

_NEWTON = 40
_FAR = 1e12
_GAIN = 1e-6  # by which a step must raise the bound for another one
_ROUNDS, _NEARLY = 20, 1e-13


class Bound(NamedTuple):
    """A certain lower bound on the length of steps, a step that float64 takes to be the shortest, and multipliers."""

    distance: float
    step: FloatArray
    multipliers: FloatArray


def joint(around: Around, rows: Rows, radius: float) -> Bound:
    """Return a certain lower bound on the length of steps at most `radius` long at which all demands hold.

    It may stop at any bound of at least `radius`.
    """
    usable = np.isfinite(rows.at) & np.isfinite(rows.W).all(axis=1)
    scale = np.abs(rows.W).max(axis=1, initial=0.0)
    scale = np.where(usable & (scale > 0.0), scale, 1.0)
    # powers of two round nothing
    factor = np.where(usable, np.exp2(-np.frexp(scale)[1].astype(np.float64)), 0.0)
    scaled = Rows(np.where(usable[:, None], rows.W, 0.0) * factor[:, None], np.where(usable, rows.at, 0.0) * factor)
    if around.norm == 2:
        found = _euclidean(around, scaled, radius)
    else:
        found = _summed(around, scaled, radius) if around.norm == 1 else None
        if found is None or found.distance == 0.0:
            found = _any(around, scaled, radius)
    return found._replace(multipliers=found.multipliers * factor)


def closest(around: Around, rows: Rows, bound: Bound, radius: float) -> Bound:
    """Return the best lower bound below a radius, from any: by multipliers of one ball after another, as Newton."""
    if around.norm != np.inf:
        return bound
    for _ in range(_ROUNDS):
        found = joint(around, rows, bound.distance)
        if not bound.distance * (1.0 + _NEARLY) < found.distance:
            return found._replace(distance=max(bound.distance, found.distance))
        bound = found
        if not bound.distance < radius:
            break
    return bound


def proven(around: Around, rows: Rows, multipliers: FloatArray, radius: float) -> float:
    """Return a certain lower bound on the length of steps at most `radius` long where all demands hold."""
    used = multipliers > 0.0
    y, W, at = multipliers[used], rows.W[used], rows.at[used]
    if not y.size:
        return 0.0
    up, down = around.room(radius)
    most = np.minimum(np.maximum(up, down), 1e300)
    share = 2.0 * (y.size + 16) * UNIT_ROUNDOFF
    off = share * (float((y @ np.abs(W)) @ most) + float(y @ np.abs(at))) * (1.0 + around.slack) + TINY
    return around.distance(y @ W, float(y @ at) + off)


def _any(around: Around, rows: Rows, radius: float) -> Bound:
    """Look for the step in the box around the ball at which the demands hold best."""
    k = around.x.size
    up, down = around.room(radius)
    weight = np.maximum(np.abs(rows.W) @ np.minimum(np.maximum(up, down), _FAR), 1e-300)
    G = np.column_stack([-rows.W, weight])
    program = Program(G, rows.at, np.concatenate([-down, [-_FAR]]), np.concatenate([up, [_FAR]]))
    found = program.maximize(np.concatenate([np.zeros(k), [1.0]]))
    if found.status != "optimal":
        return Bound(0.0, np.zeros(k), np.zeros(len(rows.at)))
    return Bound(proven(around, rows, found.multipliers, radius), found.point[:k], found.multipliers)


def _summed(around: Around, rows: Rows, radius: float) -> Bound:
    k = around.x.size
    up, down = around.room(radius)
    G = np.column_stack([-rows.W, rows.W])
    program = Program(G, rows.at, np.zeros(2 * k), np.concatenate([up, down]))
    found = program.maximize(-np.ones(2 * k))
    if found.status != "optimal":
        return Bound(0.0, np.zeros(k), np.zeros(len(rows.at)))
    step = found.point[:k] - found.point[k:]
    return Bound(proven(around, rows, found.multipliers, radius), step, found.multipliers)


def _euclidean(around: Around, rows: Rows, radius: float) -> Bound:
    """Climb the dual function by Newton's steps on the multipliers that are not held at 0."""
    W, at, low, high = rows.W, rows.at, -around.down, around.up
    y = np.zeros(len(at))
    step = np.zeros(W.shape[1])
    value = 0.0
    enough = 0.5 * radius * radius * (1.0 + 1e-6)
    for _ in range(_NEWTON):
        look()
        slope = -(at + W @ step)
        moving = (y > 0.0) | (slope > 0.0)
        if not moving.any() or value > enough:
            break
        free = (step > low) & (step < high)
        part = W[np.ix_(moving, free)]
        H = part @ part.T
        H[np.diag_indices_from(H)] += 1e-12 * max(float(np.trace(H)) / len(H), 1e-12)
        try:
            way = np.linalg.solve(H, slope[moving])
        except np.linalg.LinAlgError:
            way = slope[moving]
        if not np.all(np.isfinite(way)):
            way = slope[moving]
        length, done = 1.0, True
        for _ in range(30):
            new = y.copy()
            new[moving] = np.maximum(0.0, y[moving] + length * way)
            if not np.all(new < 1e150):
                length *= 0.25
                continue
            new_step = np.clip(new @ W, low, high)
            new_value = 0.5 * float(new_step @ new_step) - float(new @ (at + W @ new_step))
            if new_value > value + 1e-14 * abs(value):
                done = new_value < value * (1.0 + _GAIN)
                y, step, value = new, new_step, new_value
                break
            length *= 0.3
        if done:
            break
    return Bound(proven(around, rows, y, radius), step, y)
