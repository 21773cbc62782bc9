"""Which constraints are the same halfspace? Equal up to a positive factor, decided in whole numbers."""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.rationals import WholeRow
from reluatlas.deadline import look
from reluatlas.geometry.halfspaces.system import System

_NEAR = 1e-8


def groups(system: System) -> list[list[int]]:
    """Return the constraints, those of one halfspace together; the first of a group stands for it."""
    g, k = system.g, system.k
    out: dict[int, list[int]] = {c: [c] for c in system.constraints() if c >= g}
    if g == 0:
        return list(out.values())
    unit = system.G / system.norms[:, None]
    with np.errstate(over="ignore"):
        shift = system.h / system.norms
    # rows along one coordinate may be bounds
    axis = np.abs(unit).argmax(axis=1)
    along = np.abs(unit[np.arange(g), axis]) > 1 - _NEAR
    direction = np.random.default_rng(1).standard_normal(k)
    key = unit @ direction
    order = np.argsort(key, kind="stable")
    near = _NEAR * float(np.linalg.norm(direction))
    heads: list[int] = []
    first = 0
    for i in order.tolist():
        while first < len(heads) and key[heads[first]] < key[i] - near:
            first += 1
        candidates = heads[first:]
        if along[i]:
            j = int(axis[i])
            bound = g + j if unit[i, j] < 0 else g + k + j
            candidates = [*candidates, *([bound] if bound in out else [])]
        for head in candidates:
            if head < g and shift[head] != shift[i] and abs(shift[head] - shift[i]) > _NEAR * (1 + abs(shift[i])):
                continue
            look()
            if is_same(system.row(head), system.row(i)):
                out[head].append(i)
                break
        else:
            out[i] = [i]
            heads.append(i)
    return list(out.values())


def is_same(row: WholeRow, other: WholeRow) -> bool:
    """Return whether two rows are equal up to a positive factor."""
    at = next((j for j, v in enumerate(row.a) if v), None)
    if at is None or row.a[at] * other.a[at] <= 0:
        return False
    p, q = abs(row.a[at]), abs(other.a[at])
    return row.b * q == other.b * p and all(v * q == w * p for v, w in zip(row.a, other.a, strict=True))
