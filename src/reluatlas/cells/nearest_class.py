"""How far is the nearest point of another class in this cell? A least-distance program on the cell's polyhedron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reluatlas.cells.record import CellRecord
from reluatlas.domain import Slice
from reluatlas.geometry.halfspaces.system import FloatArray
from reluatlas.network.decision import scores

_NONE = 1e-10


@dataclass(frozen=True, eq=False)
class NearestOther:
    """The point of a cell, nearest to its `x`, at which another class is as large as the class of `x`.

    Attributes
    ----------
    distance : float
        Euclidean, in input units.
    point : ndarray, shape (k,)
        In the domain's coordinates.
    output : int
        The other class: the position of its output; 0 or 1 for a network with one output (its sign).
    """

    distance: float
    point: FloatArray
    output: int


def nearest_other_class(cell: CellRecord) -> NearestOther | None:
    """Return the point of another class nearest to `cell.x` in this cell; None when the cell has one class only.

    The class is the output that decides (`Network.classes`), or the sign of a single one; None, too, where outputs
    are no classes. A point in another cell may be nearer. float64: a
    least-distance program by non-negative least squares (C. L. Lawson, R. J. Hanson, 1974).
    """
    network = cell.chart.network
    if network.classes is None:
        return None
    A = scores(network, cell.affine.A[0].reshape(cell.affine.b.shape[1], -1))
    values = A @ cell.x + scores(network, cell.affine.b[0])
    if values.size == 1:
        positive = values[0] > 0
        lines, gaps, names = (-A if positive else A), np.abs(values), [int(not positive)]
    else:
        best = int(values.argmax())
        names = [j for j in range(values.size) if j != best]
        lines, gaps = A[names] - A[best], values[best] - values[names]
    rows, right = cell.halfspaces.A[cell.facets.rows], cell.halfspaces.b[cell.facets.rows]
    slack = np.maximum(right - rows @ cell.x, 0.0)
    turn = _turn(cell)
    rows, lines = rows @ turn, lines @ turn
    with np.errstate(over="ignore"):
        # a positive factor moves no hyperplane, and powers of two round nothing
        scale = np.exp2(-np.frexp(np.abs(lines).max(axis=1))[1].astype(np.float64).clip(-1000, 1000))
        lines, gaps = lines * scale[:, None], gaps * scale
        lengths = np.linalg.norm(lines, axis=1)
        least = np.where(lengths > 0, gaps / np.where(lengths > 0, lengths, 1.0), np.where(gaps > 0, np.inf, 0.0))
    found: tuple[float, FloatArray, int] | None = None
    for i in np.argsort(least, kind="stable").tolist():
        if not np.isfinite(least[i]) or (found is not None and least[i] >= found[0]):
            break
        step = _least_step(rows, slack, lines[i], float(gaps[i]))
        if step is not None and (found is None or np.linalg.norm(step) < found[0]):
            found = float(np.linalg.norm(step)), step, names[i]
    if found is None:
        return None
    return NearestOther(found[0], cell.x + turn @ found[1], found[2])


def _turn(cell: CellRecord) -> FloatArray:
    """Return a matrix from orthonormal coordinates to those of the domain."""
    if not isinstance(cell.domain, Slice):
        return np.eye(cell.k)
    basis = cell.domain.basis
    return np.asarray(np.linalg.inv(np.linalg.cholesky(basis @ basis.T)).T, dtype=np.float64)


def _least_step(rows: FloatArray, slack: FloatArray, line: FloatArray, gap: float) -> FloatArray | None:
    """Return the shortest d with `rows d <= slack` and `line d >= gap`; None when there is none."""
    foot = line * (gap / float(line @ line)) if line.any() else np.zeros_like(line)
    if np.all(rows @ foot <= slack):
        return np.asarray(foot, dtype=np.float64)
    from scipy.optimize import nnls

    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-300)
    size = float(np.linalg.norm(line))
    C = np.concatenate([-rows / lengths[:, None], line[None] / size])
    unit = gap / size  # distances in units of the distance to the hyperplane
    e = np.concatenate([-slack / lengths, [gap / size]]) / unit
    if C.shape[1] > C.shape[0]:
        Q, R = np.linalg.qr(C.T)
    else:
        Q, R = np.eye(C.shape[1]), C.T
    table = np.concatenate([R, e[None]])
    goal = np.zeros(table.shape[0])
    goal[-1] = 1.0
    weights, rest = nnls(table, goal, maxiter=20 * table.shape[1])
    if rest < _NONE:
        return None
    residual = table @ weights - goal
    return np.asarray(Q @ (-residual[:-1] / residual[-1]) * unit, dtype=np.float64)
