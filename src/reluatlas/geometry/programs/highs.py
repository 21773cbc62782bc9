"""What is the maximum of a linear function on a polyhedron, nearly? HiGHS, kept warm between questions.

Answers are float64 and prove nothing: whoever asks turns them into certificates that are checked exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import current, look

FloatArray = NDArray[np.float64]
_SLICE_S = 0.9


@dataclass(frozen=True, eq=False)
class Optimum:
    """The float64 answer of a linear program.

    Attributes
    ----------
    status : str
        "optimal", "unbounded" or "failed".
    point : ndarray, shape (k,)
    multipliers : ndarray, shape (g,)
        Of the rows, at least 0.
    """

    status: str
    point: FloatArray
    multipliers: FloatArray


class Program:
    """`max c . z` where `G z <= h` and `lower <= z <= upper`, for many `c`; rows and bounds can be changed.

    Parameters
    ----------
    G : ndarray, shape (g, k)
    h : ndarray, shape (g,)
        inf: the row is off.
    lower, upper : ndarray, shape (k,)
    """

    def __init__(self, G: FloatArray, h: FloatArray, lower: FloatArray, upper: FloatArray) -> None:
        import highspy

        g, k = G.shape
        self._kinds = highspy.HighsModelStatus
        self._inf = highspy.kHighsInf
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = k, g
        model.col_cost_ = np.zeros(k)
        model.col_lower_, model.col_upper_ = np.array(lower), np.array(upper)
        model.row_lower_, model.row_upper_ = np.full(g, -np.inf), np.array(h)
        row, column = np.nonzero(G)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=g))]).astype(np.int32)
        model.a_matrix_.index_ = column.astype(np.int32)
        model.a_matrix_.value_ = np.ascontiguousarray(G[row, column])
        # the solver without Python callbacks: making these prints a banner before it can be silenced
        self._solver: Any = highspy.Highs.__mro__[1]()
        for name, value in (
            ("output_flag", False), ("presolve", "off"), ("solver", "simplex"), ("threads", 1),
            ("primal_feasibility_tolerance", 1e-9), ("dual_feasibility_tolerance", 1e-9),
        ):  # fmt: skip
            self._solver.setOptionValue(name, value)
        self._solver.passModel(model)
        self._columns = np.arange(k, dtype=np.int32)
        self._shape = (g, k)

    def set_row(self, i: int, bound: float) -> None:
        """Let row i be at most `bound`."""
        self._solver.changeRowBounds(i, -self._inf, bound)

    def set_bounds(self, j: int, lower: float, upper: float) -> None:
        """Change the bounds of a coordinate."""
        self._solver.changeColBounds(j, lower, upper)

    def _run(self) -> Any:
        """Run the solver to its end, in slices: between them the clock is looked at, and Ctrl-C is heard of."""
        slice_s = _SLICE_S
        while True:
            look()
            self._solver.setOptionValue("time_limit", self._solver.getRunTime() + min(slice_s, current().left()))
            self._solver.run()
            status = self._solver.getModelStatus()
            if status != self._kinds.kTimeLimit:
                return status
            if self._solver.getInfo().simplex_iteration_count <= 0:
                slice_s *= 2  # what comes before the first step took all of it

    def maximize(self, c: FloatArray) -> Optimum:
        """Return the maximum of `c . z`."""
        g, k = self._shape
        self._solver.changeColsCost(k, self._columns, -np.asarray(c, dtype=np.float64))
        status = self._run()
        if status != self._kinds.kOptimal:
            unbounded = status in (self._kinds.kUnbounded, self._kinds.kUnboundedOrInfeasible)
            return Optimum("unbounded" if unbounded else "failed", np.zeros(k), np.zeros(g))
        answer = self._solver.getSolution()
        multipliers = np.maximum(-np.array(answer.row_dual), 0.0)
        return Optimum("optimal", np.array(answer.col_value), multipliers)
